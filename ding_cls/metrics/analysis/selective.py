"""The reject option: how many samples are answered from which score on, and how many of these answers are
wrong.

It must not know networks, images or files.
"""

from dataclasses import dataclass

import torch

from ding_cls.metrics.analysis.bootstrap import wilson

NUM_POINTS = 100


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """Points of a coverage / risk curve, the highest threshold first.

    Attributes:
        num_samples: how many samples it was measured on.
        thresholds: scores from which on a sample is answered, in [0, 1].
        kept: how many samples reach each threshold.
        wrong: how many of these are wrong.

    Source: Selective Classification for Deep Neural Networks, Geifman & El-Yaniv 2017, section 2
    (arXiv:1705.08500).
    """

    num_samples: int
    thresholds: tuple[float, ...]
    kept: tuple[int, ...]
    wrong: tuple[int, ...]

    def at_coverage(self, percent: float) -> "RiskPoint":
        """Return the point with the smallest coverage that is at least so large."""
        needed = self.num_samples * percent / 100
        index = next(place for place, kept in enumerate(self.kept) if kept >= needed - 1e-9)
        return self._point(index)

    def at_risk(self, percent: float) -> "RiskPoint | None":
        """Return the point of the largest coverage whose expected risk is no higher; None: there is none."""
        fits = [
            place
            for place, (kept, wrong) in enumerate(zip(self.kept, self.wrong, strict=True))
            if 100 * expected_share(wrong, kept) <= percent
        ]
        return self._point(fits[-1]) if fits else None

    def least_risk(self) -> float:
        """Return the lowest expected risk of any point, in percent."""
        pairs = zip(self.wrong, self.kept, strict=True)
        return min(100 * expected_share(wrong, kept) for wrong, kept in pairs)

    def _point(self, index: int) -> "RiskPoint":
        kept, wrong = self.kept[index], self.wrong[index]
        return RiskPoint(
            self.thresholds[index],
            100 * kept / self.num_samples,
            wilson(kept, self.num_samples),
            100 * wrong / kept,
            wilson(wrong, kept),
        )


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """A threshold, and what it does; all but the threshold in percent.

    Attributes:
        threshold: the score from which on a sample is answered, in [0, 1].
        coverage: the share of the samples that reach it.
        coverage_interval: its 95 % interval.
        risk: the share of these that are wrong.
        risk_interval: its 95 % interval.
    """

    threshold: float
    coverage: float
    coverage_interval: tuple[float, float]
    risk: float
    risk_interval: tuple[float, float]


def risk_curve(scores: torch.Tensor, is_right: torch.Tensor) -> RiskCurve:
    """Return the curve of answers, at each percent of coverage that equal scores allow.

    Args:
        scores: of the answers, float ``(N,)`` in [0, 1]; N is at least 1.
        is_right: bool ``(N,)``.
    """
    thresholds, kept, right = levels(scores, is_right)
    total = len(scores)
    needed = torch.arange(1, NUM_POINTS + 1, dtype=torch.float64) * total / NUM_POINTS
    chosen = torch.unique(torch.searchsorted(kept.double(), needed - 1e-9))
    return RiskCurve(
        total,
        tuple(thresholds[chosen].tolist()),
        tuple(kept[chosen].tolist()),
        tuple((kept - right)[chosen].tolist()),
    )


def levels(scores: torch.Tensor, is_right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return of each different score, the highest first, a threshold that parts it from the next lower one;
    how many samples reach that; and how many of these are right.

    The threshold lies in the middle, so that another batch size's rounding moves no sample across; the last
    is 0.

    Args:
        scores: float ``(N,)`` in [0, 1]; N is at least 1.
        is_right: bool ``(N,)``.
    """
    ordered, order = scores.double().sort(descending=True, stable=True)
    ends = (ordered.diff() != 0).nonzero().flatten()
    last = torch.cat([ends, torch.tensor([len(scores) - 1])])
    thresholds = torch.cat([(ordered[ends] + ordered[ends + 1]) / 2, torch.zeros(1, dtype=torch.float64)])
    return thresholds, last + 1, is_right[order].long().cumsum(0)[last]


def expected_share(count: int, total: int) -> float:
    """Return how probable the next case of a kind is after so many of them among all: (count + 1) /
    (total + 2).

    A share of few samples is so never taken for certain: of 18 that are all right the next is expected to be
    in 95 %.

    Source: the rule of succession, Laplace 1774; the mean under a uniform prior.
    """
    return (count + 1) / (total + 2)
