import math
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
    numbered_array,
    renumbered,
    repeat_factors,
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
    assert numbered([["1"], ["2"]], ["0", "1", "10", "2"], ["a", "b"])[0] == [[1], [3]]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["001", "002", "010"], ("001", "002", "010")),
        (["10234", "777"], ("777", "10234")),
        (["3", "1", "2"], ("1", "2", "3")),
        (["1e3", "2"], ("1e3", "2")),
        (["4006381333931", "0"], ("0", "4006381333931")),
        (["٣", "1"], ("1", "٣")),
    ],
)
def test_codes_are_words_and_leave_no_class_empty(words, names):
    numbers, found = numbered([[word] for word in words], None, words)
    assert found == names
    assert numbers == [[names.index(word)] for word in words]
    assert numbered([words], names, ["a"])[0] == [[names.index(word) for word in words]]


def test_a_name_with_white_space_around_it_is_found():
    assert numbered([["cat"], ["cat "]], ["dog", "cat "], ["a", "b"])[0] == [[1], [1]]


def test_a_format_that_counts_classes_may_leave_some_empty_and_tells_it(caplog):
    places = ["a", "b"]
    assert numbered([["1"], ["3"]], None, places, counts=True) == ([[1], [3]], None)
    assert [record.getMessage() for record in caplog.records] == [
        "b: the label 3 makes 4 classes, numbered from 0; 2 of them have no image, the first is 0"
    ]
    assert numbered([["1"], ["300"]], None, places, counts=True) == ([[0], [1]], ("1", "300"))


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (np.array(["dog", " 007"]), None, ([1, 0], ("007", "dog"))),
        (np.array([b"dog", b"cat"]), ["dog", "cat"], ([0, 1], ("dog", "cat"))),
        (np.array(["b", "a"], object), None, ([1, 0], ("a", "b"))),
        (np.array(["1", "0"]), None, ([1, 0], None)),
        (np.array([[2, 0], [1, 1]], np.uint8), None, ([[2, 0], [1, 1]], None)),
        (np.array([10234, 777], np.int32), None, ([1, 0], ("777", "10234"))),
        (np.array([20, 10], np.int8), ["10", "20"], ([1, 0], ("10", "20"))),
        (np.array([1, 0]), ["b", "a"], ([1, 0], ("b", "a"))),
        (np.array([1, 5]), ["b", "a"], ([1, 5], ("b", "a"))),
        (np.array([0.5, 1.0]), ["b", "a"], ([0.5, 1.0], ("b", "a"))),
    ],
)
def test_an_array_holds_words_or_class_numbers(labels, classes, expected):
    numbers, names = numbered_array(labels, classes, place="x")
    assert (numbers.tolist(), names) == expected


def test_an_array_with_two_readings_or_an_empty_word_is_refused():
    with pytest.raises(DataError, match=r"x: the label 1 is '2' by its position and '1' by its name"):
        numbered_array(np.array([1, 2]), ["1", "2", "3"], place="x")
    with pytest.raises(DataError, match="x, label 1 is empty"):
        numbered_array(np.array(["a", ""]), None, place="x")


def test_labels_follow_their_names_into_another_list():
    own, given = ["a", "b"], ["b", "c", "a"]
    assert renumbered(np.array([[0, 1], [-1, 7]]), own, given, owner="x").tolist() == [[2, 0], [-1, 7]]
    assert renumbered(np.array([[0.25, 0.75]]), own, given, owner="x").tolist() == [[0.75, 0.0, 0.25]]
    assert renumbered(np.array([0, 1]), own, own, owner="x").tolist() == [0, 1]
    odd = np.array([[0.5, 0.25, 0.25]])
    assert renumbered(odd, own, given, owner="x") is odd


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


@pytest.mark.parametrize("word", ["-1", "3.0"])
def test_numbers_that_count_no_classes_are_refused_unless_they_are_names(word):
    with pytest.raises(DataError, match=r"line 2: .* is no class number; .* or name all in 'classes'"):
        numbered([["0"], [word]], None, ["line 1", "line 2"])
    assert numbered([[word], ["x"]], [word, "x"], ["1", "2"]) == ([[0], [1]], (word, "x"))


def test_a_gap_that_no_data_set_has_takes_no_memory():
    with pytest.raises(DataError, match="there is a class number 99999999999"):
        ArrayDataset(images=np.zeros((2, 4, 4), np.uint8), labels=np.array([0, 99999999999]))


def test_factors_are_those_of_the_formula():
    classes = [[0], [0], [0], [0, 1], [0], [0], [1, 2], []]
    shares = {0: 6 / 8, 1: 2 / 8, 2: 1 / 8}
    expected = {name: max(1, math.sqrt(0.5 / share)) for name, share in shares.items()}
    factors = repeat_factors(classes, 0.5)
    assert factors == [max((expected[name] for name in each), default=1) for each in classes]
    assert factors[6] == 2.0
