"""What sets the learning rate of an optimizer from the position in a run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim import Optimizer

from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.optim.schedules.momentum_and_decay import SettingScheduler
from ding_cls.types import Position, Schedule, Stateful


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
        max_iters: its length in updates, in place of ``max_epochs``.
        updates_per_epoch: updates in one epoch, or None; it can be assigned later.
        others: what sets momentum or weight decay at the same positions.

    Attributes:
        updates_per_epoch: as given or assigned.
        scheduled: names of the optimizer's settings that are set here.

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
        max_iters: int | None = None,
        others: Sequence[SettingScheduler] = (),
    ) -> None:
        self.updates_per_epoch = updates_per_epoch
        self._schedule = schedule
        self._optimizer = optimizer
        self._base_lr = base_lr
        self._max_epochs, self._max_iters = max_epochs, max_iters
        self._epoch = 0
        self._others = tuple(others)
        self.scheduled = frozenset({"lr", *(each.name for each in self._others)})
        self.apply(0)

    @property
    def epoch(self) -> int:
        """Number of epochs that ``step()`` has marked as finished."""
        return self._epoch

    @property
    def follows_results(self) -> bool:
        """Whether evaluations decide about the learning rate: it is no function of the position then."""
        return callable(getattr(self._innermost(), "observe", None))

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
        position = self._position(train_iter)
        lr = self._schedule(self._base_lr, position)
        if not 0 <= lr < math.inf:
            raise ConfigError(f"the schedule {self._schedule} returned the learning rate {lr} at {position}")
        for group in self._optimizer.param_groups:
            group["lr"] = lr * group.get("lr_mult", 1)
        for each in self._others:
            each.apply(position)
        return lr

    def observe(self, results: Mapping[str, Any]) -> None:
        """Give an evaluation to a schedule that follows them; others have no use for it.

        Raises:
            ConfigError: the results lack what it watches.
        """
        schedule: Any = self._innermost()
        if self.follows_results:
            schedule.observe(results)

    def _position(self, train_iter: int) -> Position:
        length, max_iters = self.updates_per_epoch, self._max_iters
        if length is None:
            return Position(self._epoch, 1, self._max_epochs, max_iters)
        max_epochs = self._max_epochs if max_iters is None else -(-max_iters // length)
        return Position(train_iter, length, max_epochs, max_iters)

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each parameter group, as last set."""
        return [group["lr"] for group in self._optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the number of finished epochs, and the state of a schedule that has one; all else follows
        from the config and ``train_iter``."""
        schedule = self._innermost()
        own = {"schedule": schedule.state_dict()} if isinstance(schedule, Stateful) else {}
        return {"epoch": self._epoch, **own}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state of ``state_dict``.

        Raises:
            CheckpointError: if it is none.
        """
        self.check_state(state)
        schedule = self._innermost()
        if isinstance(schedule, Stateful) and "schedule" in state:
            schedule.load_state_dict(state["schedule"])
        self._epoch = state["epoch"]

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Refuse a state that cannot be taken up.

        Raises:
            CheckpointError: it is malformed.
        """
        epoch = state.get("epoch")
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
            found = epoch if isinstance(epoch, int) else f"a {type(epoch).__name__}"
            raise CheckpointError(
                f"the lr scheduler's state has epoch={found}; expected a whole number from 0 on"
            )
        check = getattr(self._innermost(), "check_state", None)
        if check is not None and "schedule" in state:
            check(state["schedule"])

    def _innermost(self) -> object:
        """Return the schedule inside its warm-up."""
        schedule: object = self._schedule
        while callable(inner := getattr(schedule, "schedule", None)):
            schedule = inner
        return schedule
