"""The reject option: how many samples are answered from which score on, and how many of these answers are
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from ding_cls.answers.proportions import expected_share, wilson


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

    def at_coverage(self, percent: float) -> RiskPoint:
        """Return the point with the smallest coverage that is at least so large."""
        needed = self.num_samples * percent / 100
        index = next(place for place, kept in enumerate(self.kept) if kept >= needed - 1e-9)
        return self._point(index)

    def at_risk(self, percent: float) -> RiskPoint | None:
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

    def _point(self, index: int) -> RiskPoint:
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
