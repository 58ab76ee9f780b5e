"""Ranks of the targets: ties and NaN have one answer; labels outside the classes are counted."""

import math

import pytest
import torch

from ding_cls.errors import DataError
from ding_cls.metrics import ImageClassificationMetric, target_ranks
from ding_cls.metrics.targets import check_labels, class_numbers, guessed_classes, several_labels
from tests.metrics.test_classification import INF, NAN, random_case


def rank_by_sorting(logits: list[float], target: int) -> int:
    """The place of the target when classes are sorted by (logit, descending; number, ascending)."""
    if any(math.isnan(each) for each in logits):
        return len(logits)
    return sorted(range(len(logits)), key=lambda number: (-logits[number], number)).index(target)


def test_ranks_equal_a_sort_by_logit_then_class_number() -> None:
    checked = 0
    for key in range(40):
        logits, targets = random_case(25, 1 + key % 9, key)
        # Rounding makes ties; some values become infinite, some NaN.
        logits = logits.round()
        logits[::7, 0] = INF
        logits[1::7, -1] = -INF
        if key % 4 == 0:
            logits[2::7, 0] = NAN
        expected = [
            rank_by_sorting(row, target)
            for row, target in zip(logits.tolist(), targets.tolist(), strict=True)
        ]
        assert target_ranks(logits, targets).tolist() == expected
        checked += len(expected)
    assert checked == 1000


@pytest.mark.parametrize("num_classes", [1, 2, 4, 5, 10, 1000])
def test_of_equal_logits_the_lowest_class_number_wins(num_classes: int) -> None:
    targets = torch.arange(num_classes)
    logits = torch.full((num_classes, num_classes), 0.25)
    assert target_ranks(logits, targets).tolist() == list(range(num_classes))
    assert ImageClassificationMetric().eval(logits, targets)["acc1"] == pytest.approx(100 / num_classes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_ties_have_one_answer_in_every_precision(dtype: torch.dtype) -> None:
    logits = torch.tensor([[1.0, 3.0, 3.0, 0.0], [3.0, 3.0, 3.0, 3.0]], dtype=dtype)
    assert target_ranks(logits, torch.tensor([1, 0])).tolist() == [0, 0]
    assert target_ranks(logits, torch.tensor([2, 3])).tolist() == [1, 3]


def test_guesses_break_ties_by_number_and_a_nan_is_no_class() -> None:
    logits = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [NAN, 9.0, 0.0]])
    assert guessed_classes(logits).tolist() == [1, 0, 3]


def test_labels_outside_the_classes_are_clamped_and_counted() -> None:
    safe, bad_labels = class_numbers(torch.zeros(4, 3), torch.tensor([-1, 0, 2, 3]))
    assert (safe.tolist(), int(bad_labels)) == ([0, 0, 2, 2], 2)
    with pytest.raises(DataError, match="2 of 4 labels lie outside the network's classes"):
        check_labels({"bad_labels": int(bad_labels), "count": 4})
    check_labels({"bad_labels": 0, "count": 4})


def test_class_numbers_are_labels_too_and_a_negative_label_does_not_count() -> None:
    logits = torch.zeros(2, 3)
    has_class, counts, bad_labels = several_labels(logits, torch.tensor([2, 5]))
    assert has_class.tolist() == [[False, False, True], [False, False, True]]
    assert (bool(counts.all()), int(bad_labels)) == (True, 1)
    has_class, counts, _ = several_labels(logits, torch.tensor([[1, 0, -1], [0, 1, 1]]))
    assert has_class.tolist() == [[True, False, False], [False, True, True]]
    assert counts.tolist() == [[True, True, False], [True, True, True]]
    with pytest.raises(DataError, match=r"there are \(2, 3\) and \(2, 4\)"):
        several_labels(logits, torch.zeros(2, 4))


def test_columns_with_a_single_1_are_class_numbers():
    hot = torch.eye(3)[[2, 0]]
    safe, bad = class_numbers(torch.zeros(2, 3), hot)
    assert (safe.tolist(), int(bad)) == ([2, 0], 0)
    for other in (torch.tensor([[1.0, 1, 0], [1, 0, 0]]), torch.tensor([[0.5, 0.5, 0], [1, 0, 0]])):
        with pytest.raises(DataError, match="class numbers"):
            class_numbers(torch.zeros(2, 3), other)
