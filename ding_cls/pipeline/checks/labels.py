"""What the label of a picture is, and whether network, loss and metric are made for it.

A label is one number, a number for each of several tasks, or several labels: a 1 for each that is there.
"""

import logging
import warnings
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from ding_cls.common.seed import generator, sample_randomness
from ding_cls.config.merge import plain_copy
from ding_cls.data.datasets.wrappers import loaded
from ding_cls.errors import ConfigError, DingError
from ding_cls.metrics import IMetric, SumMetric, build_metric
from ding_cls.models import ClsHead, build_loss, described_loss

_LOGGER = logging.getLogger(__name__)
# So many samples show whether a metric takes labels of their kind.
_NUM_TRIED = 64
_METRICS: Mapping[str, Mapping[str, Any]] = {
    "several": {"type": "ClassificationMetrics", "metrics": ["mAP", "CF1", "OF1", "exact_match"]},
    "tasks": {"type": "StringAccuracy"},
}
# Their classes compete for one label.
_OF_ONE_LABEL = ("CrossEntropyLoss", "LabelSmoothLoss", "NLLLoss", "SoftmaxFocalLoss", "SeesawLoss")


class Labels(NamedTuple):
    """What a data set says of each picture.

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
    """Return whether the labels of a data set are class numbers, one or one for each task."""
    first = np.asarray(_targets_of(dataset)[0])
    return first.size == 1 or (first.ndim == 1 and bool(np.issubdtype(first.dtype, np.integer)))


def _targets_of(dataset: Any) -> Any:
    """Return the ``targets`` of a data set, or else that of its first sample."""
    targets = getattr(dataset, "targets", None)
    if targets is None:
        with sample_randomness(0):
            sample = loaded(dataset, 0)
        targets = [sample[1]] if isinstance(sample, tuple | list) else [0]
    return targets


def labels_of(dataset: Any) -> Labels:
    """Return what the labels of a data set are, by its ``targets``, or else by its first sample."""
    targets = _targets_of(dataset)
    first = np.asarray(targets[0])
    if first.size == 1 or first.ndim != 1 or first.dtype == object:
        return Labels("one")
    if np.issubdtype(first.dtype, np.integer):
        return Labels("tasks", len(first))
    rows = np.asarray(targets, np.float64)
    are_shares = bool((rows >= 0).all()) and np.allclose(rows.sum(1), 1.0, atol=1e-3)
    return Labels("one") if are_shares else Labels("several")


def metric_for(cfg: Mapping[str, Any] | None, dataset: Any) -> IMetric:
    """Return the metric that ``policy.eval.metric`` describes; for None the usual one of such labels.

    Raises:
        ConfigError: as ``build_metric``.
    """
    return build_metric(_METRICS.get(labels_of(dataset).kind) if cfg is None else cfg)


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


def check_labels(cfg: Any, network: torch.nn.Module, dataset: Any) -> None:
    """Check that what is trained is made for the labels of the training data.

    Raises:
        ConfigError: there is a head for more or fewer tasks, or one label is asked for where there are
            several.
    """
    labels = labels_of(dataset)
    num_tasks = getattr(getattr(network, "head", None), "num_tasks", None)
    if num_tasks != (labels.num_tasks if labels.kind == "tasks" else None):
        advice = "take a head for one task"
        if labels.kind == "tasks":
            advice = f"set policy.model.head=dict(type='MultiTaskHead', num_tasks={labels.num_tasks})"
        has = f"num_tasks={num_tasks}" if num_tasks is not None else "one head"
        raise ConfigError(
            f"a label of the training data {labels}, and the {type(network).__name__} has {has}; {advice}"
        )
    if labels.kind == "several":
        _check_loss(cfg, network)


def _check_loss(cfg: Any, network: torch.nn.Module) -> None:
    key, described = "policy.learn.loss", cfg.policy.learn.loss
    if getattr(network, "computes_loss", False):
        key, loss = "policy.model.head.loss", getattr(getattr(network, "head", None), "compute_loss", None)
        if loss is None:
            return
    elif described is None:
        loss = None
    else:
        is_short = isinstance(described, str)
        loss = build_loss(described_loss(described) if is_short else plain_copy(described))
    # torch's own losses come in a wrapper.
    name = "the default cross-entropy" if loss is None else type(getattr(loss, "loss", loss)).__name__
    is_for_each = getattr(loss, "use_sigmoid", False) or getattr(loss, "mode", "") == "multi_label"
    if loss is not None and (name not in _OF_ONE_LABEL or is_for_each):
        return
    has_head = isinstance(getattr(network, "head", None), ClsHead)
    head = "policy.model.head.type='MultiLabelLinearClsHead', or " if has_head else ""
    raise ConfigError(
        f"a picture of the training data has several labels, and {name} lets the classes compete for one; "
        f"set {head}{key}=dict(type='CrossEntropyLoss', use_sigmoid=True)"
    )
