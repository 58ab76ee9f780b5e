"""All networks by name, with the library that each comes from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from torch import nn

from ding_cls.errors import ModelError
from ding_cls.models.backbones.openmmlab_families import FAMILIES
from ding_cls.models.backbones.timm import has_timm
from ding_cls.models.build import build_model, is_ours, model_names
from ding_cls.models.registry import BACKBONES
from ding_cls.models.weights.timm import INSTALL, PREFIX, timm_library

_NUM_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Network:
    """One name.

    Attributes:
        name: for ``policy.model.name``, or of a backbone.
        library: where it comes from, in words.
        num_parameters: of a whole network with 1,000 classes; None: not counted.
    """

    name: str
    library: str
    num_parameters: int | None = None


def list_networks(pattern: str = "*", *, with_parameters: bool = False) -> list[Network]:
    """Return the networks whose names fit a glob, in either case; timm's where it begins with ``timm/``.

    Args:
        pattern: such as ``resnet*`` or ``timm/vit*``.
        with_parameters: build each whole network and count its parameters.

    Raises:
        ModelError: timm's are asked for, and it is not installed.
    """
    wanted = pattern.lower()
    found = [each for each in _networks(wanted) if fnmatchcase(each.name.lower(), wanted)]
    return [_counted(each) for each in found] if with_parameters else found


def _networks(pattern: str) -> Iterator[Network]:
    if pattern.startswith(PREFIX):
        yield from (Network(f"{PREFIX}{name}", "timm") for name in timm_library(pattern).list_models())
        return
    for name in model_names():
        yield Network(name, "ding_cls" if is_ours(name) else "torchvision")
    for name in sorted({*BACKBONES, *FAMILIES}):
        yield Network(name, f"backbone; {_origin(name)}")
    if not pattern.strip("*"):
        here = "ding-cls models 'timm/*' lists them" if has_timm() else INSTALL
        yield Network("timm/NAME", f"timm ({here})")


def _origin(name: str) -> str:
    if name not in FAMILIES:
        return "ding_cls"
    members = FAMILIES[name].members.values()
    libraries = {"timm" if each.startswith(PREFIX) else "torchvision" for each in members}
    return " and ".join(sorted(libraries, reverse=True))


def _counted(network: Network) -> Network:
    is_whole = network.name.startswith(PREFIX) or network.library in ("ding_cls", "torchvision")
    if not is_whole or network.name == "timm/NAME":
        return network
    try:
        model: nn.Module = build_model(network.name, num_classes=_NUM_CLASSES)
    except ModelError:
        # A network of timm that cannot be built with a number of classes.
        return network
    return replace(network, num_parameters=sum(each.numel() for each in model.parameters()))
