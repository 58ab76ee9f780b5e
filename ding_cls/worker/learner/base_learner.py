"""The loop: batches in, updates counted, hooks called."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from easydict import EasyDict

from ding_cls.answers.show import Display
from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.form import FORMAT, RESUMED, check_form
from ding_cls.checkpoint.keeper import BEST_NAME
from ding_cls.common.counting import CountVar
from ding_cls.common.folder_lock import join_lock
from ding_cls.common.logs.log import build_logger, close_logger, quiet_logger
from ding_cls.config.defaults import LEARNER, defaults
from ding_cls.config.merge import deep_merge_dicts
from ding_cls.distributed.comm import StopVote, get_rank, get_world_size
from ding_cls.errors import ConfigError
from ding_cls.policy.modes import LearnMode
from ding_cls.types import PositionedLoader, Stateful
from ding_cls.worker.evaluator import MetricSerialEvaluator
from ding_cls.worker.learner.batches import batch_length, fill_buffer, seek, timed, warn_sorted
from ding_cls.worker.learner.hooks.base import LearnerHook
from ding_cls.worker.learner.hooks.hook_state import ONCE, HookCalls, free_state_name, state_of, states_kept
from ding_cls.worker.learner.hooks.trackers import closing_trackers
from ding_cls.worker.learner.learner_hook import learner_hooks, place_hook, show_hooks
from ding_cls.worker.learner.loop.disk_room import check_room
from ding_cls.worker.learner.loop.evaluation import InLoopEvaluation
from ding_cls.worker.learner.loop.interruption import (
    StopSignals,
    report_last_checkpoint_on_error,
    save_and_stop,
    stop_on_interrupted_evaluation,
)
from ding_cls.worker.learner.loop.lean import lean_updates
from ding_cls.worker.learner.loop.progress import progress_bar
from ding_cls.worker.learner.saving.checkpointing import Saving, check_complete
from ding_cls.worker.learner.saving.finite_weights import check_weights
from ding_cls.worker.learner.saving.restoring import load_part, name_file_on_error, restore
from ding_cls.worker.learner.saving.resume_checks import check_facts, environment, environment_changes
from ding_cls.worker.learner.state.history import History
from ding_cls.worker.learner.state.monitor import Monitor
from ding_cls.worker.learner.state.run_logs import RunLogs, RunTracker


class BaseLearner:
    """Runs a policy's learn mode over batches and calls hooks around each update.

    ``start`` is the whole run. A program with a loop of its own calls ``call_hook('before_run')``,
    ``train(batch)`` for each batch, and ``call_hook('after_run')`` instead. Its attributes are described in
    ``Engine``: hooks may touch all of them.

    Args:
        cfg: the config's ``policy.learn.learner`` section; keys it lacks come from ``default_config()``.
        policy: the policy's learn mode; may be assigned later.
        tb_logger: a TensorBoard writer; None makes one in the run's folder, on rank 0.
        dist_info: (rank, world_size); None asks the process group.
        exp_name: the run's folder.
        instance_name: this learner's name in log files and TensorBoard tags.

    Attributes:
        allows_changed_data: whether a run may continue with other data than its checkpoint's.
    """

    config: ClassVar[Mapping[str, Any]] = defaults(LEARNER)

    @classmethod
    def default_config(cls) -> EasyDict:
        """Return a copy of the class's ``config``."""
        return EasyDict(deep_merge_dicts(cls.config, {}))

    def __init__(
        self,
        cfg: Mapping[str, Any],
        policy: LearnMode | None = None,
        tb_logger: Any = None,
        dist_info: tuple[int, int] | None = None,
        exp_name: str = "default_experiment",
        instance_name: str = "learner",
    ) -> None:
        self._cfg = EasyDict(deep_merge_dicts(self.default_config(), cfg))
        self._policy = policy
        self.rank, self.world_size = dist_info or (get_rank(), get_world_size())
        self.exp_name, self.instance_name = exp_name, instance_name
        folder = os.path.join(".", exp_name)
        self.logger, self.tb_logger = quiet_logger(instance_name), tb_logger
        if self.rank == 0:
            log_folder = os.path.join(folder, "log", instance_name)
            logger, own_tb_logger = build_logger(log_folder, instance_name, need_tb=tb_logger is None)
            self.logger, self.tb_logger = logger or self.logger, tb_logger or own_tb_logger
            self.logger.setLevel(self._cfg.log_level)
        self._owns_tb_logger = tb_logger is None
        self._unlock = join_lock(folder, self, is_writer=self.rank == 0)
        self.logs = RunLogs(
            Path(folder, "log"), self.tb_logger, position=lambda: self.train_iter, is_writing=self.rank == 0
        )
        self._saving = Saving(self._cfg, exp_name)
        self.last_iter = CountVar()
        self.last_step = -1
        self.log_buffer: dict[str, dict[str, Any]] = {"scalar": {}, "scalars": {}, "histogram": {}}
        self.monitor = Monitor()
        self.history = History()
        self.data_time: float = 0.0
        self.epoch_info: tuple[int, int, int] = (0, 0, 0)
        self.num_samples, self.num_latest, self.training_seconds, self.step_began = 0, 0, 0.0, 0.0
        self.allows_changed_data, self.has_readers = False, True
        self.max_iter: int | None = None
        self.has_loaded = False
        self.eval_result: dict[str, float] = {}
        self.evaluator: MetricSerialEvaluator | None = None
        self.trackers: list[RunTracker] = []
        self.ckpt_name: str | None = None
        self.updates_per_epoch: int | None = None
        self.outputs: dict[str, Any] = {}
        self._evaluation: InLoopEvaluation | None = None
        self._signals = StopSignals()
        self._calls = HookCalls()
        self._parts: dict[str, Stateful] = {
            "monitor": self.monitor,
            "history": self.history,
            "hook_calls": self._calls,
        }
        self._unclaimed: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}
        self.display = Display()
        self._loaded_facts: Mapping[str, Any] = {}
        self._hooks = learner_hooks(self._cfg, world_size=self.world_size)
        for hook in [each for line in self._hooks.values() for each in line]:
            self._register_state_of(hook)

    @property
    def policy(self) -> LearnMode:
        """The policy's learn mode."""
        if self._policy is None:
            raise ConfigError(
                "this learner has no policy yet; assign one: learner.policy = policy.learn_mode"
            )
        return self._policy

    @policy.setter
    def policy(self, policy: LearnMode) -> None:
        self._policy = policy

    @property
    def train_iter(self) -> int:
        """How many updates are finished."""
        return self.last_iter.val

    @property
    def best_checkpoint(self) -> Path | None:
        """The file with the best weights; None before the first."""
        best = self._saving.keeper.folder / BEST_NAME
        return best if best.is_file() else None

    @property
    def epoch(self) -> int:
        """How many epochs are finished (``start`` only; 0 elsewhere)."""
        return self.train_iter // self.updates_per_epoch if self.updates_per_epoch else 0

    def start(
        self, loader: PositionedLoader, *, max_epochs: int, evaluator: MetricSerialEvaluator | None = None
    ) -> None:
        """Train until ``max_epochs`` epochs are finished, evaluating between epochs and at the end.

        A run that was resumed continues at its very batch. Evaluation is due where ``evaluator.should_eval``
        says so, before the first epoch, after an epoch, with ``by_epoch=False`` inside one too; and always
        for the final weights.

        Args:
            loader: yields the batches of an epoch; a loader without ``set_position`` can only begin an epoch.
            max_epochs: epochs in all, those before a resume included.
            evaluator: judges the policy; None trains without.

        Raises:
            RunStopped: SIGTERM, Ctrl-C, SIGHUP or SIGUSR1 came; a checkpoint is saved.
            DiskError, NumbersError: no room for a checkpoint; updates or weights that are not finite.
        """
        self.updates_per_epoch = length = len(loader)
        self.max_iter = min(max_epochs * length, int(self._cfg.train_iterations))
        self.policy.set_attribute("updates_per_epoch", length)
        self.history.know_dataset(getattr(loader, "dataset", None))
        self.evaluator = evaluator
        if evaluator is not None:
            self.register_state("evaluator", evaluator)
            evaluator.is_interrupted, evaluator.updates_per_epoch = self._wants_stop_now, length
        self._evaluation = evaluation = InLoopEvaluation(
            self, evaluator, length=length, max_iter=self.max_iter
        )
        with (
            self._signals,
            report_last_checkpoint_on_error(self, self._saving),
            closing_trackers(self),
            stop_on_interrupted_evaluation(self._save_and_stop),
            StopVote() as agreement,
            lean_updates(self, loader),
            progress_bar(self) as show_progress,
        ):
            check_room(self, self._saving, self._hooks)
            self.call_hook("before_run")
            self._reopen_epoch()
            self.info("hooks in calling order, with their priorities\n" + show_hooks(self._hooks))
            self.history.resume_clock()
            while not evaluation.is_over():
                epoch, first = divmod(self.train_iter, length)
                seek(loader, epoch, first)
                with states_kept(self._parts, is_repeated=first > 0):
                    self.call_hook("before_epoch")
                self.history.resume_clock()
                for step, batch in enumerate(timed(loader, self), first):
                    self.epoch_info = (epoch, step, length)
                    self.train(batch)
                    show_progress()
                    if agreement.vote(self._signals.received is not None):
                        self._save_and_stop()
                    if self.train_iter >= self.max_iter or evaluation.ends_inside():
                        break
            self.call_hook("after_run")

    def train(self, data: Any, envstep: int = -1, policy_kwargs: Mapping[str, Any] | None = None) -> None:
        """Do one update and call the hooks around it.

        Args:
            data: a batch, as the policy takes it.
            envstep: a position of the caller's own; it is kept in the checkpoint as ``last_step``.
            policy_kwargs: further arguments of the policy's forward.
        """
        if envstep >= 0:
            self.last_step = envstep
        self.step_began = time.perf_counter()
        self.call_hook("before_iter")
        self.outputs = outputs = self.policy.forward(data, **(policy_kwargs or {}))
        count = self.num_latest = batch_length(data, world_size=self.world_size)
        if self.num_samples == 0:
            warn_sorted(self.logger, data)
        self.num_samples += count
        fill_buffer(self.log_buffer, outputs)
        self.history.add(outputs, count, is_skipped=self.history.bad_updates.take(self))
        self.last_iter.add(1)
        self.history.bad_updates.check(self, data)
        self.call_hook("after_iter")

    def hooks(self, position: str) -> Sequence[object]:
        """Return the hooks of a position in calling order."""
        return self._hooks[position]

    def call_hook(self, name: str) -> None:
        """Call the hooks of one position, in order of priority; after the last weights must be finite."""
        if name == "after_run":
            self.history.bad_updates.check_end(self)
        hooks = self._hooks[name]
        for hook in self._calls.due(name, hooks, self.train_iter) if name in ONCE else hooks:
            hook(self)
        if name == "after_run":
            check_weights(self, "training ended", self._saving.newest)

    def register_hook(self, hook: LearnerHook) -> None:
        """Add a hook at its place: after those of lower or equal priority. A state that it has is saved."""
        place_hook(self._hooks, hook)
        self._register_state_of(hook)

    def register_state(self, name: str, part: Stateful) -> None:
        """Give something that changes during training its place in the checkpoint, under ``name``.

        State that was loaded before the part was registered is handed to it now.
        """
        self._parts[name] = part
        if name in self._unclaimed:
            load_part(name, part, self._unclaimed.pop(name))

    def describe_run(self, facts: Mapping[str, Any]) -> None:
        """Keep plain facts in every checkpoint under ``run``: class names, preprocessing, the config.

        Raises:
            CheckpointError: a checkpoint was loaded whose classes or number of training pictures differ.
        """
        check_facts(saved=self._loaded_facts, now=facts)
        self.facts.update(facts)

    def save_checkpoint(self, ckpt_name: str | None = None) -> bool:
        """Save everything that a resume needs, and return False where weights are not finite: those are not
        saved. Ranks other than 0 return at once.

        Args:
            ckpt_name: file name in ``./{exp_name}/ckpt``; None means ``iteration_{train_iter}.pth.tar``.

        Raises:
            OSError: the file could not be written; older files are untouched. The third time: DiskError.
        """
        return (
            self.rank > 0 or self._saving.save(self, ckpt_name or self.ckpt_name, self._state()) is not None
        )

    def load_checkpoint(self, source: str | os.PathLike[str] | Mapping[str, Any]) -> None:
        """Continue from a checkpoint: a file, or the state read from one.

        Raises:
            CheckpointError: it is missing, damaged, malformed, or made for another model or other data; of
                a changed run a ``ChangedRunError``. Nothing is loaded then.
        """
        state = source if isinstance(source, Mapping) else read_checkpoint(source)
        check_form(state, RESUMED, "the checkpoint" if state is source else f"'{source}'")
        facts = state.get("run", {})
        with name_file_on_error(source):
            check_complete(state)
            check_facts(saved=facts, now=self.facts, allows_changed_data=self.allows_changed_data)
            self._unclaimed |= restore(self.policy, self._parts, state)
        self._loaded_facts, self.has_loaded = state.get("run", {}), True
        self.last_iter.update(int(state.get("last_iter", 0)))
        self.last_step = int(state.get("last_step", -1))
        for change in environment_changes(state.get("environment", {})):
            self.logger.warning(f"bit-equal numbers are not promised: {change}")
        # Where the checkpoint was written before its epoch was closed, the rows of its end are written again.
        kinds = ("epoch", "eval") if self.history.is_open else ()
        self.logs.resume(self.tb_logger, self.train_iter, *kinds)
        self.logger.info(f"continuing after {self.train_iter} updates")

    def trained_seconds(self) -> float:
        """Return the seconds spent on updates, with the one at hand; outside ``start`` a running clock."""
        now = time.perf_counter()
        if self.max_iter is None:
            return now
        return self.training_seconds + self.data_time + now - self.step_began

    def time_left(self) -> float | None:
        """Return how many seconds ``start`` has left, evaluations included; None outside it."""
        return None if self._evaluation is None else self._evaluation.time_left()

    def record(self, kind: str, values: Mapping[str, Any]) -> None:
        """Append a row to ``./{exp_name}/log/metrics.jsonl``, on rank 0."""
        self.logs.append({"kind": kind, "train_iter": self.train_iter, **values}, self.trackers)

    def request_stop(self, reason: str) -> None:
        """End ``start`` at the next step boundary as SIGTERM would: save, then raise ``RunStopped``."""
        self._signals.request(reason)

    def info(self, message: str) -> None:
        """Log a message, a line at a time."""
        for line in message.splitlines():
            self.logger.info(line)

    def debug(self, message: str) -> None:
        """Log a message of interest to developers; it shows when the logger's level is DEBUG."""
        self.logger.debug(message)

    def close(self) -> None:
        """Close the log files this learner opened."""
        self.logs.close()
        if self._owns_tb_logger and self.tb_logger is not None:
            self.tb_logger.close()
        close_logger(self.logger)
        self._unlock()

    def _register_state_of(self, hook: LearnerHook) -> None:
        part = state_of(hook)
        if part is not None and all(part is not each for each in self._parts.values()):
            self.register_state(free_state_name(hook, self._parts), part)

    def _reopen_epoch(self) -> None:
        """Go on with an epoch that an earlier end of the run had cut short, if it ends later now."""
        evaluator = self.evaluator
        is_over = self.train_iter >= (self.max_iter or 0) or (evaluator is not None and evaluator.should_stop)
        if self.train_iter % (self.updates_per_epoch or 1) == 0 or is_over:
            return
        if self.history.reopen(self.train_iter):
            # An evaluation inside the epoch is recorded again where training goes on.
            is_again = evaluator is not None and evaluator.is_inside_epochs
            self.logs.drop_rows(self.train_iter, "epoch", *(("eval",) if is_again else ()))

    def _state(self) -> dict[str, Any]:
        return {
            **self.policy.state_dict(),
            "format": FORMAT,
            "last_iter": self.train_iter,
            "last_step": self.last_step,
            "parts": {name: part.state_dict() for name, part in self._parts.items()} | self._unclaimed,
            "run": self.facts,
            "environment": environment(),
        }

    def _wants_stop_now(self) -> bool:
        # Ranks cannot leave an evaluation one by one: the others would wait for them in its reduction.
        return self.world_size == 1 and self._signals.received is not None

    def _save_and_stop(self) -> NoReturn:
        save_and_stop(self, self._saving, self._signals.received)
