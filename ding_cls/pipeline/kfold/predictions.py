"""Predictions of whole data sets: as probabilities, as lines of a table, and averaged over networks."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ding_cls.common.process import launched_world_size
from ding_cls.common.tables import SEPARATOR, checked_ending, write_table
from ding_cls.data.labels import sample_names
from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import IMetric, SumMetric, build_metric
from ding_cls.metrics.targets import guessed_classes
from ding_cls.pipeline.evaluate import EvaluationReport, evaluate_checkpoint
from ding_cls.worker.evaluation.results import plain, takes_counts

Kind = Literal["one", "several", "tasks"]


@dataclass(frozen=True, slots=True)
class AveragedPrediction:
    """What several networks say together.

    Attributes:
        result: what the metric of the first one's run says of all samples.
        names: of the samples: their files, or their numbers in the data set.
        classes: the class names.
        targets: as the data set gives them.
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
        data: folder with the split's folder in it; None takes what the first one's run says.
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
        checked_ending(out)
    if not checkpoints:
        raise ConfigError("average_predictions: name one checkpoint at least")
    settings: dict[str, Any] = {
        "data": data,
        "split": split,
        "batch_size": batch_size,
        "model": model,
        "keep_predictions": True,
        "allow_code": allow_code,
    }
    first = evaluate_checkpoint(checkpoints[0], **settings)
    targets = first.predictions["targets"]
    total = probabilities(first.predictions["logits"], targets)
    for checkpoint in checkpoints[1:]:
        judged = evaluate_checkpoint(checkpoint, **settings)
        _check_alike(first, judged, checkpoints[0], checkpoint)
        total = total + probabilities(judged.predictions["logits"], targets)
    mean = total / len(checkpoints)
    result = result_of(build_metric(first.cfg.policy.eval.metric), logits_of(mean, targets), targets)
    averaged = AveragedPrediction(result, sample_names(first.dataset), first.classes, targets, mean)
    if out is not None:
        write_table(out, ("path", "label", "predicted", "score"), averaged_lines(averaged))
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
    """Return what a metric says of samples that lie together, as the evaluator would."""
    found = metric.eval(logits, targets)
    if isinstance(metric, SumMetric):
        return dict(plain(found))
    counts = ([len(targets)],) if takes_counts(metric) else ()
    return dict(plain(metric.reduce_mean([dict(plain(found))], *counts)))


def lines(
    probability: torch.Tensor, targets: torch.Tensor, classes: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (label, predicted, score) of each sample: class names, and the probability of what is predicted.

    Several of them stand in one cell, with `SEPARATOR` between; of several labels those are predicted whose
    probability is 0.5 or more. A network that gives NaN predicts nothing.
    """
    kind = kind_of(targets)
    guesses = guessed_classes(probability)
    for row, target, guess in zip(probability, targets, guesses, strict=True):
        if kind == "several":
            own, said = (target == 1).nonzero().flatten(), (row >= 0.5).nonzero().flatten()
            scores = row[said]
        else:
            own = (target if target.dim() == 0 or kind == "tasks" else target.argmax()).reshape(-1)
            said = guess.reshape(-1)
            # C is the number of no class: behind the last column stands what has no score.
            padded = torch.cat([row, row.new_full((*row.shape[:-1], 1), float("nan"))], -1)
            scores = padded.reshape(len(said), -1).gather(1, said[:, None]).flatten()
        yield (
            _joined(own.tolist(), classes),
            _joined(said.tolist(), classes),
            SEPARATOR.join(f"{score:.6f}" for score in scores.tolist()),
        )


def averaged_lines(averaged: AveragedPrediction) -> Iterator[tuple[str, ...]]:
    """Yield (path, label, predicted, score) of each sample."""
    found = lines(averaged.probabilities, averaged.targets, averaged.classes)
    for name, line in zip(averaged.names, found, strict=True):
        yield (name, *line)


def _joined(numbers: Sequence[int], classes: Sequence[str]) -> str:
    return SEPARATOR.join(classes[each] for each in numbers if each < len(classes))


def _check_alike(first: EvaluationReport, other: EvaluationReport, name: object, other_name: object) -> None:
    if other.classes != first.classes:
        raise DataError(f"'{other_name}' has other classes than '{name}'; average networks of one task")
    if not torch.equal(other.predictions["targets"], first.predictions["targets"]):
        raise DataError(f"'{other_name}' was judged on other samples than '{name}'; name them with data=")
