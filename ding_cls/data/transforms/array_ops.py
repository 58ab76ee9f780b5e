"""The image of a sample: an array where a user's step may look at it, a tensor where torch wants one.

An array is ``(H, W, C)``, a tensor ``(C, H, W)``; both count from 0 to 255 until `Normalize`. Also what steps
share: sizes from a config, resizing by Pillow with antialiasing, normalising. It must not know steps or
datasets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from ding_cls.errors import ConfigError, DataError

Array = npt.NDArray[Any]
Size = int | Sequence[int]
Window = tuple[int, int, int, int]
"""Top, left, height and width, in pixels."""

Img = TypeVar("Img", Array, Image.Image)

FROM_FILE = "is_from_file"
"""Key of ``results``: the image was read from a file, so it is RGB for certain."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

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


def as_array(img: Any) -> Array:
    """Return an image as an array ``(H, W, C)``; one without colours is repeated to three channels.

    Args:
        img: an array ``(H, W, C)`` or ``(H, W)``, a tensor ``(C, H, W)``, or a Pillow image.

    Raises:
        DataError: it is none of these.
    """
    if isinstance(img, Image.Image):
        # np.asarray would give an array that nobody may write to.
        return np.array(img if img.mode == "RGB" else img.convert("RGB"))
    if isinstance(img, torch.Tensor) and img.ndim == 3:
        return as_array(img.permute(1, 2, 0).numpy())
    if isinstance(img, np.ndarray) and img.ndim == 2:
        return img[..., None].repeat(3, axis=2)
    if isinstance(img, np.ndarray) and img.ndim == 3:
        return img.repeat(3, axis=2) if img.shape[2] == 1 else img
    raise DataError(f"results['img'] is {_described(img)}; a picture is an array (H, W, 3) of uint8 or float")


def as_tensor(img: Any) -> torch.Tensor:
    """Return an image as a contiguous tensor ``(C, H, W)`` of the same numbers; floats become float32.

    Args:
        img: as `as_array` takes it.

    Raises:
        DataError: as `as_array`.
    """
    if isinstance(img, torch.Tensor) and img.ndim == 3:
        return _single(img.as_subclass(torch.Tensor)).contiguous()
    return _single(_from_numpy(as_array(img)).permute(2, 0, 1)).contiguous()


def as_pixels(img: Any) -> torch.Tensor:
    """Return what a loader wants: uint8 as ``(H, W, 3)``, floats as float32 ``(3, H, W)``.

    Args:
        img: as `as_array` takes it.

    Raises:
        DataError: it has other numbers than uint8 or float.
    """
    if _is_float(img):
        return as_tensor(img)
    array = as_array(img)
    if array.dtype != np.uint8:
        raise DataError(
            f"results['img'] is {_described(img)} at the end of the pipeline; end with uint8 or float"
        )
    return _from_numpy(array)


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
    # What is made while a network is exported holds no values, and must not be kept.
    constants = _new_constants if torch.compiler.is_compiling() else _channel_constants
    centre, spread = constants(tuple(mean), tuple(std), images.device)
    # Times 1 / 255, not divided by 255: torchvision's v2 does so, and the last bit differs.
    return planar.mul_(1 / 255).sub_(centre).div_(spread)


def is_bytes(img: Any) -> bool:
    """Return whether an image still counts in uint8."""
    return isinstance(img, Image.Image) or getattr(img, "dtype", None) in (np.uint8, torch.uint8)


def described_sample(results: Mapping[str, Any]) -> str:
    """Return how an error names the sample: its file, class and number, as far as they are known."""
    info = results.get("img_info")
    name = results.get("filename") or (info.get("filename") if isinstance(info, Mapping) else None)
    about = [f"class {results['class_name']!r}"] if "class_name" in results else []
    about += [f"index {results['sample_idx']}"] if "sample_idx" in results else []
    file = "a picture" if name is None else repr(name)
    return f"{file} ({', '.join(about)})" if about else file


def height_width(img: Array | Image.Image) -> tuple[int, int]:
    """Return the height and the width of an image, in pixels."""
    return (img.height, img.width) if isinstance(img, Image.Image) else (img.shape[0], img.shape[1])


def cut(img: Img, window: Window) -> Img:
    """Return a part of an image; an array's is a view."""
    top, left, height, width = window
    if isinstance(img, Image.Image):
        return img.crop((left, top, left + width, top + height))
    return img[top : top + height, left : left + width]


def resized(img: Img, height: int, width: int, interpolation: str) -> Img:
    """Return an image resized by Pillow, with antialiasing.

    Args:
        img: a Pillow image; or ``(H, W, 3)`` of uint8, or of floats, which are resized as float32 without
            rounding.
        height: of the result, in pixels.
        width: likewise.
        interpolation: as in `Resize`.
    """
    chosen = FILTERS[interpolation]
    if isinstance(img, Image.Image):
        return img.resize((width, height), chosen)
    if img.dtype == np.uint8:
        return np.array(Image.fromarray(np.ascontiguousarray(img)).resize((width, height), chosen))
    planes = np.ascontiguousarray(img.transpose(2, 0, 1), dtype=np.float32)
    return np.stack(
        [np.array(Image.fromarray(each).resize((width, height), chosen)) for each in planes], axis=2
    )


def with_image(results: dict[str, Any], img: Array | Image.Image) -> dict[str, Any]:
    """Return the sample with another image: an array ``(H, W, 3)``, or Pillow's."""
    results["img"] = img if isinstance(img, Image.Image) else np.ascontiguousarray(img)
    results["img_shape"] = (*height_width(img), 3)
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


def _from_numpy(array: Array) -> torch.Tensor:
    # A flipped view has negative strides, a broadcast one is read-only: torch takes neither.
    whole = np.ascontiguousarray(array)
    return torch.from_numpy(whole if whole.flags.writeable else whole.copy())


def _single(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _is_float(img: Any) -> bool:
    if isinstance(img, torch.Tensor):
        return img.is_floating_point()
    return isinstance(img, np.ndarray) and np.issubdtype(img.dtype, np.floating)


def _described(img: Any) -> str:
    shape = getattr(img, "shape", None)
    kind = f"a {type(img).__name__}"
    return kind if shape is None else f"{kind} of {img.dtype} with the shape {tuple(shape)}"


def _new_constants(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.inference_mode(False):
        centre, spread = (torch.tensor(each, device=device).view(1, 3, 1, 1) for each in (mean, std))
    return centre, spread


# Kept per device: copying them to CUDA at each step would make the host wait.
_channel_constants = lru_cache(maxsize=32)(_new_constants)
