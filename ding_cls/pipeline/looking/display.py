"""Numbers as pixels to look at: what a network gets, with its normalisation undone and nothing else."""

from typing import Any, NamedTuple

import numpy as np
import torch

from ding_cls.data import Normalization
from ding_cls.data.transforms.array_ops import Array

_BYTE, _WORD = 255, 65_535


class Pixels(NamedTuple):
    """What is shown of an image.

    Attributes:
        image: uint8 ``(H, W, 3)``; the first channel is shown as red.
        clipped: share of the values that lie outside 0 to 255, in [0, 1].
        note: how the numbers were read where nothing says what they count in; else empty.
    """

    image: Array
    clipped: float = 0.0
    note: str = ""


def displayed(image: Array, numbers: Normalization | None) -> Pixels:
    """Return an image as pixels.

    Args:
        image: ``(H, W, C)`` of any numbers.
        numbers: what it was normalised by, channel by channel as they stand; its order of channels is the
            image's own already, and stays. None: not known.
    """
    if image.dtype == np.uint8:
        return Pixels(_three(image))
    values = image.astype(np.float64)
    if numbers is not None and len(numbers.mean) == image.shape[-1] and image.dtype.kind == "f":
        return _bytes((values * numbers.std + numbers.mean) * _BYTE)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low >= 0 and high <= 1 and image.dtype.kind in "fb":
        return _bytes(values * _BYTE)
    if low >= 0 and high <= _BYTE:
        return _bytes(values)
    if low >= 0 and high <= _WORD and image.dtype.kind in "iu":
        return _bytes(values * (_BYTE / _WORD))
    stretched = _bytes((values - low) * (_BYTE / max(high - low, 1e-12)))
    return stretched._replace(note=f"{low:.3g} to {high:.3g} shown as 0 to 255")


def displayed_tensor(tensor: torch.Tensor, numbers: Normalization | None) -> Pixels:
    """Return what a batch holds of a sample as pixels; several views of one image lie side by side.

    Args:
        tensor: float ``(..., C, H, W)``.
        numbers: as in `displayed`.
    """
    planes = tensor.detach().float().cpu().numpy()
    views = planes.reshape(-1, *planes.shape[-3:]).transpose(0, 2, 3, 1)
    return displayed(np.concatenate(list(views), axis=1), numbers)


def value_line(tensors: list[torch.Tensor]) -> str:
    """Return type, shape and range of what a network gets, and mean and spread of each channel."""
    first = tensors[0]
    kind = str(first.dtype).removeprefix("torch.")
    values = torch.cat([each.float().movedim(-3, 0).flatten(1) for each in tensors], 1)
    low, high = float(values.min()), float(values.max())
    mean, std = (_listed(each) for each in (values.mean(1), values.std(1)))
    return f"{kind} {tuple(first.shape)}, {low:.2f} to {high:.2f}; channels: mean {mean}, std {std}"


def _listed(numbers: Any) -> str:
    return " ".join(f"{each:.2f}" for each in numbers.tolist()[:4])


def _bytes(values: Array) -> Pixels:
    outside = float(((values < -0.5) | (values > _BYTE + 0.5) | ~np.isfinite(values)).mean())
    finite = np.nan_to_num(values, nan=0.0, posinf=_BYTE, neginf=0.0)
    return Pixels(_three(np.clip(np.round(finite), 0, _BYTE).astype(np.uint8)), outside)


def _three(image: Array) -> Array:
    """Return three channels: one is grey; of two or more than three the first three, black where none is."""
    channels = image.shape[-1]
    if channels == 1:
        return image.repeat(3, axis=-1)
    if channels == 2:
        return np.concatenate([image, np.zeros_like(image[..., :1])], axis=-1)
    return np.ascontiguousarray(image[..., :3])
