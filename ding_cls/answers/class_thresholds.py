"""For each class the score from which on it is named."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassThresholds:
    """A threshold for each class.

    Attributes:
        wanted: the precision, in percent.
        thresholds: scores in [0, 1]; None for a class that no threshold makes so precise.
        kept: how many predictions of each class reach its threshold.
        right: how many of these are right.
    """

    wanted: float
    thresholds: tuple[float | None, ...]
    kept: tuple[int, ...]
    right: tuple[int, ...]
