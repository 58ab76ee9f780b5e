"""95 % intervals of a metric's numbers: what they would be on other samples of the same kind.

The unit is the sample: one draw is as many samples, drawn with replacement, whatever labels or tasks one has.
That samples are independent is assumed; frames of one film, or images of one patient, are not, and the true
interval is wider. It must not know which metric it is.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ding_cls.answers.proportions import Interval, wilson
from ding_cls.answers.resampling import (
    MAX_SCORES,
    NUM_DRAWS,
    NUM_DRAWS_OF_SCORES,
    counts_of_draws,
    percentiles,
)
from ding_cls.metrics.base import IMetric, SumMetric

_MAX_SUMS = 100_000
_CHUNK = 2**22


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns of all sums are which: names, shapes, and whether they count."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    are_counts: tuple[bool, ...]

    @property
    def num_sums(self) -> int:
        """All columns."""
        return sum(shape.numel() for shape in self.shapes)

    def totals(self, column: torch.Tensor) -> dict[str, Any]:
        """Return what ``SumMetric.result`` takes, of float64 ``(num_sums,)``."""
        found: dict[str, Any] = {}
        parts = torch.split(column, [shape.numel() for shape in self.shapes])
        for name, shape, is_count, part in zip(self.names, self.shapes, self.are_counts, parts, strict=True):
            values = part.round().long() if is_count else part
            found[name] = values.reshape(shape) if shape else values.item()
        return found


class SampleSums:
    """The sums of a metric over each sample by itself. Zeros take no room.

    Args:
        metric: what is resampled; where its ``sums`` cannot be taken sample by sample, there are none.
    """

    def __init__(self, metric: SumMetric) -> None:
        self._metric = metric
        self.layout: Layout | None = None
        self.failed = False
        self.num_samples = 0
        self.entries: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def add(self, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """Add a batch, as ``SumMetric.sums`` takes it."""
        if self.failed or not len(targets):
            return
        try:
            sums = self._sums_of_each(logits, targets)
        except Exception:  # a user's metric may do what cannot be vectorised
            self.failed = True
            return
        matrix = torch.cat([each.cpu().double().reshape(len(targets), -1) for each in sums.values()], 1)
        rows, columns = matrix.nonzero(as_tuple=True)
        self.entries.append((rows + self.num_samples, columns, matrix[rows, columns]))
        self.num_samples += len(targets)

    def append(self, other: "SampleSums") -> None:
        """Add the samples of another rank behind one's own."""
        self.failed = self.failed or other.failed
        self.layout = self.layout or other.layout
        moved = [(rows + self.num_samples, *rest) for rows, *rest in other.entries]
        self.entries += moved  # type: ignore[arg-type]
        self.num_samples += other.num_samples

    def intervals(
        self, result: Mapping[str, Any], scores: Mapping[str, torch.Tensor] | None = None
    ) -> dict[str, Interval]:
        """Return the 95 % interval of each number of a result that can have one.

        A proportion of the samples has Wilson's (`wilson`), any other number the percentiles of its bootstrap
        draws. None is given where a draw is not finite, where all draws are equal, where resampling shifts
        the number by more than a quarter of its standard error, as when a class has two or three samples, or
        where the number is not what these sums come to.

        The draws have a seed of their own: the same samples in the same order have the same intervals.

        Args:
            result: what was measured.
            scores: ``logits`` and ``targets`` of all samples, where the metric needs them.
        """
        if self.failed or self.layout is None:
            return {}
        metric, matrix = self._metric, self._matrix()
        totals = self.layout.totals(torch.sparse.sum(matrix, 1).to_dense())
        measured = metric.result({**totals, **(scores or {})})
        names = [name for name in metric.directions if _is_same(measured.get(name), result.get(name))]
        proportions = {name: metric.proportions[name] for name in names if name in metric.proportions}
        found: dict[str, Interval | None] = {
            name: wilson(totals[key], self.num_samples) for name, key in proportions.items()
        }
        if others := [name for name in names if name not in found]:
            draws = _draws(metric, self.layout, matrix, others, scores)
            for name, values in zip(others, draws.T, strict=True):
                found[name] = percentiles(values, float(measured[name]))
        return {name: each for name in names if (each := found[name]) is not None}

    def _matrix(self) -> torch.Tensor:
        """Return all sums, sparse float64 ``(num_sums, num_samples)``."""
        assert self.layout is not None
        rows, columns, values = (torch.cat(each) for each in zip(*self.entries, strict=True))
        size = (self.layout.num_sums, self.num_samples)
        return torch.sparse_coo_tensor(
            torch.stack([columns, rows]), values, size, check_invariants=False
        ).coalesce()

    def _sums_of_each(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        if self.layout is None:
            one = self._metric.sums(logits[:1], targets[:1])
            counts = tuple(not each.is_floating_point() for each in one.values())
            self.layout = Layout(tuple(one), tuple(each.shape for each in one.values()), counts)
        if self.layout.num_sums > _MAX_SUMS:
            raise ValueError("too many sums")
        sums = torch.func.vmap(
            lambda row, target: self._metric.sums(row[None], target[None]),
            chunk_size=max(1, _CHUNK // self.layout.num_sums),
        )
        with warnings.catch_warnings():
            # That an operation is vectorised slowly.
            warnings.simplefilter("ignore")
            return dict(sums(logits, targets))


def lean_metric(metric: IMetric, num_scores: int) -> SumMetric | None:
    """Return the metric to resample for the intervals of ``metric``; None: there will be none.

    Args:
        metric: one that is not made of sums has none.
        num_scores: how many logits all samples have.
    """
    return metric.lean(has_scores=num_scores <= MAX_SCORES) if isinstance(metric, SumMetric) else None


def _draws(
    metric: SumMetric,
    layout: Layout,
    matrix: torch.Tensor,
    names: Sequence[str],
    scores: Mapping[str, torch.Tensor] | None,
) -> np.ndarray[Any, Any]:
    """Return the metric's numbers of each draw, float64 ``(B, len(names))``."""
    num_samples = matrix.shape[1]
    left = NUM_DRAWS_OF_SCORES if metric.needs_scores else NUM_DRAWS
    each_draw, rows = counts_of_draws(num_samples, left), []
    while left:
        size = min(left, max(1, _CHUNK // num_samples))
        counts = torch.from_numpy(np.stack([next(each_draw) for _ in range(size)], 1))
        totals = torch.sparse.mm(matrix, counts.double())
        for number in range(size):
            drawn: dict[str, Any] = layout.totals(totals[:, number])
            if metric.needs_scores and scores is not None:
                index = torch.repeat_interleave(counts[:, number])
                drawn |= {name: values[index] for name, values in scores.items()}
            found = metric.result(drawn)
            rows.append([float(found[name]) for name in names])
        left -= size
    return np.array(rows)


def _is_same(value: Any, other: Any) -> bool:
    are_numbers = all(isinstance(each, int | float) for each in (value, other))
    return are_numbers and math.isclose(value, other, rel_tol=1e-6, abs_tol=1e-9)
