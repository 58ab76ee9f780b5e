"""Momentum and weight decay as functions of the position, with the names of mmcv and mmengine.

A schedule of them is a ``Schedule`` as for learning rates; ``base_lr`` is the momentum or weight decay that
the optimizer began with. The arguments have their names there.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch.optim import Optimizer

from ding_cls.errors import ConfigError
from ding_cls.optim.schedules.base import Warmup
from ding_cls.optim.schedules.mmcv import CosineAnnealing, Cyclic, LinearAnnealing, SingleCycle, Step
from ding_cls.registry import Registry
from ding_cls.types import Position, Schedule

MOMENTUM_SCHEDULES: Registry[Callable[..., Schedule]] = Registry("momentum schedule")
WEIGHT_DECAY_SCHEDULES: Registry[Callable[..., Schedule]] = Registry("weight decay schedule")


class SettingScheduler:
    """Sets one setting of an optimizer's groups from the position.

    The momentum of an optimizer that has ``betas`` is the first of them. A group that begins with a weight
    decay of 0 keeps it: norms and biases that are left out stay so.

    Args:
        schedule: its values.
        optimizer: whose groups to set.
        setting: which.

    Attributes:
        name: what the optimizer calls it: 'momentum', 'betas' or 'weight_decay'.

    Raises:
        ConfigError: the optimizer has no such setting, or no group with a weight decay; in ``apply``, a value
            that it cannot have.
    """

    def __init__(
        self, schedule: Schedule, optimizer: Optimizer, setting: Literal["momentum", "weight_decay"]
    ) -> None:
        names = [name for name in (setting, "betas") if name in optimizer.param_groups[0]]
        if not names or (setting == "weight_decay" and names[0] == "betas"):
            raise ConfigError(
                f"optimizer {type(optimizer).__name__} has no {setting}; leave "
                f"policy.learn.{setting}_schedule out"
            )
        self.name = names[0]
        self._schedule, self._optimizer = schedule, optimizer
        self._bases = [self._read(group) for group in optimizer.param_groups]
        if setting == "weight_decay" and not any(self._bases):
            raise ConfigError(
                "policy.learn.weight_decay_schedule has no effect: a weight decay that begins with 0 stays "
                "so; set policy.learn.weight_decay, or leave the schedule out"
            )

    def apply(self, position: Position) -> None:
        """Set the values of the update at a position."""
        for group, base in zip(self._optimizer.param_groups, self._bases, strict=True):
            if self.name == "weight_decay" and base == 0:
                continue
            value = self._schedule(base, position)
            if not 0 <= value <= (math.inf if self.name == "weight_decay" else 1):
                raise ConfigError(f"the schedule {self._schedule} returned {self.name} {value} at {position}")
            group[self.name] = (value, *group["betas"][1:]) if self.name == "betas" else value

    def _read(self, group: Mapping[str, Any]) -> float:
        value: float = group["betas"][0] if self.name == "betas" else group[self.name]
        return value


@dataclass(frozen=True, slots=True)
class MomentumWarmup(Warmup):
    """A schedule whose first momenta are raised: divided by the factors that lower a learning rate.

    Source: mmcv 1.x, ``mmcv/runner/hooks/momentum_updater.py``.
    """

    warmup_ratio: float = 0.9

    def __call__(self, base_lr: float, position: Position) -> float:
        return self.schedule(base_lr, position) / self.factor(position)


@MOMENTUM_SCHEDULES.register_module("OneCycle")
@dataclass(frozen=True, slots=True, kw_only=True)
class OneCycleMomentum(SingleCycle):
    """One cycle of updates: from ``max_momentum`` down to ``base_momentum`` and back.

    Attributes:
        base_momentum: the bottom, where the learning rate has its top.
        max_momentum: the start and the end.
    """

    base_momentum: float = 0.85
    max_momentum: float = 0.95

    def __call__(self, base_lr: float, position: Position) -> float:
        return self.along(position, self.max_momentum, self.base_momentum, self.max_momentum)


def _renamed(
    part: Callable[..., Schedule], names: Mapping[str, str | None], **defaults: Any
) -> Callable[..., Schedule]:
    """Return a constructor of a learning rate's schedule whose arguments have other names.

    Args:
        part: the schedule.
        names: from an argument of ``part`` to the one taken in its place; None: there is none.
        **defaults: other default values, by the names of ``part``.
    """
    own = {new: old for old, new in names.items()}

    def build(**arguments: Any) -> Schedule:
        return part(**defaults | {own.get(name, name): value for name, value in arguments.items()})

    signature = inspect.signature(part)
    parameters = [
        each.replace(name=name, default=defaults.get(each.name, each.default))
        for each in signature.parameters.values()
        if (name := names.get(each.name, each.name)) is not None
    ]
    build.__name__ = build.__qualname__ = part.__name__
    build.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return build


_MOMENTUM = {"min_lr": "min_momentum", "min_lr_ratio": "min_momentum_ratio"}
# mmengine's names. Half a cosine of the weight decay: DINO, Caron et al. 2021, appendix A (arXiv:2104.14294).
_WEIGHT_DECAY = {"min_lr": "eta_min", "min_lr_ratio": "eta_min_ratio"}

for _part in (CosineAnnealing, LinearAnnealing):
    MOMENTUM_SCHEDULES.register_module(_part.__name__, module=_renamed(_part, _MOMENTUM))
MOMENTUM_SCHEDULES.register_module("Step", module=_renamed(Step, {"min_lr": "min_momentum"}, gamma=0.5))
# Down from the momentum and up again, against the learning rate.
MOMENTUM_SCHEDULES.register_module("Cyclic", module=_renamed(Cyclic, {}, target_ratio=(0.85 / 0.95, 1.0)))
WEIGHT_DECAY_SCHEDULES.register_module(
    ["CosineAnnealing", "CosineAnnealingWeightDecay"], module=_renamed(CosineAnnealing, _WEIGHT_DECAY)
)
WEIGHT_DECAY_SCHEDULES.register_module("LinearAnnealing", module=_renamed(LinearAnnealing, _WEIGHT_DECAY))
WEIGHT_DECAY_SCHEDULES.register_module("Step", module=_renamed(Step, {"min_lr": None}))
