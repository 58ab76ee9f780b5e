"""The weights a network begins with, wherever its description asks for them: one place for all of them.

In the order of loading: ``init_cfg=dict(type='Pretrained', ...)`` of the network and of its parts,
``pretrained`` of its backbone, ``pretrained`` of the network.
"""

import os
from collections.abc import Mapping
from typing import Any

from torch import nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models.backbones.timm import copy_timm_weights
from ding_cls.models.layers.init import PRETRAINED, descriptions
from ding_cls.models.weights.files import fetch_url, fetch_weights, is_url
from ding_cls.models.weights.loading import LoadReport, load_pretrained

PARTS = ("backbone", "neck", "head")
_TORCHVISION = "torchvision://"


def load_initial_weights(network: nn.Module, description: Mapping[str, Any]) -> list[LoadReport | str]:
    """Load what a description asks for, in place; return what was loaded, each as one line of text.

    Args:
        network: what ``new_network`` returned.
        description: what it was built from.

    Raises:
        ConfigError: an ``init_cfg`` that cannot be used.
        ModelError: there are no such weights, they cannot be downloaded, or they do not fit.
    """
    reports: list[LoadReport | str] = []
    for part in ("", *PARTS):
        owner = _part(description, part)
        module = getattr(network, part, None) if part else network
        for each in descriptions(owner.get("init_cfg")):
            if each.get("type") == PRETRAINED and isinstance(module, nn.Module):
                reports.append(_from_init_cfg(module, each))
    backbone = getattr(network, "backbone", None)
    wanted = _part(description, "backbone").get("pretrained")
    if wanted and isinstance(backbone, nn.Module) and hasattr(backbone, "accepts_pretrained"):
        reports.append(load_part(backbone, wanted))
    wanted = description.get("pretrained")
    if wanted:
        reports.append(_load_whole(network, wanted, description))
    return reports


def load_part(module: nn.Module, source: bool | str | os.PathLike[str]) -> LoadReport | str:
    """Load weights into a backbone in place; the last layer of a file of a whole network is left out.

    Args:
        module: the backbone.
        source: True: its library's own weights; or a file, an https URL, or ``torchvision://NAME``.

    Raises:
        ModelError: there are no such weights, they cannot be downloaded, or they do not fit.
    """
    if source is not True:
        return load_pretrained(module, weights_file(str(source)), is_part=True)
    inner = getattr(module, "network", None)
    if isinstance(inner, nn.Module) and hasattr(inner, "timm_source"):
        return copy_timm_weights(inner)
    return load_pretrained(module, fetch_weights(_torchvision_name(module)), is_part=True)


def weights_file(source: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return the file that a path, an https URL or ``torchvision://NAME`` means, downloaded once.

    Raises:
        ModelError: it cannot be downloaded.
    """
    text = os.fspath(source)
    if text.startswith(_TORCHVISION):
        return fetch_weights(text.removeprefix(_TORCHVISION))
    return fetch_url(text) if is_url(text) else source


def _load_whole(network: nn.Module, source: Any, description: Mapping[str, Any]) -> LoadReport | str:
    if source is not True:
        return load_pretrained(network, weights_file(source))
    backbone = getattr(network, "backbone", None)
    if hasattr(network, "timm_source"):
        return copy_timm_weights(network)
    if isinstance(backbone, nn.Module) and hasattr(getattr(backbone, "network", None), "timm_source"):
        return load_part(backbone, True)
    if description.get("type") is None:
        return load_pretrained(network, fetch_weights(str(description.get("name", "resnet18"))))
    return load_pretrained(
        network, fetch_weights(_torchvision_name(network if backbone is None else backbone))
    )


def _torchvision_name(module: Any) -> str:
    name = getattr(module, "torchvision_name", None)
    if not name:
        raise ModelError(
            f"there are no pretrained weights for a {type(module).__name__}; give a file as pretrained"
        )
    return str(name)


def _from_init_cfg(module: nn.Module, cfg: Mapping[str, Any]) -> LoadReport:
    unknown = cfg.keys() - {"type", "checkpoint", "prefix", "map_location"}
    if unknown or not isinstance(cfg.get("checkpoint"), str):
        raise ConfigError(
            f"init_cfg is {dict(cfg)}; it takes type='Pretrained', checkpoint= (a file or URL), and prefix="
        )
    prefix = cfg.get("prefix") or ""
    return load_pretrained(module, weights_file(cfg["checkpoint"]), prefix=prefix, is_part=True)


def _part(description: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    owner = description.get(part) if part else description
    return owner if isinstance(owner, Mapping) else {}
