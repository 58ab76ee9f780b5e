"""Single layers of any network: the one that computes the logits, the first convolution, kinds by name.

It must not know which networks there are.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ding_cls.errors import ConfigError, ModelError

Norm = Callable[[int], nn.Module]

_NORMS: dict[str, Callable[..., nn.Module]] = {
    "BN": nn.BatchNorm2d,
    "BN1d": nn.BatchNorm1d,
    "BN2d": nn.BatchNorm2d,
    "SyncBN": nn.SyncBatchNorm,
    "GN": nn.GroupNorm,
    "IN": nn.InstanceNorm2d,
    "LN": nn.LayerNorm,
}
# mmcv's names that are not torch's.
_ACTIVATIONS = {"HSwish": "Hardswish", "HSigmoid": "Hardsigmoid", "Swish": "SiLU"}


class DropoutLinear(nn.Linear):
    """A linear layer with dropout before it; its weights have a linear layer's names.

    Args:
        in_features: as in ``nn.Linear``.
        out_features: as in ``nn.Linear``.
        bias: as in ``nn.Linear``.
        dropout: probability of each input to be zero in training.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dropout: float) -> None:
        super().__init__(in_features, out_features, bias)
        self.dropout = check_dropout(dropout)

    def forward(self, input: Tensor) -> Tensor:
        """Return the product with the inputs that remain."""
        return super().forward(functional.dropout(input, self.dropout, self.training))

    def extra_repr(self) -> str:
        """Return torch's line, and the probability."""
        return f"{super().extra_repr()}, dropout={self.dropout}"


def classifier_layer(model: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Return the layer that computes the logits and its name: the last Linear or Conv2d, as registered.

    Raises:
        ModelError: if the model has neither.
    """
    layers = [
        (name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    if not layers:
        raise ModelError(f"{type(model).__name__} has no Linear or Conv2d layer that could be its classifier")
    return layers[-1]


def classifier_names(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the modules that compute the logits: of timm's networks what they declare,
    which may be several; of others ``classifier_layer``.

    Raises:
        ModelError: if the model has neither.
    """
    declared = getattr(model, "get_classifier", None)
    found = declared() if hasattr(model, "timm_source") and callable(declared) else classifier_layer(model)[1]
    wanted = found if isinstance(found, tuple | list) else (found,)
    return tuple(name for name, module in model.named_modules() if any(module is each for each in wanted))


def first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """Return the convolution that sees the images and its name: the first one registered."""
    found = ((name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d))
    return next(found, None)


def replace_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of the one with that dotted name."""
    owner, _, last = name.rpartition(".")
    setattr(model.get_submodule(owner), last, module)


def set_in_channels(model: nn.Module, in_channels: int) -> None:
    """Replace the first convolution by a new one that takes images of so many channels.

    Raises:
        ModelError: there is no convolution, or the number is not positive.
    """
    if isinstance(in_channels, bool) or not isinstance(in_channels, int) or in_channels < 1:
        raise ModelError(f"in_channels={in_channels!r} must be a whole number from 1 on")
    found = first_convolution(model)
    if found is None:
        raise ModelError(
            f"{type(model).__name__} has no convolution that could take in_channels={in_channels}"
        )
    name, old = found
    if old.in_channels == in_channels:
        return
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
    )
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    replace_module(model, name, new)


def accept_colour(model: nn.Module) -> None:
    """Let a network for gray images take coloured ones too: the mean of their channels.

    Our loaders give three channels always, equal ones for gray images. It is part of the network, so that
    its caller, in training or later, need not know.
    """
    found = first_convolution(model)
    if found is not None and found[1].in_channels == 1 and not _takes_colour(found[1]):
        found[1].register_forward_pre_hook(_to_gray)


def num_channels(model: nn.Module) -> int:
    """Return how many channels the images have that our loaders give to a network: three for most."""
    found = first_convolution(model)
    return 3 if found is None or _takes_colour(found[1]) else found[1].in_channels


def _takes_colour(layer: nn.Module) -> bool:
    return _to_gray in layer._forward_pre_hooks.values()


def _to_gray(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    images, *rest = inputs
    return (images.mean(1, keepdim=True) if images.shape[1] == 3 else images, *rest)


def set_dropout(model: nn.Module, dropout: float) -> None:
    """Put dropout before the layer that computes the logits; the names of its weights stay.

    Raises:
        ConfigError: the probability is none.
        ModelError: that layer is not linear.
    """
    name, old = classifier_layer(model)
    if not isinstance(old, nn.Linear):
        raise ModelError(
            f"the last layer of {type(model).__name__}, {name}, is not linear: dropout is for those"
        )
    new = DropoutLinear(old.in_features, old.out_features, old.bias is not None, dropout=dropout)
    new.weight, new.bias = old.weight, old.bias
    replace_module(model, name, new)


def check_dropout(dropout: float, name: str = "dropout") -> float:
    """Return the probability.

    Raises:
        ConfigError: it is no number in [0, 1).
    """
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise ConfigError(f"{name} is {dropout!r}; it must be a number from 0 on and below 1")
    return float(dropout)


def norm_of(cfg: Mapping[str, Any] | None) -> Norm:
    """Return what makes a normalization for a number of channels, as ``norm_cfg`` describes it.

    Args:
        cfg: ``type``, one of 'BN', 'SyncBN', 'GN' (with ``num_groups``) and the others of mmcv;
            ``requires_grad``, False for a scale and shift that stay; further arguments of torch's class.
            None: BatchNorm.

    Raises:
        ConfigError: another type.
    """
    arguments = {"type": "BN", **(cfg or {})}
    kind, trains = arguments.pop("type"), arguments.pop("requires_grad", True)
    if kind not in _NORMS:
        raise ConfigError(f"norm_cfg has type={kind!r}; it must be one of {', '.join(_NORMS)}")

    def build(channels: int) -> nn.Module:
        try:
            if kind == "GN":
                norm: nn.Module = nn.GroupNorm(num_channels=channels, **arguments)
            else:
                norm = _NORMS[kind](channels, **arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"norm_cfg={dict(cfg or {})} cannot be used: {error}") from error
        return norm.requires_grad_(bool(trains))

    return build


def activation_of(cfg: Mapping[str, Any]) -> nn.Module:
    """Return the activation of ``act_cfg``: ``type``, a name of ``torch.nn`` or mmcv's, and its arguments.

    Raises:
        ConfigError: there is no such activation or argument.
    """
    arguments = dict(cfg)
    kind = arguments.pop("type", None)
    found = getattr(torch.nn, _ACTIVATIONS.get(kind, kind), None) if isinstance(kind, str) else None
    if not isinstance(found, type) or found.__module__ != "torch.nn.modules.activation":
        raise ConfigError(f"act_cfg has type={kind!r}; it must be an activation of torch.nn, such as 'ReLU'")
    try:
        module: nn.Module = found(**arguments)
    except TypeError as error:
        raise ConfigError(f"act_cfg={dict(cfg)} cannot be used: {error}") from error
    return module


def check_conv_cfg(cfg: Mapping[str, Any] | None) -> None:
    """Accept what means an ordinary convolution.

    Raises:
        ConfigError: another.
    """
    if cfg is not None and dict(cfg) not in ({"type": "Conv2d"}, {"type": "Conv"}):
        raise ConfigError(f"conv_cfg is {cfg!r}; there are only ordinary convolutions: leave it out")
