"""What a training run came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ding_cls.answers.show import Display
from ding_cls.checkpoint.keeper import best_file
from ding_cls.common.counting import counted
from ding_cls.worker import BaseLearner, MetricSerialEvaluator


@dataclass(frozen=True, slots=True, repr=False)
class TrainResult:
    """What a training run came to; it prints as five lines.

    Attributes:
        history: one dict an epoch: ``epoch``, ``train_iter``, ``lr``, ``train_loss``, ``train_acc1``,
            ``val_loss``, ``val_acc1``, ``val_acc5`` (or what another metric gives, after ``val_``),
            ``seconds``. Accuracies are percentages.
        best: the best evaluation's results; empty without one. The untrained network's count only where no
            evaluation of a trained one is finite, or a metric's own ``gt`` prefers them.
        best_epoch: the row of ``history`` with that evaluation, or in whose epoch it was made; None where it
            is that of the untrained network, or there is none.
        final: the last evaluation's results.
        model: the trained network, with its final weights: those that are evaluated.
        run_folder: the folder of all its files.
        images_per_s: training samples per second, all processes together, evaluation not counted.
        minutes: wall time of this session.
        was_complete: the run was finished before; nothing was trained.
        has_test_split: there is a folder ``test`` beside that of the evaluation images.
        needs_code: the config imports modules of the user's own: so must whoever uses the checkpoints.
        checkpoint_folder: where the checkpoints lie.
        go_on: the command line's words that make the run go on: for twice as long, or past what stopped it.
        display: which results are shown, and under which names.
    """

    history: list[dict[str, Any]]
    best: dict[str, float]
    best_epoch: int | None
    final: dict[str, float]
    model: torch.nn.Module
    run_folder: Path
    images_per_s: float
    minutes: float
    was_complete: bool
    has_test_split: bool = False
    needs_code: bool = False
    checkpoint_folder: Path | None = None
    go_on: str = ""
    display: Display = field(default_factory=Display)

    def __repr__(self) -> str:
        updates = self.history[-1]["train_iter"] if self.history else 0
        epochs = counted(len(self.history), "epoch")
        speed = f"{self.minutes:.1f} minutes, {self.images_per_s:.0f} img/s"
        rows = {
            "run folder": self.run_folder,
            "trained": f"{epochs}, {updates:,} updates; {speed}",
            "final": self.display.line(self.final),
            self.best_name: self.display.line(self.best),
            "best checkpoint": self.best_checkpoint,
        }
        return "\n".join(f"{name:<16} {value}" for name, value in rows.items())

    @property
    def best_name(self) -> str:
        """Which evaluation was the best, in words."""
        return "best, untrained" if self.best_epoch is None else f"best, epoch {self.best_epoch}"

    @property
    def best_checkpoint(self) -> Path:
        """The file with the best weights; where nothing was evaluated the latest."""
        return best_file(self.checkpoint_folder or self.run_folder)


def epoch_of(train_iter: int, rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the epoch that an update belongs to, by the rows of a history; None of the untrained network."""
    if train_iter <= 0:
        return None
    return next((row["epoch"] for row in rows if row["train_iter"] >= train_iter), None)


def words_to_go_on(cfg: Any, learner: BaseLearner, evaluator: MetricSerialEvaluator) -> str:
    """Return what lets a run that has ended go on: without what stopped it early, or for twice as long."""
    learn = cfg.policy.learn
    words = ["policy.eval.evaluator.stop_value=None"] if evaluator.has_reached_stop_value else []
    if evaluator.early_stopping.is_over:
        words.append("policy.eval.evaluator.early_stop_patience=None")
    if words and learner.train_iter < (learner.max_iter or 0):
        return " ".join(words)
    if learn.max_iters is not None:
        return " ".join([*words, f"policy.learn.max_iters={2 * learn.max_iters}"])
    return " ".join([*words, f"policy.learn.train_epoch={2 * max(learn.train_epoch, learner.epoch)}"])
