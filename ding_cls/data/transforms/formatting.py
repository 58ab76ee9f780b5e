"""The end of a pipeline: normalising, tensors, choosing keys, with mmclassification's names and meanings."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from ding_cls.data.transforms.array_ops import (
    FROM_FILE,
    as_array,
    as_tensor,
    described_sample,
    is_bytes,
    normalize,
)
from ding_cls.data.transforms.fill_color import NORMALIZED
from ding_cls.data.transforms.registry import PIPELINES
from ding_cls.errors import ConfigError, DataError


class Normalization(NamedTuple):
    """Numbers that pixels are normalised by.

    Attributes:
        mean: per channel, for values in [0, 1].
        std: likewise.
        is_swapped: red and blue change places first.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_swapped: bool = False

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return ``(N, H, W, 3)`` from 0 to 255 as normalised float32 ``(N, 3, H, W)`` on the same device."""
        return normalize(images.flip(-1) if self.is_swapped else images, self.mean, self.std)

    def __str__(self) -> str:
        if self in (FROM_0_TO_255, FROM_0_TO_1):
            return f"nothing (floats from 0 to {255 if self == FROM_0_TO_255 else 1})"
        order = ", red and blue swapped" if self.is_swapped else ""
        return f"mean {list(self.mean)} and std {list(self.std)} in [0, 1]{order}"


FROM_0_TO_255 = Normalization((0.0,) * 3, (1 / 255,) * 3)
"""What changes nothing about floats from 0 to 255."""

FROM_0_TO_1 = Normalization((0.0,) * 3, (1.0,) * 3)
"""What changes nothing about floats from 0 to 1."""


def _of_channels(numbers: Any) -> Sequence[float]:
    """Return the numbers of the three channels: one number is that of each; none where it is no number."""
    several = numbers if isinstance(numbers, Sequence) and not isinstance(numbers, str) else [numbers]
    if any(isinstance(each, bool) or not isinstance(each, Real) for each in several):
        return ()
    return list(several) * 3 if len(several) == 1 else several


@PIPELINES.register_module()
class Normalize:
    """Subtracts the mean and divides by the standard deviation, both counted from 0 to 255, in float32.

    ``mean=[123.675, ...]`` gives the same bits as 0.485 in torchvision's units: the numbers are divided by
    255 and rounded to twelve digits. At the end of a pipeline this runs on whole batches, on their device,
    with the same bits.

    Args:
        mean: for each channel, from 0 to 255, in the order of the channels as the network sees them; or one
            number for all.
        std: likewise.
        to_rgb: as in mmclassification, where a file is read as BGR: True lets the network see RGB for files,
            False BGR. Pixels that come as arrays (without `LoadImageFromFile`) are swapped by True alone.

    Raises:
        ConfigError: not one number or three each, a ``std`` that is not above 0, or numbers meant for [0, 1].
    """

    def __init__(
        self, mean: float | Sequence[float], std: float | Sequence[float], to_rgb: bool = True
    ) -> None:
        given = mean, std
        mean, std = _of_channels(mean), _of_channels(std)
        if not (len(mean) == len(std) == 3) or min(std) <= 0:
            raise ConfigError(
                f"Normalize: mean={given[0]!r} and std={given[1]!r} must be three numbers each, or one for "
                "all channels, std above 0"
            )
        if 0 < max(mean) <= 1 and max(std) <= 1:
            raise ConfigError(
                f"Normalize: mean={mean!r} and std={std!r} are meant for pixels in [0, 1]; "
                "here they count from 0 to 255: multiply them by 255"
            )
        self.mean, self.std = (tuple(round(float(each) / 255, 12) for each in one) for one in (mean, std))
        self.to_rgb = bool(to_rgb)
        self._config = {
            "mean": np.array(mean, "float32"),
            "std": np.array(std, "float32"),
            "to_rgb": self.to_rgb,
        }

    def numbers(self, *, is_from_file: bool) -> Normalization:
        """Return what it does to images that were read from files, or came as arrays."""
        return Normalization(self.mean, self.std, is_swapped=self.to_rgb != is_from_file)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with ``img`` as float32 ``(H, W, 3)``."""
        numbers = self.numbers(is_from_file=bool(results.get(FROM_FILE)))
        # A copy: normalising works in place where the image is float32 already.
        images = torch.from_numpy(np.array(as_array(results["img"])[None], order="C"))
        results["img"] = numbers(images)[0].permute(1, 2, 0).numpy()
        results[NORMALIZED] = dict(self._config)
        return results


@PIPELINES.register_module()
class ImageToTensor:
    """Makes tensors ``(C, H, W)`` of images.

    Args:
        keys: which entries of the sample, ``['img']`` by custom.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys_of(keys, type(self).__name__)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with tensors in place of the images."""
        for key in self.keys:
            results[key] = as_tensor(_entry(results, key, "ImageToTensor"))
        return results


@PIPELINES.register_module()
class ToTensor:
    """Makes tensors of numbers and arrays; of ``img`` an image ``(C, H, W)``, as `ImageToTensor` does.

    Not torchvision's: nothing is divided by 255.

    Args:
        keys: which entries of the sample, ``['gt_label']`` by custom.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys_of(keys, type(self).__name__)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with tensors in place of the entries.

        Raises:
            DataError: an entry is text, or something else that is no number.
        """
        for key in self.keys:
            value = _entry(results, key, "ToTensor")
            try:
                results[key] = as_tensor(value) if key == "img" else torch.as_tensor(value)
            except (TypeError, ValueError, RuntimeError) as error:
                raise DataError(f"ToTensor cannot make a tensor of {key!r}: {value!r}") from error
        return results


@PIPELINES.register_module()
class Collect:
    """Keeps the entries that training needs; what else is known goes into ``img_metas``.

    Args:
        keys: entries to keep.
        meta_keys: entries for the dict ``img_metas``, where they are there.
    """

    def __init__(
        self,
        keys: Sequence[str],
        meta_keys: Sequence[str] = (
            "filename",
            "ori_filename",
            "ori_shape",
            "img_shape",
            "flip",
            "flip_direction",
            "img_norm_cfg",
        ),
    ) -> None:
        self.keys = keys_of(keys, type(self).__name__)
        self.meta_keys = tuple(meta_keys)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return a new sample with the chosen entries."""
        kept = {key: _entry(results, key, "Collect") for key in self.keys}
        kept["img_metas"] = {key: results[key] for key in self.meta_keys if key in results}
        return kept


@PIPELINES.register_module()
class ToPIL:
    """Makes the image Pillow's, for a step of one's own that wants one."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with ``img`` as a Pillow image.

        Raises:
            DataError: the image is not in uint8.
        """
        if not is_bytes(results["img"]):
            raise DataError(
                f"ToPIL takes pictures in uint8, and {described_sample(results)} is float already"
            )
        results["img"] = Image.fromarray(as_array(results["img"]))
        return results


@PIPELINES.register_module()
class ToNumpy:
    """Makes an array ``(H, W, 3)`` of float32 of the image, from 0 to 255 all the same."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with ``img`` as an array."""
        results["img"] = as_array(results["img"]).astype(np.float32)
        return results


@PIPELINES.register_module()
class Transpose:
    """Changes the order of the axes of arrays; an image with its channels in front becomes a tensor.

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


def keys_of(keys: Sequence[str], step: str) -> tuple[str, ...]:
    """Return the names of entries.

    Raises:
        ConfigError: they are a single text, whose letters would be taken for names.
    """
    if isinstance(keys, str):
        raise ConfigError(f"{step}: keys={keys!r} must be a list, [{keys!r}]")
    return tuple(keys)


def _entry(results: dict[str, Any], key: str, step: str) -> Any:
    if key not in results:
        raise DataError(f"{step}: the sample has no {key!r}; it has {', '.join(sorted(map(str, results)))}")
    return results[key]
