"""A logged number that becomes its mean over the ranks when those of several updates are reduced together."""

import torch

# Updates: a number is read only where it is older, a line is due, or a checkpoint is written.
REDUCED_AT_ONCE = 32


class Means:
    """Means over the ranks, float64 ``(N,)``; the first that reads one waits for all."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor
        self._numbers: list[float] | None = None

    def __getitem__(self, place: int) -> float:
        if self._numbers is None:
            self._numbers = self._tensor.tolist()
        return self._numbers[place]

    def tensor(self, place: int) -> torch.Tensor:
        """Return one as it is, 0-dim; nothing waits for it."""
        return self._tensor[place]


class RankMean:
    """A number of an update: its mean over the ranks, and this rank's own before that is known.

    Attributes:
        own: this rank's.
    """

    __slots__ = ("_means", "_place", "own")

    def __init__(self, own: torch.Tensor | float) -> None:
        self.own = own
        self._means: Means | None = None
        self._place = 0

    def take(self, means: Means, place: int) -> None:
        """Become the mean at a place."""
        self._means, self._place = means, place

    def __float__(self) -> float:
        return float(self.own) if self._means is None else self._means[self._place]

    def tensor(self) -> torch.Tensor:
        """Return the mean where it was computed, 0-dim float64; it must be known."""
        if self._means is None:
            raise RuntimeError("its mean over the ranks is not known yet")
        return self._means.tensor(self._place)
