"""What the label of an image is, and whether network and metric are made for it.

A label is one number, a number for each of several tasks, or several labels: a 1 for each that is there.
"""

import logging
import warnings
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from ding_cls.common.seed import generator, sample_randomness
from ding_cls.data.datasets.wrappers import IndexedDataset, innermost, loaded
from ding_cls.data.labels import label_view
from ding_cls.errors import ConfigError, DingError
from ding_cls.metrics import (
    METRICS,
    ClassificationMetrics,
    DatasetMetric,
    ImageClassificationMetric,
    IMetric,
    SumMetric,
    build_metric,
    known_metrics,
)
from ding_cls.registry import is_ours

_LOGGER = logging.getLogger(__name__)
# So many samples show whether a metric takes labels of their kind.
_NUM_TRIED = 64
_METRICS: Mapping[str, Mapping[str, Any]] = {
    "several": {"type": "ClassificationMetrics", "metrics": ["mAP", "CF1", "OF1", "exact_match"]},
    "tasks": {"type": "StringAccuracy"},
}
_OF_CROSS_ENTROPY = (ImageClassificationMetric, ClassificationMetrics)


class Labels(NamedTuple):
    """The label that a dataset gives each image.

    Attributes:
        kind: 'one' class number, or shares of the classes that add up to 1; 'tasks': a class number for each;
            'several': for each class whether it is there.
        num_tasks: how many tasks there are.
    """

    kind: Literal["one", "tasks", "several"]
    num_tasks: int = 1

    def __str__(self) -> str:
        words = {"one": "is one number", "several": "has several labels"}
        return words.get(self.kind, f"is {self.num_tasks} numbers, one for each task")


def has_class_numbers(dataset: Any) -> bool:
    """Return whether the labels of a dataset are class numbers, one or one for each task."""
    first = np.asarray(_targets_of(dataset)[0])
    return first.size == 1 or (first.ndim == 1 and bool(np.issubdtype(first.dtype, np.integer)))


def _targets_of(dataset: Any) -> Any:
    """Return the labels of a dataset, not copied, or else that of its first sample."""
    targets = label_view(dataset)
    if targets is None:
        with sample_randomness(0):
            sample = loaded(dataset, 0)
        targets = [sample[1]] if isinstance(sample, tuple | list) else [0]
    return targets


def labels_of(dataset: Any) -> Labels:
    """Return what the labels of a dataset are: as it says itself, by its ``targets``, or else by its first
    sample."""
    if any(getattr(inner, "is_multi_label", False) for inner in innermost(dataset)):
        # One label each, as it happens, are several all the same.
        return Labels("several")
    targets = _targets_of(dataset)
    first = np.asarray(targets[0])
    if first.size == 1 or first.ndim != 1 or first.dtype == object:
        return Labels("one")
    if np.issubdtype(first.dtype, np.integer):
        return Labels("tasks", len(first))
    # Most often the first row decides; all of them as one array of floats would take a gigabyte.
    return Labels("one") if all(map(_are_shares, targets)) else Labels("several")


def _are_shares(row: Any) -> bool:
    row = np.asarray(row, np.float64)
    return bool((row >= 0).all()) and bool(np.isclose(row.sum(), 1.0, atol=1e-3))


def described_metric_of(cfg: Mapping[str, Any] | None, kind: str) -> Mapping[str, Any] | None:
    """Return the description of a metric; where there is none that of the usual one of a kind of labels."""
    return _METRICS.get(kind) if cfg is None else cfg


def metric_for(cfg: Mapping[str, Any] | None, dataset: Any) -> IMetric:
    """Return the metric that ``policy.eval.metric`` describes; for None the usual one of such labels.

    Where the dataset's class is the user's and has an ``evaluate`` of its own, its results come on top.

    Raises:
        ConfigError: as ``build_metric``; or an ``evaluate`` that cannot be called.
    """
    kind = labels_of(dataset).kind
    owner, indices = owner_of_evaluate(dataset)
    if owner is None:
        return build_metric(described_metric_of(cfg, kind))
    usual = build_metric(described_metric_of(cfg, kind) if cfg is None else known_metrics(cfg))
    if not isinstance(usual, SumMetric):
        return usual
    return DatasetMetric(owner, usual, cfg, indices=indices, has_sigmoids=kind == "several")


def owner_of_evaluate(dataset: Any) -> tuple[Any, list[int] | None]:
    """Return the user's dataset that has an ``evaluate``, and which of its samples are meant (None: all).

    None where there is no such dataset, or several in a row.
    """
    indices: list[int] | None = None
    while isinstance(dataset, IndexedDataset):
        own = dataset.indices
        indices = list(own) if indices is None else [own[each] for each in indices]
        dataset = dataset.dataset
    method = getattr(type(dataset), "evaluate", None)
    return (None, None) if method is None or is_ours(method) else (dataset, indices)


def measures_cross_entropy(cfg: Mapping[str, Any] | None) -> bool:
    """Return whether the ``loss`` of the metric that ``policy.eval.metric`` describes is cross-entropy."""
    part = cfg.get("type") if cfg else ImageClassificationMetric
    part = METRICS.get(part) if isinstance(part, str) and part in METRICS else part
    return isinstance(part, type) and issubclass(part, _OF_CROSS_ENTROPY)


def check_metric(described: Mapping[str, Any] | None, dataset: Any) -> None:
    """Check that a metric is made for the labels of a dataset, before any image is read.

    A few of the labels, with logits by chance, are given to a copy of it. Only a metric made of sums is
    tried: what a call of any other leaves behind is not known.

    Args:
        described: as ``metric_for`` takes it.
        dataset: the samples to evaluate.

    Raises:
        ConfigError: it cannot be built, or takes other labels.
    """
    metric = metric_for(described, dataset)
    metric = metric.usual if isinstance(metric, DatasetMetric) else metric
    if described is None or not isinstance(metric, SumMetric):
        return
    labels = labels_of(dataset)
    try:
        with warnings.catch_warnings():
            # Of so few samples some classes have none.
            warnings.simplefilter("ignore")
            metric.eval(*_tried(dataset, labels))
    except DingError as error:
        raise ConfigError(
            f"the metric {described['type']} does not fit the data, where a label {labels}: {error}"
        ) from error
    except Exception as error:
        # What else a user's metric makes of logits by chance says nothing about the real ones.
        _LOGGER.debug("the metric could not be tried before the evaluation: %s", error)


def _tried(dataset: Any, labels: Labels) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits by chance and labels of a few samples, as an evaluation would give them to a metric."""
    targets, num_classes = _targets_of(dataset), len(dataset.classes)
    chosen = np.linspace(0, len(targets) - 1, min(len(targets), _NUM_TRIED)).astype(int)
    tried = torch.from_numpy(np.stack([np.asarray(targets[each]) for each in chosen]))
    if labels.kind == "several" or (tried.dim() == 2 and tried.is_floating_point()):
        return torch.randn(len(chosen), num_classes, generator=generator(0)), tried.float()
    tasks = (labels.num_tasks,) if labels.kind == "tasks" else ()
    logits = torch.randn(len(chosen), *tasks, num_classes, generator=generator(0))
    # A label outside the classes is for the evaluation itself to refuse.
    return logits, tried.long().reshape(len(chosen), *tasks).clamp(0, num_classes - 1)


def check_tasks(network: torch.nn.Module, labels: Labels, *, data: str, remedy: str = "") -> None:
    """Check that a network has a head for the tasks of the labels.

    Args:
        network: it tells by its head's ``num_tasks``.
        labels: of the data.
        data: how the message names the data.
        remedy: what to do; by default which head to take.

    Raises:
        ConfigError: there is a head for more or fewer tasks.
    """
    num_tasks = getattr(getattr(network, "head", None), "num_tasks", None)
    wanted = labels.num_tasks if labels.kind == "tasks" else None
    if num_tasks != wanted:
        head = f"set policy.model.head=dict(type='MultiTaskHead', num_tasks={wanted})"
        has = f"num_tasks={num_tasks}" if num_tasks is not None else "one head"
        raise ConfigError(
            f"a label of {data} {labels}, and the {type(network).__name__} has {has}; "
            f"{remedy or (head if wanted else 'take a head for one task')}"
        )
