"""The judge: a metric over the evaluation data, exactly, whatever the batch size and the number of ranks."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from easydict import EasyDict

from ding_cls.common.logs.append import LogFailures
from ding_cls.common.logs.events import TENSORBOARD, write_at_once, write_scalars
from ding_cls.common.logs.log import close_logger, print_through, quiet_logger, text_logger, write_only
from ding_cls.config.defaults import EVALUATOR, defaults
from ding_cls.config.merge import deep_merge_dicts
from ding_cls.distributed.comm import gather_objects, get_rank, get_world_size
from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import IMetric, SumMetric
from ding_cls.policy.modes import EvalMode
from ding_cls.worker.evaluation.batches import checked_count, eval_batches, mean_loss
from ding_cls.worker.evaluation.best import EarlyStopping, Ranking, check_stop_value, has_reached
from ding_cls.worker.evaluation.results import (
    also_evaluated,
    check_classes,
    evaluation_line,
    in_data_order,
    is_saved,
    logits_and_targets,
    named_numbers,
    reduced_dicts,
    sample_ids,
)
from ding_cls.worker.evaluation.saved_results import load_results
from ding_cls.worker.evaluation.schedule import EvalPlan
from ding_cls.worker.evaluation.totals import MetricTotals, parts_of


class MetricSerialEvaluator:
    """Applies a metric to all evaluation data, keeps the best result, and says when to stop.

    A ``SumMetric`` is added up over batches and ranks in one packed reduction: the same digits at any batch
    size and world size. Any other ``IMetric`` gives one dict a batch; its ``reduce_mean`` is called once,
    with those of all ranks in the order of the data.

    Args:
        cfg: the config's ``policy.eval.evaluator`` section: when to evaluate, what is best, when to stop.
        env: ``[dataloader, metric]``.
        policy: the policy's eval mode.
        tb_logger: a TensorBoard writer, or None.
        exp_name: the run's folder; None writes no log file and prints no line.
        instance_name: this evaluator's name in log files and TensorBoard tags.

    Attributes:
        best: the best result so far; None before the first. That of the untrained network (update 0) gives
            way to the first finite one of trained weights, unless a ``gt`` of one's own compares them.
        best_iter: the update at which it was measured; -1 before the first.
        last_result: the latest result.
        last_eval_iter: the update at which it was measured; -1 before the first.
        has_reached_stop_value: whether it met ``stop_value``.
        num_evaluated: how many samples it covers, all ranks together.
        keep_predictions: set it to keep targets and logits of the next evaluation in ``predictions``.
        predictions: ``sample_ids``, ``targets`` and ``logits`` in the order of the data, on the CPU.
        is_interrupted: asked between batches; when it says True the evaluation is given up.
        updates_per_epoch: updates in one epoch; whoever runs the loop assigns it.
        early_stopping: counts the evaluations without an improvement.
        plan: when an evaluation is due.
    """

    config: ClassVar[Mapping[str, Any]] = defaults(EVALUATOR)

    @classmethod
    def default_config(cls) -> EasyDict:
        """Return a copy of the class's ``config``."""
        return EasyDict(deep_merge_dicts(cls.config, {}))

    def __init__(
        self,
        cfg: Mapping[str, Any],
        env: Sequence[Any] | None = None,
        policy: EvalMode | None = None,
        tb_logger: Any = None,
        exp_name: str | None = "default_experiment",
        instance_name: str = "evaluator",
    ) -> None:
        self._cfg = EasyDict(deep_merge_dicts(self.default_config(), cfg))
        self._rank, self._world_size = get_rank(), get_world_size()
        self._exp_name, self._instance_name = exp_name, instance_name
        self._tb_logger = tb_logger if self._rank == 0 else None
        write_at_once(tb_logger)
        self._failures = LogFailures()
        self._logger = quiet_logger(instance_name)
        if self._rank == 0:
            file = exp_name and os.path.join(".", exp_name, "log", instance_name, f"{instance_name}.txt")
            self._logger = text_logger(instance_name, file)
        self._is_shown = True
        self.keep_predictions = False
        self.predictions: dict[str, torch.Tensor] = {}
        self.is_interrupted: Callable[[], bool] = lambda: False
        self._loader: Any = None
        self._metric: Any = None
        self._policy: Any = None
        self._notes: set[str] = set()
        self.plan = EvalPlan.of(self._cfg)
        self.updates_per_epoch: int | None = None
        self.early_stopping = EarlyStopping(
            self._cfg.early_stop_patience, min_delta=self._cfg.early_stop_min_delta
        )
        self._ranking: Ranking | None = None
        self._stop_ranking: Ranking | None = None
        self.reset(policy, env)

    def reset(self, policy: EvalMode | None = None, env: Sequence[Any] | None = None) -> None:
        """Forget all results; take another policy or other data where given."""
        if env is not None:
            self.reset_env(env)
        if policy is not None:
            self.reset_policy(policy)
        self.best: dict[str, float] | None = None
        self.best_iter = -1
        self.last_result: dict[str, float] = {}
        self.last_eval_iter = -1
        self.has_reached_stop_value = False
        self.num_evaluated = 0
        self.early_stopping.forget()
        self._requested_iter: int | None = None

    def reset_env(self, env: Sequence[Any]) -> None:
        """Take another ``[dataloader, metric]``.

        Raises:
            ConfigError: the second is no ``IMetric``, or a ``SumMetric`` without a key of ``stop_value`` or
                ``save_best``.
        """
        self._loader, self._metric = env
        if not isinstance(self._metric, IMetric):
            raise ConfigError(
                f"env is [dataloader, metric]; the metric is a {type(self._metric).__name__}, not an IMetric"
            )
        self.rank_by(self._cfg.save_best, self._cfg.rule)
        check_stop_value(self._metric, self._cfg.stop_value)

    def reset_policy(self, policy: EvalMode) -> None:
        """Take another policy's eval mode."""
        self._policy = policy

    @property
    def is_inside_epochs(self) -> bool:
        """Whether an evaluation may be due before an epoch is finished."""
        return self.plan.is_inside_epochs

    @property
    def loss_interval(self) -> int:
        """Epochs between two calls of ``training_loss``; 0: none."""
        return int(self._cfg.loss_interval)

    @property
    def ranking(self) -> Ranking:
        """What compares results."""
        if self._ranking is None:
            raise ConfigError("this evaluator has no metric yet: evaluator.reset_env([dataloader, metric])")
        return self._ranking

    @property
    def is_best_untrained(self) -> bool:
        """Whether the best result so far is that of the untrained network."""
        return self.best is not None and self.best_iter == 0

    @property
    def should_stop(self) -> bool:
        """Whether the run is to end after the last evaluation."""
        return self.has_reached_stop_value or self.early_stopping.is_over

    def rank_by(self, key: str | bool | None, rule: str | None = None) -> None:
        """Let a key of the results decide which is best; None lets the metric.

        Raises:
            ConfigError: the metric gives no such key, or nothing says which direction is better.
        """
        self._ranking, self._stop_ranking = self._ranking_by(key, rule), None

    def stop_early(
        self, settings: EarlyStopping, *, key: str | bool | None = None, rule: str | None = None
    ) -> None:
        """Stop by the settings of another ``EarlyStopping``; what was counted so far stays.

        Args:
            settings: patience and what belongs to it.
            key: the key of the results that counts; None: that which decides about the best.
            rule: its direction.
        """
        settings.load_state_dict(self.early_stopping.state_dict())
        self.early_stopping = settings
        if key is not None:
            self._stop_ranking = self._ranking_by(key, rule)
        settings.count_by(self._stop_ranking or self.ranking)

    @property
    def why_it_stops(self) -> str:
        """Why the run is to end after the last evaluation, in words."""
        marks = ["stop value reached"] if self.has_reached_stop_value else []
        if self.early_stopping.is_over:
            marks.append(f"no improvement in {self.early_stopping.num_bad} evaluations")
        return ", ".join(marks)

    def show_by(self, logger: logging.Logger, failures: LogFailures) -> None:
        """Leave the results' lines to the learner's log, and print remarks and warnings through it."""
        self._is_shown, self._failures = False, failures
        print_through(self._logger, logger)

    def close(self) -> None:
        """Close the log file."""
        close_logger(self._logger)

    def should_eval(self, train_iter: int) -> bool:
        """Return whether an evaluation is due after so many updates.

        That is once ``eval_freq`` updates have passed since the last, and at update 0; with ``eval_interval``
        or ``start`` after each so many epochs or updates.
        """
        is_due = self.plan.is_due(
            train_iter, last=self.last_eval_iter, updates_per_epoch=self.updates_per_epoch
        )
        # Programs that pass an epoch to ``eval`` say the update here; a "no" is followed by no evaluation.
        self._requested_iter = train_iter if is_due else None
        return is_due

    def eval(
        self, save_ckpt_fn: Callable[[str], Any] | None = None, train_iter: int = -1, envstep: int = -1
    ) -> tuple[bool, dict[str, float]]:
        """Evaluate all data; save a checkpoint if the result is the best.

        Args:
            save_ckpt_fn: called with ``'ckpt_best.pth.tar'`` when the result is the best so far.
            train_iter: the number shown in the log line and on TensorBoard's axis. Where ``should_eval`` was
                not asked before, it is the number of finished updates too, and 0 means an untrained network.
            envstep: accepted for programs that pass it; it is shown where it is positive.

        Returns:
            Whether to stop: ``stop_value`` is reached (never at update 0), or the patience of
            ``early_stop_patience`` is at its end; and the result by name.

        Raises:
            DataError: not every sample was evaluated exactly once, or a label lies outside the classes.
        """
        check_classes(self._policy, self._loader)
        self._policy.reset()
        others = self._other_results()
        result = {**self._result(), **others, **self._left_out()}
        self.last_eval_iter = train_iter if self._requested_iter is None else self._requested_iter
        # Copies: what is returned belongs to the caller, who may add to it.
        self._requested_iter, self.last_result = None, dict(result)
        is_trained, goals = self.last_eval_iter != 0, self._cfg.stop_value
        self.has_reached_stop_value = self.last_eval_iter > 0 and has_reached(self._metric, result, goals)
        is_best, before = self._is_best(result), (self.best, self.best_iter)
        if is_best:
            self.best, self.best_iter = dict(result), self.last_eval_iter
        stop_ranking = self._stop_ranking or self.ranking
        self.early_stopping.add(result, stop_ranking, is_trained=is_trained)
        self._show(result, train_iter, envstep, is_best and save_ckpt_fn is not None)
        if is_best and save_ckpt_fn is not None and not is_saved(save_ckpt_fn, self._logger):
            self.best, self.best_iter = before
        return self.should_stop, result

    def training_loss(self) -> float:
        """Return the loss that training minimises, over the evaluation data; nothing is updated.

        Raises:
            ConfigError: the policy has no ``eval_loss`` to offer.
        """
        self._policy.reset()
        return mean_loss(self._policy, self._batches(), check=self._check_count)

    def state_dict(self) -> dict[str, Any]:
        """Return the results that decide about best and stop."""
        return {
            "best": self.best,
            "best_iter": self.best_iter,
            "last_result": self.last_result,
            "last_eval_iter": self.last_eval_iter,
            "has_reached_stop_value": self.has_reached_stop_value,
            "early_stopping": self.early_stopping.state_dict(),
            "compared_by": self.ranking.compares_by,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the results of ``state``, as far as they can be compared with those to come."""
        load_results(self, state, metric=self._metric, goals=self._cfg.stop_value, logger=self._logger)
        if self.early_stopping.patience is not None:
            # Else a hook may still say what is counted, and by which key.
            self.early_stopping.count_by(self._stop_ranking or self.ranking)

    def _other_results(self) -> dict[str, float]:
        """Return the results of other weights that the policy wants judged, with their prefixes."""
        found: dict[str, float] = {}
        for prefix, chosen in also_evaluated(self._policy).items():
            with chosen():
                found |= {f"{prefix}{name}": value for name, value in self._result().items()}
        return found

    def _left_out(self) -> dict[str, int]:
        """Return how many samples the data are without, where these are some."""
        n_bad = getattr(getattr(self._loader, "dataset", None), "n_bad", 0)
        return {"n_bad": n_bad} if n_bad else {}

    def _result(self) -> dict[str, float]:
        return self._exact_result() if isinstance(self._metric, SumMetric) else self._users_result()

    def _exact_result(self) -> dict[str, float]:
        metric: SumMetric = self._metric
        totals, kept = MetricTotals(metric, self._loader), []
        keeps = self.keep_predictions or metric.needs_scores
        for batch, targets in self._batches():
            logits, moved = logits_and_targets(self._policy, batch, targets)
            totals.add(batch, logits, moved)
            if keeps:
                kept.append((sample_ids(batch), targets.cpu(), logits.cpu()))
        self._check_count(totals.reduce())
        predictions = in_data_order(gather_objects(kept)) if keeps else {}
        if self.keep_predictions:
            self.predictions = predictions
        self._note(getattr(metric, "note", ""))
        return totals.results(predictions)

    def _users_result(self) -> dict[str, float]:
        """Gather one dict a batch from all ranks, in the order of the data, and reduce them once."""
        first = getattr(self._loader, "first_batch", None)
        own = []
        for number, (batch, targets) in enumerate(self._batches()):
            found = self._metric.eval(*logits_and_targets(self._policy, batch, targets))
            values = named_numbers(self._metric, found)
            # Shards by batches follow one another; those of a sampler are dealt out card by card.
            order = (first + number, 0) if first is not None else (number, self._rank)
            own.append((order, values, len(targets)))
        gathered = sorted((each for rank in gather_objects(own) for each in rank), key=lambda each: each[0])
        if not gathered:
            raise DataError("the evaluation data are empty")
        dicts, counts = [values for _, values, _ in gathered], [count for _, _, count in gathered]
        self._check_count(sum(counts))
        reduced, note = reduced_dicts(self._metric, dicts, counts)
        self._note(note)
        return reduced

    def _batches(self) -> Iterator[tuple[Any, torch.Tensor]]:
        return eval_batches(self._loader, self.is_interrupted)

    def _check_count(self, count: int) -> None:
        self.num_evaluated, note = checked_count(self._loader, count, world_size=self._world_size)
        self._note(note)

    def _ranking_by(self, key: str | bool | None, rule: str | None) -> Ranking:
        greater, less = self._cfg.greater_keys, self._cfg.less_keys
        return Ranking(
            self._metric,
            key=key,
            rule=rule,
            greater_keys=greater,
            less_keys=less,
            num_parts=len(parts_of(self._loader)),
        )

    def _is_best(self, result: Mapping[str, float]) -> bool:
        is_trained = self.last_eval_iter != 0
        not_finite = self.ranking.not_finite(result)
        if not_finite:
            is_none_left = is_trained and self.is_best_untrained
            rest = "; the best is still the untrained network" if is_none_left else ""
            names = ", ".join(not_finite)
            self._note(f"{names} is not finite at this evaluation; it cannot be the best{rest}")
        if self.ranking.is_of_the_user or self.best is None or is_trained != self.is_best_untrained:
            return self.ranking.is_better(result, self.best)
        # One of the two is of the untrained network.
        return is_trained and not not_finite

    def _show(self, result: Mapping[str, float], train_iter: int, envstep: int, is_best: bool) -> None:
        if self._exp_name is None:
            # Whoever evaluates outside a run shows the result in its own way.
            return
        step = f", step {envstep}" if envstep > 0 else ""
        marks = ["best so far" if is_best else "", self.why_it_stops]
        line = evaluation_line(result, train_iter, f"{step}, {self.num_evaluated} samples", marks=marks)
        if self._is_shown:
            self._logger.info(line)
        else:
            write_only(self._logger, line)
        if self._tb_logger is not None:
            numbers = {name: value for name, value in result.items() if isinstance(value, int | float)}
            scalars = {f"{self._instance_name}/{name}": value for name, value in numbers.items()}
            with self._failures.survived(TENSORBOARD):
                write_scalars(self._tb_logger, scalars, max(train_iter, 0))

    def _note(self, message: str) -> None:
        """Log a message, unless it is empty, the first time it comes up."""
        if message and message not in self._notes:
            self._notes.add(message)
            self._logger.info(message)
