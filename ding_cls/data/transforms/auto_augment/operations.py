"""The operations that AutoAugment and RandAugment choose from, each a step by itself too.

Pillow changes the pixels, as torchvision has it do. A colour ``pad_val`` is as in `Fill`;
the arguments that all share stand in `Operation`.

Source: AutoAugment, Cubuk et al. 2018, table 6 (arXiv:1805.09501).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

from ding_cls.data.transforms.array_ops import Size, one_of, pair
from ding_cls.data.transforms.auto_augment.magnitude import Chance, Operation
from ding_cls.data.transforms.fill_color import Color, Fill
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import ConfigError

_DIRECTIONS = ("horizontal", "vertical")
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
# What each pixel of the result takes: x from a x + b y + c, y from d x + e y + f.
Affine = tuple[float, float, float, float, float, float]


class _Moving(Operation):
    """An operation that moves pixels, and fills what becomes empty."""

    is_signed = True

    def __init__(
        self, value: float | None, pad_val: Color, interpolation: str, **chance: Unpack[Chance]
    ) -> None:
        super().__init__(value, **chance)
        self.fill = Fill(pad_val, self.name, "pad_val")
        self.interpolation = one_of(interpolation, _FILTERS, self.name, "interpolation")

    def moved(self, image: Image.Image, inverse: Affine, results: dict[str, Any]) -> Image.Image:
        """Return the image as the map from the result's pixels to its own says."""
        a, b, c, d, e, f = inverse
        # Numbered by their centres; Pillow counts from the corner of a pixel, half a pixel further.
        cornered = (a, b, c + (1 - a - b) / 2, d, e, f + (1 - d - e) / 2)
        return image.transform(
            image.size,
            Image.Transform.AFFINE,
            cornered,
            resample=_FILTERS[self.interpolation],
            fillcolor=self.fill.rounded(results),
        )


@PIPELINES.register_module()
class Shear(_Moving):
    """Moves each row to the right by ``magnitude`` times its number; each column down, where vertical.

    Args:
        magnitude: pixels for each row, counted from the top.
        pad_val: colour of what becomes empty.
        direction: 'horizontal' or 'vertical'.
        interpolation: 'nearest', 'bilinear' or 'bicubic'.
        **chance: as in `Operation`.
    """

    def __init__(
        self,
        magnitude: float | None = None,
        pad_val: Color = 128,
        direction: str = "horizontal",
        interpolation: str = "bicubic",
        **chance: Unpack[Chance],
    ) -> None:
        super().__init__(magnitude, pad_val, interpolation, **chance)
        self.direction = one_of(direction, _DIRECTIONS, self.name, "direction")

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image sheared."""
        if self.direction == "horizontal":
            return self.moved(image, (1, -value, 0, 0, 1, 0), results)
        return self.moved(image, (1, 0, 0, -value, 1, 0), results)


@PIPELINES.register_module()
class Translate(_Moving):
    """Moves the image to the right, or down.

    Args:
        magnitude: how far, as a share of the image's width or height.
        pad_val: colour of what becomes empty.
        direction: 'horizontal' or 'vertical'.
        interpolation: as in `Shear`.
        **chance: as in `Operation`.
    """

    def __init__(
        self,
        magnitude: float | None = None,
        pad_val: Color = 128,
        direction: str = "horizontal",
        interpolation: str = "nearest",
        **chance: Unpack[Chance],
    ) -> None:
        super().__init__(magnitude, pad_val, interpolation, **chance)
        self.direction = one_of(direction, _DIRECTIONS, self.name, "direction")

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image moved."""
        if self.direction == "horizontal":
            return self.moved(image, (1, 0, -value * image.width, 0, 1, 0), results)
        return self.moved(image, (1, 0, 0, 0, 1, -value * image.height), results)


@PIPELINES.register_module()
class Rotate(_Moving):
    """Turns the image clockwise.

    Args:
        angle: in degrees.
        center: (x, y) of the pixel that stays, in pixels; None: the middle.
        scale: factor of all lengths.
        pad_val: colour of what becomes empty.
        interpolation: as in `Shear`.
        **chance: as in `Operation`.
    """

    key = "angle"

    def __init__(
        self,
        angle: float | None = None,
        center: Sequence[float] | None = None,
        scale: float = 1.0,
        pad_val: Color = 128,
        interpolation: str = "nearest",
        **chance: Unpack[Chance],
    ) -> None:
        super().__init__(angle, pad_val, interpolation, **chance)
        if center is not None and len(center) != 2:
            raise ConfigError(f"Rotate: center={center!r} must be (x, y), in pixels")
        if not scale > 0:
            raise ConfigError(f"Rotate: scale={scale!r} must be above 0")
        self.center, self.scale = center, float(scale)

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image turned."""
        x, y = self.center or ((image.width - 1) / 2, (image.height - 1) / 2)
        cosine, sine = (each(math.radians(value)) / self.scale for each in (math.cos, math.sin))
        inverse = (cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y)
        return self.moved(image, inverse, results)


class _Enhancing(Operation):
    """An operation that goes from a plain image (magnitude -1) over this one (0) to beyond it."""

    is_signed = True

    def __init__(self, magnitude: float | None = None, **chance: Unpack[Chance]) -> None:
        super().__init__(magnitude, **chance)


@PIPELINES.register_module()
class ColorTransform(_Enhancing):
    """Changes how colourful the image is, by the factor ``1 + magnitude``."""

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image with other colours."""
        return ImageEnhance.Color(image).enhance(1 + value)


@PIPELINES.register_module()
class Contrast(_Enhancing):
    """Changes the contrast by the factor ``1 + magnitude``."""

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image with another contrast."""
        return ImageEnhance.Contrast(image).enhance(1 + value)


@PIPELINES.register_module()
class Brightness(_Enhancing):
    """Changes the brightness by the factor ``1 + magnitude``."""

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image brighter or darker."""
        return ImageEnhance.Brightness(image).enhance(1 + value)


@PIPELINES.register_module()
class Sharpness(_Enhancing):
    """Changes the sharpness by the factor ``1 + magnitude``."""

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image sharper or smoother."""
        return ImageEnhance.Sharpness(image).enhance(1 + value)


@PIPELINES.register_module()
class Posterize(Operation):
    """Keeps the highest bits of each value.

    Args:
        bits: how many, from 0 to 8; rounded up.
        **chance: as in `Operation`.
    """

    key = "bits"

    def __init__(self, bits: float | None = None, **chance: Unpack[Chance]) -> None:
        super().__init__(bits, **chance)
        if bits is not None and not 0 <= bits <= 8:
            raise ConfigError(f"Posterize: bits={bits!r} must lie in [0, 8]")

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image with fewer values."""
        # Pillow's own refuses 0 bits, which an image of the highest level has.
        mask = 256 - 2 ** (8 - min(max(math.ceil(value), 0), 8))
        return _mapped(image, lambda level: level & mask)


@PIPELINES.register_module()
class Solarize(Operation):
    """Inverts the values from a threshold on.

    Args:
        thr: the smallest value that is inverted, from 0 to 256.
        **chance: as in `Operation`.
    """

    key = "thr"

    def __init__(self, thr: float | None = None, **chance: Unpack[Chance]) -> None:
        super().__init__(thr, **chance)

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image with its light parts inverted."""
        return _mapped(image, lambda level: level if level < value else 255 - level)


@PIPELINES.register_module()
class SolarizeAdd(Operation):
    """Adds to the values below a threshold, up to 255.

    Args:
        magnitude: what is added, in whole steps.
        thr: the smallest value that stays.
        **chance: as in `Operation`.
    """

    def __init__(self, magnitude: float | None = None, thr: float = 128, **chance: Unpack[Chance]) -> None:
        super().__init__(magnitude, **chance)
        self.thr = thr

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image with its dark parts lighter."""
        return _mapped(
            image, lambda level: min(max(int(level + value), 0), 255) if level < self.thr else level
        )


@PIPELINES.register_module()
class Invert(Operation):
    """Turns every value around: 255 minus it."""

    key = None

    def __init__(self, **chance: Unpack[Chance]) -> None:
        super().__init__(**chance)

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the negative."""
        return ImageOps.invert(image)


@PIPELINES.register_module()
class AutoContrast(Operation):
    """Stretches the values of each channel over all from 0 to 255."""

    key = None

    def __init__(self, **chance: Unpack[Chance]) -> None:
        super().__init__(**chance)

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image with full contrast."""
        return ImageOps.autocontrast(image)


@PIPELINES.register_module()
class Equalize(Operation):
    """Makes all values of each channel as frequent as each other."""

    key = None

    def __init__(self, **chance: Unpack[Chance]) -> None:
        super().__init__(**chance)

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image with an even histogram."""
        return ImageOps.equalize(image)


@PIPELINES.register_module()
class Cutout(Operation):
    """Paints over a box around a random pixel; what sticks out is cut off.

    Args:
        shape: side of a square, or (height, width), in pixels; a magnitude that is drawn is a square's side.
        pad_val: the colour.
        **chance: as in `Operation`.

    Source: Improved Regularization of Convolutional Neural Networks with Cutout, DeVries & Taylor 2017,
    section 3.2 (arXiv:1708.04552).
    """

    key = "shape"

    def __init__(self, shape: Size | None = None, pad_val: Color = 128, **chance: Unpack[Chance]) -> None:
        self.shape = None if shape is None else pair(shape, "Cutout", "shape")
        super().__init__(None if self.shape is None else self.shape[0], **chance)
        self.fill = Fill(pad_val, "Cutout", "pad_val")

    def changed(self, image: Image.Image, value: float, results: dict[str, Any]) -> Image.Image:
        """Return the image with the box."""
        img = np.array(image)
        spans = []
        for side, length in zip(img.shape[:2], self.shape or (int(value),) * 2, strict=True):
            begin = int(torch.randint(side, ())) - length // 2
            spans.append(slice(max(begin, 0), max(min(begin + length, side), 0)))
        img[spans[0], spans[1]] = self.fill.rounded(results)
        return Image.fromarray(img)


def _mapped(image: Image.Image, change: Callable[[int], int]) -> Image.Image:
    return image.point([change(level) for level in range(256)] * 3)
