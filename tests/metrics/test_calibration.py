"""NLL, Brier score and expected calibration error against scikit-learn and the bins by hand."""

import math

import pytest
import torch
from sklearn.metrics import brier_score_loss, log_loss

from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import BrierScore, CalibrationError, NegativeLogLikelihood
from tests.metrics.cases import single


def test_nll_is_scikit_learns_log_loss() -> None:
    logits, targets = single()
    expected = log_loss(targets, logits.double().softmax(1), labels=range(6))
    assert NegativeLogLikelihood().eval(logits, targets) == {"nll": pytest.approx(expected, abs=1e-12)}


@pytest.mark.parametrize("num_classes", [2, 6])
def test_the_brier_score_is_the_sum_over_the_classes(num_classes: int) -> None:
    logits, targets = single(num_classes=num_classes)
    expected = brier_score_loss(
        targets, logits.double().softmax(1), labels=range(num_classes), scale_by_half=False
    )
    assert BrierScore().eval(logits, targets) == {"brier": pytest.approx(expected, abs=1e-12)}


@pytest.mark.parametrize("num_bins", [1, 7, 15])
def test_the_calibration_error_is_the_bins_by_hand(num_bins: int) -> None:
    logits, targets = single()
    rows: dict[int, list[tuple[float, bool]]] = {}
    for row, target in zip(logits.double().softmax(1).tolist(), targets.tolist(), strict=True):
        score = max(row)
        number = next(m for m in range(1, num_bins + 1) if (m - 1) / num_bins < score <= m / num_bins)
        rows.setdefault(number, []).append((score, row.index(score) == target))
    expected = sum(
        len(each)
        / 61
        * abs(sum(hit for _, hit in each) / len(each) - math.fsum(score for score, _ in each) / len(each))
        for each in rows.values()
    )
    assert CalibrationError(num_bins).eval(logits, targets) == {"ece": pytest.approx(expected, abs=1e-12)}


def test_the_ends_of_the_bins_belong_to_the_lower_one() -> None:
    # Scores of exactly 1/2 and exactly 1.
    logits = torch.tensor([[0.0, 0.0, -1e9], [1e9, 0.0, 0.0]])
    sums = CalibrationError(2).sums(logits, torch.tensor([0, 1]))
    assert sums["scores"].tolist() == [0.5, 1.0]
    assert sums["hits"].tolist() == [1, 0]


def test_a_row_with_a_nan_is_a_miss_without_a_score() -> None:
    logits = torch.tensor([[float("nan"), 1.0], [0.0, 100.0]])
    assert CalibrationError().eval(logits, torch.tensor([1, 1])) == {"ece": pytest.approx(0.0, abs=1e-12)}


@pytest.mark.parametrize("kind", [NegativeLogLikelihood, BrierScore, CalibrationError])
def test_a_label_outside_the_classes_is_refused(kind: type) -> None:
    with pytest.raises(DataError, match="1 of 2 labels"):
        kind().eval(torch.eye(2), torch.tensor([0, 2]))


@pytest.mark.parametrize("num_bins", [0, True, 1.5])
def test_there_is_one_bin_at_least(num_bins: object) -> None:
    with pytest.raises(ConfigError, match="num_bins"):
        CalibrationError(num_bins)
