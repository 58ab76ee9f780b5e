"""Steps that change what holds the picture, with mmclassification's names and meanings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from ding_cls.data.transforms.array_ops import as_array, described_sample, is_bytes
from ding_cls.data.transforms.formatting import keys_of
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import ConfigError, DataError


@PIPELINES.register_module()
class ToPIL:
    """Makes a Pillow image of the picture, for a step of one's own that wants one."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with ``img`` as a Pillow image.

        Raises:
            DataError: the picture is not in uint8.
        """
        if not is_bytes(results["img"]):
            raise DataError(
                f"ToPIL takes pictures in uint8, and {described_sample(results)} is float already"
            )
        results["img"] = Image.fromarray(as_array(results["img"]))
        return results


@PIPELINES.register_module()
class ToNumpy:
    """Makes an array ``(H, W, 3)`` of float32 of the picture, from 0 to 255 all the same."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with ``img`` as an array."""
        results["img"] = as_array(results["img"]).astype(np.float32)
        return results


@PIPELINES.register_module()
class Transpose:
    """Changes the order of the axes of arrays; a picture with its channels in front becomes a tensor.

    Args:
        keys: which entries of the sample.
        order: the new order of their axes, ``(2, 0, 1)`` for channels in front.

    Raises:
        ConfigError: ``order`` is none.
    """

    def __init__(self, keys: Sequence[str], order: Sequence[int]) -> None:
        self.keys, self.order = keys_of(keys, "Transpose"), tuple(order)
        if sorted(self.order) != list(range(len(self.order))):
            raise ConfigError(f"Transpose: order={order!r} must hold each number from 0 on once")

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the entries transposed.

        Raises:
            DataError: an entry is missing or has another number of axes.
        """
        for key in self.keys:
            value = as_array(results[key]) if key == "img" else np.asarray(results.get(key))
            if value.ndim != len(self.order):
                raise DataError(
                    f"Transpose: {key!r} of {described_sample(results)} has {value.ndim} axes, not "
                    f"{len(self.order)}"
                )
            turned = np.ascontiguousarray(value.transpose(self.order))
            # Here arrays are (H, W, C) and tensors (C, H, W): the channels are where they say.
            in_front = key == "img" and self.order[0] == 2
            results[key] = torch.from_numpy(turned) if in_front else turned
        return results
