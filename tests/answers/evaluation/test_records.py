"""What logits say of each sample."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.answers.evaluation.records import SampleAnswers, column_types, guessed_classes, ratio
from ding_cls.metrics.targets import guessed_classes as guessed_of_tensors
from ding_cls.pipeline.checks.labels import Labels
from tests.pipeline.evaluation.test_sample_records import recorded

NAN = math.nan
CLASSES = ("ash", "birch", "cedar")
LOGITS = np.array([[0, 2, 0], [3, 3, 0], [0, NAN, 9], [0, 0, 3], [math.inf, 1, 1]], np.float32)


@pytest.mark.parametrize(
    ("kind", "logits", "targets"),
    [
        ("one", LOGITS, np.array([1, 1, 2, 0, 0])),
        ("several", LOGITS, np.array([[0, 1, 0], [1, -1, 0], [0, 0, 1], [0, 0, 1], [1, 1, 1]], np.float32)),
        ("tasks", np.stack([LOGITS, LOGITS[::-1]], 1), np.array([[1, 0], [1, 0], [2, 2], [2, 1], [0, 1]])),
    ],
)
def test_an_evaluation_keeps_the_same_in_batches_of_any_size(kind: Any, logits: Any, targets: Any) -> None:
    expected = recorded(logits, targets, Labels(kind, 2))
    batches = [
        SampleAnswers.of(kind, np.arange(5)[part], targets[part], logits[part], threshold=0.5)
        for part in (slice(0, 2), slice(2, 5))
    ]
    found = SampleAnswers.joined(batches)
    names = list("abcde")
    assert [*found.rows(names, CLASSES)] == [*expected.rows(names, CLASSES)]
    assert found.mistakes() == expected.mistakes()
    assert found.is_right.tolist() == expected.is_right.tolist()
    for name, values in expected.by_class(3).items():
        assert found.by_class(3)[name] == pytest.approx(values), name


def test_a_class_whose_logit_is_infinite_is_named_without_a_score() -> None:
    answers = SampleAnswers.of("one", np.arange(5), np.array([1, 1, 2, 0, 0]), LOGITS, threshold=0.5)
    rows = [row[3:] for row in answers.rows(list("abcde"), CLASSES)]
    assert rows[2] == (None, None, None, False)
    assert rows[4] == (0, "ash", None, True)


def test_what_is_kept_without_logits_does_not_hold_their_memory() -> None:
    answers = SampleAnswers.of("one", np.arange(5), np.array([1, 1, 2, 0, 0]), LOGITS, threshold=0.5)
    lean = answers.without_logits().logits
    assert (lean.shape, lean.base) == ((0, 3), None)


def test_guesses_are_those_of_tensors() -> None:
    expected = guessed_of_tensors(torch.from_numpy(LOGITS)).tolist()
    assert guessed_classes(LOGITS).tolist() == expected == [1, 0, 3, 2, 0]


def test_nothing_by_nothing_is_0() -> None:
    assert ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist() == [0.5, 0.0]
    assert float(ratio(1.0, 0.0)) == 0.0


def test_columns_have_lists_where_there_are_several_labels() -> None:
    assert column_types("one")[1] is int
    assert column_types("tasks")[1] == list[int]
