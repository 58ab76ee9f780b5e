"""When a run is evaluated, between epochs and inside them, and what ends it or an epoch."""

import time
from typing import Any

from ding_cls.common.logs.events import write_scalars
from ding_cls.worker.evaluator import MetricSerialEvaluator
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.builtin import pool
from ding_cls.worker.learner.loop.log_rows import EpochTable, result_line
from ding_cls.worker.learner.state.checkpointing import saving_together

# The row of an epoch has the training loss of the evaluation data under this name.
LOSS_NAME = "val_total_loss"


class InLoopEvaluation:
    """The evaluations of one run.

    A run that resumes at an update asks again for what was due there. What is done then follows from the
    position and from the states in the checkpoint, so that it goes on as if it had never stopped.

    Args:
        engine: the learner that runs.
        evaluator: evaluates the policy; None: nothing is evaluated.
        length: updates in an epoch.
        max_iter: the update at which the run ends.
    """

    def __init__(
        self, engine: Engine, evaluator: MetricSerialEvaluator | None, *, length: int, max_iter: int
    ) -> None:
        self._engine, self._evaluator = engine, evaluator
        # Only ours has a plan, a ranking and a reason to stop; another need not.
        self._ours = evaluator if isinstance(evaluator, MetricSerialEvaluator) else None
        if self._ours is not None:
            self._ours.show_by(engine.logger, engine.logs.failures)
        self._length, self._max_iter = length, max_iter
        # The update whose evaluation this process has recorded.
        self._recorded_at = -1
        self._table = EpochTable(engine.display)
        # What this process needs: its first update, seconds and number of its evaluations.
        self._first_iter = engine.train_iter
        self._eval_seconds, self._num_evals = 0.0, 0

    def is_over(self) -> bool:
        """Do what is due at this update before training goes on; return whether the run ends here."""
        engine = self._engine
        is_done = engine.train_iter >= self._max_iter
        if engine.train_iter % self._length and not is_done and not self.ends_inside():
            return False
        if engine.history.is_open:
            engine.call_hook("after_epoch")
            self._add_training_loss()
        should_stop = self._evaluate(is_final=is_done, has_row=engine.history.is_open)
        if engine.history.is_open:
            row = engine.history.close(
                epoch=(engine.train_iter - 1) // self._length,
                train_iter=engine.train_iter,
                evaluation=engine.eval_result,
            )
            self._show(row)
        if should_stop and self._ours is not None:
            engine.info(self._ours.why_it_stops)
        return is_done or should_stop

    def ends_inside(self) -> bool:
        """Evaluate inside an epoch if it is due there; return whether that ends the run."""
        if self._evaluator is None or not self._evaluator.is_inside_epochs:
            return False
        if self._engine.train_iter % self._length == 0:
            return False
        began = time.perf_counter()
        should_stop = self._evaluate(is_final=False, has_row=False)
        # The clock of training runs on meanwhile.
        self._engine.training_seconds -= time.perf_counter() - began
        return should_stop

    def _evaluate(self, *, is_final: bool, has_row: bool) -> bool:
        """Evaluate if it is due; return whether the result ends the run. An epoch's row may show it."""
        engine, evaluator = self._engine, self._evaluator
        engine.eval_result = {}
        if evaluator is None:
            return False
        if evaluator.last_eval_iter == engine.train_iter:
            # Done at this very update, in this process or before a checkpoint that brought its outcome along.
            engine.eval_result = evaluator.last_result
            # No epoch closes at update 0: no checkpoint holds whether this was recorded.
            is_open = engine.history.is_open or engine.train_iter == 0
            if is_open and self._recorded_at != engine.train_iter:
                self._record_result(has_row=has_row)
            return evaluator.should_stop
        if not (evaluator.should_eval(engine.train_iter) or is_final):
            return False
        pool(engine)
        began = time.perf_counter()
        with saving_together(engine) as save:
            should_stop, engine.eval_result = evaluator.eval(save, engine.train_iter, engine.last_step)
        self._eval_seconds += time.perf_counter() - began
        self._num_evals += 1
        self._record_result(has_row=has_row)
        return should_stop

    def _record_result(self, *, has_row: bool) -> None:
        self._recorded_at = self._engine.train_iter
        self._engine.record("eval", self._engine.eval_result)
        updates = self._engine.train_iter
        if not has_row:
            head = "Untrained" if updates == 0 else f"Evaluation after {updates} updates"
            shown = result_line(
                head, self._engine.eval_result, is_best=self._is_best(), display=self._engine.display
            )
            self._engine.info(shown)
        self._engine.call_hook("after_eval")

    def _show(self, row: dict[str, Any]) -> None:
        """Print an epoch's row, and write it to ``metrics.jsonl`` and TensorBoard."""
        engine = self._engine
        engine.info("\n".join(self._table.lines(row, is_best=bool(engine.eval_result) and self._is_best())))
        engine.record("epoch", row)
        if engine.tb_logger is not None:
            names = [
                name for name in row if name == "lr" or name.startswith(("train_loss", "train_acc", "val_"))
            ]
            numbers = {name: row[name] for name in names if isinstance(row[name], int | float)}
            tags = {f"epoch/{name}": value for name, value in numbers.items()}
            with engine.logs.tensorboard():
                write_scalars(engine.tb_logger, tags, row["epoch"])

    def _is_best(self) -> bool:
        """Whether the latest evaluation is the best so far; the untrained network's does not count."""
        evaluator = self._ours
        if evaluator is None or evaluator.best_iter != self._engine.train_iter:
            return False
        return self._engine.train_iter > 0 or evaluator.ranking.is_of_the_user

    def time_left(self) -> float:
        """Return how many seconds the run has left, by the speed of this process: updates and evaluations."""
        engine, evaluator = self._engine, self._ours
        per_update = engine.trained_seconds() / max(engine.train_iter - self._first_iter, 1)
        left = (self._max_iter - engine.train_iter) * per_update
        if evaluator is None:
            return left
        number = evaluator.plan.num_due(
            engine.train_iter, self._max_iter, last=evaluator.last_eval_iter, updates_per_epoch=self._length
        )
        return left + number * self._seconds_of_an_evaluation(evaluator, per_update)

    def _seconds_of_an_evaluation(self, evaluator: MetricSerialEvaluator, per_update: float) -> float:
        if self._num_evals:
            return self._eval_seconds / self._num_evals
        # A resumed run has not evaluated yet: what its last epoch took beside the updates.
        rows = self._engine.history.rows
        if not rows:
            return 0.0
        has_untrained = len(rows) == 1 and evaluator.plan.is_due(0, last=-1, updates_per_epoch=self._length)
        seconds: float = rows[-1]["seconds"] - self._length * per_update
        return max(seconds, 0.0) / (1 + has_untrained)

    def _add_training_loss(self) -> None:
        """Put the training loss of the evaluation data into the epoch's row, every so many epochs."""
        engine, evaluator = self._engine, self._evaluator
        if evaluator is None or evaluator.loss_interval == 0:
            return
        epochs, rest = divmod(engine.train_iter, self._length)
        if rest == 0 and epochs % evaluator.loss_interval == 0:
            engine.history.note(LOSS_NAME, evaluator.training_loss())
