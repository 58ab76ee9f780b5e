"""Where the pixels lie: resizing, cutting, mirroring, with mmclassification's names and meanings.

Pixels are resized by Pillow with antialiasing, whatever ``backend`` says: evaluation, prediction and serving
then see the same ones. It must not know files or datasets.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from ding_cls.data.transforms.array_ops import (
    BACKENDS,
    FILTERS,
    Img,
    Size,
    Window,
    as_array,
    cut,
    height_width,
    one_of,
    pair,
    probability,
    resized,
    with_image,
)
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import ConfigError

Range = tuple[float, float]

# A wider strip is cut to this many times its shorter side before it is resized; see Resize.
LONGEST_STRIP = 32

_SIDES = ("short", "long", "height", "width")


class GeometryStep(ABC):
    """A step that moves pixels and leaves the rest of the sample alone, on an array or on a Pillow image.

    Pillow reads, cuts and resizes: where such steps follow `LoadImageFromFile` no array of the whole image is
    made.
    """

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the image changed."""
        return with_image(results, self.moved(as_array(results["img"]), results))

    @abstractmethod
    def moved(self, img: Img, results: dict[str, Any]) -> Img:
        """Return the image with its pixels elsewhere; ``results`` may note how."""


@PIPELINES.register_module()
class Resize(GeometryStep):
    """Resizes to a height and a width, or one side to a length and the other in proportion.

    Not as torchvision's: ``size=256`` squashes to 256 x 256, ``size=(256, -1)`` makes the shorter side 256.
    For that a strip of more than 32:1 is cut to its middle first: 1 x 60,000 would take 12 GB.

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
        length = size[0] if isinstance(size, Sequence) and tuple(size)[1:] == (-1,) else None
        self.height, self.width = pair(size if length is None else length, "Resize", "size")
        self.length = length
        self.interpolation = one_of(interpolation, FILTERS, "Resize", "interpolation")
        self.adaptive_side = one_of(adaptive_side, _SIDES, "Resize", "adaptive_side")
        one_of(backend, BACKENDS, "Resize", "backend")

    def moved(self, img: Img, results: dict[str, Any]) -> Img:
        """Return the image resized; the sample notes the new size and how much larger it is."""
        changed = self._resized(img)
        height, width = height_width(changed)
        results["scale"], results["scale_idx"] = (width, height), 0
        factors = [width / height_width(img)[1], height / height_width(img)[0]] * 2
        results["scale_factor"] = np.array(factors, np.float32)
        results["keep_ratio"] = self.length is not None
        results["pad_shape"] = (height, width, 3)
        return changed

    def _resized(self, img: Img) -> Img:
        if self.length is None:
            return resized(img, self.height, self.width, self.interpolation)
        if self.adaptive_side != "long":
            img = _middle_of_strip(img)
        height, width = height_width(img)
        sides = {"short": min(height, width), "long": max(height, width), "height": height, "width": width}
        side = sides[self.adaptive_side]
        # The side itself gets the length exactly; the other is rounded down, as torchvision and mmcv do.
        target = [self.length if each == side else int(self.length * each / side) for each in (height, width)]
        return resized(img, max(target[0], 1), max(target[1], 1), self.interpolation)


@PIPELINES.register_module()
class CenterCrop(GeometryStep):
    """Cuts out the middle; an image that is smaller on a side keeps that side.

    Args:
        crop_size: side of a square, or (height, width), in pixels.
        efficientnet_style: cut a square whose side is ``crop_size / (crop_size + crop_padding)`` of the
            shorter side, and resize it to ``crop_size``.
        crop_padding: only with ``efficientnet_style``.
        interpolation: only with ``efficientnet_style``; as in `Resize`.
        backend: 'cv2' or 'pillow'; Pillow does it in any case.

    Raises:
        ConfigError: a size or a word that means nothing.
    """

    def __init__(
        self,
        crop_size: Size,
        efficientnet_style: bool = False,
        crop_padding: int = 32,
        interpolation: str = "bilinear",
        backend: str = "cv2",
    ) -> None:
        self.height, self.width = pair(crop_size, "CenterCrop", "crop_size")
        self.crop_padding = _crop_padding(crop_padding, self, efficientnet_style)
        self.interpolation = one_of(interpolation, FILTERS, "CenterCrop", "interpolation")
        one_of(backend, BACKENDS, "CenterCrop", "backend")

    def moved(self, img: Img, results: dict[str, Any]) -> Img:
        """Return the middle of the image."""
        height, width = height_width(img)
        if self.crop_padding is not None:
            window = central_window(height, width, self.height, self.crop_padding)
            return resized(cut(img, window), self.height, self.width, self.interpolation)
        # Python rounds a half to the even number, and so does torchvision.
        top, left = max(round((height - self.height) / 2), 0), max(round((width - self.width) / 2), 0)
        return cut(img, (top, left, min(self.height, height), min(self.width, width)))


@PIPELINES.register_module()
class RandomResizedCrop(GeometryStep):
    """Cuts out a random part and resizes it; chance is torchvision's own, draw by draw.

    Args:
        size: side of a square, or (height, width), in pixels.
        scale: smallest and largest share of the image's area.
        ratio: smallest and largest width / height.
        max_attempts: draws before the middle is taken instead; only with ``efficientnet_style``,
            torchvision's own are ten.
        efficientnet_style: draw the window as `distorted_window` does; where none fits, take the middle as
            `CenterCrop` of that style.
        min_covered: smallest share of the image that the window covers; only with ``efficientnet_style``.
        crop_padding: as in `CenterCrop`.
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
        max_attempts: int = 10,
        efficientnet_style: bool = False,
        min_covered: float = 0.1,
        crop_padding: int = 32,
        interpolation: str = "bilinear",
        backend: str = "cv2",
    ) -> None:
        self.height, self.width = pair(size, "RandomResizedCrop", "size")
        self.interpolation = one_of(interpolation, FILTERS, "RandomResizedCrop", "interpolation")
        one_of(backend, BACKENDS, "RandomResizedCrop", "backend")
        self.scale, self.ratio = _range(scale, "scale"), _range(ratio, "ratio")
        if self.scale[1] > 1:
            raise ConfigError(f"RandomResizedCrop: scale={scale!r} goes beyond 1, the whole picture")
        self.crop_padding = _crop_padding(crop_padding, self, efficientnet_style)
        self.min_covered = probability(min_covered, "RandomResizedCrop", "min_covered")
        if not isinstance(max_attempts, int) or max_attempts < 1:
            raise ConfigError(f"RandomResizedCrop: max_attempts={max_attempts!r} must be at least 1")
        self.max_attempts = max_attempts
        self._cut = v2.RandomResizedCrop(self.height, scale=self.scale, ratio=self.ratio)

    def moved(self, img: Img, results: dict[str, Any]) -> Img:
        """Return a random part of the image."""
        part = cut(img, self._window(*height_width(img)))
        return resized(part, self.height, self.width, self.interpolation)

    def _window(self, height: int, width: int) -> Window:
        if self.crop_padding is None:
            # Only the height and width are looked at: a tensor without memory has them.
            drawn = self._cut.make_params([torch.empty(3, height, width, device="meta")])
            return drawn["top"], drawn["left"], drawn["height"], drawn["width"]
        return distorted_window(
            height,
            width,
            scale=self.scale,
            ratio=self.ratio,
            min_covered=self.min_covered,
            max_attempts=self.max_attempts,
        ) or central_window(height, width, self.height, self.crop_padding)


@PIPELINES.register_module()
class RandomFlip(GeometryStep):
    """Mirrors the image by chance.

    Args:
        flip_prob: how often, in [0, 1].
        direction: 'horizontal' swaps left and right, 'vertical' top and bottom.

    Raises:
        ConfigError: another direction, or a probability outside [0, 1].
    """

    def __init__(
        self, flip_prob: float = 0.5, direction: Literal["horizontal", "vertical"] = "horizontal"
    ) -> None:
        self.flip_prob = probability(flip_prob, "RandomFlip", "flip_prob")
        self.direction = one_of(direction, ("horizontal", "vertical"), "RandomFlip", "direction")

    def moved(self, img: Img, results: dict[str, Any]) -> Img:
        """Return the image, mirrored or not; ``flip`` of the sample says which."""
        # torchvision's own comparison, so that both draw alike.
        results["flip"] = bool(torch.rand(1) < self.flip_prob)
        results["flip_direction"] = self.direction
        if not results["flip"]:
            return img
        is_horizontal = self.direction == "horizontal"
        if isinstance(img, Image.Image):
            how = Image.Transpose.FLIP_LEFT_RIGHT if is_horizontal else Image.Transpose.FLIP_TOP_BOTTOM
            return img.transpose(how)
        return img[:, ::-1] if is_horizontal else img[::-1]


def central_window(height: int, width: int, size: int, crop_padding: int) -> Window:
    """Return top, left, height and width of the middle square that stands for ``size`` pixels of an image
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
        height: of the image, in pixels.
        width: likewise.
        scale: smallest and largest share of the image's area.
        ratio: smallest and largest width / height.
        min_covered: smallest share of the image that the window covers.
        max_attempts: draws before giving up.

    Source: TensorFlow's ``sample_distorted_bounding_box`` with the whole image as the box.
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


def _crop_padding(
    crop_padding: int, step: CenterCrop | RandomResizedCrop, efficientnet_style: bool
) -> int | None:
    name = type(step).__name__
    if not efficientnet_style:
        return None
    if step.height != step.width:
        raise ConfigError(
            f"{name}: efficientnet_style cuts squares, not {step.height} x {step.width}; give one length"
        )
    if not isinstance(crop_padding, int) or crop_padding < 0:
        raise ConfigError(f"{name}: crop_padding={crop_padding!r} must be a number of pixels, at least 0")
    return crop_padding


def _middle_of_strip(img: Img) -> Img:
    sides = height_width(img)
    height, width = (min(LONGEST_STRIP * min(sides), side) for side in sides)
    if (height, width) == sides:
        return img
    return cut(img, ((sides[0] - height) // 2, (sides[1] - width) // 2, height, width))


def _range(limits: Sequence[float], name: str) -> tuple[float, float]:
    if not isinstance(limits, Sequence) or len(limits) != 2 or not 0 < limits[0] <= limits[1]:
        raise ConfigError(f"RandomResizedCrop: {name}={limits!r} must be two numbers, the smaller one first")
    return float(limits[0]), float(limits[1])
