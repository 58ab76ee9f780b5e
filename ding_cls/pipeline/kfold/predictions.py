"""Predictions of whole datasets: as probabilities, as lines of a table, and averaged over networks."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from ding_cls.answers.evaluation.files import plain
from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.common.command import is_part_of_whole
from ding_cls.common.process import launched_world_size
from ding_cls.common.tables import SEPARATOR, checked_ending, write_table
from ding_cls.data.labels import sample_names
from ding_cls.errors import ConfigError, DataError
from ding_cls.inference.saved_run import label_threshold
from ding_cls.metrics import IMetric, SumMetric, build_metric
from ding_cls.pipeline.checks.labels import described_metric_of
from ding_cls.pipeline.datasets.left_out import warn_left_out
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.worker.evaluation.results import takes_counts

Kind = Literal["one", "several", "tasks"]


@dataclass(frozen=True, slots=True)
class AveragedPrediction:
    """The averaged prediction of several networks.

    Attributes:
        result: results of the first run's metric over all samples.
        names: of the samples: their files, or their numbers in the dataset.
        classes: the class names.
        targets: as the dataset gives them.
        probabilities: float64, in the shape of the logits; of several labels a sample each by itself.
    """

    result: dict[str, Any]
    names: list[str]
    classes: tuple[str, ...]
    targets: torch.Tensor
    probabilities: torch.Tensor


def average_predictions(
    checkpoints: Sequence[str | os.PathLike[str]],
    *,
    data: str | os.PathLike[str] | None = None,
    split: str = "test",
    batch_size: int | None = None,
    model: torch.nn.Module | None = None,
    out: str | os.PathLike[str] | None = None,
    allow_code: bool = False,
) -> AveragedPrediction:
    """Return the mean of several networks' probabilities on one split, each with its own preprocessing.

    Args:
        checkpoints: files or run folders, as `evaluate` takes them; their classes are the same.
        data: folder with the split's folder in it; None takes the first run's.
        split: 'train', 'val' or 'test'.
        batch_size: samples per batch; None takes each run's.
        model: the network, for runs that were given one instead of a name.
        out: a ``.csv`` or ``.json`` file for one row per sample, as ``common.tables.write_table`` writes it.
        allow_code: import the modules that the runs' ``custom_imports`` name.

    Raises:
        CheckpointError: a file is missing, damaged, or does not say what it was made for.
        ConfigError: there are no checkpoints, or several processes, or ``out`` ends otherwise.
        DataError: the networks differ in their classes or samples, or ``out`` cannot be written.
    """
    check_alone("average_predictions")
    if out is not None:
        checked_ending(out, (".csv", ".json"))
    if not checkpoints:
        raise ConfigError("average_predictions: name one checkpoint at least")
    settings: dict[str, Any] = {
        "data": data,
        "split": split,
        "batch_size": batch_size,
        "model": model,
        "keep_predictions": True,
        "intervals": False,
        "allow_code": allow_code,
    }
    first = evaluate_checkpoint(checkpoints[0], **settings)
    if is_part_of_whole():
        warn_left_out(first.dataset, is_whole=True)
    targets = torch.from_numpy(first.records.targets)
    total = probabilities(torch.from_numpy(first.records.logits), targets)
    for checkpoint in checkpoints[1:]:
        other = evaluate_checkpoint(checkpoint, **settings)
        _check_alike(first, other, checkpoints[0], checkpoint)
        total = total + probabilities(torch.from_numpy(other.records.logits), targets)
    mean = total / len(checkpoints)
    metric = build_metric(described_metric_of(first.cfg.policy.eval.metric, kind_of(targets)))
    result = result_of(metric, logits_of(mean, targets), targets)
    averaged = AveragedPrediction(result, sample_names(first.dataset), first.classes, targets, mean)
    if out is not None:
        rows = lines(mean, targets, averaged.classes, threshold=label_threshold(first.cfg))
        named_rows = ((name, *row) for name, row in zip(averaged.names, rows, strict=True))
        write_table(out, ("path", "label", "predicted", "score"), named_rows)
    return averaged


def check_alone(who: str) -> None:
    """Refuse several processes.

    Raises:
        ConfigError: a launcher started several.
    """
    if launched_world_size() > 1:
        raise ConfigError(f"{who} runs in one process, and {launched_world_size()} were started; start one")


def kind_of(targets: torch.Tensor) -> Kind:
    """Return what targets are: one class, several labels, or one class for each of several tasks.

    Soft targets, shares between 0 and 1, mean one class: that with the largest share.
    """
    if targets.dim() == 1:
        return "one"
    if not targets.is_floating_point():
        return "tasks"
    return "several" if bool(((targets <= 0) | (targets == 1)).all()) else "one"


def probabilities(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return probabilities, float64: over the classes together, or of each by itself where a sample may have
    several labels."""
    exact = logits.double()
    return exact.sigmoid() if kind_of(targets) == "several" else exact.softmax(-1)


def logits_of(probability: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return logits, float32, of which `probabilities` makes these again: what a metric takes."""
    tiny = torch.finfo(torch.float64).tiny
    logs = probability.clamp_min(tiny).log()
    if kind_of(targets) == "several":
        logs = logs - (1 - probability).clamp_min(tiny).log()
    return logs.float()


def result_of(metric: IMetric, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, Any]:
    """Return a metric's results over samples in one tensor, as the evaluator would."""
    found = metric.eval(logits, targets)
    if isinstance(metric, SumMetric):
        return dict(plain(found))
    counts = ([len(targets)],) if takes_counts(metric) else ()
    return dict(plain(metric.reduce_mean([dict(plain(found))], *counts)))


def lines(
    probability: torch.Tensor, targets: torch.Tensor, classes: Sequence[str], *, threshold: float
) -> Iterator[tuple[str, str, str]]:
    """Yield (label, predicted, score) of each sample: class names, and the probability of what is predicted.

    Several of them stand in one cell, with `SEPARATOR` between: those from the threshold on. A network that
    gives NaN predicts nothing.
    """
    scores, numbers = probability.numpy(), np.arange(len(targets))
    records = SampleAnswers.of(
        kind_of(targets), numbers, targets.numpy(), scores, threshold=threshold, scores=scores
    )
    for _, _, label, _, guess, score, _ in records.rows([""] * len(targets), classes):
        shown = ["nan" if each is None else f"{each:.6f}" for each in _as_list(score)]
        yield _joined(label), _joined(guess), SEPARATOR.join(shown)


def _joined(names: Any) -> str:
    return SEPARATOR.join(each for each in _as_list(names) if each is not None)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check_alike(first: EvaluationReport, other: EvaluationReport, name: object, other_name: object) -> None:
    if other.classes != first.classes:
        raise DataError(f"'{other_name}' has other classes than '{name}'; average networks of one task")
    if not np.array_equal(other.records.targets, first.records.targets):
        raise DataError(f"'{other_name}' was evaluated on other samples than '{name}'; name them with data=")
