"""The learning-rate policies of mmcv, by their names there: ``dict(type='Step', step=[30, 60])``.

Arguments and values are those of mmcv 1.x (``mmcv/runner/hooks/lr_updater.py``). With ``by_epoch`` a policy
counts finished epochs, so that the learning rate stays the same within an epoch; otherwise finished updates.
Past the end of a run they stay at their last value. Warm-up is put around them by ``build_schedule``.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal, TypeAlias

from ding_cls.errors import ConfigError
from ding_cls.optim.schedules.base import SCHEDULES, check
from ding_cls.types import Position

Curve: TypeAlias = Literal["cos", "linear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What counts epochs, or updates.

    Attributes:
        by_epoch: which of the two.
    """

    by_epoch: bool = True

    def progress(self, position: Position) -> int:
        """Return what is finished."""
        return position.epoch if self.by_epoch else position.train_iter

    def length(self, position: Position) -> int:
        """Return the length of the run."""
        return position.max_epochs if self.by_epoch else position.max_iter


@dataclass(frozen=True, slots=True, kw_only=True)
class _Falling(Counting):
    """What ends at ``min_lr``, or at ``base_lr * min_lr_ratio``.

    Attributes:
        min_lr: the end; this or ``min_lr_ratio``.
        min_lr_ratio: the end as a share of ``base_lr``.
    """

    min_lr: float | None = None
    min_lr_ratio: float | None = None

    def __post_init__(self) -> None:
        if (self.min_lr is None) == (self.min_lr_ratio is None):
            raise ConfigError(
                f"{type(self).__name__}: min_lr={self.min_lr} and min_lr_ratio={self.min_lr_ratio}; exactly "
                "one of them must be given"
            )

    def end(self, base_lr: float) -> float:
        """Return the last learning rate."""
        if self.min_lr is not None:
            return self.min_lr
        return base_lr * (self.min_lr_ratio or 0.0)


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed(Counting):
    """``base_lr`` throughout."""

    def __call__(self, base_lr: float, position: Position) -> float:
        return base_lr


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Counting):
    """``base_lr * gamma ** k`` after ``k`` decays.

    Attributes:
        step: length between two decays; or the positions of the decays, in their order.
        gamma: factor of each decay.
        min_lr: the learning rate falls no lower; None: no such limit.
    """

    step: int | Sequence[int]
    gamma: float = 0.1
    min_lr: float | None = None

    def __post_init__(self) -> None:
        steps = self.step if isinstance(self.step, list | tuple) else [self.step]
        are_numbers = all(type(each) is int and each > 0 for each in steps)
        is_fine = are_numbers and all(left <= right for left, right in pairwise(steps))
        check(is_fine, self, "step", "a whole number from 1 on, or a list of them in ascending order")

    def __call__(self, base_lr: float, position: Position) -> float:
        progress = self.progress(position)
        decays = progress // self.step if isinstance(self.step, int) else bisect_right(self.step, progress)
        lr: float = base_lr * self.gamma**decays
        return lr if self.min_lr is None else max(lr, self.min_lr)


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class Exp(Counting):
    """``base_lr * gamma ** progress``."""

    gamma: float

    def __call__(self, base_lr: float, position: Position) -> float:
        lr: float = base_lr * self.gamma ** self.progress(position)
        return lr


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class Poly(Counting):
    """``(base_lr - min_lr) * (1 - share of the run finished) ** power + min_lr``."""

    power: float = 1.0
    min_lr: float = 0.0

    def __call__(self, base_lr: float, position: Position) -> float:
        factor: float = (1 - _share(self.progress(position), self.length(position))) ** self.power
        return (base_lr - self.min_lr) * factor + self.min_lr


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class Inv(Counting):
    """``base_lr * (1 + gamma * progress) ** -power``."""

    gamma: float
    power: float = 1.0

    def __call__(self, base_lr: float, position: Position) -> float:
        factor: float = (1 + self.gamma * self.progress(position)) ** -self.power
        return base_lr * factor


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class CosineAnnealing(_Falling):
    """Half a cosine from ``base_lr`` to its end, over the whole run.

    Source: SGDR, Loshchilov & Hutter 2017, eq. 5, one cycle (arXiv:1608.03983).
    """

    def __call__(self, base_lr: float, position: Position) -> float:
        return _half_cosine(
            base_lr, self.end(base_lr), _share(self.progress(position), self.length(position))
        )


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class LinearAnnealing(_Falling):
    """A line from ``base_lr`` to its end, over the whole run."""

    def __call__(self, base_lr: float, position: Position) -> float:
        return _line(base_lr, self.end(base_lr), _share(self.progress(position), self.length(position)))


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class CosineAnnealingCooldown(_Falling):
    """Half a cosine to its end, and then a share of that.

    Attributes:
        cool_down_ratio: that share.
        cool_down_time: epochs or updates between the end of the cosine, which still has the whole end, and
            that of the run.

    Source: mmclassification 0.x, ``CosineAnnealingCooldownLrUpdaterHook``.
    """

    cool_down_ratio: float = 0.1
    cool_down_time: int = 10

    def __call__(self, base_lr: float, position: Position) -> float:
        progress = self.progress(position)
        length = self.length(position) - self.cool_down_time
        if progress > length:
            return self.end(base_lr) * self.cool_down_ratio
        return _half_cosine(base_lr, self.end(base_lr), _share(progress, length))


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class FlatCosineAnnealing(_Falling):
    """``base_lr``, and half a cosine to its end over the rest of the run.

    Attributes:
        start_percent: share of the run before the cosine, in [0, 1].
    """

    start_percent: float = 0.75

    def __post_init__(self) -> None:
        _Falling.__post_init__(self)
        check(0 <= self.start_percent <= 1, self, "start_percent", "in [0, 1]")

    def __call__(self, base_lr: float, position: Position) -> float:
        start = round(self.length(position) * self.start_percent)
        progress = self.progress(position) - start
        if progress < 0:
            return base_lr
        return _half_cosine(base_lr, self.end(base_lr), _share(progress, self.length(position) - start))


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class CosineRestart(_Falling):
    """Half a cosine to its end in each period.

    Attributes:
        periods: lengths of the periods. Past their sum the learning rate stays at its end; mmcv stops there.
        restart_weights: height above its end at which each period starts, as a share of ``base_lr``'s.

    Source: SGDR, Loshchilov & Hutter 2017, eq. 5 (arXiv:1608.03983).
    """

    periods: Sequence[int]
    restart_weights: Sequence[float] = (1,)

    def __post_init__(self) -> None:
        _Falling.__post_init__(self)
        check(all(each > 0 for each in self.periods), self, "periods", "a list of numbers from 1 on")
        is_fine = len(self.restart_weights) == len(self.periods)
        check(is_fine, self, "restart_weights", f"as long as periods, which has {len(self.periods)}")

    def __call__(self, base_lr: float, position: Position) -> float:
        progress, end = self.progress(position), self.end(base_lr)
        ends = list(accumulate(self.periods))
        number = bisect_right(ends, progress)
        if number == len(ends):
            return end
        length = self.periods[number]
        start = ends[number] - length
        return _half_cosine(base_lr, end, (progress - start) / length, self.restart_weights[number])


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class Cyclic(Counting):
    """Cycles of updates, each up from ``base_lr`` and down again.

    Attributes:
        target_ratio: learning rates at the top and at the end of a cycle, as shares of ``base_lr``; the
            second is a hundred-thousandth of the first where it is missing.
        cyclic_times: number of cycles in a run.
        step_ratio_up: share of a cycle that goes up, in [0, 1).
        anneal_strategy: the way up and down.
        gamma: factor of the top's height above ``base_lr`` from one cycle to the next, in (0, 1].
        by_epoch: must be False.

    Source: Cyclical Learning Rates, Smith 2017 (arXiv:1506.01186), with cosines for its lines.
    """

    by_epoch: bool = False
    target_ratio: float | Sequence[float] = (10, 1e-4)
    cyclic_times: int = 1
    step_ratio_up: float = 0.4
    anneal_strategy: Curve = "cos"
    gamma: float = 1.0

    def __post_init__(self) -> None:
        check(not self.by_epoch, self, "by_epoch", "False")
        check(len(self._targets()) == 2, self, "target_ratio", "one number or two")
        check(self.cyclic_times >= 1, self, "cyclic_times", "1 or more")
        check(0 <= self.step_ratio_up < 1, self, "step_ratio_up", "at least 0, and less than 1")
        check(self.anneal_strategy in CURVES, self, "anneal_strategy", " or ".join(CURVES))
        check(0 < self.gamma <= 1, self, "gamma", "greater than 0, and 1 at most")

    def __call__(self, base_lr: float, position: Position) -> float:
        curve = CURVES[self.anneal_strategy]
        # A run of fewer updates than cycles has cycles of one update.
        length = max(1, position.max_iter // self.cyclic_times)
        cycle, progress = divmod(position.train_iter, length)
        turn = int(self.step_ratio_up * length)
        top, end = self._targets()
        height: float = self.gamma**cycle
        top = base_lr * (1 - height + top * height)
        if progress < turn:
            return curve(base_lr, top, progress / turn)
        return curve(top, base_lr * end, (progress - turn) / (length - turn))

    def _targets(self) -> tuple[float, ...]:
        given = self.target_ratio if isinstance(self.target_ratio, list | tuple) else (self.target_ratio,)
        return (given[0], given[0] / 1e5) if len(given) == 1 else tuple(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleCycle(Counting):
    """One cycle of updates, in two phases or three.

    Attributes:
        total_steps: updates in the cycle; None: those of the run.
        pct_start: share of the cycle that goes to the turn, in [0, 1].
        anneal_strategy: the way there and back.
        three_phase: go back to the start as fast as to the turn, and to the end in a third phase.
        by_epoch: must be False.

    Source: Super-Convergence, Smith & Topin 2018 (arXiv:1708.07120), in the form of torch's ``OneCycleLR``.
    """

    by_epoch: bool = False
    total_steps: int | None = None
    pct_start: float = 0.3
    anneal_strategy: Curve = "cos"
    three_phase: bool = False

    def __post_init__(self) -> None:
        check(not self.by_epoch, self, "by_epoch", "False")
        check(0 <= self.pct_start <= 1, self, "pct_start", "in [0, 1]")
        check(self.anneal_strategy in CURVES, self, "anneal_strategy", " or ".join(CURVES))

    def along(self, position: Position, start: float, turn: float, end: float) -> float:
        """Return the value at a position of the cycle with these values at its three ends."""
        total = position.max_iter if self.total_steps is None else self.total_steps
        phases = [(float(self.pct_start * total) - 1, start, turn)]
        if self.three_phase:
            phases.append((float(2 * self.pct_start * total) - 2, turn, start))
        phases.append((total - 1, phases[-1][2], end))
        begin = 0.0
        for last, first_value, last_value in phases:
            if position.train_iter <= last:
                share = (position.train_iter - begin) / (last - begin) if last > begin else 1.0
                return CURVES[self.anneal_strategy](first_value, last_value, share)
            begin = last
        return end


@SCHEDULES.register_module()
@dataclass(frozen=True, slots=True, kw_only=True)
class OneCycle(SingleCycle):
    """One cycle of updates: up to ``max_lr`` and down to almost nothing.

    It follows from ``max_lr`` alone; ``base_lr`` has no part in it.

    Attributes:
        max_lr: the top. Groups of parameters differ by their ``lr_mult``.
        div_factor: the cycle starts at ``max_lr / div_factor``.
        final_div_factor: it ends at that divided by ``final_div_factor``.

    Raises:
        ConfigError: a value that cannot be used; when called, ``total_steps`` are fewer than the run's.
    """

    max_lr: float
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        SingleCycle.__post_init__(self)
        check(isinstance(self.max_lr, int | float), self, "max_lr", "one number; groups have their lr_mult")

    def __call__(self, base_lr: float, position: Position) -> float:
        most = position.max_iter
        is_long = self.total_steps is None or self.total_steps >= most
        check(is_long, self, "total_steps", f"at least {most}, as in the run")
        low = self.max_lr / self.div_factor
        return self.along(position, low, self.max_lr, low / self.final_div_factor)


def _share(progress: int, length: int) -> float:
    """Return what is finished of a length, at most 1; a run without an update is at its end."""
    return min(progress / length, 1.0) if length > 0 else 1.0


def _half_cosine(start: float, end: float, share: float, weight: float = 1.0) -> float:
    return end + 0.5 * weight * (start - end) * (math.cos(math.pi * share) + 1)


def _line(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


CURVES = {"cos": _half_cosine, "linear": _line}
