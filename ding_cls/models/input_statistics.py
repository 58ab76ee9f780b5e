"""How a library declares the input of its networks: normalisation, size, crop ratio and interpolation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from torchvision.models import get_model_weights

from ding_cls.errors import ConfigError
from ding_cls.models.backbones.openmmlab_families import FAMILIES
from ding_cls.models.backbones.openmmlab_names import member_of
from ding_cls.models.backbones.timm import has_timm
from ding_cls.models.backbones.torchvision import torchvision_names
from ding_cls.models.weights.timm import PREFIX, timm_library

# What a network's constructor calls the side of its images: torchvision's ViT, timm, torchvision's MaxViT.
_SIZE_ARGUMENTS = ("image_size", "img_size", "input_size")
_VIT_SIZE = 224


@dataclass(frozen=True, slots=True)
class InputStatistics:
    """The input of a network, as its library declares it.

    Attributes:
        mean: subtracted from R, G, B in [0, 1].
        std: divides R, G, B after that.
        image_size: side of the square that the network sees, in pixels.
        resize_size: shorter side before the centre crop, in pixels.
        interpolation: how the image is resized.
        source: the weights that declare it.
        crop_pct: timm's ``image_size / resize_size``; None: torchvision states both sizes.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int
    resize_size: int
    interpolation: str
    source: str
    crop_pct: float | None = None

    def resize_for(self, image_size: int) -> int:
        """Return the shorter side before a centre crop of another size, in the same ratio."""
        if self.crop_pct is None:
            return round(image_size * self.resize_size / self.image_size)
        # As timm's own transforms round.
        return math.floor(image_size / self.crop_pct)


def input_statistics(description: Mapping[str, Any]) -> InputStatistics | None:
    """Return what a network's library declares, with weights or without; None: it declares nothing.

    Of torchvision's several weights a file's own are meant where it has their published name, else the
    default ones. Where timm squashes an image to a square, its middle is cut out here.

    Args:
        description: of a network, as ``new_network`` takes it.
    """
    backbone = description.get("backbone")
    is_composed = description.get("type") is not None
    own = (backbone if isinstance(backbone, Mapping) else {}) if is_composed else description
    name = _name_of(own) if is_composed else description.get("name", "resnet18")
    if not isinstance(name, str):
        return None
    if name.startswith(PREFIX):
        found = _of_timm(name.removeprefix(PREFIX)) if has_timm() else None
    else:
        weights = own.get("pretrained") or description.get("pretrained")
        found = _of_torchvision(name, weights) if name in torchvision_names() else None
    size = _built_for(name, own, is_composed=is_composed)
    if found is None or size in (None, found.image_size):
        return found
    return replace(found, image_size=size, resize_size=found.resize_for(size))


def size_argument(description: Mapping[str, Any], image_size: int) -> dict[str, int]:
    """Return what a constructor must be given for the size that its library declares; mostly nothing.

    torchvision builds every ViT for 224 px, and the default weights of ``vit_h_14`` are for 518.

    Args:
        description: of a network, as ``new_network`` takes it.
        image_size: side of the square that the network will see, in pixels.
    """
    name = description.get("name")
    is_vit = isinstance(name, str) and name.startswith("vit_") and description.get("type") is None
    if not is_vit or "image_size" in description or image_size == _VIT_SIZE:
        return {}
    found = input_statistics(description)
    return {"image_size": image_size} if found is not None and found.image_size == image_size else {}


def _name_of(backbone: Mapping[str, Any]) -> str | None:
    """Return the library's name of the network that a backbone is; None: it is another."""
    kind, arguments = backbone.get("type"), {k: v for k, v in backbone.items() if k != "type"}
    if kind == "TIMMBackbone":
        return f"{PREFIX}{backbone.get('model_name')}"
    if kind == "TorchvisionBackbone":
        return backbone.get("model_name")
    if kind == "ResNet":
        return f"resnet{backbone.get('depth')}"
    if kind in FAMILIES:
        try:
            return member_of(kind, arguments)[0]
        except ConfigError:
            # Building the network raises it, with the place.
            return None
    return kind.removeprefix("torchvision/") if isinstance(kind, str) else None


def _built_for(name: str, arguments: Mapping[str, Any], *, is_composed: bool) -> int | None:
    """Return the side that a network is built for by its arguments; None: any, or its library's own."""
    sizes = [arguments.get(argument) for argument in _SIZE_ARGUMENTS]
    size = next((each for each in sizes if each is not None), None)
    if isinstance(size, list | tuple) and len({*map(str, size)}) == 1:
        size = size[0]
    if size is None and is_composed and name.startswith("vit_"):
        return _VIT_SIZE
    return size if isinstance(size, int) and size > 0 else None


def _of_torchvision(name: str, pretrained: Any) -> InputStatistics | None:
    try:
        entries = get_model_weights(name)
        weights: Any = entries["DEFAULT"]
    except (ValueError, KeyError):
        return None
    if isinstance(pretrained, str):
        file = PurePosixPath(pretrained).name
        weights = next((each for each in entries if PurePosixPath(each.url).name == file), weights)
    expected: Any = weights.transforms()
    (image_size,), (resize_size,) = expected.crop_size, expected.resize_size
    return InputStatistics(
        tuple(expected.mean),
        tuple(expected.std),
        image_size,
        resize_size,
        expected.interpolation.value,
        f"torchvision's {name} ({weights.name})",
    )


def _of_timm(name: str) -> InputStatistics | None:
    timm = timm_library()
    try:
        declared = timm.get_pretrained_cfg(name)
    except RuntimeError:
        # There is no such tag: building the network raises it.
        return None
    if declared is None:
        return None
    found = timm.data.resolve_data_config({}, pretrained_cfg=declared.to_dict())
    _, height, width = found["input_size"]
    if height != width:
        return None
    return InputStatistics(
        tuple(found["mean"]),
        tuple(found["std"]),
        width,
        math.floor(width / found["crop_pct"]),
        found["interpolation"],
        f"timm's {name}",
        found["crop_pct"],
    )
