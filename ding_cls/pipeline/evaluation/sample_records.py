"""What a network makes of each sample, kept as it is evaluated, on any number of processes.

It must not know metrics, nor where batches come from.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.data import ConcatDataset, innermost
from ding_cls.data.datasets.wrappers import IndexedDataset
from ding_cls.data.labels import sample_names
from ding_cls.distributed import gather_objects
from ding_cls.metrics import SumMetric
from ding_cls.metrics.analysis.bootstrap import SampleSums
from ding_cls.metrics.targets import guessed_classes
from ding_cls.pipeline.checks.labels import Labels
from ding_cls.policy.modes import EvalMode


@dataclass(frozen=True, slots=True)
class SampleRecords:
    """The samples of an evaluation in the order of the data, on the CPU: `SampleAnswers` in tensors.

    Attributes:
        kind: as there, like all others.
        sample_ids: positions in the dataset.
        targets: as the dataset gives them.
        predicted: class numbers, or whether each label is predicted.
        scores: the probability of what is predicted.
        is_right: all labels, or all tasks, are right.
        logits: float32, where they were asked for; else empty.
    """

    kind: str
    sample_ids: torch.Tensor
    targets: torch.Tensor
    predicted: torch.Tensor
    scores: torch.Tensor
    is_right: torch.Tensor
    logits: torch.Tensor

    @property
    def answers(self) -> SampleAnswers:
        """The same in arrays, which share its memory."""
        columns = (self.sample_ids, self.targets, self.predicted, self.scores, self.is_right, self.logits)
        return SampleAnswers(self.kind, *(each.numpy() for each in columns))

    def rows(self, paths: Sequence[str], classes: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the values of ``COLUMNS`` for each sample; see `SampleAnswers.rows`."""
        return self.answers.rows(paths, classes)

    def mistakes(self) -> list[int]:
        """Return the positions of the wrong samples, the surest mistake first."""
        return self.answers.mistakes()

    def by_class(self, num_classes: int) -> dict[str, torch.Tensor]:
        """Return float64 ``(C,)`` each; see `SampleAnswers.by_class`."""
        return {name: torch.from_numpy(each) for name, each in self.answers.by_class(num_classes).items()}


class Recorder:
    """Stands before a policy's evaluation and keeps what it gives for each sample.

    Args:
        mode: the policy's.
        labels: what the labels of the data are.
        keep_logits: keep these too: four bytes for each of them.
        metric: keep its sums over each sample too, for intervals.
        threshold: the probability from which on a label is predicted, where there may be several.
    """

    def __init__(
        self,
        mode: EvalMode,
        labels: Labels,
        *,
        keep_logits: bool,
        metric: SumMetric | None = None,
        threshold: float = 0.5,
    ) -> None:
        self.mode = replace(mode, forward=self._forward)
        self._forward_of: Callable[[Any], torch.Tensor] = mode.forward
        self._kind, self._keeps_logits, self._threshold = labels.kind, keep_logits, threshold
        self._batches: list[tuple[torch.Tensor, ...]] = []
        self._sums = None if metric is None else SampleSums(metric)

    def gathered(self) -> SampleRecords:
        """Return the samples of all ranks, which call this together."""
        own = [tuple(each.cpu() for each in batch) for batch in self._batches]
        rows = [batch for rank in gather_objects(own) for batch in rank]
        return SampleRecords(self._kind, *(torch.cat(column) for column in zip(*rows, strict=True)))

    def gathered_sums(self) -> SampleSums | None:
        """Return the metric's sums over each sample of all ranks, which call this together; None without
        one."""
        if self._sums is None:
            return None
        first, *others = gather_objects(self._sums)
        for each in others:
            first.append(each)
        return first

    def _forward(self, batch: Any) -> torch.Tensor:
        given = self._forward_of(batch)
        # Apple's GPUs know no float64.
        logits = given.cpu() if given.device.type == "mps" else given
        targets = batch.targets.to(logits.device)
        predicted, scores = predicted_of(
            probabilities_of(logits, self._kind), self._kind, logits, threshold=self._threshold
        )
        is_right = right_ones(predicted, targets, self._kind, scores)
        if self._sums is not None:
            self._sums.add(logits, targets)
        kept = (logits if self._keeps_logits else logits[:0]).cpu()
        self._batches.append((batch.sample_ids, targets, predicted, scores, is_right, kept))
        return given


def sample_paths(dataset: Any) -> list[str]:
    """Return the path of each sample's file, from the current folder where the dataset's was given so; its
    name or number where there is no such file."""
    if isinstance(dataset, ConcatDataset):
        return [path for each in dataset.datasets for path in sample_paths(each)]
    if isinstance(dataset, IndexedDataset):
        paths = sample_paths(dataset.dataset)
        return [paths[index] for index in dataset.indices]
    names, folder = sample_names(dataset), folder_of(dataset)
    if not names or not os.path.lexists(os.path.join(folder, names[0])):
        return names
    return [os.path.join(folder, name) for name in names]


def folder_of(dataset: Any) -> str:
    """Return the folder of a dataset's files, the first one's of several; empty where it has none."""
    inner = innermost(dataset)[0]
    return os.fspath(getattr(inner, "root", None) or getattr(inner, "data_prefix", None) or "")


def list_of(dataset: Any) -> str:
    """Return the file that lists a dataset's samples, the first one's of several; empty where none does."""
    return str(getattr(innermost(dataset)[0], "ann_file", None) or "")


def probabilities_of(logits: torch.Tensor, kind: str) -> torch.Tensor:
    """Return probabilities, float64: over the classes together, or of each by itself where a sample may have
    several labels."""
    exact = logits.double()
    return exact.sigmoid() if kind == "several" else exact.softmax(-1)


def predicted_of(
    probabilities: torch.Tensor, kind: str, logits: torch.Tensor | None = None, *, threshold: float = 0.5
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what is predicted and its probability, as in `SampleRecords`; NaN where a row holds one.

    Args:
        probabilities: float64 ``(N, C)``, or ``(N, K, C)`` of K tasks.
        kind: as there.
        logits: they decide which class is the largest; None: the probabilities do.
        threshold: the probability from which on a label is predicted, where there may be several.
    """
    if kind == "several":
        return probabilities >= threshold, probabilities
    guesses = guessed_classes(probabilities if logits is None else logits)
    # C is the number of no class: behind the last column stands what has no score.
    missing = probabilities.new_full((*probabilities.shape[:-1], 1), float("nan"))
    return guesses, torch.cat([probabilities, missing], -1).gather(-1, guesses[..., None])[..., 0]


def right_ones(
    predicted: torch.Tensor, targets: torch.Tensor, kind: str, scores: torch.Tensor
) -> torch.Tensor:
    """Return which samples are right, bool ``(N,)``, as in `SampleRecords`, like the arguments."""
    if kind == "several":
        is_right = ((predicted == (targets == 1)) | (targets < 0)) & ~scores.isnan()
    else:
        is_right = predicted == _one_number(targets, kind)
    return is_right.all(1) if is_right.dim() == 2 else is_right


def _one_number(targets: torch.Tensor, kind: str) -> torch.Tensor:
    """Return class numbers; of shares of the classes that with the largest."""
    return targets.argmax(1) if kind == "one" and targets.dim() == 2 else targets
