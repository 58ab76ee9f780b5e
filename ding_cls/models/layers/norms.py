"""Normalization in a network that another library has built: ``norm_cfg`` of its layers."""

import sys
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ding_cls.errors import ConfigError

_KINDS: dict[str, type[nn.Module]] = {
    **dict.fromkeys(("BN", "BN2d", "SyncBN"), _BatchNorm),
    **dict.fromkeys(("LN", "LN2d"), nn.LayerNorm),
}
_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)
_SETTINGS = {"BN": ("eps", "momentum"), "BN2d": ("eps", "momentum"), "SyncBN": ("eps", "momentum")}


def set_norms(network: nn.Module, cfg: Mapping[str, Any], owner: str) -> nn.Module:
    """Set the normalization layers of a network in place, and return it.

    Args:
        network: whose layers.
        cfg: ``type``, the kind that it has; ``eps``, ``momentum``; ``requires_grad``, False for a scale and
            shift that stay. With 'SyncBN' its BatchNorm takes the statistics of all processes.
        owner: of the setting, in words, for an error.

    Raises:
        ConfigError: the network has no such layer, or the layer no such setting.
    """
    settings = dict(cfg)
    kind, trains = settings.pop("type", "BN"), settings.pop("requires_grad", True)
    layers = [each for each in network.modules() if kind in _KINDS and isinstance(each, _KINDS[kind])]
    if not layers:
        there = {type(each).__name__ for each in network.modules() if isinstance(each, _NORMS)}
        found = "BatchNorm" if any("Batch" in each for each in there) else ", ".join(sorted(there)) or "none"
        raise ConfigError(f"{owner} has norm_cfg={dict(cfg)}; it has {found}: leave it out")
    known = _SETTINGS.get(kind, ("eps",))
    if unknown := [name for name in settings if name not in known]:
        raise ConfigError(f"{owner} has {unknown[0]} in its norm_cfg; of {kind} it takes {', '.join(known)}")
    if kind == "SyncBN":
        network = _synchronised(network)
        layers = [each for each in network.modules() if isinstance(each, _BatchNorm)]
    for layer in layers:
        for name, value in settings.items():
            setattr(layer, name, value)
        layer.requires_grad_(bool(trains))
    return network


def _synchronised(network: nn.Module) -> nn.Module:
    timm = sys.modules.get("timm.layers")
    # timm's layers with an activation inside lose it in torch's conversion.
    convert: Any = nn.SyncBatchNorm.convert_sync_batchnorm if timm is None else timm.convert_sync_batchnorm
    converted: nn.Module = convert(network)
    return converted
