"""Hooks that set a number of a part of the network, or of the loss: by the position, or by the data.

What they set follows from the config, the data and the position alone: no checkpoint holds it.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError
from ding_cls.models import ArcFaceClsHead
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.base import HOOKS

# mmpretrain's name for the loss in a head.
_LOSS_IN_HEAD = ("loss_module", "compute_loss")


@HOOKS.register_module()
class WarmupParamHook:
    """Let a number of a part of the network, or of its loss, grow linearly from 0 to its configured value.

    At update ``i``, counted from 0, it is ``value * min(1, i / length)``.

    Args:
        param_name: the attribute, a number such as ``alpha`` or ``p``; a tensor that is no weight and in no
            checkpoint, such as the ``margins`` of ``ArcFaceClsHead``, does as well.
        module_name: the part of the network, such as ``head`` or ``head.compute_loss``; '' is the network,
            ``loss`` that of ``policy.learn.loss``.
        warmup_epochs: epochs until it has its value.
        warmup_iters: updates until then; one of the two is given.

    Raises:
        ConfigError: neither or both lengths are given, or one is not positive.
    """

    def __init__(
        self,
        param_name: str,
        module_name: str = "",
        warmup_epochs: float | None = None,
        warmup_iters: int | None = None,
    ) -> None:
        given = [each for each in (warmup_epochs, warmup_iters) if each is not None]
        if len(given) != 1 or isinstance(given[0], bool) or not given[0] > 0:
            raise ConfigError(
                f"WarmupParamHook has warmup_epochs={warmup_epochs!r} and warmup_iters={warmup_iters!r}; "
                "give one of them, more than 0"
            )
        self._param, self._module = param_name, module_name
        self._epochs, self._iters = warmup_epochs, warmup_iters
        self._owners: list[tuple[Any, Any]] = []

    def before_run(self, engine: Engine) -> None:
        """Find the number in the network, and in its average where there is one.

        Raises:
            ConfigError: there is no such part or attribute, or it is trained or saved.
        """
        self._owners = []
        for network in _networks(engine):
            owner = self._owner(network, engine)
            value = self._value(owner)
            self._owners.append((owner, value.clone() if isinstance(value, Tensor) else value))
        # A run that resumes may be evaluated before its next update.
        self._set(engine, max(engine.train_iter - 1, 0))

    def before_train_iter(self, engine: Engine) -> None:
        """Set the number for the update at hand."""
        self._set(engine, engine.train_iter)

    def _set(self, engine: Engine, position: int) -> None:
        share = min(1.0, position / self._length(engine))
        for owner, value in self._owners:
            if isinstance(value, Tensor):
                getattr(owner, self._param).copy_(value * share)
            else:
                setattr(owner, self._param, value * share if share < 1 else value)

    def _length(self, engine: Engine) -> float:
        if self._iters is not None:
            return self._iters
        updates_per_epoch = engine.updates_per_epoch
        if updates_per_epoch is None:
            raise ConfigError(
                "WarmupParamHook counts epochs, and this loop does not tell their length; set warmup_iters"
            )
        return (self._epochs or 1) * updates_per_epoch

    def _owner(self, network: nn.Module, engine: Engine) -> Any:
        name = self._module.replace(*_LOSS_IN_HEAD)
        modules = dict(network.named_modules())
        if name in modules:
            return modules[name]
        loss = _attribute(engine, "loss") if name == "loss" else None
        if loss is not None and loss.module is not None:
            return loss.module
        there = ", ".join(filter(None, list(modules)[:12]))
        raise ConfigError(
            f"WarmupParamHook has module_name='{self._module}'; {type(network).__name__} has no such part, "
            f"and 'loss' means policy.learn.loss. There are: {there} ..."
        )

    def _value(self, owner: Any) -> Any:
        value, name = getattr(owner, self._param, None), f"{type(owner).__name__}.{self._param}"
        if isinstance(value, Tensor):
            if self._param not in owner.state_dict() and value.is_floating_point():
                return value
            raise ConfigError(f"WarmupParamHook: {name} is trained or saved; it cannot be set from outside")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"WarmupParamHook: {name} is {value!r}; it must be a number")
        return value


@HOOKS.register_module()
class SetAdaptiveMarginsHook:
    """Give each class of ``ArcFaceClsHead`` a margin by its size: the rarer, the larger.

    The margin of a class with ``n`` training samples is ``margin_min + (margin_max - margin_min) * s``; ``s``
    is ``n ** power``, moved and scaled to reach from 0 to 1 over the classes. A class without samples counts
    as one with a single sample; where all are of one size, each has ``margin_max``.

    Args:
        margin_min: of the most frequent class, in radians.
        margin_max: of the rarest.
        power: below 0.

    Raises:
        ConfigError: the margins are no angles below pi in this order, or ``power`` is not below 0.

    Source: Google Landmark Recognition 2020 Competition Third Place Solution, Ha et al. 2020
    (arXiv:2010.05350), ``a * n ** -lambda + b`` with bounds for the margins.
    """

    def __init__(self, margin_min: float = 0.05, margin_max: float = 0.5, power: float = -0.25) -> None:
        if not 0 <= margin_min <= margin_max < math.pi or not power < 0:
            raise ConfigError(
                f"SetAdaptiveMarginsHook has margin_min={margin_min!r}, margin_max={margin_max!r}, "
                f"power={power!r}; it takes 0 <= margin_min <= margin_max < pi, and a power below 0"
            )
        self._min, self._max, self._power = margin_min, margin_max, power

    def before_run(self, engine: Engine) -> None:
        """Set the margins, in the network and in its average where there is one.

        Raises:
            ConfigError: the network has no ``ArcFaceClsHead``, or the policy has no class counts.
        """
        parts = [each for network in _networks(engine) for each in network.modules()]
        heads = [each for each in parts if isinstance(each, ArcFaceClsHead)]
        if not heads:
            raise ConfigError(
                f"SetAdaptiveMarginsHook sets margins of an ArcFaceClsHead, and {type(parts[0]).__name__} "
                "has none; set policy.model.head=dict(type='ArcFaceClsHead', ...)"
            )
        counts = _attribute(engine, "class_counts")
        if counts is None:
            raise ConfigError(
                "SetAdaptiveMarginsHook needs to know how many samples each class has; set the policy's "
                "attribute 'class_counts', a callable that returns int64 (C,)"
            )
        margins = self.margins(counts())
        for head in heads:
            head.set_margins(margins)

    def margins(self, counts: Tensor) -> list[float]:
        """Return the margins of classes with so many samples, int64 ``(C,)``."""
        sizes = counts.double().clamp(min=1) ** self._power
        low, high = sizes.min(), sizes.max()
        shares = torch.ones_like(sizes) if low == high else (sizes - low) / (high - low)
        margins: list[float] = (self._min + (self._max - self._min) * shares).tolist()
        return margins


def _networks(engine: Engine) -> list[nn.Module]:
    """Return the network in training, and its average where there is one."""
    networks: list[nn.Module] | None = _attribute(engine, "networks")
    return [engine.policy.get_attribute("model")] if networks is None else networks


def _attribute(engine: Engine, name: str) -> Any:
    """Return an attribute of the policy; None where it has none, as a user's own may."""
    try:
        return engine.policy.get_attribute(name)
    except (AttributeError, KeyError):
        return None
