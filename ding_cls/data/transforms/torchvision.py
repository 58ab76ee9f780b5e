"""Every transform of torchvision v2 as a step, by its class name; ``torchvision/NAME`` where ours hides it.

It must not know our own steps.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from PIL import Image
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from ding_cls.data.transforms.array_ops import as_array, as_tensor, described_sample, is_bytes
from ding_cls.errors import ConfigError, DataError
from ding_cls.registry import Library

PREFIX = "torchvision/"

# Pillow is two to ten times as fast as tensors in rotations, colours and RandAugment (at 224 px, one thread).
# These refuse a Pillow image or, worse, hand it back as it is.
_ON_TENSORS = frozenset(
    {
        "ConvertImageDtype",
        "GaussianNoise",
        "LinearTransformation",
        "Normalize",
        "ToDtype",
    }
)

# Arguments of LinearTransformation: lists of numbers in a config.
_TENSORS = ("transformation_matrix", "mean_vector")

# What makes no sense for one image with a class, and why.
_MANY = "makes several pictures of one"
_BOXES = "works on boxes or key points, which a sample here does not have"
_BATCH = "mixes the pictures of a batch, and a step sees one sample"
REFUSED: Mapping[str, str] = {
    "ClampBoundingBoxes": _BOXES,
    "ClampKeyPoints": _BOXES,
    "ConvertBoundingBoxFormat": _BOXES,
    "CutMix": _BATCH,
    "FiveCrop": _MANY,
    "Lambda": "takes a function, which a config cannot hold; register a step of your own",
    "MixUp": _BATCH,
    "RandomIoUCrop": _BOXES,
    "SanitizeBoundingBoxes": _BOXES,
    "SanitizeKeyPoints": _BOXES,
    "SetClampingMode": _BOXES,
    "TenCrop": _MANY,
    "UniformTemporalSubsample": "works on videos",
}

# Steps that hold other steps are entered by `compose`; Transform is the base class.
_NOT_HERE = frozenset({"Compose", "RandomApply", "RandomChoice", "RandomOrder", "Transform"})


class OnImage:
    """A transform of torchvision as a step: it sees the image, and nothing else of the sample.

    Images in uint8 are handed over as Pillow images where the transform takes them, else as tensors; what
    comes back is an array while it is uint8, a tensor ``(3, H, W)`` once it is float.

    Args:
        transform: an instance of one of torchvision's classes.
    """

    def __init__(self, transform: Callable[[Any], Any]) -> None:
        self.transform = transform
        self.name = type(transform).__name__
        self._is_on_tensors = self.name in _ON_TENSORS

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the sample with the image changed.

        Raises:
            DataError: torchvision cannot use this image, or returns something else than one.
        """
        try:
            changed = self.transform(self._handed_over(results["img"]))
        except (TypeError, ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(
                f"torchvision's {self.name} cannot take {described_sample(results)}: {reason}"
            ) from error
        if isinstance(changed, torch.Tensor) and changed.is_floating_point():
            results["img"] = as_tensor(changed)
        elif is_bytes(changed):
            results["img"] = as_array(changed)
        else:
            raise DataError(
                f"torchvision's {self.name} made a {type(changed).__name__} of {described_sample(results)}; "
                "a step returns one image of uint8 or float"
            )
        results["img_shape"] = as_array(results["img"]).shape
        return results

    def __repr__(self) -> str:
        return f"OnImage({self.transform!r})"

    def _handed_over(self, img: Any) -> Any:
        if is_bytes(img) and not self._is_on_tensors:
            return Image.fromarray(as_array(img))
        return tv_tensors.Image(as_tensor(img))


def _find(name: str) -> Callable[..., OnImage] | None:
    bare = name.removeprefix(PREFIX)
    kind = getattr(v2, bare, None)
    if not inspect.isclass(kind) or not issubclass(kind, nn.Module) or bare in _NOT_HERE:
        return None
    if bare in REFUSED:
        return functools.partial(_refuse, bare)
    return _factory(kind)


def _names() -> list[str]:
    bare = [name for name in vars(v2) if name not in REFUSED and _find(name) is not None]
    return [*bare, *(PREFIX + name for name in bare)]


def _factory(kind: Callable[..., Any]) -> Callable[..., OnImage]:
    # The registry checks the arguments of a config by this signature: it is the class's own.
    @functools.wraps(kind, updated=())
    def build(*args: Any, **kwargs: Any) -> OnImage:
        try:
            return OnImage(kind(*args, **{name: _value(name, each) for name, each in kwargs.items()}))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"torchvision's {kind.__name__} refuses {kwargs}: {error}") from error

    return build


def _refuse(name: str, **kwargs: Any) -> OnImage:
    raise ConfigError(f"torchvision's {name} cannot be a step of a pipeline: it {REFUSED[name]}")


def _value(name: str, value: Any) -> Any:
    """Return the value that a config means; torchvision wants tensors and objects of its own for some."""
    if name in _TENSORS:
        return torch.as_tensor(value, dtype=torch.float32)
    if not isinstance(value, str):
        return value
    if name == "interpolation":
        return v2.InterpolationMode(value)
    if name == "policy":
        return v2.AutoAugmentPolicy(value)
    dtype = getattr(torch, value.removeprefix("torch."), None)
    return dtype if name == "dtype" and isinstance(dtype, torch.dtype) else value


TORCHVISION: Library[Callable[..., Any]] = Library("torchvision.transforms.v2", _find, _names)
