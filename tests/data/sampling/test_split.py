from collections import Counter
from itertools import chain

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from ding_cls.data.sampling.split import fold_indices, image_folds, split_indices, subset_indices
from ding_cls.errors import DataError


def draws(case):
    """Return labels of uneven classes, and groups."""
    rng = np.random.default_rng(case)
    length, num_classes = rng.integers(30, 150), rng.integers(1, 8)
    labels = rng.choice(num_classes, length, p=rng.dirichlet(np.ones(num_classes))).tolist()
    return labels, rng.integers(0, length // 4, length).tolist()


def counts(labels, parts):
    """Return how many samples of each class each part has."""
    return np.array(
        [[Counter(labels[i] for i in part)[name] for name in sorted(set(labels))] for part in parts]
    )


def test_folds_are_as_even_as_scikit_learns():
    cases = 0
    for case in range(60):
        labels, _ = draws(case)
        for num_splits in (2, 3, 5, 7):
            folds = fold_indices(labels, num_splits, seed=case)
            assert sorted(chain.from_iterable(folds)) == list(range(len(labels)))
            found = counts(labels, folds)
            assert np.ptp(found, axis=0).max() <= 1
            assert np.ptp(found.sum(1)) <= 1
            if min(Counter(labels).values()) >= num_splits:
                theirs = StratifiedKFold(num_splits, shuffle=True, random_state=0).split(labels, labels)
                expected = counts(labels, [test for _, test in theirs])
                assert sorted(map(tuple, np.sort(found, 0))) == sorted(map(tuple, np.sort(expected, 0)))
                cases += 1
    assert cases > 60


def test_a_split_keeps_the_shares_of_all_classes_and_loses_no_sample():
    for case in range(60):
        labels, _ = draws(case)
        shares = np.random.default_rng(case).dirichlet(np.ones(3) * 4)
        parts = split_indices(labels, fractions=shares.tolist(), seed=case)
        assert sorted(chain.from_iterable(parts)) == list(range(len(labels)))
        found, sizes = counts(labels, parts), counts(labels, [range(len(labels))])
        assert (found[0] >= 1).all()
        large = sizes[0] * shares[0] >= 1
        assert np.abs(found - sizes * shares[:, None])[:, large].max(initial=0) < 1


def test_classes_of_one_group_each_are_shared_among_folds():
    labels = [0, 1, 2, 3] * 2
    for seed in (None, 0, 1):
        folds = fold_indices(labels, 2, groups=labels, seed=seed)
        assert [len(fold) for fold in folds] == [4, 4]
        assert [len(fold) for fold in fold_indices(labels, 4, groups=labels, seed=seed)] == [2] * 4


def test_groups_stay_together_and_shares_are_near():
    for case in range(40):
        labels, groups = draws(case)
        for parts in (
            split_indices(labels, fractions=[0.6, 0.2, 0.2], groups=groups, seed=case),
            fold_indices(labels, 3, groups=groups, seed=case),
        ):
            assert sorted(chain.from_iterable(parts)) == list(range(len(labels)))
            where = [{groups[index] for index in part} for part in parts]
            assert sum(map(len, where)) == len(set(groups))
        wanted = np.array([0.6, 0.2, 0.2]) * len(labels)
        sizes = np.array(
            [len(part) for part in split_indices(labels, fractions=[0.6, 0.2, 0.2], groups=groups)]
        )
        assert np.abs(sizes - wanted).max() <= 2 * max(Counter(groups).values())


def test_first_sixty_next_ten_rest():
    labels = ["b"] * 80 + ["a"] * 75
    train, val, test = split_indices(labels, per_class=[60, 10, "rest"])
    assert train == [*range(60), *range(80, 140)]
    assert val == [*range(60, 70), *range(140, 150)]
    assert test == [*range(70, 80), *range(150, 155)]
    shuffled = split_indices(labels, per_class=[60, 10, "rest"], seed=1)
    assert [len(part) for part in shuffled] == [120, 20, 15]
    assert shuffled[0] != train
    assert shuffled == split_indices(labels, per_class=[60, 10, "rest"], seed=1)
    assert [len(part) for part in split_indices(labels, per_class=[2, 1])] == [4, 2]


def test_a_share_below_one_leaves_samples_out():
    parts = split_indices([0] * 10 + [1] * 20, fractions=[0.5, 0.1], seed=0)
    assert counts([0] * 10 + [1] * 20, parts).tolist() == [[5, 10], [1, 2]]
    assert split_indices([0] * 4, fractions=[0.5, 0.5]) == [[0, 1], [2, 3]]


def test_every_class_is_trained_on():
    labels = [0] * 20 + [1] * 20 + list(range(2, 30))
    train, val, test = split_indices(labels, fractions=[0.5, 0.3, 0.2], seed=3)
    assert {labels[index] for index in train} == set(labels)
    assert len(train) + len(val) + len(test) == len(labels)


def test_a_subset_has_exactly_so_many_and_each_class_by_its_share():
    for case in range(40):
        labels, _ = draws(case)
        for number in (1, 7, len(labels) - 1):
            chosen = subset_indices(labels, number, seed=case)
            assert len(set(chosen)) == number
            shares = counts(labels, [range(len(labels))])[0] * number / len(labels)
            assert np.abs(counts(labels, [chosen])[0] - shares).max() < 1


def test_without_stratification_sizes_count():
    folds = fold_indices([0, 0, 0, 0, 1, 1, 1], 3, stratified=False)
    assert folds == [[0, 1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "either fractions or per_class"),
        ({"fractions": [0.5], "per_class": [1]}, "either fractions or per_class"),
        ({"fractions": [0.8, 0.3]}, "together above 0 and at most 1"),
        ({"fractions": [-0.1, 0.3]}, "must be at least 0"),
        ({"fractions": [0.5], "groups": [1]}, "1 groups for 4 samples"),
        ({"per_class": [2, 1, "rest"]}, r"class 'b' has 1 samples, fewer than 2 \+ 1"),
        ({"per_class": ["rest", "rest"]}, "'rest' once at most"),
        ({"per_class": [1], "groups": [1, 1, 2, 2]}, "counts per class cannot be met with groups"),
    ],
)
def test_what_cannot_be_met_is_named(arguments, reason):
    with pytest.raises(DataError, match=reason):
        split_indices(["a", "a", "a", "b"], **arguments)


def test_folds_that_cannot_be_are_named():
    with pytest.raises(DataError, match="num_splits=1 must be at least 2"):
        fold_indices([0, 1], 1)
    with pytest.raises(DataError, match="num_splits=3 is more than the 2 samples or groups"):
        fold_indices([0, 1, 1], 3, groups=[0, 0, 1])


def test_samples_of_one_image_are_in_one_fold():
    labels = [0, 0, 1, 1] * 6
    images = [number // 2 for number in range(24)]
    folds = image_folds(labels, 3, images, seed=0)
    assert sorted(chain(*folds)) == list(range(24))
    assert [Counter(labels[index] for index in fold) for fold in folds] == [{0: 4, 1: 4}] * 3
    shown = [{images[index] for index in fold} for fold in folds]
    assert not set.intersection(*shown)
    assert [len(each) for each in shown] == [4, 4, 4]
    with pytest.raises(DataError, match="num_splits=13 is more than the 12 samples or groups"):
        image_folds(labels, 13, images)


def test_images_of_one_sample_each_change_nothing():
    labels, groups = [0, 1, 1] * 5, [number // 3 for number in range(15)]
    images = list(range(15))
    assert image_folds(labels, 3, images, seed=4) == fold_indices(labels, 3, seed=4)
    grouped = fold_indices(labels, 3, groups=groups, seed=4)
    assert image_folds(labels, 3, images, groups=groups, seed=4) == grouped
    assert image_folds(labels, 3, images, stratified=False) == fold_indices(labels, 3, stratified=False)


def test_an_image_joins_its_groups():
    groups = ["a", "a", "b", "b", "c", "c", "d", "d"]
    images = [0, 1, 1, 2, 3, 4, 5, 5]
    folds = image_folds([0] * 8, 2, images, groups=groups, seed=0)
    assert sorted(folds) == [[0, 1, 2, 3], [4, 5, 6, 7]]
