"""What the pictures were like that a library's weights were trained on: normalisation and size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torchvision.models import get_model_weights

from ding_cls.models.families import FAMILIES, member_of
from ding_cls.models.timm_backbone import PREFIX, has_timm, timm_library
from ding_cls.models.torchvision_backbone import torchvision_names


@dataclass(frozen=True, slots=True)
class InputStatistics:
    """The input of a network with its library's weights.

    Attributes:
        mean: subtracted from R, G, B in [0, 1].
        std: divides R, G, B after that.
        image_size: side of the square that the network sees, in pixels.
        resize_size: shorter side before the centre crop, in pixels.
        source: which weights say so.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int
    resize_size: int
    source: str


def input_statistics(description: Mapping[str, Any]) -> InputStatistics | None:
    """Return what the weights expect that ``pretrained=True`` means; None: it is not asked for, or not known.

    Args:
        description: of a network, as ``new_network`` takes it.
    """
    backbone = description.get("backbone")
    own = backbone if isinstance(backbone, Mapping) else {}
    if description.get("pretrained") is not True and own.get("pretrained") is not True:
        return None
    name = _name_of(own) if description.get("type") is not None else description.get("name", "resnet18")
    if not isinstance(name, str):
        return None
    if name.startswith(PREFIX):
        return _of_timm(name.removeprefix(PREFIX)) if has_timm() else None
    return _of_torchvision(name) if name in torchvision_names() else None


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
        return member_of(kind, arguments)[0]
    return kind.removeprefix("torchvision/") if isinstance(kind, str) else None


def _of_torchvision(name: str) -> InputStatistics | None:
    try:
        weights = get_model_weights(name)["DEFAULT"]
    except (ValueError, KeyError):
        return None
    expected: Any = weights.transforms()
    (image_size,), (resize_size,) = expected.crop_size, expected.resize_size
    return InputStatistics(
        tuple(expected.mean),
        tuple(expected.std),
        image_size,
        resize_size,
        f"torchvision's {name} ({weights.name})",
    )


def _of_timm(name: str) -> InputStatistics | None:
    found = timm_library().get_pretrained_cfg(name)
    if found is None:
        return None
    size = int(found.input_size[-1])
    # As timm's own transforms round.
    resize = math.floor(size / found.crop_pct)
    return InputStatistics(tuple(found.mean), tuple(found.std), size, resize, f"timm's {name}")
