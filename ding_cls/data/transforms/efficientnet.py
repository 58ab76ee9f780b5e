"""The windows that EfficientNet's preprocessing cuts, which TensorFlow defined.

It must not know pictures or steps: sizes in, windows out.
"""

from __future__ import annotations

import math

import torch

Window = tuple[int, int, int, int]
Range = tuple[float, float]


def central_window(height: int, width: int, size: int, crop_padding: int) -> Window:
    """Return top, left, height and width of the middle square that stands for ``size`` pixels of a picture
    whose shorter side were ``size + crop_padding``.

    Source: EfficientNet: Rethinking Model Scaling for CNNs, Tan & Le 2019 (arXiv:1905.11946), its published
    code's central crop.
    """
    side = min(height, width) * size / (size + crop_padding)
    top, left = (max(round((each - side) / 2), 0) for each in (height, width))
    length = max(int(side), 1)
    return top, left, min(length, height - top), min(length, width - left)


def distorted_window(
    height: int, width: int, *, scale: Range, ratio: Range, min_covered: float, max_attempts: int
) -> Window | None:
    """Return top, left, height and width of a random window; None where no attempt fits.

    Draws from torch's default generator: first a width / height from ``ratio``, then a height from those that
    ``scale`` allows. Not as in RandomResizedCrop, both are uniform.

    Args:
        height: of the picture, in pixels.
        width: likewise.
        scale: smallest and largest share of the picture's area.
        ratio: smallest and largest width / height.
        min_covered: smallest share of the picture that the window covers.
        max_attempts: draws before giving up.

    Source: TensorFlow's ``sample_distorted_bounding_box`` with the whole picture as the box.
    """
    area = height * width
    smallest, largest = (share * area for share in scale)
    for _ in range(max_attempts):
        drawn = _uniform(*ratio)
        longest = min(math.sqrt(largest / drawn), width / drawn, height)
        shortest = min(math.sqrt(smallest / drawn), longest)
        rows = round(_uniform(shortest, longest))
        columns = round(rows * drawn)
        covered = rows * columns
        if not (0 < rows <= height and 0 < columns <= width):
            continue
        if smallest <= covered <= largest and covered >= min_covered * area:
            top, left = (int(torch.randint(each + 1, ())) for each in (height - rows, width - columns))
            return top, left, rows, columns
    return None


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), dtype=torch.float64))
