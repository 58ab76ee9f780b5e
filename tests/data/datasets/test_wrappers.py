from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.model_selection import StratifiedKFold

from ding_cls.data import (
    ArrayDataset,
    ClassBalancedDataset,
    ConcatDataset,
    CSVDataset,
    ImageNetDataset,
    KFoldDataset,
    RepeatDataset,
    SplitDataset,
    SubsetDataset,
    SyntheticDataset,
    build_dataset,
    build_train_loader,
    innermost,
)
from ding_cls.data.datasets.wrappers import draws_from_torch_only
from ding_cls.data.transforms import Compose
from ding_cls.errors import ConfigError, DataError


def arrays(*labels, classes=("a", "b", "c"), **known):
    """Return a data set whose picture number i is all i."""
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    dataset = ArrayDataset(images=images, labels=np.array(labels), classes=classes)
    for info, *values in zip(dataset.data_infos, *known.values(), strict=True):
        info.update(zip(known, values, strict=True))
    return dataset


def shown(dataset):
    """Return the number of each picture."""
    return [int(dataset.load(index)[0][0, 0, 0]) for index in range(len(dataset))]


def test_a_data_set_is_repeated():
    dataset = RepeatDataset(arrays(2, 0), times=3)
    assert shown(dataset) == [0, 1, 0, 1, 0, 1]
    assert dataset.targets == [2, 0, 2, 0, 2, 0]
    assert dataset.classes == dataset.CLASSES == ("a", "b", "c")
    assert [dataset.get_cat_ids(index) for index in (0, 5)] == [[2], [0]]
    with pytest.raises(DataError, match="times=0 must be at least 1"):
        RepeatDataset(arrays(0), 0)


def test_repeats_are_augmented_each_in_its_own_way():
    def noise(results):
        results["img"] = torch.randint(0, 256, (2, 2, 3), dtype=torch.uint8).numpy()
        return results

    images, labels = np.zeros((2, 2, 2, 3), np.uint8), np.array([0, 0])
    dataset = RepeatDataset(ArrayDataset(images=images, labels=labels, pipeline=[noise]), 3)
    (batch,) = build_train_loader(dataset, 6, seed=0)
    assert len(batch.images.flatten(1).unique(dim=0)) == 6


def test_samples_of_rare_classes_come_as_often_as_their_factor_rounded_up():
    dataset = ClassBalancedDataset(arrays(*[0] * 14, 1, 2), oversample_thr=0.25)
    # sqrt(0.25 / (1 / 16)) = 2.
    assert Counter(shown(dataset)) == {**dict.fromkeys(range(14), 1), 14: 2, 15: 2}
    assert Counter(dataset.targets) == {0: 14, 1: 2, 2: 2}
    slightly = ClassBalancedDataset(arrays(*[0] * 7, 1), oversample_thr=0.13)
    assert Counter(slightly.targets)[1] == 2
    with pytest.raises(DataError, match="oversample_thr=0 must be above 0"):
        ClassBalancedDataset(arrays(0), 0)


def test_folds_are_disjoint_whole_and_stratified():
    labels = np.random.default_rng(0).choice(3, 50, p=[0.6, 0.3, 0.1]).tolist()
    inner = arrays(*labels)
    tested = []
    for fold in range(5):
        test = KFoldDataset(inner, fold=fold, num_splits=5, test_mode=True, seed=3)
        train = KFoldDataset(inner, fold=fold, num_splits=5, seed=3)
        assert sorted(shown(train) + shown(test)) == list(range(50))
        tested += shown(test)
        counts = Counter(test.targets)
        theirs = [len(part) for _, part in StratifiedKFold(5).split(labels, labels)]
        assert len(test) in theirs
        assert all(abs(counts[name] - labels.count(name) / 5) < 1 for name in range(3))
    assert sorted(tested) == list(range(50))
    assert shown(KFoldDataset(inner, 0, 5, test_mode=True, seed=4)) != shown(
        KFoldDataset(inner, 0, 5, test_mode=True, seed=3)
    )
    with pytest.raises(DataError, match="fold=5 must be at least 0 and below num_splits=5"):
        KFoldDataset(inner, fold=5)


def test_groups_stay_in_one_fold():
    inner = arrays(*[0, 1] * 8, group=[number // 2 for number in range(16)])
    folds = [KFoldDataset(inner, fold, 4, test_mode=True, grouped=True, seed=0) for fold in range(4)]
    assert [len(set(each.groups)) for each in folds] == [2, 2, 2, 2]
    assert sorted(number for each in folds for number in shown(each)) == list(range(16))
    with pytest.raises(DataError, match="grouped=True, but ArrayDataset has no groups"):
        KFoldDataset(arrays(0, 1), 0, 2, grouped=True)


def test_rows_of_one_image_are_in_one_fold(make_pictures):
    root = make_pictures("root", *(f"{number}.png" for number in range(6)))
    (root / "link").symlink_to(".")
    names = [f"{spelling}{number}.png" for number in range(6) for spelling in ("", "./", "link/", f"{root}/")]
    lines = [f"{name},{'ab'[int(name[-5]) % 2]}" for name in names]
    (root / "all.csv").write_text("\n".join(["path,label", *lines]))
    inner = CSVDataset(ann_file=root / "all.csv", pipeline=[{"type": "LoadImageFromFile"}])
    whole = ConcatDataset([inner, inner])
    for fold in range(3):
        test = KFoldDataset(whole, fold, 3, test_mode=True, seed=0)
        train = KFoldDataset(whole, fold, 3, seed=0)
        held_out = {Path(name).name for name in test.sample_names}
        assert (len(test), len(train), len(held_out)) == (16, 32, 2)
        assert not held_out & {Path(name).name for name in train.sample_names}
        assert Counter(test.targets) == {0: 8, 1: 8}


def test_what_a_file_name_says_keeps_samples_in_one_fold(make_pictures):
    files = ("ash/a1.png", "ash/b1.png", "ash/c1.png", "fir/a1.png", "fir/a2.png", "fir/d1.png")
    root = make_pictures("root", *files)
    inner = ImageNetDataset(root, True)
    folds = [KFoldDataset(inner, fold, 2, True, group_pattern=r"(\w)\d") for fold in range(2)]
    people = [{Path(name).name[0] for name in each.sample_names} for each in folds]
    assert people[0] | people[1] == set("abcd")
    assert not people[0] & people[1]
    row = ConcatDataset([folds[0], RepeatDataset(folds[1], 2)])
    assert row.sample_names == folds[0].sample_names + folds[1].sample_names * 2
    with pytest.raises(DataError, match=r"finds nothing in 'ash/a1\.png'; it must tell each picture's group"):
        KFoldDataset(inner, 0, 2, group_pattern="x")


def test_parts_are_disjoint_and_whole():
    inner = arrays(*[0] * 20, *[1] * 10)
    parts = [SplitDataset(inner, part, fractions=[0.7, 0.2, 0.1]) for part in range(3)]
    assert [Counter(each.targets) for each in parts] == [{0: 14, 1: 7}, {0: 4, 1: 2}, {0: 2, 1: 1}]
    assert sorted(number for each in parts for number in shown(each)) == list(range(30))
    counted = SplitDataset(inner, 1, per_class=[5, 2, "rest"], seed=None)
    assert shown(counted) == [5, 6, 25, 26]
    for part, shares in ((3, [0.7, 0.2, 0.1]), (1, [1.0, 0.0])):
        with pytest.raises(DataError, match="is empty or not there"):
            SplitDataset(inner, part, fractions=shares)


def test_a_subset_has_so_many_samples_of_all_classes():
    inner = arrays(*[0] * 20, *[1] * 10)
    assert Counter(SubsetDataset(inner, 6).targets) == {0: 4, 1: 2}
    assert shown(SubsetDataset(inner, 6)) != shown(SubsetDataset(inner, 6, seed=1))
    assert shown(SubsetDataset(inner, 3, seed=None)) == [0, 1, 20]
    assert len(SubsetDataset(inner, 0)) == len(SubsetDataset(inner, 31)) == 30
    with pytest.raises(DataError, match="num_samples=-1"):
        SubsetDataset(inner, -1)


def test_data_sets_in_a_row():
    dataset = ConcatDataset([arrays(2, 0), arrays(1), arrays(0, 1)])
    assert shown(dataset) == [0, 1, 0, 0, 1]
    assert dataset.targets == [2, 0, 1, 0, 1]
    assert [dataset.place(index) for index in (0, 2, 4, -1)] == [(0, 0), (1, 0), (2, 1), (2, 1)]
    assert dataset.get_cat_ids(2) == [1]
    assert dataset.cumulative_sizes == [2, 3, 5]
    assert dataset.classes == dataset.CLASSES == ("a", "b", "c")
    assert torch.equal(torch.as_tensor(dataset[3]["img"]), dataset.load(3)[0])
    with pytest.raises(IndexError):
        dataset.load(5)
    with pytest.raises(DataError, match="datasets is empty"):
        ConcatDataset([])
    with pytest.raises(DataError, match="the classes of data sets 0 and 1 differ"):
        ConcatDataset([arrays(0), arrays(0, classes=("b", "a", "c"))])


def test_weights_and_groups_go_through_wrappers():
    weighted = arrays(0, 1, weight=[2.0, 3.0], group=["x", "y"])
    assert RepeatDataset(weighted, 2).sample_weights == [2.0, 3.0, 2.0, 3.0]
    assert RepeatDataset(weighted, 2).groups == ["x", "y", "x", "y"]
    joined = ConcatDataset([arrays(0), weighted])
    assert joined.sample_weights == [1.0, 2.0, 3.0]
    assert joined.groups is None
    assert ConcatDataset([weighted, weighted]).groups == ["x", "y", "x", "y"]
    assert ConcatDataset([arrays(0), arrays(1)]).sample_weights is None
    (batch,) = build_train_loader(joined, 3, seed=0)
    assert batch.weights.tolist() == [joined.sample_weights[index] for index in batch.sample_ids]


def test_several_labels_go_through_wrappers():
    images = np.zeros((4, 2, 2, 3), np.uint8)
    hot = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 0, 1]], float)
    inner = ArrayDataset(images=images, labels=hot)
    assert RepeatDataset(inner, 2).targets[5] == [1, 1, 0]
    assert torch.equal(ConcatDataset([inner, inner]).load(7)[1], torch.tensor([1.0, 0.0, 1.0]))


def test_any_data_set_can_be_wrapped_also_by_its_description(make_pictures):
    root = make_pictures("d", "ant/1.png", "ant/2.png", "cat/1.png")
    folder = RepeatDataset(ImageNetDataset(root, is_training=False), 2)
    assert folder.targets == [0, 0, 1, 0, 0, 1]
    assert folder.get_cat_ids(5) == [1]
    assert torch.equal(folder[3][0], folder[0][0])
    described = build_dataset(
        {
            "type": "ConcatDataset",
            "datasets": [
                {"type": "SyntheticDataset", "num_samples": 4, "num_classes": 2, "size_px": 4},
                {
                    "type": "RepeatDataset",
                    "times": 2,
                    "dataset": SyntheticDataset(3, 2, 4),
                },
            ],
        }
    )
    assert described.targets == [0, 1, 0, 1, 0, 1, 0, 0, 1, 0]
    assert [type(each).__name__ for each in innermost(described)] == ["SyntheticDataset"] * 2
    pairs = RepeatDataset(Pairs(), 2)
    assert pairs.load(3)[1] == 1
    with pytest.raises(ConfigError, match="no dataset named"):
        RepeatDataset({"type": "Nothing"}, 2)


class Pairs:
    """torch's own form."""

    classes = ("a", "b")
    targets = [0, 1]

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return torch.zeros(3, 2, 2), index


def test_data_sets_in_a_row_are_a_list():
    with pytest.raises(DataError, match="put it in a list"):
        ConcatDataset({"type": "SyntheticDataset"})


class OwnArrays(ArrayDataset):
    """A user's data set, which may draw from anything."""


def test_what_draws_from_torch_only_is_known_through_wrappers_and_unknown_of_users_classes():
    ours, users = arrays(0, 1, 0, 1), OwnArrays(images=np.zeros((2, 2, 2, 3), np.uint8), labels=np.arange(2))
    for one in (ours, SyntheticDataset(4, 2, 8), RepeatDataset(ours, 2), ConcatDataset([ours, ours])):
        assert draws_from_torch_only(one)
    for one in (users, RepeatDataset(users, 2), ConcatDataset([arrays(0, 1, classes=("0", "1")), users])):
        assert not draws_from_torch_only(one)
    ours.pipeline = Compose([dict])
    assert not draws_from_torch_only(RepeatDataset(ours, 2))
