"""Cross-entropy, top-1 and top-5 accuracy; and any metric by its name."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import torch
from torch.nn import functional

from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError
from ding_cls.metrics.accuracy import chosen_primary
from ding_cls.metrics.base import METRICS, Direction, IMetric, SumMetric
from ding_cls.metrics.combined import SHORT_NAMES, short_name
from ding_cls.metrics.targets import check_labels, class_numbers, target_ranks


@METRICS.register_module()
class ImageClassificationMetric(SumMetric):
    """Mean cross-entropy ``loss``, and ``acc1`` and ``acc5`` in percent, 0 to 100.

    With fewer than five classes ``acc5`` counts them all; ``show.shown_results`` leaves it out of what is
    printed.

    Args:
        primary: the key that decides which checkpoint is best.

    Raises:
        ConfigError: there is no such key.
    """

    directions: Mapping[str, Direction] = {"loss": "min", "acc1": "max", "acc5": "max"}
    proportions: Mapping[str, str] = {"acc1": "top1", "acc5": "top5"}

    def __init__(self, primary: str = "acc1") -> None:
        self.primary = chosen_primary(primary, self.directions)
        self.loss = torch.nn.CrossEntropyLoss()

    @staticmethod
    def accuracy(
        inputs: torch.Tensor, label: torch.Tensor, topk: tuple[int, ...] = (1, 5)
    ) -> dict[str, torch.Tensor]:
        """Return ``{'acc1': ..., 'acc5': ...}`` in percent as 0-dim float32 tensors.

        Args:
            inputs: logits, float ``(N, C)``.
            label: class numbers, int64 ``(N,)``.
            topk: how many classes may hold the right one.
        """
        ranks = target_ranks(inputs, label)
        return {f"acc{k}": _hits(ranks, k, inputs.shape[1]) * 100.0 / len(label) for k in topk}

    def zeros(self) -> dict[str, torch.Tensor]:
        sums = {name: torch.zeros((), dtype=torch.int64) for name in ("count", "top1", "top5", "bad_labels")}
        return {**sums, "loss": torch.zeros((), dtype=torch.float64)}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        safe, bad_labels = class_numbers(logits, targets)
        num_classes = logits.shape[1]
        ranks = target_ranks(logits, safe)
        losses = functional.cross_entropy(logits.float(), safe, reduction="none")
        return {
            "count": torch.tensor(len(targets)),
            "top1": _hits(ranks, 1, num_classes),
            "top5": _hits(ranks, 5, num_classes),
            "bad_labels": bad_labels,
            "loss": losses.double().sum(),
        }

    def result(self, totals: Mapping[str, float]) -> dict[str, float]:
        check_labels(totals)
        count = totals["count"]
        return {
            "loss": totals["loss"] / count,
            "acc1": 100.0 * totals["top1"] / count,
            "acc5": 100.0 * totals["top5"] / count,
        }


def _hits(ranks: torch.Tensor, k: int, num_classes: int) -> torch.Tensor:
    # Clipped: a row with a NaN has the rank ``num_classes``, which is below 5 where there are fewer classes.
    return (ranks < min(k, num_classes)).sum()


def build_metric(cfg: Mapping[str, Any] | None = None) -> IMetric:
    """Return the metric that ``dict(type='Name', ...)`` describes; for None loss, acc1 and acc5.

    Args:
        cfg: ``type`` is a name in ``METRICS``, the other keys are arguments of its constructor.

    Raises:
        ConfigError: there is no such metric or argument, or what was built is no ``IMetric``.
    """
    if cfg is None:
        return ImageClassificationMetric()
    metric = METRICS.build(plain_copy(cfg))
    if not isinstance(metric, IMetric):
        raise ConfigError(
            f"metric {cfg['type']} is a {type(metric).__name__}, which is no IMetric: subclass "
            "ding_cls.IMetric with eval, reduce_mean and gt"
        )
    return metric


def described_metric(metrics: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``dict(type='Name', ...)`` of one metric or of several together.

    Args:
        metrics: names in ``METRICS``, the short names of ``ClassificationMetrics``, or ``dict(type=, ...)``.

    Raises:
        ConfigError: there is no such metric; the message names the nearest.
    """
    wanted = [metrics] if isinstance(metrics, str | Mapping) else list(metrics)
    found = [_described(each) for each in wanted]
    if len(found) == 1 and isinstance(found[0], Mapping):
        return dict(found[0])
    return {"type": "ClassificationMetrics", "metrics": found}


def _described(metric: str | Mapping[str, Any]) -> str | dict[str, Any]:
    if isinstance(metric, Mapping):
        return dict(metric)
    if metric in METRICS:
        return {"type": metric}
    if (short := short_name(metric)) is not None:
        return short
    # The nearest whatever its case; of two that differ in nothing else a class's name.
    known = {name.lower(): name for name in (*SHORT_NAMES, *METRICS.names())}
    near = [known[each] for each in get_close_matches(metric.lower(), known, n=3)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known.values()))}"
    raise ConfigError(f"there is no metric '{metric}'; {hint}")
