"""The answers of an evaluation as the numbers of `ding_cls.metrics.analysis` take them, whatever a label is.

It must not know checkpoints.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.metrics.analysis.temperature import Temperature, calibration_of, fit_temperature, top_scores


class Column(NamedTuple):
    """The answers that share a temperature.

    Attributes:
        logits: float ``(M, C)``.
        targets: int64 ``(M,)``.
        images: whose answers they are, int64 ``(M,)``.
    """

    logits: torch.Tensor
    targets: torch.Tensor
    images: torch.Tensor


@dataclass(frozen=True)
class Answers:
    """What a network made of images whose labels are known.

    Of several labels each is an answer by itself, between two classes with the logits 0 and z: their softmax
    is z's sigmoid. Labels that are hard to say are left out.

    Args:
        records: of an evaluation that kept the logits.
    """

    records: SampleAnswers

    def __len__(self) -> int:
        return len(self.records.sample_ids)

    @cached_property
    def columns(self) -> list[Column]:
        """One column of answers; of several tasks one for each."""
        logits, targets = torch.from_numpy(self.records.logits), torch.from_numpy(self.records.targets)
        images = torch.arange(len(self))
        if self.records.kind == "tasks":
            return [Column(logits[:, k], targets[:, k], images) for k in range(targets.shape[1])]
        if self.records.kind == "several":
            known = targets >= 0
            positive = logits[known]
            pairs = torch.stack([torch.zeros_like(positive), positive], 1)
            return [Column(pairs, (targets[known] >= 0.5).long(), known.nonzero()[:, 0])]
        return [Column(logits, targets.argmax(1) if targets.dim() == 2 else targets, images)]

    def fit(
        self, chosen: torch.Tensor | None = None, *, start: Sequence[float] | None = None
    ) -> list[Temperature]:
        """Return a temperature for each column.

        Args:
            chosen: bool ``(N,)``, of some images alone.
            start: temperatures to begin with.

        Raises:
            DataError: there are no labels, or logits that are not finite.
        """
        found = []
        for (logits, targets, images), begin in zip(
            self.columns, start or [1.0] * len(self.columns), strict=True
        ):
            own = slice(None) if chosen is None else chosen[images]
            # A half may have no label that is known.
            is_empty_half = chosen is not None and not chosen[images].any()
            found.append(
                Temperature(1.0) if is_empty_half else fit_temperature(logits[own], targets[own], start=begin)
            )
        return found

    def calibration(self, temperatures: torch.Tensor) -> dict[str, float]:
        """Return ``ece`` and ``nll``, of several tasks their means.

        Args:
            temperatures: float64 ``(N, K)``, for each image and column.
        """
        rows = [
            calibration_of(column.logits, column.targets, temperatures[column.images, number])
            for number, column in enumerate(self.columns)
        ]
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    def scores(self, temperatures: torch.Tensor) -> torch.Tensor:
        """Return the largest probability of each image, float64 ``(N,)``; of several tasks that of the one
        where it is lowest."""
        tops = [
            top_scores(column.logits, temperatures[:, number]) for number, column in enumerate(self.columns)
        ]
        return torch.stack(tops, 1).amin(1)

    def by_class(
        self, temperatures: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield of each class the images that may be taken for it: their positions, its probability, and
        whether it is right. An image with one label may be taken for the best class alone."""
        if self.records.kind == "several":
            scores = (torch.from_numpy(self.records.logits).double() / temperatures).sigmoid()
            for number, targets in enumerate(torch.from_numpy(self.records.targets).T):
                known = (targets >= 0).nonzero().flatten()
                yield known, scores[known, number], targets[known] >= 0.5
            return
        scores, is_right = self.scores(temperatures), torch.from_numpy(self.records.is_right)
        for number in range(self.records.logits.shape[1]):
            own = torch.from_numpy(np.flatnonzero(self.records.predicted == number))
            yield own, scores[own], is_right[own]
