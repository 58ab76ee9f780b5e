"""A box of the image painted over, with mmclassification's name and meanings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torchvision.transforms import v2

from ding_cls.data.transforms.array_ops import (
    Array,
    as_array,
    described_sample,
    one_of,
    probability,
    with_image,
)
from ding_cls.data.transforms.fill_color import Color, Fill, is_normalized
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import ConfigError, DataError


@PIPELINES.register_module()
class RandomErasing:
    """Paints over a random box by chance; where the box lies is torchvision's own, draw by draw.

    Args:
        erase_prob: how often, in [0, 1].
        min_area_ratio: smallest share of the image's area.
        max_area_ratio: largest.
        aspect_range: smallest and largest height / width; a number stands for itself and its inverse.
        mode: 'const' paints ``fill_color``, 'rand' each pixel its own colour.
        fill_color: with 'const' the colour, with 'rand' and ``fill_std`` the mean; from 0 to 255 before
            `Normalize`, as in `Fill`.
        fill_std: with 'rand' the deviation of a normal distribution for each channel; None: all colours are
            as likely.

    Raises:
        ConfigError: values that mean nothing.

    Source: Random Erasing Data Augmentation, Zhong et al. 2017, algorithm 1 (arXiv:1708.04896).
    """

    def __init__(
        self,
        erase_prob: float = 0.5,
        min_area_ratio: float = 0.02,
        max_area_ratio: float = 0.4,
        aspect_range: float | Sequence[float] = (3 / 10, 10 / 3),
        mode: str = "const",
        fill_color: Color = 128,
        fill_std: Color | None = None,
    ) -> None:
        self.erase_prob = probability(erase_prob, "RandomErasing", "erase_prob")
        self.mode = one_of(mode, ("const", "rand"), "RandomErasing", "mode")
        if not 0 < min_area_ratio <= max_area_ratio < 1:
            raise ConfigError(
                f"RandomErasing: min_area_ratio={min_area_ratio!r} and max_area_ratio={max_area_ratio!r} "
                "must lie between 0 and 1, in this order"
            )
        if isinstance(aspect_range, int | float):
            aspect_range = sorted((aspect_range, 1 / aspect_range)) if aspect_range > 0 else ()
        if len(aspect_range) != 2 or not 0 < aspect_range[0] <= aspect_range[1]:
            raise ConfigError(f"RandomErasing: aspect_range={aspect_range!r} must be two numbers above 0")
        self.fill_color = Fill(fill_color, "RandomErasing", "fill_color")
        self.fill_std = None if fill_std is None else Fill(fill_std, "RandomErasing", "fill_std")
        self._box = v2.RandomErasing(scale=(min_area_ratio, max_area_ratio), ratio=tuple(aspect_range))

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the box painted over, or not."""
        if float(torch.rand(1)) >= self.erase_prob:
            return results
        img = as_array(results["img"])
        # Only the height and width are looked at: a tensor without memory has them.
        drawn = self._box.make_params([torch.empty(3, *img.shape[:2], device="meta")])
        # No box where none of ten fits.
        if drawn["v"] is None:
            return results
        top, left, height, width = (drawn[name] for name in "ijhw")
        painted = img.copy()
        painted[top : top + height, left : left + width] = self._paint(results, height, width, img.dtype)
        return with_image(results, painted)

    def _paint(self, results: dict[str, Any], height: int, width: int, dtype: np.dtype[Any]) -> Array:
        color = torch.tensor(self.fill_color.of(results))
        shape = (height, width, 3)
        if self.mode == "const":
            pixels = color.expand(shape)
        elif self.fill_std is None:
            if is_normalized(results):
                raise DataError(
                    f"RandomErasing: mode='rand' paints from 0 to 255, and {described_sample(results)} is "
                    "normalised already; let it stand before Normalize, or set fill_color and fill_std"
                )
            pixels = torch.randint(256, shape).float()
        else:
            pixels = color + torch.randn(shape) * torch.tensor(self.fill_std.of(results))
        array: Array = pixels.numpy()
        return array.round().clip(0, 255).astype(dtype) if dtype == np.uint8 else array.astype(dtype)
