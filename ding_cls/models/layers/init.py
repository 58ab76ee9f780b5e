"""New values of layers as ``init_cfg`` describes them: mmcv's names for torch's initialisers.

Weights of files are no matter of this module: ``type='Pretrained'`` is left to ``initial``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError

PRETRAINED = "Pretrained"
_AFFINE = ("type", "layer", "bias")


def _constant(weight: Tensor, val: float = 0.0) -> None:
    nn.init.constant_(weight, val)


def _normal(weight: Tensor, mean: float = 0.0, std: float = 1.0) -> None:
    nn.init.normal_(weight, mean, std)


def _trunc_normal(
    weight: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> None:
    nn.init.trunc_normal_(weight, mean, std, a, b)


def _uniform(weight: Tensor, a: float = 0.0, b: float = 1.0) -> None:
    nn.init.uniform_(weight, a, b)


def _xavier(weight: Tensor, gain: float = 1.0, distribution: str = "normal") -> None:
    draw = nn.init.xavier_uniform_ if distribution == "uniform" else nn.init.xavier_normal_
    draw(weight, gain)


def _kaiming(
    weight: Tensor,
    a: float = 0.0,
    mode: str = "fan_out",
    nonlinearity: str = "relu",
    distribution: str = "normal",
) -> None:
    draw = nn.init.kaiming_uniform_ if distribution == "uniform" else nn.init.kaiming_normal_
    draw(weight, a, mode, nonlinearity)  # type: ignore[arg-type]


_KINDS: dict[str, Callable[..., None]] = {
    "Constant": _constant,
    "Normal": _normal,
    "TruncNormal": _trunc_normal,
    "Uniform": _uniform,
    "Xavier": _xavier,
    "Kaiming": _kaiming,
}


def initialise_by_cfg(module: nn.Module, cfg: object) -> None:
    """Draw new values of a module's layers, in the order of the descriptions, and of the layers in it.

    Args:
        module: whose layers.
        cfg: ``dict(type='Kaiming', layer='Conv2d', bias=0, ...)``, or a list of such; ``layer`` is a class of
            torch by name or its base, or a list of these; without it every layer with weights is meant, the
            module itself among them. None: nothing.

    Raises:
        ConfigError: a type or argument that does not exist, or no layer of that name in the module.
    """
    for each in descriptions(cfg):
        if each.get("type") != PRETRAINED:
            _initialise(module, each)


def is_init_cfg(cfg: Mapping[str, Any]) -> bool:
    """Return whether a dict describes initial values, by its type."""
    return cfg.get("type") in (*_KINDS, PRETRAINED)


def descriptions(cfg: object) -> list[Mapping[str, Any]]:
    """Return an ``init_cfg`` as a list of dicts.

    Raises:
        ConfigError: it is neither a dict nor a list of dicts.
    """
    entries = [] if cfg is None else [cfg] if isinstance(cfg, Mapping) else cfg
    if not isinstance(entries, Sequence) or not all(isinstance(each, Mapping) for each in entries):
        raise ConfigError(f"init_cfg is {cfg!r}; it must be dict(type=, ...), or a list of such")
    return list(entries)


def _initialise(module: nn.Module, cfg: Mapping[str, Any]) -> None:
    kind = cfg.get("type")
    if kind not in _KINDS:
        raise ConfigError(f"init_cfg has type={kind!r}; it must be one of {', '.join((*_KINDS, PRETRAINED))}")
    if "override" in cfg:
        raise ConfigError("init_cfg has override, which is not supported: describe each layer on its own")
    arguments = {key: value for key, value in cfg.items() if key not in _AFFINE}
    layers = _layers(module, cfg.get("layer"))
    if not layers and kind == "Constant" and cfg.get("val") == 1:
        # What a normalization begins with anyway, where there is one.
        return
    if not layers:
        raise ConfigError(
            f"init_cfg has layer={cfg.get('layer')!r}, and {type(module).__name__} has no such layer"
        )
    for layer in layers:
        initialise_layer(layer, kind, bias=cfg.get("bias", 0.0), **arguments)


def initialise_layer(layer: nn.Module, kind: str, *, bias: float = 0.0, **arguments: Any) -> None:
    """Draw a layer's own weight by one of mmcv's kinds, such as ``'Normal'``, and fill its bias.

    Raises:
        ConfigError: an argument that the kind does not have.
    """
    weight, its_bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
    if isinstance(weight, nn.Parameter):
        _draw(kind, weight, arguments)
    if isinstance(its_bias, nn.Parameter):
        with torch.no_grad():
            its_bias.fill_(bias)


def _draw(kind: str, weight: Tensor, arguments: Mapping[str, Any]) -> None:
    # A norm's weight has one axis; its fans are not defined.
    if kind in ("Xavier", "Kaiming") and weight.dim() < 2:
        return
    try:
        _KINDS[kind](weight, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"init_cfg of type={kind!r} cannot be used: {error}") from error


def _layers(module: nn.Module, names: object) -> list[nn.Module]:
    if names is None:
        return list(module.modules())
    wanted = {names} if isinstance(names, str) else set(names)  # type: ignore[call-overload]
    return [each for each in module.modules() if wanted & {kind.__name__ for kind in type(each).__mro__}]
