"""Where the pixels lie: resizing, cutting, mirroring, with mmclassification's names and meanings.

Pixels are resized by Pillow with antialiasing, whatever ``backend`` says: evaluation, prediction and serving
then see the same ones. It must not know files or data sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from ding_cls.data.pipelines.arrays import Array, as_array
from ding_cls.data.pipelines.registry import PIPELINES
from ding_cls.data.transforms import LONGEST_STRIP
from ding_cls.errors import ConfigError

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    # OpenCV's name for the mean over the area, which is what Pillow's box does.
    "area": Image.Resampling.BOX,
}
_SIDES = ("short", "long", "height", "width")

Size = int | Sequence[int]


@PIPELINES.register_module()
class Resize:
    """Resizes to a height and a width, or one side to a length and the other in proportion.

    Not as torchvision's: ``size=256`` squashes to 256 x 256, ``size=(256, -1)`` makes the shorter side 256.
    For that a strip of more than 32:1 is cut to its middle first, as `Preprocessing` does: 1 x 60,000 would
    take 12 GB.

    Args:
        size: side of a square, (height, width), or (length, -1), in pixels.
        interpolation: nearest, bilinear, bicubic, lanczos, box, hamming or area.
        adaptive_side: with (length, -1), the side that gets the length: short, long, height or width.
        backend: 'cv2' or 'pillow'; Pillow does it in any case.

    Raises:
        ConfigError: a size or a word that means nothing.
    """

    def __init__(
        self,
        size: Size,
        interpolation: str = "bilinear",
        adaptive_side: str = "short",
        backend: str = "cv2",
    ) -> None:
        length = None if isinstance(size, int) or tuple(size)[1:] != (-1,) else size[0]
        self.height, self.width = _pair(size if length is None else length, "Resize", "size")
        self.length = length
        self.interpolation = _word(interpolation, _FILTERS, "Resize", "interpolation")
        self.adaptive_side = _word(adaptive_side, _SIDES, "Resize", "adaptive_side")
        _word(backend, ("cv2", "pillow"), "Resize", "backend")

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the picture resized."""
        img = as_array(results["img"])
        if self.length is None:
            return _with(results, resized(img, self.height, self.width, self.interpolation))
        if self.adaptive_side != "long":
            img = _middle_of_strip(img)
        height, width = img.shape[:2]
        sides = {"short": min(height, width), "long": max(height, width), "height": height, "width": width}
        side = sides[self.adaptive_side]
        # The side itself gets the length exactly; the other is rounded down, as torchvision and mmcv do.
        target = [self.length if each == side else int(self.length * each / side) for each in (height, width)]
        return _with(results, resized(img, max(target[0], 1), max(target[1], 1), self.interpolation))


@PIPELINES.register_module()
class CenterCrop:
    """Cuts out the middle; a picture that is smaller on a side keeps that side.

    Args:
        crop_size: side of a square, or (height, width), in pixels.

    Raises:
        ConfigError: a size that means nothing.
    """

    def __init__(self, crop_size: Size) -> None:
        self.height, self.width = _pair(crop_size, "CenterCrop", "crop_size")

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the middle of the picture."""
        img = as_array(results["img"])
        # Python rounds a half to the even number, and so does torchvision: the pixels are Preprocessing's.
        top, left = (
            max(round((have - want) / 2), 0)
            for have, want in zip(img.shape[:2], (self.height, self.width), strict=True)
        )
        return _with(results, img[top : top + self.height, left : left + self.width])


@PIPELINES.register_module()
class RandomResizedCrop:
    """Cuts out a random part and resizes it; chance is torchvision's own, draw by draw.

    Args:
        size: side of a square, or (height, width), in pixels.
        scale: smallest and largest share of the picture's area.
        ratio: smallest and largest width / height.
        interpolation: as in `Resize`.
        backend: 'cv2' or 'pillow'; Pillow does it in any case.

    Raises:
        ConfigError: a size, range or word that means nothing.

    Source: "Going deeper with convolutions", Szegedy et al. 2014, section 6 (arXiv:1409.4842).
    """

    def __init__(
        self,
        size: Size,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: str = "bilinear",
        backend: str = "cv2",
    ) -> None:
        self.height, self.width = _pair(size, "RandomResizedCrop", "size")
        self.interpolation = _word(interpolation, _FILTERS, "RandomResizedCrop", "interpolation")
        _word(backend, ("cv2", "pillow"), "RandomResizedCrop", "backend")
        self._cut = v2.RandomResizedCrop(
            self.height, scale=_range(scale, "scale"), ratio=_range(ratio, "ratio")
        )

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with a random part of the picture."""
        img = as_array(results["img"])
        # Only the height and width are looked at: a tensor without memory has them.
        drawn = self._cut.make_params([torch.empty(3, *img.shape[:2], device="meta")])
        top, left = drawn["top"], drawn["left"]
        part = img[top : top + drawn["height"], left : left + drawn["width"]]
        return _with(results, resized(part, self.height, self.width, self.interpolation))


@PIPELINES.register_module()
class RandomFlip:
    """Mirrors the picture by chance.

    Args:
        flip_prob: how often, in [0, 1].
        direction: 'horizontal' swaps left and right, 'vertical' top and bottom.

    Raises:
        ConfigError: another direction, or a probability outside [0, 1].
    """

    def __init__(
        self, flip_prob: float = 0.5, direction: Literal["horizontal", "vertical"] = "horizontal"
    ) -> None:
        if not 0 <= flip_prob <= 1:
            raise ConfigError(f"RandomFlip: flip_prob={flip_prob!r} must lie in [0, 1]")
        self.flip_prob = flip_prob
        self.direction = _word(direction, ("horizontal", "vertical"), "RandomFlip", "direction")

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample, mirrored or not; ``flip`` says which."""
        # torchvision's own comparison, so that both draw alike.
        results["flip"] = bool(torch.rand(1) < self.flip_prob)
        results["flip_direction"] = self.direction
        if not results["flip"]:
            return results
        img = as_array(results["img"])
        return _with(results, img[:, ::-1] if self.direction == "horizontal" else img[::-1])


def resized(img: Array, height: int, width: int, interpolation: str) -> Array:
    """Return a picture resized by Pillow, with antialiasing.

    Args:
        img: ``(H, W, 3)`` of uint8, or of floats, which are resized as float32 without rounding.
        height: of the result, in pixels.
        width: likewise.
        interpolation: as in `Resize`.
    """
    chosen = _FILTERS[interpolation]
    if img.dtype == np.uint8:
        return np.array(Image.fromarray(np.ascontiguousarray(img)).resize((width, height), chosen))
    planes = np.ascontiguousarray(img.transpose(2, 0, 1), dtype=np.float32)
    return np.stack(
        [np.array(Image.fromarray(each).resize((width, height), chosen)) for each in planes], axis=2
    )


def _middle_of_strip(img: Array) -> Array:
    limit = LONGEST_STRIP * min(img.shape[:2])
    height, width = (min(limit, side) for side in img.shape[:2])
    top, left = (img.shape[0] - height) // 2, (img.shape[1] - width) // 2
    return img[top : top + height, left : left + width]


def _with(results: dict[str, Any], img: Array) -> dict[str, Any]:
    results["img"] = np.ascontiguousarray(img)
    results["img_shape"] = img.shape
    return results


def _pair(size: Size, step: str, name: str) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) == 1:
        sides = (sides[0], sides[0])
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ConfigError(f"{step}: {name}={size!r} must be a length or (height, width), in pixels")
    return sides[0], sides[1]


def _range(limits: Sequence[float], name: str) -> tuple[float, float]:
    if len(limits) != 2 or not 0 < limits[0] <= limits[1]:
        raise ConfigError(f"RandomResizedCrop: {name}={limits!r} must be two numbers, the smaller one first")
    return float(limits[0]), float(limits[1])


def _word(value: str, allowed: Sequence[str] | dict[str, Any], step: str, name: str) -> str:
    if value not in allowed:
        raise ConfigError(f"{step}: {name}={value!r} is none of {', '.join(allowed)}")
    return value
