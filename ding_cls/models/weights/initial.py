"""The weights a network begins with, wherever its description asks for them: one place for all of them.

In the order of loading: ``init_cfg=dict(type='Pretrained', ...)`` of the network and of its parts,
``pretrained`` of its backbone, ``pretrained`` of the network.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.models.layers.init import PRETRAINED, descriptions
from ding_cls.models.weights.files import fetch_weights
from ding_cls.models.weights.loading import LoadReport, load_pretrained
from ding_cls.models.weights.parts import load_part, torchvision_name, weights_file
from ding_cls.models.weights.timm import copy_timm_weights

PARTS = ("backbone", "neck", "head")


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
                reports.append(load_by_init_cfg(module, each))
    backbone = getattr(network, "backbone", None)
    wanted = _part(description, "backbone").get("pretrained")
    if wanted and isinstance(backbone, nn.Module) and hasattr(backbone, "accepts_pretrained"):
        reports.append(load_part(backbone, wanted))
    wanted = description.get("pretrained")
    if wanted:
        reports.append(_load_whole(network, wanted, description))
    return reports


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
        network, fetch_weights(torchvision_name(network if backbone is None else backbone))
    )


def load_by_init_cfg(module: nn.Module, cfg: Mapping[str, Any]) -> LoadReport:
    """Load the file of ``dict(type='Pretrained', checkpoint=, prefix=)`` in place.

    Raises:
        ConfigError: the description is another.
        ModelError: the file cannot be fetched, or does not fit.
    """
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
