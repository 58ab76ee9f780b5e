"""Learning rates as pure functions of the position in a run; see ``Schedule`` in ``types``.

Nothing here remembers a learning rate, so a restart needs only the position.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from fractions import Fraction
from functools import cache
from typing import Any, Literal, TypeAlias, get_args

from ding_cls.errors import ConfigError
from ding_cls.registry import Registry
from ding_cls.types import Position, Schedule

Kind: TypeAlias = Literal["step", "cosine", "constant"]
Ramp: TypeAlias = Literal["constant", "linear", "exp"]

SCHEDULES: Registry[Callable[..., Schedule]] = Registry("schedule")

_WARMUP_KEYS = ("warmup", "warmup_iters", "warmup_ratio", "warmup_by_epoch")
# Exact for epochs of up to a million updates, also with a number of epochs that is a float.
_MAX_DENOMINATOR = 10**6


def build_schedule(
    cfg: Mapping[str, Any],
    registry: Registry[Callable[..., Schedule]] | None = None,
    *,
    warmup: "type[Warmup] | None" = None,
) -> Schedule:
    """Return the schedule that a dict describes, with warm-up before it where the dict asks for that.

    Args:
        cfg: ``type`` and arguments of the schedule; and ``warmup`` (None, 'constant', 'linear' or 'exp'),
            ``warmup_iters``, ``warmup_ratio`` and ``warmup_by_epoch`` of ``Warmup``. A class that has an
            argument ``warmup`` itself gets these and sees to them. It stays as it is.
        registry: where ``type`` is looked up; None: ``SCHEDULES``.
        warmup: what makes the warm-up; None: ``Warmup``.

    Raises:
        ConfigError: there is no such schedule or argument, or its value cannot be used.
    """
    registry = SCHEDULES if registry is None else registry
    kind = cfg.get("type")
    part = registry.get(kind) if isinstance(kind, str) else kind
    if not callable(part) or _sees_to_warmup(part):
        own: Schedule = registry.build(cfg)
        return own
    ramp = {name: cfg[name] for name in _WARMUP_KEYS if name in cfg}
    schedule: Schedule = registry.build({name: value for name, value in cfg.items() if name not in ramp})
    return schedule if ramp.get("warmup") is None else (warmup or Warmup)(schedule, **ramp)


@dataclass(frozen=True, slots=True)
class Warmup:
    """A schedule whose first learning rates are lowered.

    Attributes:
        schedule: it counts from the start of the run, warm-up included.
        warmup: the factor on its values: ``'constant'``: ``warmup_ratio``; ``'linear'`` and ``'exp'``: from
            ``warmup_ratio`` to 1, on a line or by a constant factor each update.
        warmup_iters: length in updates, or in epochs with ``warmup_by_epoch``.
        warmup_ratio: the first factor, greater than 0 and at most 1.
        warmup_by_epoch: what ``warmup_iters`` counts; the factor moves with each update all the same.

    Raises:
        ConfigError: a value that cannot be used.
    """

    schedule: Schedule
    warmup: Ramp
    warmup_iters: int = 0
    warmup_ratio: float = 0.1
    warmup_by_epoch: bool = False

    def __post_init__(self) -> None:
        check(self.warmup in get_args(Ramp), self, "warmup", f"one of {', '.join(get_args(Ramp))}")
        check(self.warmup_iters > 0, self, "warmup_iters", "greater than 0")
        check(0 < self.warmup_ratio <= 1, self, "warmup_ratio", "greater than 0, and 1 at most")

    def __call__(self, base_lr: float, position: Position) -> float:
        return self.schedule(base_lr, position) * self.factor(position)

    def factor(self, position: Position) -> float:
        """Return the factor of the schedule's value; 1 after warm-up."""
        length = self.warmup_iters * (position.updates_per_epoch if self.warmup_by_epoch else 1)
        if position.train_iter >= length:
            return 1.0
        if self.warmup == "constant":
            return self.warmup_ratio
        left = 1 - position.train_iter / length
        if self.warmup == "linear":
            return 1 - left * (1 - self.warmup_ratio)
        factor: float = self.warmup_ratio**left
        return factor


@dataclass(frozen=True, slots=True)
class LearningRate:
    """Linear warm-up from a given learning rate, then steps, a cosine, a constant, or another schedule.

    Epochs are counted with their fractions: the learning rate changes with each update.

    Attributes:
        schedule: ``'step'``: ``base_lr * decay_rate ** floor(epochs / decay_epoch)``, counted from the start
            of the run, warm-up included. ``'cosine'``: from ``base_lr`` at the end of warm-up down to
            ``min_lr`` at the end of the run. ``'constant'``: ``base_lr``. Or a schedule, which counts from
            the start of the run.
        decay_epoch: epochs between two decays.
        decay_rate: factor of each decay.
        min_lr: end of the cosine.
        warmup_lr: learning rate at position 0, where warm-up begins.
        warmup_epochs: length of warm-up; 0: none.

    Raises:
        ValueError: if the schedule is unknown, or a number is negative or not finite.

    Source: warm-up as in Accurate, Large Minibatch SGD, Goyal et al. 2017, section 2.2 (arXiv:1706.02677),
    from ``warmup_lr`` instead of ``base_lr / k``; cosine as in SGDR, Loshchilov & Hutter 2017, eq. 5, one
    cycle (arXiv:1608.03983).
    """

    schedule: Kind | Schedule
    _: KW_ONLY
    decay_epoch: float = 30
    decay_rate: float = 0.1
    min_lr: float = 0.0
    warmup_lr: float = 1e-4
    warmup_epochs: float = 0

    def __post_init__(self) -> None:
        if isinstance(self.schedule, str) and self.schedule not in get_args(Kind):
            raise ValueError(f"schedule {self.schedule!r} is not one of {', '.join(get_args(Kind))}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "schedule" and not 0 <= value < math.inf:
                raise ValueError(f"{field.name}={value} must be a finite number from 0 on")
        if self.decay_epoch == 0:
            raise ValueError("decay_epoch=0 must be greater than 0")

    def __call__(self, base_lr: float, position: Position) -> float:
        epochs = position.train_iter / position.updates_per_epoch
        if epochs < self.warmup_epochs:
            return self.warmup_lr + (base_lr - self.warmup_lr) * epochs / self.warmup_epochs
        if not isinstance(self.schedule, str):
            return self.schedule(base_lr, position)
        if self.schedule == "constant":
            return base_lr
        if self.schedule == "cosine":
            return self._cosine(base_lr, epochs, position.max_iter / position.updates_per_epoch)
        # In floats 0.3 / 0.1 is less than 3, and the third decay would come one update late.
        numerator, denominator = _as_ratio(self.decay_epoch)
        num_decays = position.train_iter * denominator // (position.updates_per_epoch * numerator)
        return base_lr * self.decay_rate**num_decays

    def _cosine(self, base_lr: float, epochs: float, max_epochs: float) -> float:
        length = max_epochs - self.warmup_epochs
        if epochs >= max_epochs or length <= 0:
            return self.min_lr
        progress = (epochs - self.warmup_epochs) / length
        return self.min_lr + (base_lr - self.min_lr) * (1 + math.cos(math.pi * progress)) / 2


@cache
def _as_ratio(epochs: float) -> tuple[int, int]:
    return Fraction(epochs).limit_denominator(_MAX_DENOMINATOR).as_integer_ratio()


def check(is_fine: bool, owner: object, name: str, allowed: str) -> None:
    """Refuse an argument's value.

    Raises:
        ConfigError: unless ``is_fine``.
    """
    if not is_fine:
        value = getattr(owner, name)
        raise ConfigError(f"{type(owner).__name__}: {name}={value!r} is not allowed; it must be {allowed}")


def _sees_to_warmup(part: Callable[..., Any]) -> bool:
    return "warmup" in inspect.signature(part).parameters
