"""From a network to its optimizer: which parameters form a group, and each group's own settings.

A group's ``lr_mult`` is its share of the learning rate, whatever the schedule; see ``LrScheduler``.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ding_cls.errors import ConfigError
from ding_cls.optim.optimizers import OPTIMIZERS, refuse_mixed, refuse_swallowed, refuse_unusable
from ding_cls.registry import Registry
from ding_cls.types import OptimizerConstructor

_LOGGER = logging.getLogger(__name__)
OPTIMIZER_BUILDERS: Registry[Callable[..., OptimizerConstructor]] = Registry("optimizer_builder")

_NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)
# Factors, and which of the optimizer's settings they multiply.
_MULTIPLIES = {
    "lr_mult": "lr",
    "bias_lr_mult": "lr",
    "decay_mult": "weight_decay",
    "norm_decay_mult": "weight_decay",
    "bias_decay_mult": "weight_decay",
    "dwconv_decay_mult": "weight_decay",
}
_PARAMWISE = (
    "custom_keys",
    "bias_lr_mult",
    "norm_decay_mult",
    "bias_decay_mult",
    "dwconv_decay_mult",
    "bypass_duplicate",
)
_MAX_LISTED = 5
# mmclassification's names in vision transformers, and torchvision's.
_NAMES_HERE = {"cls_token": "class_token", "pos_embed": "pos_embedding"}


def build_optimizer(model: nn.Module, cfg: Mapping[str, Any]) -> Optimizer:
    """Return the optimizer of a network's trainable parameters that a dict describes.

    A group that a constructor gave a learning rate of its own keeps its ratio to ``lr`` under every
    schedule: it becomes the group's ``lr_mult``, unless it has one.

    Args:
        model: whose parameters to train.
        cfg: ``type`` and arguments of the optimizer, such as ``lr``; ``constructor``, a name in
            ``OPTIMIZER_BUILDERS`` ('DefaultOptimizerConstructor' where it is missing), and ``paramwise_cfg``,
            which go to the constructor. It stays as it is.

    Raises:
        ConfigError: there is no such part or argument; or the optimizer cannot be used here.
    """
    settings = dict(cfg)
    constructor = {
        "type": settings.pop("constructor", None) or "DefaultOptimizerConstructor",
        "paramwise_cfg": settings.pop("paramwise_cfg", None),
    }
    kind = settings.get("type")
    part = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
    if callable(part):
        refuse_unusable(part)
        refuse_swallowed(part, {name: value for name, value in settings.items() if name != "type"})
    optimizer = OPTIMIZER_BUILDERS.build(constructor, {"optimizer_cfg": settings})(model)
    if not isinstance(optimizer, Optimizer):
        raise ConfigError(
            f"optimizer '{kind}', made by {constructor['type']}, is a {type(optimizer).__name__}; it must be "
            "a torch.optim.Optimizer"
        )
    _keep_ratios(optimizer, settings.get("lr"))
    return optimizer


@OPTIMIZER_BUILDERS.register_module()
class DefaultOptimizerConstructor:
    """Builds an optimizer of all trainable parameters: in one group, or in groups by ``paramwise_cfg``.

    The settings of ``paramwise_cfg``:

    - ``custom_keys``: a dict from parts of parameter names to ``dict(lr_mult=1, decay_mult=1)``. The longest
      key that is part of a parameter's name holds, the alphabetically first of those of equal length; no
      other setting then applies to that parameter. A key that is part of no name is logged: known
      recipes name parameters that only some networks have.
    - ``norm_decay_mult``: for ``weight_decay`` of normalization layers, their biases included.
    - ``dwconv_decay_mult``: for ``weight_decay`` of depthwise 2-d convolutions, their biases included.
    - ``bias_decay_mult``: for ``weight_decay`` of all other biases.
    - ``bias_lr_mult``: for ``lr`` of all biases but those of normalization layers.
    - ``bypass_duplicate``: of a parameter that several modules share, the first place counts; without it that
      is an error.

    Args:
        optimizer_cfg: ``type`` and arguments of the optimizer.
        paramwise_cfg: the settings above; None or empty: one group, as torch makes it.

    Raises:
        ConfigError: a setting does not exist, or multiplies what ``optimizer_cfg`` does not give.

    Source: the names and rules of mmcv 1.x's constructor of the same name. Unlike there, parameters with the
    same settings share a group, frozen ones are left out, and ``RMSNorm`` counts as a normalization.
    """

    def __init__(
        self, optimizer_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, Any] | None = None
    ) -> None:
        self._cfg = dict(optimizer_cfg)
        self._paramwise = {} if paramwise_cfg is None else paramwise_cfg
        self._check()
        self._words: dict[str, str] = {}
        # Sorting is stable: first by length, then by alphabet.
        self._keys = sorted(sorted(self._paramwise.get("custom_keys", {})), key=len, reverse=True)

    def __call__(self, model: nn.Module) -> Optimizer:
        """Return the optimizer.

        Raises:
            ConfigError: there is nothing to train, a parameter belongs to two modules, or the optimizer
                does not take all of them.
        """
        parameters = [each for each in model.parameters() if each.requires_grad]
        if not parameters:
            raise ConfigError(
                f"{type(model).__name__} has no trainable parameters; set requires_grad on some"
            )
        kind = self._cfg.get("type")
        part = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
        if callable(part):
            refuse_mixed(part, parameters)
        params = _Params(self._groups(model) if self._paramwise else parameters)
        optimizer: Optimizer = OPTIMIZERS.build({**self._cfg, "params": params})
        return optimizer

    def _groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Return the groups, in the order of their first parameters in the network."""
        names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
        self._words = {key: _word_here(key, names) for key in self._keys}
        self._warn_useless_keys(names)
        members: dict[tuple[float, float], list[nn.Parameter]] = {}
        seen: set[nn.Parameter] = set()
        for prefix, module in model.named_modules(remove_duplicate=False):
            for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
                if not parameter.requires_grad:
                    continue
                if parameter in seen:
                    self._check_duplicate(f"{prefix}.{name}")
                    continue
                seen.add(parameter)
                members.setdefault(self._mults(module, prefix, name), []).append(parameter)
        lr, weight_decay = self._cfg.get("lr"), self._cfg.get("weight_decay")
        groups = []
        for (lr_mult, decay_mult), parameters in members.items():
            group: dict[str, Any] = {"params": parameters, "lr_mult": lr_mult}
            if lr is not None:
                group["lr"] = lr * lr_mult
            if weight_decay is not None:
                group["weight_decay"] = weight_decay * decay_mult
            groups.append(group)
        return groups

    def _mults(self, module: nn.Module, prefix: str, name: str) -> tuple[float, float]:
        """Return the factors of learning rate and weight decay of one parameter."""
        settings = self._paramwise
        full_name = f"{prefix}.{name}"
        for key, word in self._words.items():
            if word in full_name:
                custom = settings["custom_keys"][key]
                return custom.get("lr_mult", 1.0), custom.get("decay_mult", 1.0)
        if isinstance(module, _NORMS):
            return 1.0, settings.get("norm_decay_mult", 1.0)
        # Attention's is called in_proj_bias.
        is_bias = name == "bias" or name.endswith("_bias")
        lr_mult = settings.get("bias_lr_mult", 1.0) if is_bias else 1.0
        if isinstance(module, nn.Conv2d) and module.in_channels == module.groups:
            return lr_mult, settings.get("dwconv_decay_mult", 1.0)
        return lr_mult, settings.get("bias_decay_mult", 1.0) if is_bias else 1.0

    def _warn_useless_keys(self, names: Sequence[str]) -> None:
        for key, word in self._words.items():
            if not _is_part(word, names):
                listed = ", ".join(names[:_MAX_LISTED])
                _LOGGER.warning(
                    "paramwise_cfg.custom_keys['%s'] is part of no parameter's name and has no effect; the "
                    "network's %d names are such as %s",
                    key,
                    len(names),
                    listed,
                )

    def _check_duplicate(self, name: str) -> None:
        if not self._paramwise.get("bypass_duplicate", False):
            raise ConfigError(
                f"the parameter '{name.removeprefix('.')}' belongs to another module too; with "
                "paramwise_cfg.bypass_duplicate=True the settings of the first place hold"
            )

    def _check(self) -> None:
        _check_settings(self._paramwise, _PARAMWISE, "paramwise_cfg")
        multiplied = {f"paramwise_cfg.{name}": _MULTIPLIES.get(name) for name in self._paramwise}
        custom_keys = self._paramwise.get("custom_keys", {})
        _check_settings(custom_keys, None, "paramwise_cfg.custom_keys")
        for key, settings in custom_keys.items():
            path = f"paramwise_cfg.custom_keys['{key}']"
            _check_settings(settings, ("lr_mult", "decay_mult"), path)
            multiplied |= {f"{path}.{name}": _MULTIPLIES[name] for name in settings}
        for path, name in multiplied.items():
            if name is not None and self._cfg.get(name) is None:
                raise ConfigError(f"{path} multiplies the optimizer's {name}, which is not set; set it too")


def _word_here(key: str, names: Sequence[str]) -> str:
    """Return a key of ``custom_keys``, or torchvision's name for what mmclassification's networks call so."""
    last = key.rpartition(".")[2]
    return key if last not in _NAMES_HERE or _is_part(key, names) else f".{_NAMES_HERE[last]}"


def _is_part(word: str, names: Sequence[str]) -> bool:
    # A parameter of the network itself has nothing before its dot.
    return any(word in (name if "." in name else f".{name}") for name in names)


class _Params(list[Any]):
    """Parameters or groups, in a few words for a message."""

    def __repr__(self) -> str:
        return f"<{len(self)} {'groups' if isinstance(self[0], dict) else 'parameters'}>"


def _check_settings(given: Any, known: tuple[str, ...] | None, path: str) -> None:
    if not isinstance(given, Mapping):
        raise ConfigError(f"{path}={given!r} is not a dict")
    for name, value in given.items():
        if known is not None and name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it takes: {', '.join(known)}"
            raise ConfigError(f"{path} has no setting '{name}'; {hint}")
        if name in _MULTIPLIES and not (isinstance(value, int | float) and 0 <= value < math.inf):
            raise ConfigError(f"{path}.{name}={value!r} is not a number from 0 on")


def _keep_ratios(optimizer: Optimizer, lr: float | None) -> None:
    groups = optimizer.param_groups
    for group in groups:
        ratio = group["lr"] / lr if lr else 1.0
        # A single group at the base rate stays as torch makes it.
        if len(groups) > 1 or ratio != 1:
            group.setdefault("lr_mult", ratio)
