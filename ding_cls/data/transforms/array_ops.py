"""The picture of a sample: an array where a user's step may look at it, a tensor where torch wants one.

An array is ``(H, W, C)``, a tensor ``(C, H, W)``; both count from 0 to 255 until `Normalize`. It must not
know steps or data sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from ding_cls.errors import DataError

Array = npt.NDArray[Any]


def as_array(img: Any) -> Array:
    """Return a picture as an array ``(H, W, C)``; one without colours is repeated to three channels.

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
    """Return a picture as a contiguous tensor ``(C, H, W)`` of the same numbers; floats become float32.

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


def is_bytes(img: Any) -> bool:
    """Return whether a picture still counts in uint8."""
    return isinstance(img, Image.Image) or getattr(img, "dtype", None) in (np.uint8, torch.uint8)


def described_sample(results: Mapping[str, Any]) -> str:
    """Return how an error names the sample: its file, class and number, as far as they are known."""
    info = results.get("img_info")
    name = results.get("filename") or (info.get("filename") if isinstance(info, Mapping) else None)
    about = [f"class {results['class_name']!r}"] if "class_name" in results else []
    about += [f"index {results['sample_idx']}"] if "sample_idx" in results else []
    file = "a picture" if name is None else repr(name)
    return f"{file} ({', '.join(about)})" if about else file


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
