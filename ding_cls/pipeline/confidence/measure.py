"""From the answers of an evaluation to a calibration, and what it is worth on images that it was not fitted
on."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ding_cls.answers.calibration import Calibration
from ding_cls.metrics.analysis.selective import risk_curve
from ding_cls.metrics.analysis.temperature import Temperature
from ding_cls.metrics.analysis.thresholds import class_thresholds
from ding_cls.pipeline.confidence.answers import Answers

_SEED = 0


def measured(
    answers: Answers, fitted_on: Mapping[str, Any], *, precision: float | None = None
) -> tuple[Calibration, list[Temperature]]:
    """Return the calibration of all answers, and the temperatures with their notes.

    Args:
        answers: of one evaluation.
        fitted_on: what is kept of its data.
        precision: find a threshold for each class, or label, so precise; percent.

    Raises:
        DataError: there are no labels, or logits that are not finite.
    """
    found = answers.fit()
    count, values = len(answers), torch.tensor([[each.useful for each in found]], dtype=torch.float64)
    every = values.expand(count, -1)
    is_single, is_right = answers.records.kind != "several", torch.from_numpy(answers.records.is_right)
    others = _temperatures_of_other_half(answers, found) if count > 1 else None
    thresholds = None if precision is None else class_thresholds(_pairs(answers, every), precision)
    checked: dict[str, int] = {}
    if others is not None and precision is not None:
        checked = _precision_of_other_half(answers, others, precision)
    return (
        Calibration(
            temperatures=tuple(values[0].tolist()),
            fitted_on=fitted_on,
            before=answers.calibration(torch.ones_like(every)),
            after=answers.calibration(every),
            held_out=answers.calibration(others) if others is not None else {},
            curve=risk_curve(answers.scores(every), is_right) if is_single else None,
            precision=thresholds,
            precision_held_out=checked,
        ),
        found,
    )


def halves(count: int) -> torch.Tensor:
    """Return which of so many images are in the first half, drawn by chance, always the same; bool
    ``(N,)``."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(_SEED))
    return torch.zeros(count, dtype=torch.bool).index_fill(0, order[: count // 2], True)


def _temperatures_of_other_half(answers: Answers, found: Sequence[Temperature]) -> torch.Tensor:
    """Return for each image the temperatures that the half without it has; float64 ``(N, K)``. Whether there
    is one is up to all images, for a half shows less."""
    is_first, start = halves(len(answers)), [each.value for each in found]
    is_used = torch.tensor([each.useful != 1 for each in found])
    first, second = (
        torch.tensor([each.value for each in answers.fit(half, start=start)], dtype=torch.float64)
        for half in (is_first, ~is_first)
    )
    return torch.where(is_used, torch.where(is_first[:, None], second, first), 1.0)


def _pairs(answers: Answers, temperatures: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(scores, is_right) for _, scores, is_right in answers.by_class(temperatures)]


def _precision_of_other_half(answers: Answers, temperatures: torch.Tensor, wanted: float) -> dict[str, int]:
    """Return what thresholds do that are found on one half, with the temperatures of that, and used on the
    other."""
    is_first, counts = halves(len(answers)), {"kept": 0, "right": 0, "num_answers": 0}
    for fitted in (is_first, ~is_first):
        own = temperatures[~fitted][:1].expand(len(answers), -1)
        rows = list(answers.by_class(own))
        found = class_thresholds(
            [(scores[fitted[images]], is_right[fitted[images]]) for images, scores, is_right in rows], wanted
        )
        for (images, scores, is_right), threshold in zip(rows, found.thresholds, strict=True):
            is_other = ~fitted[images]
            counts["num_answers"] += int(is_other.sum())
            if threshold is not None:
                is_kept = is_other & (scores >= threshold)
                counts["kept"] += int(is_kept.sum())
                counts["right"] += int(is_right[is_kept].sum())
    return counts
