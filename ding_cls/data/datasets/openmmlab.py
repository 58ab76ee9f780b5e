"""What ``evaluate`` of mmclassification's datasets returns: accuracies, precision, recall, F1, support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.errors import ConfigError

Array = npt.NDArray[Any]

_METRICS = ("accuracy", "precision", "recall", "f1_score", "support")
_OPTIONS = ("topk", "thrs", "average_mode")


def evaluate_scores(
    results: Sequence[Any] | Array,
    targets: Array,
    metric: str | Sequence[str],
    metric_options: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return percentages by mmclassification's names.

    Args:
        results: float ``(C,)`` scores of each sample, in the order of the data.
        targets: class numbers ``(N,)``.
        metric: of 'accuracy', 'precision', 'recall', 'f1_score' and 'support'.
        metric_options: ``topk``, ``thrs`` (a guess counts where its score is above) and ``average_mode``.

    Raises:
        ConfigError: another metric or option, or not one result for each target.
    """
    wanted, options = [metric] if isinstance(metric, str) else list(metric), dict(metric_options or {})
    for kind, names, known in (("metric", wanted, _METRICS), ("metric_options", list(options), _OPTIONS)):
        for name in names:
            if name not in known:
                raise ConfigError(f"evaluate: {kind} has {name!r}; there are {', '.join(known)}")
    scores = np.vstack([np.asarray(each) for each in results])
    if len(scores) != len(targets):
        raise ConfigError(f"evaluate: there are {len(scores)} results for {len(targets)} samples")
    thrs = options.get("thrs", 0.0)
    found = _accuracies(scores, targets, options.get("topk", (1, 5)), thrs) if "accuracy" in wanted else {}
    others = [name for name in wanted if name != "accuracy"]
    for threshold in thrs if others and isinstance(thrs, list | tuple) else (thrs,) if others else ():
        end = f"_thr_{threshold:.2f}" if isinstance(thrs, list | tuple) else ""
        values = _per_class(scores, targets, threshold or 0.0, options.get("average_mode", "macro"))
        found |= {f"{name}{end}": values[name] for name in others}
    return found


def _accuracies(scores: Array, targets: Array, topk: Any, thrs: Any) -> dict[str, float]:
    places = [topk] if isinstance(topk, int) else list(topk)
    thresholds = thrs if isinstance(thrs, list | tuple) else (thrs,)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : max(places)]
    is_right, guessed = order == np.asarray(targets)[:, None], np.take_along_axis(scores, order, 1)
    found = {}
    for place in places:
        for threshold in thresholds:
            name = "accuracy" if isinstance(topk, int) else f"accuracy_top-{place}"
            end = f"_thr_{threshold or 0.0:.2f}" if isinstance(thrs, list | tuple) else ""
            hits = is_right & (True if threshold is None else guessed > threshold)
            found[f"{name}{end}"] = float(hits[:, :place].any(1).mean() * 100)
    return found


def _per_class(scores: Array, targets: Array, threshold: float, average: str | None) -> dict[str, Any]:
    num_classes = scores.shape[1]
    guesses = scores.argmax(1)
    counted = scores.max(1) > threshold
    hits = np.bincount(targets[counted & (guesses == targets)], minlength=num_classes)
    guessed = np.bincount(guesses[counted], minlength=num_classes)
    support = np.bincount(targets, minlength=num_classes)
    if average == "micro":
        hits, guessed, support = (each.sum(keepdims=True) for each in (hits, guessed, support))
    precision, recall = hits / np.maximum(guessed, 1) * 100, hits / np.maximum(support, 1) * 100
    f1_score = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).eps)
    values = {"precision": precision, "recall": recall, "f1_score": f1_score}
    if average is None or average == "none":
        return {**values, "support": support}
    return {**{name: float(each.mean()) for name, each in values.items()}, "support": int(support.sum())}
