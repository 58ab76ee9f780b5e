"""The answers of two networks for the same batches, counted where they differ.

It must not know where either network came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

MAX_DIFFERENCE = 1e-4
"""How far a logit may lie from that of torch."""

MIN_GAP = 1e-5
"""Two logits that are closer are a tie: either class may be the first."""

BATCH_SIZES = (1, 2, 7)
"""The first batches; all others are as the predictor has them."""

Candidate: TypeAlias = Callable[[torch.Tensor], npt.NDArray[np.float32]]
"""Maps a batch as the predictor's preprocessing leaves it, uint8 ``(N, H, W, 3)`` or float ``(N, 3, H, W)``,
to logits ``(N, C)`` or ``(N, K, C)``."""


class Tally:
    """What was found so far.

    Attributes:
        num_images: how many images both have seen.
        num_different: of how many they say something else; see `differs`.
        max_difference: the largest distance between two logits; infinite where one is not finite. Of a class
            that both mask with -inf it is 0.
        max_logit: the largest absolute logit of the reference.
        worst: what the image of the largest distance is called.
        worst_pixels: that image, as a batch; None: the two do not differ.
        worst_logits: those of the reference for it, among the others of its batch.
        problem: why there is no going on; empty where there is.
    """

    def __init__(self, has_several_labels: bool) -> None:
        self.problem = ""
        self._has_several_labels = has_several_labels
        self.num_images = self.num_different = 0
        self.max_difference = self.max_logit = 0.0
        self.worst = ""
        self.worst_pixels: torch.Tensor | None = None
        self.worst_logits: npt.NDArray[np.float32] | None = None
        self._first_pixels: torch.Tensor | None = None

    def add(
        self, reference: Candidate, candidate: Candidate, pixels: torch.Tensor, names: Sequence[str]
    ) -> None:
        """Compare the answers for a batch."""
        wanted = reference(pixels)
        if self._first_pixels is None:
            self._first_pixels = pixels[:1]
        is_different = np.zeros(len(pixels), bool)
        for rows in _pieces(len(pixels), is_first=self.num_images == 0):
            found = self._found(candidate, pixels[rows], wanted[rows].shape)
            if found is None:
                return
            is_different[rows] |= differs(wanted[rows], found, has_several_labels=self._has_several_labels)
            self._note(pixels[rows], wanted[rows], found, [names[row] for row in rows])
        self.num_images += len(pixels)
        self.num_different += int(is_different.sum())

    def _found(
        self, candidate: Candidate, pixels: torch.Tensor, shape: tuple[int, ...]
    ) -> npt.NDArray[np.float32] | None:
        try:
            found = candidate(pixels)
        # What ONNX Runtime raises has no base of its own.
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            self.problem = f"it does not take images {tuple(pixels.shape)}: {reason}"
            return None
        if found.shape != shape:
            self.problem = f"it turns images {tuple(pixels.shape)} into {found.shape}, not {shape}"
            return None
        return found

    def _note(
        self,
        pixels: torch.Tensor,
        wanted: npt.NDArray[np.float32],
        found: npt.NDArray[np.float32],
        names: Sequence[str],
    ) -> None:
        with np.errstate(invalid="ignore"):
            distance = np.abs(wanted.astype(np.float64) - found)
        distance[~np.isfinite(distance)] = np.inf
        distance[np.isneginf(wanted) & np.isneginf(found)] = 0
        of_image = distance.reshape(len(names), -1).max(1)
        worst = int(of_image.argmax())
        if of_image[worst] > self.max_difference:
            self.max_difference = float(of_image[worst])
            self.worst, self.worst_pixels = names[worst], pixels[worst : worst + 1]
            self.worst_logits = wanted[worst : worst + 1]
        self.max_logit = max(self.max_logit, float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)))

    def fault(self, reference: Candidate) -> str:
        """Return why no file can agree with a reference, by the image of the largest difference; empty where
        one can."""
        pixels, logits = self.worst_pixels, self.worst_logits
        if self.max_difference <= MAX_DIFFERENCE:
            # What was computed once may have agreed by chance, as a network does that counts its calls.
            pixels, logits = self._first_pixels, None
        if pixels is None:
            return ""
        if logits is not None and not has_answers(logits).all():
            return "the network itself gives logits that are NaN or infinite"
        alone, again = reference(pixels), reference(pixels)
        bound = max(MAX_DIFFERENCE, rounding_of(self.max_logit))
        if not np.allclose(alone, again, rtol=0, atol=bound):
            return (
                "the network itself gives an image other logits each time: it counts, or something in it is "
                "random"
            )
        if logits is not None and not np.allclose(alone, logits, rtol=0, atol=bound):
            return "the network itself gives an image other logits where others are in its batch"
        return ""


def differs(
    wanted: npt.NDArray[np.float32], found: npt.NDArray[np.float32], *, has_several_labels: bool
) -> npt.NDArray[np.bool_]:
    """Return of which images two results say something else, ``(N,)``.

    Args:
        wanted: logits ``(N, C)``, of K tasks ``(N, K, C)``.
        found: the others.
        has_several_labels: each class answers by itself, by its sign.
    """
    is_sound = (has_answers(wanted) & has_answers(found))[..., None]
    is_masked_alike = np.isneginf(wanted) == np.isneginf(found)
    if has_several_labels:
        is_other = (np.sign(wanted) != np.sign(found)) & (np.abs(wanted) > MIN_GAP)
    else:
        ordered = np.sort(wanted.astype(np.float64), axis=-1)
        with np.errstate(invalid="ignore"):
            gap = ordered[..., -1:] - ordered[..., -2:-1] if wanted.shape[-1] > 1 else np.inf
        is_other = (wanted.argmax(-1) != found.argmax(-1))[..., None] & (gap > MIN_GAP)
    is_apart = is_other | ~is_masked_alike | ~is_sound
    apart: npt.NDArray[np.bool_] = is_apart.reshape(len(wanted), -1).any(1)
    return apart


def has_answers(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return of which rows ``(..., C)`` probabilities can be made: a class may be masked with -inf, not all
    of them; NaN and +inf are no logits."""
    found: npt.NDArray[np.bool_] = np.isfinite(logits.max(-1))
    return found


def rounding_of(max_logit: float) -> float:
    """Return how far apart rounding alone may bring logits, by the largest of them: a network of some ten
    layers is not known better than to a hundred units of the last place."""
    return 100 * float(np.spacing(np.float32(max_logit)))


def _pieces(count: int, *, is_first: bool) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the rows of a batch that go through the candidate together.

    The first batch is cut into ``BATCH_SIZES`` and a rest; where it has too few images, they repeat.
    """
    if not is_first:
        yield np.arange(count)
        return
    rows = np.arange(max(count, sum(BATCH_SIZES))) % count
    yield from filter(len, np.split(rows, np.cumsum(BATCH_SIZES)))
