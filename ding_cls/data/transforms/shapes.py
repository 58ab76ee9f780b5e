"""What steps of geometry share: sizes from a config, and resizing by Pillow with antialiasing.

It must not know steps.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ding_cls.data.transforms.array_ops import Array
from ding_cls.errors import ConfigError

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    # OpenCV's name for the mean over the area, which is what Pillow's box does.
    "area": Image.Resampling.BOX,
}
BACKENDS = ("cv2", "pillow")

Size = int | Sequence[int]


def resized(img: Array, height: int, width: int, interpolation: str) -> Array:
    """Return a picture resized by Pillow, with antialiasing.

    Args:
        img: ``(H, W, 3)`` of uint8, or of floats, which are resized as float32 without rounding.
        height: of the result, in pixels.
        width: likewise.
        interpolation: as in `Resize`.
    """
    chosen = FILTERS[interpolation]
    if img.dtype == np.uint8:
        return np.array(Image.fromarray(np.ascontiguousarray(img)).resize((width, height), chosen))
    planes = np.ascontiguousarray(img.transpose(2, 0, 1), dtype=np.float32)
    return np.stack(
        [np.array(Image.fromarray(each).resize((width, height), chosen)) for each in planes], axis=2
    )


def with_picture(results: dict[str, Any], img: Array) -> dict[str, Any]:
    """Return the sample with another picture ``(H, W, 3)``."""
    results["img"] = np.ascontiguousarray(img)
    results["img_shape"] = img.shape
    return results


def pair(size: Size, step: str, name: str) -> tuple[int, int]:
    """Return height and width.

    Raises:
        ConfigError: they mean nothing.
    """
    sides = tuple(size) if isinstance(size, Sequence) else (size,)
    if len(sides) == 1:
        sides = (sides[0], sides[0])
    are_lengths = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides)
    if len(sides) != 2 or not are_lengths:
        raise ConfigError(f"{step}: {name}={size!r} must be a length or (height, width), in pixels")
    return sides[0], sides[1]


def one_of(value: str, allowed: Collection[str], step: str, name: str) -> str:
    """Return a word.

    Raises:
        ConfigError: it is none of those allowed.
    """
    if value not in allowed:
        raise ConfigError(f"{step}: {name}={value!r} is none of {', '.join(allowed)}")
    return value


def probability(value: object, step: str, name: str) -> float:
    """Return a probability.

    Raises:
        ConfigError: it lies outside [0, 1].
    """
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{step}: {name}={value!r} must lie in [0, 1]")
    return float(value)
