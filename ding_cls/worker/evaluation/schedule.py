"""When an evaluation is due: a function of the position alone, so that a resumed run evaluates at the same
updates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ding_cls.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EvalPlan:
    """The evaluations of a run.

    Attributes:
        freq: updates that must have passed since the last evaluation, where ``interval`` is None.
        interval: epochs between two evaluations, or updates; None: ``freq`` decides.
        by_epoch: what ``interval`` and ``start`` count: epochs, or updates, inside an epoch too.
        start: how many of them are finished at the first evaluation; None: it comes before training.
    """

    freq: float
    interval: int | None = None
    by_epoch: bool = True
    start: int | None = None

    @classmethod
    def of(cls, cfg: Mapping[str, Any]) -> "EvalPlan":
        """Return the plan of a config's ``policy.eval.evaluator`` section."""
        interval, start = cfg["eval_interval"], cfg["start"]
        # A start without an interval means each one from there, as in mmcv.
        is_counted = interval is not None or start is not None
        return cls(cfg["eval_freq"], (interval or 1) if is_counted else None, cfg["by_epoch"], start)

    @property
    def is_inside_epochs(self) -> bool:
        """Whether an evaluation may be due before an epoch is finished."""
        return self.interval is not None and not self.by_epoch

    def num_due(self, train_iter: int, max_iter: int, *, last: int, updates_per_epoch: int) -> int:
        """Return how many evaluations follow from ``train_iter`` updates on, the final one included.

        Args:
            train_iter: finished updates.
            max_iter: the update at which the run ends.
            last: the update of the last evaluation; -1 before the first.
            updates_per_epoch: updates in one epoch.
        """
        step = (self.interval or 1) if self.is_inside_epochs else updates_per_epoch
        number = 0
        for position in range(-(-train_iter // step) * step, max_iter, step):
            if self.is_due(position, last=last, updates_per_epoch=updates_per_epoch):
                number, last = number + 1, position
        return number + (last != max_iter)

    def is_due(self, train_iter: int, *, last: int, updates_per_epoch: int | None) -> bool:
        """Return whether an evaluation is due after ``train_iter`` updates.

        Args:
            train_iter: finished updates.
            last: the update of the last evaluation; -1 before the first.
            updates_per_epoch: updates in one epoch; None where that is not known.

        Raises:
            ConfigError: epochs are counted, and their length is not known.
        """
        if train_iter == last:
            return False
        if self.interval is None:
            return train_iter == 0 or train_iter - max(last, 0) >= self.freq
        count = train_iter
        if self.by_epoch:
            if updates_per_epoch is None:
                raise ConfigError(
                    "policy.eval.evaluator.eval_interval counts epochs, and this loop has not told the "
                    "evaluator how long one is: set evaluator.updates_per_epoch, or by_epoch=False"
                )
            count, rest = divmod(train_iter, updates_per_epoch)
            if rest:
                return False
        passed = count - (self.start or 0)
        return passed >= 0 and passed % self.interval == 0
