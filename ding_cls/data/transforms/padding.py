"""Borders around the image: padding, and the crop that pads first, with mmclassification's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torchvision.transforms import v2

from ding_cls.data.transforms.array_ops import (
    FILTERS,
    Array,
    Size,
    as_array,
    one_of,
    pair,
    resized,
    with_image,
)
from ding_cls.data.transforms.fill_color import Color, Fill
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import ConfigError, DataError

_MODES = ("constant", "edge", "reflect", "symmetric")


@PIPELINES.register_module()
class Pad:
    """Adds a border to the right and below.

    Args:
        size: side of a square, or (height, width), in pixels; an image that is larger stays as it is.
        pad_to_square: make the shorter side as long as the longer, instead of ``size``.
        pad_val: the border's colour, as in `Fill`.
        padding_mode: 'constant', 'edge' (repeats the last pixel), 'reflect' (mirrors without it) or
            'symmetric' (mirrors with it).

    Raises:
        ConfigError: both or neither of ``size`` and ``pad_to_square``, or a value that means nothing.
    """

    def __init__(
        self,
        size: Size | None = None,
        pad_to_square: bool = False,
        pad_val: Color = 128,
        padding_mode: str = "constant",
    ) -> None:
        if (size is None) != bool(pad_to_square):
            raise ConfigError(f"Pad: set size or pad_to_square=True, one of them, not size={size!r}")
        self.size = None if size is None else pair(size, "Pad", "size")
        self.fill = Fill(pad_val, "Pad", "pad_val")
        self.padding_mode = one_of(padding_mode, _MODES, "Pad", "padding_mode")

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the border."""
        img = as_array(results["img"])
        height, width = self.size or (max(img.shape[:2]),) * 2
        border = (0, 0, max(width - img.shape[1], 0), max(height - img.shape[0], 0))
        return with_image(results, padded(img, border, self.fill.of(results), self.padding_mode))


@PIPELINES.register_module()
class RandomCrop:
    """Cuts a window of one size anywhere; chance is torchvision's own, draw by draw.

    Args:
        size: side of a square, or (height, width), in pixels.
        padding: border before the cut: one width, (left and right, top and bottom), or (left, top, right,
            bottom), in pixels.
        pad_if_needed: where the image is still too small, add what is missing on both sides.
        pad_val: the border's colour, as in `Fill`.
        padding_mode: as in `Pad`.

    Raises:
        ConfigError: a value that means nothing.
    """

    def __init__(
        self,
        size: Size,
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        pad_val: Color = 0,
        padding_mode: str = "constant",
    ) -> None:
        self.height, self.width = pair(size, "RandomCrop", "size")
        self.fill = Fill(pad_val, "RandomCrop", "pad_val")
        self.padding_mode = one_of(padding_mode, _MODES, "RandomCrop", "padding_mode")
        given = None if padding is None else padding if isinstance(padding, int) else list(padding)
        try:
            self._cut = v2.RandomCrop((self.height, self.width), given, pad_if_needed=pad_if_needed)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"RandomCrop: padding={padding!r}: {error}") from error

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the window.

        Raises:
            DataError: the image is smaller than the window.
        """
        img = as_array(results["img"])
        try:
            # Only the height and width are looked at: a tensor without memory has them.
            drawn = self._cut.make_params([torch.empty(3, *img.shape[:2], device="meta")])
        except ValueError as error:
            raise DataError(
                f"RandomCrop cuts {self.height} x {self.width} of a picture of {img.shape[0]} x "
                f"{img.shape[1]}; set pad_if_needed=True"
            ) from error
        if drawn["needs_pad"]:
            img = padded(img, tuple(drawn["padding"]), self.fill.of(results), self.padding_mode)
        top, left = drawn["top"], drawn["left"]
        results = with_image(results, img[top : top + self.height, left : left + self.width])
        results["pad_shape"] = results["img_shape"]
        return results


@PIPELINES.register_module()
class LetterBox:
    """Resizes the whole image into a frame, in proportion, and fills what is left on both sides.

    Args:
        size: side of a square, or (height, width), in pixels.
        pad_val: the colour of the bars, as in `Fill`.
        interpolation: as in `Resize`.

    Raises:
        ConfigError: a value that means nothing.
    """

    def __init__(self, size: Size, pad_val: Color = 128, interpolation: str = "bilinear") -> None:
        self.height, self.width = pair(size, "LetterBox", "size")
        self.fill = Fill(pad_val, "LetterBox", "pad_val")
        self.interpolation = one_of(interpolation, FILTERS, "LetterBox", "interpolation")

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the framed image."""
        img = as_array(results["img"])
        scale = min(self.height / img.shape[0], self.width / img.shape[1])
        height = min(max(round(img.shape[0] * scale), 1), self.height)
        width = min(max(round(img.shape[1] * scale), 1), self.width)
        top, left = (self.height - height) // 2, (self.width - width) // 2
        border = (left, top, self.width - width - left, self.height - height - top)
        img = resized(img, height, width, self.interpolation)
        return with_image(results, padded(img, border, self.fill.of(results), "constant"))


def padded(img: Array, border: tuple[int, ...], fill: Sequence[float], mode: str) -> Array:
    """Return an image with a border.

    Args:
        img: ``(H, W, 3)``.
        border: left, top, right, bottom, in pixels.
        fill: the colour, for each channel.
        mode: as in `Pad`.
    """
    left, top, right, bottom = border
    if mode != "constant":
        return np.pad(img, ((top, bottom), (left, right), (0, 0)), mode)  # type: ignore[call-overload, no-any-return]
    height, width = img.shape[:2]
    bordered = np.empty((top + height + bottom, left + width + right, 3), img.dtype)
    bordered[...] = np.round(fill) if img.dtype == np.uint8 else fill
    bordered[top : top + height, left : left + width] = img
    return bordered
