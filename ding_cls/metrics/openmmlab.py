"""A dataset's own ``evaluate``, in the form of mmclassification, as a metric.

It must not know datasets: it gets one, and calls that one method.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ding_cls.errors import ConfigError
from ding_cls.metrics.base import IMetric, SumMetric

_LOGGER = logging.getLogger(__name__)
# Keys of ClassificationMetrics, and what mmclassification's options call them.
_OPTIONS = {"topk": "topk", "thrs": "thrs", "average": "average_mode", "thr": "thr", "k": "k"}
_TOPK = 5


class DatasetMetric(IMetric):
    """What a dataset's ``evaluate`` returns of the scores of all samples, beside the results of ``metric``.

    Which checkpoint is best is decided by ``metric``, or by the key that ``save_best`` names.

    Args:
        dataset: has ``evaluate(results, metric=, metric_options=, indices=, logger=)``; of these keywords it
            gets those that it takes. ``results`` is a list of the samples' probabilities, float32 ``(C,)``,
            in the order of the data.
        metric: the usual one for such data.
        cfg: what the config says of the metric; None: nothing.
        indices: which of the dataset's samples are evaluated; None: all.
        has_sigmoids: a sample has several labels, each with a probability of its own.

    Attributes:
        usual: ``metric``.

    Raises:
        ConfigError: ``indices`` are given, and ``evaluate`` does not take them.
    """

    def __init__(
        self,
        dataset: Any,
        metric: SumMetric,
        cfg: Mapping[str, Any] | None = None,
        *,
        indices: Sequence[int] | None = None,
        has_sigmoids: bool = False,
    ) -> None:
        self.usual, self._dataset, self._has_sigmoids = metric, dataset, has_sigmoids
        self._keywords = self._keywords_of(dict(cfg or {}), indices)

    def eval(self, inputs: torch.Tensor, label: torch.Tensor) -> dict[str, Any]:
        return {"logits": inputs.detach().float().cpu(), "targets": label.cpu()}

    def reduce_mean(
        self, inputs: list[dict[str, Any]], counts: Sequence[int] | None = None
    ) -> dict[str, Any]:
        logits, targets = (torch.cat([each[name] for each in inputs]) for name in ("logits", "targets"))
        scores = logits.sigmoid() if self._has_sigmoids else logits.softmax(-1)
        found = self._dataset.evaluate(list(scores.numpy()), **self._keywords)
        if not isinstance(found, Mapping):
            name = type(self._dataset).__name__
            raise ConfigError(f"{name}.evaluate returned {found!r}; it must return a dict of numbers by name")
        usual = self.usual.eval(logits, targets)
        return {**usual, **{str(name): value for name, value in found.items()}}

    def gt(self, metric1: Any, metric2: Any) -> bool:
        return self.usual.gt(metric1, metric2)

    def _keywords_of(self, cfg: dict[str, Any], indices: Sequence[int] | None) -> dict[str, Any]:
        name = f"{type(self._dataset).__name__}.evaluate"
        parameters = inspect.signature(self._dataset.evaluate).parameters
        takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        # A topk that the usual metric has anyway is not in the config any more; of few classes it was (1,).
        num_classes = len(getattr(self._dataset, "CLASSES", None) or ()) or _TOPK
        if not self._has_sigmoids:
            cfg.setdefault("topk", (1, _TOPK) if num_classes >= _TOPK else (1,))
        options = {theirs: cfg.get(ours) for ours, theirs in _OPTIONS.items()}
        options = {key: value for key, value in options.items() if value is not None}
        offered = {"metric": cfg.get("metrics"), "metric_options": options, "indices": indices}
        given = {key: value for key, value in offered.items() if value not in (None, {})}
        given["logger"] = _LOGGER
        if "metric" in parameters and parameters["metric"].default is inspect.Parameter.empty:
            given.setdefault("metric", "accuracy")
        if indices is not None and not takes_any and "indices" not in parameters:
            raise ConfigError(
                f"{name} takes no 'indices', and {len(indices)} of its samples are evaluated; "
                "let it take indices=None, and count these alone where there are any"
            )
        return {key: value for key, value in given.items() if takes_any or key in parameters}
