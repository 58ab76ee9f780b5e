"""For each class the lowest score from which on its predictions are as precise as is wanted.

It must not know networks, images or files.
"""

from collections.abc import Iterable

import torch

from ding_cls.answers.class_thresholds import ClassThresholds
from ding_cls.metrics.analysis.selective import levels


def class_thresholds(
    predictions: Iterable[tuple[torch.Tensor, torch.Tensor]], wanted: float
) -> ClassThresholds:
    """Return the lowest threshold of each class whose predictions are expected to be right in ``wanted``
    percent.

    The expected precision is (right + 1) / (predictions + 2), the chance that the next one is right, as
    `expected_share` gives it. The measured precision of the best of many thresholds is a lucky one: of few
    predictions the surest are always all right. A lower bound of 95 % would need 59 right ones, none wrong,
    for a precision of 95 %; this takes 18.

    Args:
        predictions: of each class, the scores of the samples that are taken for it, float ``(N,)``, and
            whether they are of it, bool ``(N,)``.
        wanted: percent, above 0.
    """
    rows = [_lowest(scores, is_right, wanted) for scores, is_right in predictions]
    thresholds, kept, right = zip(*rows, strict=True)
    return ClassThresholds(wanted, thresholds, kept, right)


def _lowest(scores: torch.Tensor, is_right: torch.Tensor, wanted: float) -> tuple[float | None, int, int]:
    if not len(scores):
        return None, 0, 0
    thresholds, kept, right = levels(scores, is_right)
    fits = (100 * (right + 1).double() / (kept + 2) >= wanted).nonzero().flatten()
    if not len(fits):
        return None, 0, 0
    place = int(fits[-1])
    return float(thresholds[place]), int(kept[place]), int(right[place])
