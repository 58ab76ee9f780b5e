"""A run as hooks of mmcv know it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ding_cls.worker.learner.hooks.base import Position

if TYPE_CHECKING:
    from ding_cls.worker.learner.base_learner import BaseLearner


@dataclass(slots=True)
class LogBuffer:
    """What is logged of the update at hand.

    Attributes:
        output: values by name, numbers or 0-dim tensors. The log hook shows and clears them: write into it
            at a priority before the log hook's (see the calling order), or they show with the next update.
        ready: accepted; log lines come at their own interval.
    """

    output: dict[str, Any]
    ready: bool = False


class Runner:
    """A run under the names that hooks of mmcv know. It is made for one call: do not keep it.

    Attributes:
        learner: the learner, for everything else.
    """

    __slots__ = ("_position", "learner")

    def __init__(self, learner: BaseLearner, position: Position) -> None:
        self.learner = learner
        self._position = position

    @property
    def iter(self) -> int:
        """The update at hand, from 0; in epoch and run positions how many are finished.

        After the first update ``after_iter`` sees 0, as in mmcv, while ``learner.train_iter`` is 1 already.
        """
        return self.learner.train_iter - (self._position == "after_iter")

    @property
    def epoch(self) -> int:
        """The epoch at hand, from 0; in before_run, after_run and after_val_epoch how many are finished."""
        length = self.learner.updates_per_epoch
        if length is None:
            # A loop of one's own tells its epoch.
            return self.learner.epoch_info[0]
        is_done = self._position in ("after_iter", "after_epoch") and self.learner.train_iter > 0
        return (self.learner.train_iter - is_done) // length

    @property
    def inner_iter(self) -> int:
        """The update at hand within its epoch, from 0."""
        return self.learner.epoch_info[1]

    @property
    def max_iters(self) -> int | None:
        """Updates in the whole run; None in a loop of one's own."""
        return self.learner.max_iter

    @property
    def max_epochs(self) -> int | None:
        """Epochs in the whole run; None in a loop of one's own."""
        length, last = self.learner.updates_per_epoch, self.learner.max_iter
        return None if length is None or last is None else -(-last // length)

    @property
    def model(self) -> Any:
        """The network, without DDP's wrapper."""
        return self.learner.policy.get_attribute("model")

    @property
    def optimizer(self) -> Any:
        """The optimizer."""
        return self.learner.policy.get_attribute("optimizer")

    @property
    def outputs(self) -> dict[str, Any]:
        """What the latest update returned: ``total_loss``, ``cur_lr``, ... by name; tensors stay on the
        device."""
        return self.learner.outputs

    @property
    def log_buffer(self) -> LogBuffer:
        """What is logged of the update at hand."""
        return LogBuffer(self.learner.log_buffer["scalar"])

    @property
    def eval_result(self) -> dict[str, Any]:
        """The latest evaluation's result."""
        return self.learner.eval_result

    @property
    def logger(self) -> logging.Logger:
        """Prints lines; on ranks other than 0 only warnings and errors."""
        return self.learner.logger

    @property
    def work_dir(self) -> str:
        """The run's folder."""
        return self.learner.exp_name

    @property
    def rank(self) -> int:
        """This process."""
        return self.learner.rank

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return self.learner.world_size

    def current_lr(self) -> list[float]:
        """Return the learning rate of each of the optimizer's groups."""
        return [group["lr"] for group in self.optimizer.param_groups]
