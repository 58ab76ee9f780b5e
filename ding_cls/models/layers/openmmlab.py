"""mmcv's functions for those who write networks: layers by their ``cfg``, initial values by layer.

Names, arguments and results are those of mmcv 1.x; the library's own networks need none of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from ding_cls.errors import ConfigError
from ding_cls.models.layers.init import initialise_layer
from ding_cls.models.layers.ops import activation_of, norm_of

_CONVOLUTIONS: dict[str, Callable[..., nn.Module]] = {
    "Conv": nn.Conv2d,
    "Conv1d": nn.Conv1d,
    "Conv2d": nn.Conv2d,
    "Conv3d": nn.Conv3d,
}
# What a normalization's attribute is called there, less its number.
_SHORT = {"BN": "bn", "BN1d": "bn", "BN2d": "bn", "SyncBN": "bn", "GN": "gn", "IN": "in", "LN": "ln"}
_RELU = {"type": "ReLU"}


def build_conv_layer(cfg: Mapping[str, Any] | None, *args: Any, **kwargs: Any) -> nn.Module:
    """Return the convolution that ``cfg`` names, made of the other arguments, which are torch's.

    Args:
        cfg: ``dict(type='Conv2d')``, with further arguments; None: that one.
        *args: of the layer's constructor.
        **kwargs: likewise.

    Raises:
        ConfigError: another type.
    """
    arguments = dict(cfg or {"type": "Conv2d"})
    kind = arguments.pop("type", None)
    if kind not in _CONVOLUTIONS:
        raise ConfigError(f"conv_cfg has type={kind!r}; it must be one of {', '.join(_CONVOLUTIONS)}")
    return _CONVOLUTIONS[kind](*args, **kwargs, **arguments)


def build_norm_layer(
    cfg: Mapping[str, Any], num_features: int, postfix: int | str = ""
) -> tuple[str, nn.Module]:
    """Return the normalization that ``cfg`` describes, and the name of its attribute, such as ``'bn1'``.

    Args:
        cfg: as ``norm_cfg`` of the networks: ``dict(type='BN', requires_grad=True)``.
        num_features: channels.
        postfix: what the name ends with.

    Raises:
        ConfigError: another type, or an argument that does not exist.
    """
    if not isinstance(cfg, Mapping) or "type" not in cfg:
        raise ConfigError(f"norm_cfg is {cfg!r}; it must be dict(type='BN', ...)")
    norm = norm_of(cfg)(num_features)
    return f"{_SHORT[cfg['type']]}{postfix}", norm


def build_activation_layer(cfg: Mapping[str, Any]) -> nn.Module:
    """Return the activation of ``dict(type='ReLU', ...)``.

    Raises:
        ConfigError: there is no such activation or argument.
    """
    return activation_of(cfg)


class ConvModule(nn.Module):
    """A convolution, a normalization and an activation in a row, under mmcv's names.

    Args:
        in_channels: as in ``nn.Conv2d``, like those up to ``groups``.
        bias: 'auto': where no normalization follows.
        conv_cfg: as in ``build_conv_layer``.
        norm_cfg: as in ``build_norm_layer``; None: none.
        act_cfg: as in ``build_activation_layer``; None: none.
        inplace: of the activation, where it has such an argument.
        order: of the three.

    Raises:
        ConfigError: a layer that does not exist, or another order than one of the three.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool | str = "auto",
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] | None = None,
        act_cfg: Mapping[str, Any] | None = _RELU,
        inplace: bool = True,
        order: tuple[str, str, str] = ("conv", "norm", "act"),
    ) -> None:
        super().__init__()
        if sorted(order) != ["act", "conv", "norm"]:
            raise ConfigError(f"ConvModule has order={order!r}; it must hold 'conv', 'norm' and 'act'")
        self.order = tuple(order)
        self.with_norm, self.with_activation = norm_cfg is not None, act_cfg is not None
        self.with_bias = norm_cfg is None if bias == "auto" else bool(bias)
        shape = (in_channels, out_channels, kernel_size)
        self.conv = build_conv_layer(
            conv_cfg, *shape, stride, padding, dilation=dilation, groups=groups, bias=self.with_bias
        )
        self.norm_name = ""
        self.activate: nn.Module | None = None
        if norm_cfg is not None:
            is_first = order.index("norm") < order.index("conv")
            self.norm_name, norm = build_norm_layer(norm_cfg, in_channels if is_first else out_channels)
            self.add_module(self.norm_name, norm)
        if act_cfg is not None:
            activation: Any = activation_of(act_cfg)
            if hasattr(activation, "inplace"):
                activation.inplace = inplace
            self.activate = activation

    @property
    def norm(self) -> nn.Module | None:
        """The normalization; None where there is none."""
        return self._modules.get(self.norm_name)

    def forward(self, x: Tensor, activate: bool = True, norm: bool = True) -> Tensor:
        """Return the output; without the activation or the normalization where asked."""
        for each in self.order:
            if each == "conv":
                x = self.conv(x)
            elif each == "norm" and norm and self.norm is not None:
                x = self.norm(x)
            elif each == "act" and activate and self.activate is not None:
                x = self.activate(x)
        return x


def constant_init(module: nn.Module, val: float, bias: float = 0) -> None:
    """Fill a layer's weight with one value, and its bias with another."""
    initialise_layer(module, "Constant", bias=bias, val=val)


def normal_init(module: nn.Module, mean: float = 0, std: float = 1, bias: float = 0) -> None:
    """Draw a layer's weight from a normal distribution."""
    initialise_layer(module, "Normal", bias=bias, mean=mean, std=std)


def trunc_normal_init(
    module: nn.Module, mean: float = 0, std: float = 1, a: float = -2, b: float = 2, bias: float = 0
) -> None:
    """Draw a layer's weight from a normal distribution that is cut at ``a`` and ``b``."""
    initialise_layer(module, "TruncNormal", bias=bias, mean=mean, std=std, a=a, b=b)


def uniform_init(module: nn.Module, a: float = 0, b: float = 1, bias: float = 0) -> None:
    """Draw a layer's weight evenly from ``a`` to ``b``."""
    initialise_layer(module, "Uniform", bias=bias, a=a, b=b)


def xavier_init(module: nn.Module, gain: float = 1, bias: float = 0, distribution: str = "normal") -> None:
    """Draw a layer's weight as Glorot & Bengio do; ``distribution`` is 'normal' or 'uniform'."""
    initialise_layer(module, "Xavier", bias=bias, gain=gain, distribution=distribution)


def kaiming_init(
    module: nn.Module,
    a: float = 0,
    mode: str = "fan_out",
    nonlinearity: str = "relu",
    bias: float = 0,
    distribution: str = "normal",
) -> None:
    """Draw a layer's weight as He et al. do; the arguments are those of torch's initialiser."""
    about = {"a": a, "mode": mode, "nonlinearity": nonlinearity, "distribution": distribution}
    initialise_layer(module, "Kaiming", bias=bias, **about)


def bias_init_with_prob(prior_prob: float) -> float:
    """Return the bias with which a sigmoid begins at that probability."""
    return -math.log((1 - prior_prob) / prior_prob)
