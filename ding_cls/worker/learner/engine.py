"""What a hook may touch: the learner, as everything that is called around an update sees it.

Hooks, the loop's helpers and what writes a run's files know the learner by this page alone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ding_cls.answers.show import Display
from ding_cls.common.counting import CountVar
from ding_cls.policy.modes import LearnMode
from ding_cls.worker.evaluator import MetricSerialEvaluator
from ding_cls.worker.learner.state.history import History
from ding_cls.worker.learner.state.monitor import Monitor
from ding_cls.worker.learner.state.run_logs import RunLogs, RunTracker


class Engine(Protocol):
    """A ``BaseLearner`` as hooks get it. What is *(start)* only is None, 0 or empty in a loop of one's own.

    Attributes:
        log_buffer: ``scalar``, ``scalars`` and ``histogram``, each by name: what is logged of the update at
            hand. Numbers or 0-dim tensors on any device; the log hook shows and clears them.
        monitor: running averages over ten updates: ``setattr(engine.monitor, name, value)`` adds a value,
            ``engine.monitor.avg[name]()`` reads one, ``engine.monitor.time.step()`` closes an update.
        last_iter: ``last_iter.val`` is the number of finished updates.
        last_step: the position that the caller of ``train`` keeps; -1 without one.
        logger: prints lines and writes the log file; on ranks other than 0 warnings and errors alone.
        tb_logger: the TensorBoard writer; None on ranks other than 0.
        exp_name: the run's folder.
        instance_name: the learner's name in log files and tags.
        rank: this process, from 0.
        world_size: number of processes.
        ckpt_name: file name of the next checkpoint; None: ``iteration_{train_iter}.pth.tar``.
        data_time: seconds that the last batch was waited for; assigned by the loop.
        epoch_info: (epoch, batch in it, batches in it), the first two from 0; assigned by the loop.
        outputs: what the latest update returned, by name; tensors stay on the device.
        eval_result: what the latest evaluation gave *(start)*.
        max_iter: the update at which the run ends *(start)*.
        updates_per_epoch: updates in one epoch *(start)*.
        has_readers: whether hooks of others, or a loop that is not ours, may see an update's numbers.
        has_loaded: whether the run continues from a checkpoint.
        num_samples: samples of all processes that were trained on since this process started.
        num_latest: those of the latest update.
        step_began: ``time.perf_counter()`` when the latest update began.
        training_seconds: seconds of training, waiting for data included *(start)*.
        evaluator: evaluates the policy *(start)*.
        history: one row an epoch, and the sums of the open one.
        logs: the run's numbers in files.
        display: which results are shown, and under which names.
        facts: what every checkpoint holds under ``run``.
        trackers: get every recorded row *(start)*.
    """

    log_buffer: dict[str, dict[str, Any]]
    monitor: Monitor
    last_iter: CountVar
    last_step: int
    logger: logging.Logger
    tb_logger: Any
    exp_name: str
    instance_name: str
    rank: int
    world_size: int
    ckpt_name: str | None
    data_time: float
    epoch_info: tuple[int, int, int]
    outputs: dict[str, Any]
    eval_result: dict[str, float]
    max_iter: int | None
    updates_per_epoch: int | None
    has_readers: bool
    has_loaded: bool
    num_samples: int
    num_latest: int
    step_began: float
    training_seconds: float
    evaluator: MetricSerialEvaluator | None
    history: History
    logs: RunLogs
    display: Display
    facts: dict[str, Any]
    trackers: list[RunTracker]

    @property
    def policy(self) -> LearnMode:
        """The policy's learn mode; its ``get_attribute`` gives ``'model'``, ``'optimizer'``, ..."""

    @property
    def train_iter(self) -> int:
        """How many updates are finished; raised before after_iter."""

    @property
    def epoch(self) -> int:
        """How many epochs are finished *(start)*."""

    @property
    def best_checkpoint(self) -> Path | None:
        """The file with the best weights; None before the first."""

    def info(self, message: str) -> None:
        """Log a message, a line at a time."""

    def debug(self, message: str) -> None:
        """Log a message that shows at level DEBUG."""

    def record(self, kind: str, values: Mapping[str, Any]) -> None:
        """Append a row to ``metrics.jsonl`` and give it to the trackers, on rank 0."""

    def hooks(self, position: str) -> Sequence[object]:
        """Return the hooks of a position in calling order."""

    def call_hook(self, name: str) -> None:
        """Call the hooks of one position."""

    def save_checkpoint(self, ckpt_name: str | None = None) -> bool:
        """Save everything that a resume needs; see ``BaseLearner``."""

    def load_checkpoint(self, source: str | os.PathLike[str] | Mapping[str, Any]) -> None:
        """Continue from a checkpoint; see ``BaseLearner``."""

    def request_stop(self, reason: str) -> None:
        """End the run at the next step boundary as SIGTERM would: save, then raise ``RunStopped``."""

    def trained_seconds(self) -> float:
        """Return the seconds spent on updates, with the one at hand."""

    def time_left(self) -> float | None:
        """Return how many seconds the run has left *(start)*."""
