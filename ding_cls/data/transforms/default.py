"""Geometry on Pillow images and normalisation on tensors, as plain records that a checkpoint can keep.

It knows pixels; it must not know files, data sets or devices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Literal, Self

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from ding_cls.errors import DataError
from ding_cls.types import Batch

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

Cut = Callable[[Image.Image], Image.Image]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# A wider strip is cut to this many times its shorter side before it is resized; see Preprocessing.__call__.
LONGEST_STRIP = 32


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """Return a copy of an RGB picture's pixels: uint8, ``(H, W, 3)``."""
    return torch.from_numpy(np.array(picture))


def normalize(
    images: torch.Tensor, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD
) -> torch.Tensor:
    """Return ``(images / 255 - mean) / std`` on the images' own device.

    Args:
        images: uint8 ``(N, H, W, 3)``.
        mean: per channel, for values in [0, 1].
        std: likewise.

    Returns:
        float32 ``(N, 3, H, W)``, contiguous.
    """
    planar = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    centre, spread = _channel_constants(tuple(mean), tuple(std), images.device)
    # Times 1 / 255, not divided by 255: torchvision's v2 does so, and the last bit differs.
    return planar.mul_(1 / 255).sub_(centre).div_(spread)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What evaluation, prediction and export do: resize the shorter side, cut the centre, normalise.

    Calling it does the geometry, Pillow image to Pillow image; `normalize` does the rest on a whole batch.

    Args:
        image_size: side of the square that the network sees, in pixels.
        resize_size: length of the shorter side before the cut, in pixels; at least ``image_size``.
        mean: subtracted per channel from values in [0, 1]; ImageNet's by default.
        std: divides after that; likewise.
        interpolation: how Pillow resizes, always with antialiasing.

    Raises:
        DataError: sizes or statistics that cannot be used.
    """

    image_size: int = 224
    resize_size: int = 256
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        _check_statistics(self)
        if self.resize_size < self.image_size:
            raise DataError(
                f"resize_size={self.resize_size} is smaller than image_size={self.image_size}: the cut would "
                f"have black borders; set resize_size to at least {self.image_size}"
            )

    def __call__(self, picture: Image.Image) -> Image.Image:
        """Return the square of ``image_size`` that the network sees."""
        # A strip of 1 x 60,000 pixels would be resized to 256 x 15,360,000: 12 GB. The cut shows its middle.
        limit = LONGEST_STRIP * min(picture.size)
        if max(picture.size) > limit:
            width, height = (min(limit, side) for side in picture.size)
            left, top = (picture.width - width) // 2, (picture.height - height) // 2
            picture = picture.crop((left, top, left + width, top + height))
        return _central_square(self.image_size, self.resize_size, self.interpolation)(picture)

    def to_tensor(self, picture: Image.Image) -> torch.Tensor:
        """Return the pixels of a picture: uint8, ``(H, W, 3)``."""
        return to_tensor(picture)

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 ``(N, H, W, 3)`` as normalised float32 ``(N, 3, H, W)`` on the same device."""
        return normalize(images, self.mean, self.std)

    def prepare(self, batch: Batch) -> Batch:
        """Return the batch with normalised images; images that are floating point already pass unchanged."""
        return _prepared(batch, self.mean, self.std)

    def preprocessing(self) -> Preprocessing:
        """Return what evaluation does to the same pictures: this."""
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return the record as plain values for a checkpoint."""
        return {name: list(each) if isinstance(each, tuple) else each for name, each in asdict(self).items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return the record that `state_dict` described.

        Raises:
            DataError: a key is missing or unknown.
        """
        names = [field.name for field in fields(cls)]
        # An old record does not say how it resizes: bilinearly, as everything did then.
        if sorted({"interpolation", *state}) != sorted(names):
            raise DataError(f"the preprocessing record has the keys {sorted(state)}, not {sorted(names)}")
        return cls(**state)


@dataclass(frozen=True, slots=True)
class TrainAugmentation:
    """What training does to a picture: a random cut, resized, and mirrored every second time.

    It draws from torch's default generator; the loader seeds that for each sample.

    Args:
        image_size: side of the square that the network sees, in pixels.
        crop_scale: smallest and largest share of the picture's area that the cut covers.
        crop_ratio: smallest and largest width / height of the cut.
        hflip: mirror with probability one half.
        mean: as in `Preprocessing`.
        std: as in `Preprocessing`.
        interpolation: as in `Preprocessing`.

    Raises:
        DataError: sizes, ranges or statistics that cannot be used.

    Source: "Going deeper with convolutions", Szegedy et al. 2014, section 6 (arXiv:1409.4842).
    """

    image_size: int = 224
    crop_scale: tuple[float, float] = (0.08, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    hflip: bool = True
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        _check_statistics(self)
        for name in ("crop_scale", "crop_ratio"):
            low_high = tuple(getattr(self, name))
            object.__setattr__(self, name, low_high)
            if len(low_high) != 2 or not 0 < low_high[0] <= low_high[1]:
                raise DataError(f"{name}={low_high} must be two numbers, 0 < smallest <= largest")
        if self.crop_scale[1] > 1:
            raise DataError(f"crop_scale={self.crop_scale} goes beyond 1, the whole picture")

    def __call__(self, picture: Image.Image) -> Image.Image:
        """Return a random square of ``image_size``."""
        cut = _random_square(
            self.image_size, self.crop_scale, self.crop_ratio, self.hflip, self.interpolation
        )
        return cut(picture)

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 ``(N, H, W, 3)`` as normalised float32 ``(N, 3, H, W)`` on the same device."""
        return normalize(images, self.mean, self.std)

    def prepare(self, batch: Batch) -> Batch:
        """Return the batch with normalised images; images that are floating point already pass unchanged."""
        return _prepared(batch, self.mean, self.std)

    def preprocessing(self) -> Preprocessing:
        """Return what evaluation does to the same pictures: resized to 8/7 of the cut, like 256 for 224."""
        resize_size = round(self.image_size * 256 / 224)
        return Preprocessing(self.image_size, resize_size, self.mean, self.std, self.interpolation)


def _prepared(batch: Batch, mean: tuple[float, ...], std: tuple[float, ...]) -> Batch:
    if batch.images.is_floating_point():
        return batch
    return batch.with_images(normalize(batch.images, mean, std))


def _check_statistics(record: Preprocessing | TrainAugmentation) -> None:
    for name in ("mean", "std"):
        # Configs and checkpoints hold lists; a frozen record that is a key of caches holds tuples.
        object.__setattr__(record, name, tuple(float(value) for value in getattr(record, name)))
    if len(record.mean) != 3 or len(record.std) != 3 or min(record.std) <= 0:
        raise DataError(
            f"mean={record.mean} and std={record.std} must have three values each, those of std above 0"
        )
    if record.image_size < 1:
        raise DataError(f"image_size={record.image_size} must be at least 1")
    allowed = ("nearest", "bilinear", "bicubic", "lanczos")
    if record.interpolation not in allowed:
        raise DataError(f"interpolation={record.interpolation!r} is none of {', '.join(allowed)}")


# torchvision's transforms hold no state between calls: building each once saves 0.1 ms a picture.
@lru_cache(maxsize=32)
def _central_square(image_size: int, resize_size: int, interpolation: Interpolation) -> Cut:
    mode = v2.InterpolationMode(interpolation)
    cut: Cut = v2.Compose(
        [v2.Resize(resize_size, interpolation=mode, antialias=True), v2.CenterCrop(image_size)]
    )
    return cut


@lru_cache(maxsize=32)
def _random_square(
    image_size: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    hflip: bool,
    interpolation: Interpolation,
) -> Cut:
    mode = v2.InterpolationMode(interpolation)
    crop = v2.RandomResizedCrop(image_size, scale=scale, ratio=ratio, interpolation=mode, antialias=True)
    cut: Cut = v2.Compose([crop, v2.RandomHorizontalFlip(0.5)] if hflip else [crop])
    return cut


@lru_cache(maxsize=32)
def _channel_constants(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    # Kept per device: copying them to CUDA at each step would make the host wait.
    with torch.inference_mode(False):
        centre, spread = (torch.tensor(each, device=device).view(1, 3, 1, 1) for each in (mean, std))
    return centre, spread
