"""Planted label errors are found, by the formulas of the paper."""

import time

import numpy as np
import pytest

from ding_cls.metrics.analysis.label_errors import find_label_errors


def _planted(count: int, num_classes: int, *, share: float = 0.05) -> tuple[np.ndarray, ...]:
    """Return logits of a network that is mostly right, labels with errors, and which are wrong."""
    random = np.random.default_rng(3)
    true = random.integers(num_classes, size=count)
    logits = random.normal(size=(count, num_classes)).astype(np.float32)
    logits[np.arange(count), true] += random.uniform(2, 8, count)
    is_wrong = random.random(count) < share
    labels = np.where(is_wrong, (true + random.integers(1, num_classes, count)) % num_classes, true)
    return logits, labels, is_wrong


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def test_thresholds_joint_and_margins_are_those_of_the_paper() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.8, 0.15, 0.05]])
    labels = np.array([0, 0, 1, 1])

    with np.errstate(divide="ignore"):
        found = find_label_errors(np.log(probabilities), labels)

    np.testing.assert_allclose(found.thresholds, [0.75, 0.425, np.inf])
    assert found.joint.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert found.is_likely.tolist() == [False, False, False, True]
    assert found.suggested.tolist() == [0, 0, 1, 0]
    np.testing.assert_allclose(found.margins, [0.8, 0.3, 0.5, -0.65])
    assert found.order.tolist() == [3, 1, 2, 0]


def test_every_sample_is_judged_as_by_a_loop_over_the_formulas() -> None:
    logits, labels, _ = _planted(400, 7)
    probabilities = _softmax(logits)
    thresholds = [probabilities[labels == each, each].mean() for each in range(7)]

    found = find_label_errors(logits, labels)

    for index, row in enumerate(probabilities):
        reached = [each for each in range(7) if row[each] >= thresholds[each]]
        best = max(reached or range(7), key=lambda each: row[each])
        assert found.suggested[index] == best
        assert found.is_likely[index] == (bool(reached) and best != labels[index])
        others = np.delete(row, labels[index])
        assert found.margins[index] == pytest.approx(row[labels[index]] - others.max())


@pytest.mark.slow
def test_errors_agree_with_cleanlab() -> None:
    cleanlab = pytest.importorskip("cleanlab")
    logits, labels, _ = _planted(2000, 10)
    probabilities = _softmax(logits)

    found = find_label_errors(logits, labels)

    joint, where = cleanlab.count.compute_confident_joint(
        labels, probabilities, calibrate=False, return_indices_of_off_diagonals=True
    )
    margins = cleanlab.rank.get_normalized_margin_for_each_label(labels, probabilities)
    assert np.array_equal(np.flatnonzero(found.is_likely), np.sort(where))
    off_diagonal = ~np.eye(10, dtype=bool)
    assert np.array_equal(found.joint[off_diagonal], joint[off_diagonal])
    np.testing.assert_allclose(found.margins, 2 * margins - 1, atol=1e-12)


def test_flipped_labels_come_first() -> None:
    logits, labels, is_wrong = _planted(4000, 10)

    found = find_label_errors(logits, labels)

    assert 150 < is_wrong.sum() < 250
    assert is_wrong[found.order[:400]].sum() >= 0.95 * is_wrong.sum()


def test_a_class_that_is_never_answered_makes_no_right_answer_suspect() -> None:
    logits, labels, _ = _planted(1000, 5)
    logits[:, 3] -= 30

    found = find_label_errors(logits, labels)

    assert found.is_likely.any()
    assert not found.is_likely[logits.argmax(1) == labels].any()


@pytest.mark.parametrize("num_classes", [1, 2])
def test_few_classes_are_enough(num_classes: int) -> None:
    labels = np.arange(6) % num_classes
    logits = np.eye(num_classes)[labels] * 5.0

    found = find_label_errors(logits, labels)

    assert not found.is_likely.any()
    assert sorted(found.order.tolist()) == list(range(6))


def test_scores_that_are_no_numbers_come_last_and_change_nothing() -> None:
    logits, labels, _ = _planted(200, 5)
    expected = find_label_errors(logits[1:], labels[1:])
    logits[0, 2] = np.nan

    found = find_label_errors(logits, labels)

    assert found.order[-1] == 0
    assert not found.is_likely[0]
    assert np.array_equal(found.order[:-1] - 1, expected.order)
    np.testing.assert_array_equal(found.thresholds, expected.thresholds)


@pytest.mark.slow
def test_a_thousand_classes_take_seconds_and_little_memory() -> None:
    import tracemalloc

    logits, labels, is_wrong = _planted(50_000, 1000)
    began = time.process_time()
    found = find_label_errors(logits, labels)
    seconds = time.process_time() - began
    tracemalloc.start()
    find_label_errors(logits, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert is_wrong[found.order[:5000]].sum() >= 0.8 * is_wrong.sum()
    assert seconds < 15
    assert peak < 250_000_000
