from pathlib import Path

import numpy as np
import pytest
import torch

from ding_cls.data import ArrayDataset, ConcatDataset, RepeatDataset, SubsetDataset
from ding_cls.data.labels import (
    as_target,
    categories,
    label_view,
    numbered,
    sample_names,
    strata,
    weights_of,
)
from ding_cls.errors import DataError


class Given:
    """A data set that says of itself what a test hands it."""

    def __init__(self, length, **known):
        self.length = length
        self.__dict__.update(known)

    def __len__(self):
        return self.length


@pytest.mark.parametrize("label", [3, np.int64(3), np.array(3), np.array([3]), torch.tensor(3), [3]])
def test_one_number_is_a_class_number(label):
    target = as_target(label)
    assert (type(target), target) == (int, 3)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ([3, 1, 2], torch.tensor([3, 1, 2])),
        (np.array([3, 1], np.uint8), torch.tensor([3, 1])),
        (np.array([0.5, 0.5]), torch.tensor([0.5, 0.5])),
        (np.array([True, False]), torch.tensor([1.0, 0.0])),
        (np.array([1.0]), torch.tensor([1.0])),
    ],
)
def test_several_numbers_are_tasks_and_floats_are_classes(label, expected):
    target = as_target(label)
    assert target.dtype == expected.dtype
    assert torch.equal(target, expected)


@pytest.mark.parametrize("label", [[[1, 0]], ["cat", "dog"]])
def test_what_is_no_label_is_named(label):
    with pytest.raises(DataError, match="gt_label is an array of"):
        as_target(label)


def test_words_are_numbers_or_names():
    places = ["a", "b"]
    assert numbered([["1"], ["0"]], None, places) == ([[1], [0]], None)
    assert numbered([["1"], ["0"]], ["cat", "dog"], places) == ([[1], [0]], ("cat", "dog"))
    assert numbered([["dog"], ["10"]], None, places) == ([[1], [0]], ("10", "dog"))
    assert numbered([["dog", "cat"], []], ["dog", "cat"], places) == ([[0, 1], []], ("dog", "cat"))
    with pytest.raises(DataError, match="b: 'owl' is none of the 2 classes"):
        numbered([["dog"], ["owl"]], ["dog", "cat"], places)


def test_decimal_names_of_training_stay_names_where_a_split_has_no_others():
    # The training list has a name in letters, so its labels were read as names; so are these.
    assert numbered([["10"], ["2"]], ["10", "2", "cat"], ["a", "b"])[0] == [[0], [1]]
    assert numbered([["1"], ["2"]], ["0", "1", "10", "2"], ["a", "b"])[0] == [[1], [2]]


def test_classes_are_asked_for_without_loading():
    assert categories(Given(2, get_cat_ids=lambda index: [index, 5])) == [[0, 5], [1, 5]]
    assert categories(Given(2, targets=[1, 0])) == [[1], [0]]
    assert categories(Given(2, targets=np.array([[1, 2], [0, 1]]))) == [[1, 2], [0, 1]]
    assert strata(Given(4, targets=[7, 0, 7, 3])) == [0, 1, 0, 2]
    with pytest.raises(DataError, match="does not say its classes without loading"):
        categories(Given(2))


def test_labels_are_looked_up_and_not_copied():
    labels = np.eye(4, dtype=np.float32)
    dataset = ArrayDataset(images=np.zeros((4, 2, 2, 3), np.uint8), labels=labels)
    wrapped = SubsetDataset(ConcatDataset([dataset, RepeatDataset(dataset, 2)]), 9)
    for each in (dataset, wrapped):
        view = label_view(each)
        assert [row.tolist() for row in view] == each.targets
        assert all(np.shares_memory(row, labels) for row in view)
        assert [row.tolist() for row in view[1:3]] == each.targets[1:3]
    with pytest.raises(IndexError):
        view[9]


def test_the_list_of_a_subclass_is_the_one_that_counts():
    class Shifted(ArrayDataset):
        @property
        def targets(self):
            return [each + 1 for each in super().targets]

    shifted = Shifted(images=np.zeros((2, 2, 2, 3), np.uint8), labels=np.array([0, 1]))
    assert list(label_view(shifted)) == [1, 2]
    assert label_view(object()) is None
    assert label_view(ConcatDataset([shifted, shifted]))[3] == 2


def test_equal_weights_are_none():
    assert weights_of(Given(2)) is None
    assert weights_of(Given(2, sample_weights=None)) is None
    assert weights_of(Given(2, sample_weights=[0.5, 0.5])) is None
    assert torch.equal(weights_of(Given(2, sample_weights=[1, 3])), torch.tensor([1.0, 3.0]))


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([1.0], r"sample_weights has the shape \(1,\) for 2 samples"),
        ([1.0, 0.0], "sample 1 has the weight 0"),
        ([float("nan"), 1.0], "sample 0 has the weight nan"),
        ([1.0, float("inf")], "sample 1 has the weight inf"),
    ],
)
def test_weights_that_are_none_are_named(weights, reason):
    with pytest.raises(DataError, match=reason):
        weights_of(Given(2, sample_weights=weights))


def test_a_sample_is_called_by_its_file_or_its_number():
    files = [("ash/0.png", 0), (Path("fir/1.png"), 1)]
    assert sample_names(Given(2, samples=files)) == ["ash/0.png", "fir/1.png"]
    infos = [{"img_info": {"filename": "a b.png"}, "gt_label": 0}, {"img": None, "gt_label": 1}]
    assert sample_names(Given(2, data_infos=infos)) == ["a b.png", "1"]
    assert sample_names(Given(2)) == ["0", "1"]
    assert sample_names(Given(2, samples=torch.zeros(2, 3))) == ["0", "1"]
    assert sample_names(Given(1, sample_names=["x"], samples=[("y", 0)])) == ["x"]


@pytest.mark.parametrize("word", ["-1", "3.0", "99999999999", "9" * 40])
def test_numbers_that_count_no_classes_are_refused_unless_they_are_names(word):
    with pytest.raises(DataError, match=r"line 2: .* is no class number; .* or name all in 'classes'"):
        numbered([["0"], [word]], None, ["line 1", "line 2"])
    assert numbered([[word], ["x"]], [word, "x"], ["1", "2"]) == ([[0], [1]], (word, "x"))


def test_a_gap_that_no_data_set_has_takes_no_memory():
    with pytest.raises(DataError, match="there is a class number 99999999999"):
        ArrayDataset(images=np.zeros((2, 4, 4), np.uint8), labels=np.array([0, 99999999999]))
