"""Metrics of the order of all scores: average precision and the area under the ROC curve.

Both hold all scores of the evaluation (see ``SumMetric.needs_scores``). Equal scores share one place, so the
order of the data does not matter.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ding_cls.answers.evaluation.measures import PrecisionCurve
from ding_cls.errors import ConfigError
from ding_cls.metrics.base import METRICS, Direction, SumMetric
from ding_cls.metrics.targets import check_labels, class_numbers, several_labels

MODES = ("integral", "11points", "area")


class _OfScores(SumMetric):
    needs_scores = True

    def zeros(self) -> dict[str, torch.Tensor]:
        return {"count": torch.tensor(0), "bad_labels": torch.tensor(0)}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        *_, bad_labels = (
            class_numbers(logits, targets) if targets.dim() == 1 else several_labels(logits, targets)
        )
        return {"count": torch.tensor(len(targets)), "bad_labels": bad_labels}


@METRICS.register_module(["AveragePrecision", "VOCAveragePrecision"])
class AveragePrecision(_OfScores):
    """``mAP`` and the list ``AP_per_class``, in percent, 0 to 100.

    Targets are ``(N, C)``: 1, 0, or negative where an answer is left out (VOC's difficult ones); class
    numbers ``(N,)`` are taken too. A class that no sample has gets None, and mAP is the mean over the others.

    Args:
        mode: as in `PrecisionCurve.average`.

    Raises:
        ConfigError: there is no such mode.
    """

    primary = "mAP"
    directions: Mapping[str, Direction] = {"mAP": "max"}

    def __init__(self, mode: str = "integral") -> None:
        if mode not in MODES:
            raise ConfigError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
        self._mode = mode

    def result(self, totals: Mapping[str, Any]) -> dict[str, Any]:
        check_labels(totals)
        logits, targets = totals["logits"], totals["targets"]
        has_class, counts, _ = several_labels(logits, targets)
        # The scores of one sample's classes are compared with other samples': softmax and sigmoid differ.
        scores = logits.double().log_softmax(1) if targets.dim() == 1 else logits.double()
        values = [
            average_precision(scores[kept, number], has_class[kept, number], mode=self._mode)
            for number, kept in enumerate(counts.unbind(1))
        ]
        there = [value for value in values if value is not None]
        mean = 100.0 * sum(there) / len(there) if there else float("nan")
        return {"mAP": mean, "AP_per_class": [None if each is None else 100.0 * each for each in values]}


@METRICS.register_module()
class Auroc(_OfScores):
    """``auroc``: the area under the ROC curve, in [0, 1]; with three classes and more the mean of the
    classes' own, each against the rest, which ``auroc_per_class`` lists.

    Of two classes the second is the positive one. Targets ``(N, C)`` are labels of their own each. A class
    that all samples have, or none, gets None and does not count.

    Source: An introduction to ROC analysis, Fawcett 2006, section 7: the area is the chance that a positive
    sample scores above a negative one, ties counted half.
    """

    primary = "auroc"
    directions: Mapping[str, Direction] = {"auroc": "max"}

    def result(self, totals: Mapping[str, Any]) -> dict[str, Any]:
        check_labels(totals)
        logits, targets = totals["logits"].double(), totals["targets"]
        has_class, counts, _ = several_labels(logits, targets)
        if targets.dim() == 1 and logits.shape[1] == 2:
            value = auroc(logits[:, 1] - logits[:, 0], targets == 1)
            return {"auroc": float("nan") if value is None else value}
        scores = logits.log_softmax(1) if targets.dim() == 1 else logits
        values = [
            auroc(scores[kept, number], has_class[kept, number])
            for number, kept in enumerate(counts.unbind(1))
        ]
        there = [value for value in values if value is not None]
        mean = sum(there) / len(there) if there else float("nan")
        return {"auroc": mean, "auroc_per_class": values}


def average_precision(
    scores: torch.Tensor, is_positive: torch.Tensor, *, mode: str = "integral"
) -> float | None:
    """Return the average precision of one class, in [0, 1]; None where nothing is positive.

    Args:
        scores: float ``(N,)``.
        is_positive: bool ``(N,)``.
        mode: as in `PrecisionCurve.average`.
    """
    found = PrecisionCurve(_without_nan(scores).numpy(), is_positive.numpy())
    return found.average(np.ones(len(scores)), mode=mode)


def auroc(scores: torch.Tensor, is_positive: torch.Tensor) -> float | None:
    """Return the area under the ROC curve, in [0, 1]; None unless both answers are there.

    Args:
        scores: float ``(N,)``.
        is_positive: bool ``(N,)``.
    """
    num_positive = int(is_positive.sum())
    num_negative = len(is_positive) - num_positive
    if not num_positive or not num_negative:
        return None
    _, places, counts = torch.unique(_without_nan(scores), return_inverse=True, return_counts=True)
    # Equal scores share the mean of their places, which is a multiple of a half: all sums are exact.
    mean_places = counts.cumsum(0).double() - (counts - 1) / 2
    total = float(mean_places[places][is_positive].sum())
    return (total - num_positive * (num_positive + 1) / 2) / (num_positive * num_negative)


def _without_nan(scores: torch.Tensor) -> torch.Tensor:
    """Return the scores with NaN below all others."""
    return scores.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
