"""Which images look the same though their pixels differ: made smaller or larger, encoded anew.

Two images are near duplicates where their perceptual hashes, of imagehash, differ in few bits and small
copies of both differ little in colour, measured by their contrast. It must not know files.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

INSTALL = "pip install 'ding_cls[doctor]'"
Signature: TypeAlias = tuple[int, npt.NDArray[np.uint8]]
"""64 bits of a perceptual hash, and the image made small: uint8 ``(GRID, GRID, 3)``."""

GRID = 16
"""Side of the small copy that an image is compared by, in pixels."""
# Photographs: of 800 the closest two lie at 0.86; copies of a half or a quarter of the size, of JPEG quality
# 10 to 90 and of WebP at 0.02 to 0.17, with hashes that differ in 6 bits at most.
_MOST_BITS, _LIMIT = 10, 0.25
# Images as small as handwritten digits are alike by nature: of 6,000 the closest two lie at 0.08, and 365
# pairs within 0.2. Copies that are no sure ones are told by how much nearer they are than every third image:
# twice as near, three times where they differ more. One of another size is compared with the larger one
# blurred to its resolution; where all images have one size, few are so.
_SMALL_PX, _MOST_BITS_OF_SMALL, _LIMIT_OF_SMALL, _SURE_OF_SMALL = 64, 6, 0.6, 0.07
_LIKE, _RATIO, _RATIO_BEYOND, _RATIO_OF_SIZES = 0.2, 0.5, 0.35, 0.65
_LIMIT_OF_SIZES, _BLURS = 0.35, (0.0, 0.5, 0.6, 0.7)
_MOST_DOUBTFUL = 1000
# In steps of 255: what is flatter, as a blank page, has a hash of its noise.
_LEAST_CONTRAST = 4.0
_COARSE = 4
_GRADIENT = np.arange(GRID * GRID * 3, dtype=np.uint8).reshape(GRID, GRID, 3)
_MOST_PAIRS_PER_IMAGE = 10
_BLOCK_PAIRS = 1 << 22
_BLOCK_GRIDS = 1 << 14
_BLOCK_ROWS = 32


class NearPairs(NamedTuple):
    """What was found.

    Attributes:
        pairs: (place, place), the lower one first.
        limit: the difference that was allowed for the sake of their number, as a share of the usual one; 1
            where all pairs within the usual one are here.
        num_flat: images with too little contrast to say whether they look like another.
    """

    pairs: list[tuple[int, int]]
    limit: float = 1.0
    num_flat: int = 0


@cache
def can_find_near() -> bool:
    """Return whether imagehash is installed."""
    return importlib.util.find_spec("imagehash") is not None


def load_hash() -> None:
    """Import what computes hashes, if it is installed: before reading processes are forked, once for all."""
    if can_find_near():
        signature(Image.linear_gradient("L").resize((32, 32)).convert("RGB"), _GRADIENT)


def signature(small: Image.Image, grid: npt.NDArray[np.uint8]) -> Signature | None:
    """Return what an image is compared by; None without imagehash.

    Args:
        small: RGB, made a square of 32 pixels.
        grid: made smaller still.
    """
    if not can_find_near():
        return None
    import imagehash

    bits = np.packbits(imagehash.phash(small).hash)
    return int.from_bytes(bits.tobytes(), "little"), grid


def near_pairs(signatures: Sequence[Signature], sides: Sequence[int]) -> NearPairs:
    """Return which images look the same.

    All hashes are compared with all others in blocks of numpy, 64 bits at a time: 8 seconds for 100,000
    images; the small copies only of those pairs whose hashes are alike.

    Args:
        signatures: of the images, no two of the same pixels.
        sides: the shorter side of each, in pixels.
    """
    if len(signatures) < 2:
        return NearPairs([])
    grids = np.stack([each for _, each in signatures])
    places = np.flatnonzero(_contrasts(grids) >= _LEAST_CONTRAST)
    num_flat = len(signatures) - len(places)
    if len(places) < 2:
        return NearPairs([], num_flat=num_flat)
    grids = grids[places]
    if (grids == grids[..., :1]).all():
        grids = grids[..., :1]
    copies, own_sides = _Copies(grids), np.asarray(sides)[places]
    are_small = own_sides < _SMALL_PX
    hashes = np.array([signatures[int(place)][0] for place in places], np.uint64)
    rows = [np.zeros((0, 3))]
    for first, second in _alike(hashes, are_small):
        limits = np.where(are_small[first] & are_small[second], _LIMIT_OF_SMALL, _LIMIT)
        rows.append(copies.within(first, second, limits))
    found = np.concatenate(rows)
    ends = found[:, :2].astype(np.intp)
    are_sure = (found[:, 2] <= _SURE_OF_SMALL) | ~are_small[ends].all(axis=1)
    are_of_sizes = own_sides[ends[:, 0]] != own_sides[ends[:, 1]]
    kept_rows = [found[are_sure]]
    for group in (~are_sure & are_of_sizes, ~are_sure & ~are_of_sizes):
        doubtful = found[group][np.argsort(found[group, 2], kind="stable")][:_MOST_DOUBTFUL]
        kept_rows.append(doubtful[copies.stand_out(doubtful, own_sides)])
    # A copy counts whatever its difference: the limit below is for photographs.
    found = np.concatenate(kept_rows)
    found[:, 2] = np.minimum(found[:, 2], _LIMIT)
    limit = 1.0
    while (found[:, 2] <= limit * _LIMIT).sum() > _MOST_PAIRS_PER_IMAGE * len(signatures):
        limit /= 2
    kept = found[found[:, 2] <= limit * _LIMIT]
    pairs = ((int(places[int(one)]), int(places[int(two)])) for one, two, _ in kept)
    return NearPairs(sorted(pairs), limit, num_flat)


def _alike(
    hashes: npt.NDArray[np.uint64], are_small: npt.NDArray[np.bool_]
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Yield the places of pairs whose hashes differ in few bits."""
    rows = max(_BLOCK_PAIRS // max(len(hashes), 1), 1)
    for begin in range(0, len(hashes), rows):
        block = hashes[begin : begin + rows]
        bits = np.bitwise_count(block[:, None] ^ hashes[None, begin:])
        first, second = np.nonzero(bits <= _MOST_BITS)
        is_pair = first < second
        first, second = first[is_pair], second[is_pair]
        most = np.where(are_small[first + begin] & are_small[second + begin], _MOST_BITS_OF_SMALL, _MOST_BITS)
        kept = bits[first, second] <= most
        first, second = first[kept] + begin, second[kept] + begin
        for start in range(0, len(first), _BLOCK_GRIDS):
            yield first[start : start + _BLOCK_GRIDS], second[start : start + _BLOCK_GRIDS]


class _Copies:
    """Small copies of images, and how much two of them differ: the root of the mean squared difference, as a
    share of the lower contrast.

    Args:
        grids: uint8 ``(N, GRID, GRID, 3)``, or of one channel.
    """

    def __init__(self, grids: npt.NDArray[np.uint8]) -> None:
        self._grids = grids.reshape(len(grids), -1)
        self._contrasts = _contrasts(grids)
        step = GRID // _COARSE
        coarse = grids.reshape(len(grids), _COARSE, step, _COARSE, step, grids.shape[-1]).mean(
            axis=(2, 4), dtype=np.float32
        )
        self._coarse: npt.NDArray[np.float32] = coarse.reshape(len(grids), -1)

    def within(
        self, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp], limits: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return (place, place, difference) of the pairs that differ by no more than their limits."""
        lower = np.minimum(self._contrasts[first], self._contrasts[second])
        # Means of areas differ by less than the areas do: a pair that this leaves out is none.
        rough = np.sqrt(((self._coarse[first] - self._coarse[second]) ** 2).mean(axis=1)) / lower
        kept = rough <= limits
        first, second, lower, limits = first[kept], second[kept], lower[kept], limits[kept]
        gaps = self._grids[first].astype(np.float32) - self._grids[second]
        differences = np.sqrt((gaps**2).mean(axis=1)) / lower
        rows = np.stack([first, second, differences], axis=1).astype(np.float64)
        kept_rows: npt.NDArray[np.float64] = rows[differences <= limits]
        return kept_rows

    def stand_out(self, pairs: npt.NDArray[np.float64], sides: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Return of each pair whether all third images, but other sure copies, are much farther from both."""
        are_far = np.zeros(len(pairs), np.bool_)
        ends = pairs[:, :2].astype(np.intp)
        are_turned = sides[ends[:, 0]] < sides[ends[:, 1]]
        ends[are_turned] = ends[are_turned, ::-1]
        are_of_sizes = sides[ends[:, 0]] != sides[ends[:, 1]]
        for blur in _BLURS:
            open_ = np.flatnonzero(~are_far & (are_of_sizes | (blur == 0)))
            if not len(open_):
                continue
            own, nearest = self._differences(ends[open_], blur)
            ratio = np.where(own <= _LIKE, _RATIO, _RATIO_BEYOND)
            ratio = np.where(are_of_sizes[open_], _RATIO_OF_SIZES, ratio)
            is_near = ~are_of_sizes[open_] | (own <= _LIMIT_OF_SIZES)
            are_far[open_] = is_near & (own <= ratio * nearest)
        return are_far

    def _differences(
        self, ends: npt.NDArray[np.intp], blur: float
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return how much the two of each pair (larger, smaller) differ, and how near a third image comes.

        All but the smaller are blurred, and all are brought to one contrast.
        """
        blurred = _of_one_contrast(_blurred(self._grids, blur))
        own, nearest = np.zeros(len(ends), np.float32), np.zeros(len(ends), np.float32)
        for begin in range(0, len(ends), _BLOCK_ROWS):
            block = ends[begin : begin + _BLOCK_ROWS]
            rows = np.arange(len(block))
            smaller = _of_one_contrast(self._grids[block[:, 1]].astype(np.float32))
            gaps = [_gaps(smaller, blurred), _gaps(blurred[block[:, 0]], blurred)]
            own[begin : begin + _BLOCK_ROWS] = gaps[0][rows, block[:, 0]]
            for each in gaps:
                each[each <= _SURE_OF_SMALL] = np.inf
                each[rows, block[:, 0]] = each[rows, block[:, 1]] = np.inf
            nearest[begin : begin + _BLOCK_ROWS] = np.minimum(*(each.min(axis=1) for each in gaps))
        return own, nearest


def _blurred(grids: npt.NDArray[np.uint8], sigma: float) -> npt.NDArray[np.float32]:
    """Return flat copies, each blurred by a Gauss function of that width in pixels of the copy."""
    if not sigma:
        return grids.astype(np.float32)
    steps = np.arange(GRID)
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / sigma) ** 2)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    images = grids.reshape(len(grids), GRID, -1).astype(np.float32)
    images = (weights @ images).reshape(len(grids), GRID, GRID, -1)
    found: npt.NDArray[np.float32] = (weights @ images).reshape(len(grids), -1)
    return found


def _of_one_contrast(grids: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    centred = grids - grids.mean(axis=1, keepdims=True)
    found: npt.NDArray[np.float32] = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return found


def _gaps(some: npt.NDArray[np.float32], all_: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = np.sqrt(np.maximum(2 - 2 * some @ all_.T, 0))
    return found


def _contrasts(grids: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the standard deviation of each image over its area, of all channels together."""
    found: npt.NDArray[np.float32] = np.sqrt(
        grids.var(axis=(1, 2), dtype=np.float32).mean(axis=1, dtype=np.float32)
    )
    return found
