"""The learning rate as a pure function of position, and what sets it in an optimizer.

A position is counted in epochs from the start of the run; it is whole at the boundary between two epochs.
Nothing here remembers a learning rate, so a restart needs only the position.
"""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from fractions import Fraction
from typing import Any, Literal, TypeAlias, get_args

from torch.optim import Optimizer

from ding_cls.errors import CheckpointError

Schedule: TypeAlias = Literal["step", "cosine", "constant"]

# Epochs of up to a million updates are told apart exactly, also by a position that is a float.
_MAX_DENOMINATOR = 10**6


@dataclass(frozen=True, slots=True)
class LearningRate:
    """Linear warm-up, then steps, a cosine, or a constant.

    Attributes:
        base_lr: learning rate after warm-up.
        schedule: ``'step'``: ``base_lr * decay_rate ** floor(position / decay_epoch)``, counted from the
            start of the run, warm-up included. ``'cosine'``: from ``base_lr`` at the end of warm-up down to
            ``min_lr`` at ``total_epochs``. ``'constant'``: ``base_lr``.
        total_epochs: length of the run; beyond it a cosine stays at ``min_lr``.
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

    base_lr: float
    _: KW_ONLY
    schedule: Schedule
    total_epochs: float
    decay_epoch: float = 30
    decay_rate: float = 0.1
    min_lr: float = 0.0
    warmup_lr: float = 1e-4
    warmup_epochs: float = 0

    def __post_init__(self) -> None:
        if self.schedule not in get_args(Schedule):
            raise ValueError(f"schedule {self.schedule!r} is not one of {', '.join(get_args(Schedule))}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "schedule" and not 0 <= value < math.inf:
                raise ValueError(f"{field.name}={value} must be a finite number from 0 on")
        if self.decay_epoch == 0:
            raise ValueError("decay_epoch=0 must be greater than 0")

    def __call__(self, position: float) -> float:
        """Return the learning rate at a position.

        Args:
            position: epochs since the start of the run, with a fraction inside an epoch.

        Raises:
            ValueError: if ``position`` is negative or not finite.
        """
        if not 0 <= position < math.inf:
            raise ValueError(f"position={position} must be a finite number of epochs from 0 on")
        return self._at(position, _exact(position))

    def at(self, train_iter: int, updates_per_epoch: int) -> float:
        """Return the learning rate of the update that follows ``train_iter`` finished ones.

        The same as at the position ``train_iter / updates_per_epoch``, with exact boundaries at any length.

        Raises:
            ValueError: if ``train_iter`` is negative or ``updates_per_epoch`` is not positive.
        """
        if train_iter < 0 or updates_per_epoch < 1:
            raise ValueError(f"{train_iter=} must be at least 0, and {updates_per_epoch=} at least 1")
        return self._at(train_iter / updates_per_epoch, Fraction(train_iter, updates_per_epoch))

    def _at(self, position: float, exact_position: Fraction) -> float:
        if position < self.warmup_epochs:
            return self.warmup_lr + (self.base_lr - self.warmup_lr) * position / self.warmup_epochs
        if self.schedule == "constant":
            return self.base_lr
        if self.schedule == "cosine":
            return self._cosine(position)
        # In floats 0.3 / 0.1 is less than 3, and the third decay would come one update late.
        return self.base_lr * self.decay_rate ** math.floor(exact_position / _exact(self.decay_epoch))

    def _cosine(self, position: float) -> float:
        length = self.total_epochs - self.warmup_epochs
        if position >= self.total_epochs or length <= 0:
            return self.min_lr
        progress = (position - self.warmup_epochs) / length
        return self.min_lr + (self.base_lr - self.min_lr) * (1 + math.cos(math.pi * progress)) / 2


class LrScheduler:
    """Set an optimizer's learning rate from the position; what ``get_attribute('lr_scheduler')`` hands out.

    Where ``updates_per_epoch`` is known, position is ``train_iter / updates_per_epoch`` and ``step()`` only
    marks the epoch. Where it is None, as in a loop that is not ours, position is the number of ``step()``
    calls.

    A parameter group's own factor ``lr_mult`` (1 where it has none) multiplies its learning rate.

    Args:
        learning_rate: the function of position.
        optimizer: whose groups to set; they start at position 0.
        updates_per_epoch: updates in one epoch, or None; it can be assigned later.

    Attributes:
        learning_rate: as given.
        updates_per_epoch: as given or assigned.
    """

    def __init__(
        self, learning_rate: LearningRate, optimizer: Optimizer, *, updates_per_epoch: int | None = None
    ) -> None:
        self.learning_rate = learning_rate
        self.updates_per_epoch = updates_per_epoch
        self._optimizer = optimizer
        self._epoch = 0
        self._set(learning_rate(0))

    @property
    def epoch(self) -> int:
        """Number of epochs that ``step()`` has marked as finished."""
        return self._epoch

    def step(self) -> None:
        """Mark an epoch as finished; without ``updates_per_epoch`` this moves the learning rate."""
        self._epoch += 1
        if self.updates_per_epoch is None:
            self._set(self.learning_rate(self._epoch))

    def apply(self, train_iter: int) -> float:
        """Set the learning rate of the update that follows ``train_iter`` finished ones.

        Args:
            train_iter: finished updates; without ``updates_per_epoch`` it has no effect.

        Returns:
            the learning rate of a group with ``lr_mult`` 1.
        """
        if self.updates_per_epoch is None:
            lr = self.learning_rate(self._epoch)
        else:
            lr = self.learning_rate.at(train_iter, self.updates_per_epoch)
        self._set(lr)
        return lr

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each parameter group, as last set."""
        return [group["lr"] for group in self._optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the number of finished epochs; all else follows from the config and ``train_iter``."""
        return {"epoch": self._epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state of ``state_dict``.

        Raises:
            CheckpointError: if it is none.
        """
        epoch = state.get("epoch")
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
            raise CheckpointError(
                f"the lr scheduler's state has epoch={epoch!r}; expected a whole number from 0 on"
            )
        self._epoch = epoch

    def _set(self, lr: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = lr * group.get("lr_mult", 1)


def _exact(number: float) -> Fraction:
    """Return the fraction that was meant: 0.1 is 1/10, and 1 / 3 is 1/3."""
    return Fraction(number).limit_denominator(_MAX_DENOMINATOR)
