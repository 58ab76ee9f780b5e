"""What a network makes of each sample, kept as it is evaluated, on any number of processes.

It must not know metrics, nor where batches come from.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.data import ConcatDataset, innermost
from ding_cls.data.datasets.wrappers import IndexedDataset
from ding_cls.data.labels import sample_names
from ding_cls.distributed import gather_objects
from ding_cls.metrics import SumMetric
from ding_cls.metrics.analysis.bootstrap import SampleSums
from ding_cls.pipeline.checks.labels import Labels
from ding_cls.policy.modes import EvalMode


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
        self._batches: list[SampleAnswers] = []
        self._sums = None if metric is None else SampleSums(metric)

    def gathered(self) -> SampleAnswers:
        """Return the samples of all ranks, which call this together."""
        return SampleAnswers.joined([each for rank in gather_objects(self._batches) for each in rank])

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
        if self._sums is not None:
            self._sums.add(logits, batch.targets.to(logits.device))
        columns = (each.cpu().numpy() for each in (batch.sample_ids, batch.targets, logits))
        answers = SampleAnswers.of(self._kind, *columns, threshold=self._threshold)
        self._batches.append(answers if self._keeps_logits else answers.without_logits())
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


def files_of(dataset: Any) -> Iterator[str]:
    """Yield the tables and arrays that a dataset is read from."""
    for inner in innermost(dataset):
        yield from (os.fspath(getattr(inner, name, None) or "") for name in ("ann_file", "data_prefix"))


def list_of(dataset: Any) -> str:
    """Return the file that lists a dataset's samples, the first one's of several; empty where none does."""
    return str(getattr(innermost(dataset)[0], "ann_file", None) or "")
