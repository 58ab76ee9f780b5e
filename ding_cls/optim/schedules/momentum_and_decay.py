"""Momentum and weight decay as functions of the position, with the names of mmcv and mmengine.

A schedule of them is a ``Schedule`` as for learning rates; ``base_lr`` is the momentum or weight decay that
the optimizer began with. Registered functions give the arguments their names there.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch.optim import Optimizer

from ding_cls.errors import ConfigError
from ding_cls.optim.schedules.base import Warmup, check
from ding_cls.optim.schedules.mmcv import (
    CURVES,
    CosineAnnealing,
    Counting,
    Curve,
    Cyclic,
    LinearAnnealing,
    Step,
)
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


@MOMENTUM_SCHEDULES.register_module("Step")
def momentum_step(
    step: int | Sequence[int], gamma: float = 0.5, min_momentum: float | None = None, by_epoch: bool = True
) -> Schedule:
    """Return ``momentum * gamma ** k`` after ``k`` decays."""
    return Step(step=step, gamma=gamma, min_lr=min_momentum, by_epoch=by_epoch)


@MOMENTUM_SCHEDULES.register_module("CosineAnnealing")
def momentum_cosine(
    min_momentum: float | None = None, min_momentum_ratio: float | None = None, by_epoch: bool = True
) -> Schedule:
    """Return half a cosine from the momentum to its end, over the whole run."""
    return CosineAnnealing(min_lr=min_momentum, min_lr_ratio=min_momentum_ratio, by_epoch=by_epoch)


@MOMENTUM_SCHEDULES.register_module("LinearAnnealing")
def momentum_line(
    min_momentum: float | None = None, min_momentum_ratio: float | None = None, by_epoch: bool = True
) -> Schedule:
    """Return a line from the momentum to its end, over the whole run."""
    return LinearAnnealing(min_lr=min_momentum, min_lr_ratio=min_momentum_ratio, by_epoch=by_epoch)


@MOMENTUM_SCHEDULES.register_module("Cyclic")
def momentum_cycles(
    target_ratio: float | Sequence[float] = (0.85 / 0.95, 1.0),
    cyclic_times: int = 1,
    step_ratio_up: float = 0.4,
    anneal_strategy: Curve = "cos",
    gamma: float = 1.0,
    by_epoch: bool = False,
) -> Schedule:
    """Return cycles of updates, each down from the momentum and up again: against the learning rate's."""
    return Cyclic(
        target_ratio=target_ratio,
        cyclic_times=cyclic_times,
        step_ratio_up=step_ratio_up,
        anneal_strategy=anneal_strategy,
        gamma=gamma,
        by_epoch=by_epoch,
    )


@MOMENTUM_SCHEDULES.register_module("OneCycle")
@dataclass(frozen=True, slots=True, kw_only=True)
class OneCycleMomentum(Counting):
    """One cycle of updates: from ``max_momentum`` down to ``base_momentum`` and back.

    Attributes:
        base_momentum: the bottom, where the learning rate has its top.
        max_momentum: the begin and the end.
        total_steps: updates in the cycle; None: those of the run.
        pct_start: share of the cycle that goes down, in [0, 1].
        anneal_strategy: the way.
        three_phase: go up as fast as down, and stay in a third phase.
        by_epoch: must be False.

    Source: Super-Convergence, Smith & Topin 2018 (arXiv:1708.07120), in the form of torch's ``OneCycleLR``.
    """

    by_epoch: bool = False
    base_momentum: float = 0.85
    max_momentum: float = 0.95
    total_steps: int | None = None
    pct_start: float = 0.3
    anneal_strategy: Curve = "cos"
    three_phase: bool = False

    def __post_init__(self) -> None:
        check(not self.by_epoch, self, "by_epoch", "False")
        check(0 <= self.pct_start <= 1, self, "pct_start", "in [0, 1]")
        check(self.anneal_strategy in CURVES, self, "anneal_strategy", " or ".join(CURVES))

    def __call__(self, base_lr: float, position: Position) -> float:
        total = position.max_iter if self.total_steps is None else self.total_steps
        turn = float(self.pct_start * total) - 1
        up = float(2 * self.pct_start * total) - 2 if self.three_phase else float(total - 1)
        begin = 0.0
        for end, first, last in (
            (turn, self.max_momentum, self.base_momentum),
            (up, self.base_momentum, self.max_momentum),
        ):
            if position.train_iter <= end:
                share = (position.train_iter - begin) / (end - begin) if end > begin else 1.0
                return CURVES[self.anneal_strategy](first, last, share)
            begin = end
        return self.max_momentum


@WEIGHT_DECAY_SCHEDULES.register_module(["CosineAnnealing", "CosineAnnealingWeightDecay"])
def weight_decay_cosine(
    eta_min: float | None = None, eta_min_ratio: float | None = None, by_epoch: bool = True
) -> Schedule:
    """Return half a cosine from the weight decay to its end, over the whole run.

    Source: DINO, Caron et al. 2021, appendix A (arXiv:2104.14294); the arguments are mmengine's.
    """
    return CosineAnnealing(min_lr=eta_min, min_lr_ratio=eta_min_ratio, by_epoch=by_epoch)


@WEIGHT_DECAY_SCHEDULES.register_module("LinearAnnealing")
def weight_decay_line(
    eta_min: float | None = None, eta_min_ratio: float | None = None, by_epoch: bool = True
) -> Schedule:
    """Return a line from the weight decay to its end, over the whole run."""
    return LinearAnnealing(min_lr=eta_min, min_lr_ratio=eta_min_ratio, by_epoch=by_epoch)


@WEIGHT_DECAY_SCHEDULES.register_module("Step")
def weight_decay_step(step: int | Sequence[int], gamma: float = 0.1, by_epoch: bool = True) -> Schedule:
    """Return ``weight_decay * gamma ** k`` after ``k`` decays."""
    return Step(step=step, gamma=gamma, by_epoch=by_epoch)
