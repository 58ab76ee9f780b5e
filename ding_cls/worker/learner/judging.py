"""When a run is evaluated, between epochs and inside them, and what ends it or an epoch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ding_cls.worker.learner.history import describe

if TYPE_CHECKING:
    from ding_cls.worker.evaluator import MetricSerialEvaluator
    from ding_cls.worker.learner.base_learner import BaseLearner

# The row of an epoch has the training loss of the evaluation data under this name.
LOSS_NAME = "val_total_loss"


class Judging:
    """The evaluations of one run.

    A run that resumes at an update asks again for what was due there. What is done then follows from the
    position and from the states in the checkpoint, so that it goes on as if it had never stopped.

    Args:
        engine: the learner that runs.
        evaluator: judges the policy; None evaluates nothing.
        length: updates in an epoch.
        max_iter: the update at which the run ends.
    """

    def __init__(
        self, engine: BaseLearner, evaluator: MetricSerialEvaluator | None, *, length: int, max_iter: int
    ) -> None:
        self._engine, self._evaluator = engine, evaluator
        self._length, self._max_iter = length, max_iter
        # The update whose evaluation this process has written down.
        self._told_at = -1

    def is_over(self) -> bool:
        """Do what is due where training stands before it goes on; return whether the run ends here."""
        engine = self._engine
        is_done = engine.train_iter >= self._max_iter
        if engine.train_iter % self._length and not is_done and not self.ends_inside():
            return False
        if engine.history.is_open:
            engine.call_hook("after_epoch")
            self._add_training_loss()
        should_stop = self._evaluate(is_final=is_done)
        if engine.history.is_open:
            row = engine.history.close(
                epoch=(engine.train_iter - 1) // self._length,
                train_iter=engine.train_iter,
                evaluation=engine.eval_result,
            )
            engine.info(describe(row))
            engine.record("epoch", row)
        return is_done or should_stop

    def ends_inside(self) -> bool:
        """Evaluate inside an epoch if it is due there; return whether that ends the run."""
        is_inside = self._engine.train_iter % self._length != 0
        if self._evaluator is None or not is_inside or not self._evaluator.is_inside_epochs:
            return False
        began = time.perf_counter()
        should_stop = self._evaluate(is_final=False)
        # The clock of training runs on meanwhile.
        self._engine.training_seconds -= time.perf_counter() - began
        return should_stop

    def _evaluate(self, *, is_final: bool) -> bool:
        """Evaluate if it is due; return whether the result ends the run."""
        engine, evaluator = self._engine, self._evaluator
        engine.eval_result = {}
        if evaluator is None:
            return False
        if evaluator.last_eval_iter == engine.train_iter:
            # Done at this very update, in this process or before a checkpoint that brought its outcome along.
            engine.eval_result = evaluator.last_result
            if engine.history.is_open and self._told_at != engine.train_iter:
                self._tell()
            return evaluator.should_stop
        if not (evaluator.should_eval(engine.train_iter) or is_final):
            return False
        engine.history.pool()
        should_stop, engine.eval_result = evaluator.eval(
            engine.save_checkpoint, engine.train_iter, engine.last_step
        )
        self._tell()
        return should_stop

    def _tell(self) -> None:
        self._told_at = self._engine.train_iter
        self._engine.record("eval", self._engine.eval_result)
        self._engine.call_hook("after_eval")

    def _add_training_loss(self) -> None:
        """Put the training loss of the evaluation data into the epoch's row, every so many epochs."""
        engine, evaluator = self._engine, self._evaluator
        if evaluator is None or evaluator.loss_interval == 0:
            return
        epochs, rest = divmod(engine.train_iter, self._length)
        if rest == 0 and epochs % evaluator.loss_interval == 0:
            engine.history.note(LOSS_NAME, evaluator.training_loss())
