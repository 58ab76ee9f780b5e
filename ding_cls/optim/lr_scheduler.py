"""What sets the learning rate of an optimizer from the position in a run."""

import math
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.types import Position, Schedule


class LrScheduler:
    """Set an optimizer's learning rate from the position; what ``get_attribute('lr_scheduler')`` hands out.

    Where ``updates_per_epoch`` is known, the position is that of ``train_iter``, and ``step()`` only marks
    the epoch. Where it is None, as in a loop that is not ours, an epoch counts as one update: the position
    moves with the calls of ``step()``, and a schedule or warm-up that counts updates counts these calls.

    A parameter group's own factor ``lr_mult`` (1 where it has none) multiplies its learning rate.

    Args:
        schedule: the learning rate at each position.
        optimizer: whose groups to set; they start at position 0.
        base_lr: what the schedule starts from.
        max_epochs: length of the run.
        updates_per_epoch: updates in one epoch, or None; it can be assigned later.

    Attributes:
        updates_per_epoch: as given or assigned.

    Raises:
        ConfigError: the schedule returned a negative number or none at all, here or in ``apply``.
    """

    def __init__(
        self,
        schedule: Schedule,
        optimizer: Optimizer,
        *,
        base_lr: float,
        max_epochs: int,
        updates_per_epoch: int | None = None,
    ) -> None:
        self.updates_per_epoch = updates_per_epoch
        self._schedule = schedule
        self._optimizer = optimizer
        self._base_lr = base_lr
        self._max_epochs = max_epochs
        self._epoch = 0
        self.apply(0)

    @property
    def epoch(self) -> int:
        """Number of epochs that ``step()`` has marked as finished."""
        return self._epoch

    def step(self) -> None:
        """Mark an epoch as finished; without ``updates_per_epoch`` this moves the learning rate."""
        self._epoch += 1
        if self.updates_per_epoch is None:
            self.apply(0)

    def apply(self, train_iter: int) -> float:
        """Set the learning rate of the update that follows ``train_iter`` finished ones.

        Args:
            train_iter: finished updates; without ``updates_per_epoch`` it has no effect.

        Returns:
            the learning rate of a group with ``lr_mult`` 1.
        """
        position = (
            Position(self._epoch, 1, self._max_epochs)
            if self.updates_per_epoch is None
            else Position(train_iter, self.updates_per_epoch, self._max_epochs)
        )
        lr = self._schedule(self._base_lr, position)
        if not 0 <= lr < math.inf:
            raise ConfigError(f"the schedule {self._schedule} returned the learning rate {lr} at {position}")
        for group in self._optimizer.param_groups:
            group["lr"] = lr * group.get("lr_mult", 1)
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
