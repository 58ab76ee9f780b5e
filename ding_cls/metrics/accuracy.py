"""Top-k accuracy, also with thresholds on the score, and accuracy over several tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ding_cls.errors import ConfigError
from ding_cls.metrics.base import METRICS, Direction, SumMetric
from ding_cls.metrics.targets import (
    check_labels,
    class_numbers,
    guessed_classes,
    target_ranks,
    task_numbers,
)


@METRICS.register_module()
class Accuracy(SumMetric):
    """Accuracy in percent, 0 to 100, by ``acc{k}`` and, with thresholds, ``acc{k}_thr{threshold}``.

    With fewer than k classes ``acc{k}`` counts them all.

    Args:
        topk: how many classes may hold the right one.
        thrs: the right class must have a softmax score above this too; None: any. Several give each.
        primary: the key that decides which checkpoint is best; None: the first.

    Raises:
        ConfigError: a ``topk`` below 1, a threshold outside [0, 1), or there is no such key.
    """

    def __init__(
        self,
        topk: int | Sequence[int] = (1,),
        thrs: float | Sequence[float | None] | None = None,
        primary: str | None = None,
    ) -> None:
        places = [topk] if isinstance(topk, int) else list(topk)
        thresholds = [thrs] if thrs is None or isinstance(thrs, int | float) else list(thrs)
        if not places or any(isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in places):
            raise ConfigError(f"topk is {topk!r}; it must be a whole number from 1 on, or several")
        if not thresholds or not all(thr is None or 0 <= thr < 1 for thr in thresholds):
            raise ConfigError(f"thrs is {thrs!r}; it must be a number in [0, 1), None, or several of these")
        self._kinds = {
            f"acc{k}" if thr is None else f"acc{k}_thr{thr:g}": (k, thr) for thr in thresholds for k in places
        }
        self.directions: Mapping[str, Direction] = dict.fromkeys(self._kinds, "max")
        self.proportions: Mapping[str, str] = {name: name for name in self._kinds}
        self.primary = chosen_primary(primary, self.directions)
        self.note = ""

    def zeros(self) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(0) for name in ("count", "bad_labels", *self._kinds)}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        safe, bad_labels = class_numbers(logits, targets)
        ranks, num_classes = target_ranks(logits, safe), logits.shape[1]
        if too_many := [f"acc{k}" for k in sorted({k for k, _ in self._kinds.values()}) if k > num_classes]:
            self.note = f"{', '.join(too_many)} counts all of the {num_classes} classes: there are no more"
        # In float64 a score is the same side of its threshold at any batch size.
        scores = logits.double().softmax(1).gather(1, safe[:, None])[:, 0]
        found = {"count": torch.tensor(len(targets)), "bad_labels": bad_labels}
        for name, (k, threshold) in self._kinds.items():
            hits = ranks < min(k, num_classes)
            found[name] = (hits if threshold is None else hits & (scores > threshold)).sum()
        return found

    def result(self, totals: Mapping[str, Any]) -> dict[str, float]:
        check_labels(totals)
        return {name: 100.0 * totals[name] / totals["count"] for name in self._kinds}


@METRICS.register_module(["StringAccuracy", "MultiTasksMetric"])
class StringAccuracy(SumMetric):
    """Accuracy over K tasks, such as the characters of a captcha, in percent, 0 to 100.

    Logits are ``(N, K, C)``, targets ``(N, K)``. The results: ``acc_string`` (all K right), ``acc_character``
    (the mean over all), and ``acc_position``, the list of those of the single tasks.

    Args:
        primary: 'acc_string' or 'acc_character': it decides which checkpoint is best.

    Raises:
        ConfigError: there is no such key.
    """

    directions: Mapping[str, Direction] = {"acc_string": "max", "acc_character": "max"}
    proportions: Mapping[str, str] = {"acc_string": "strings"}

    def __init__(self, primary: str | None = None) -> None:
        self.primary = chosen_primary(primary, self.directions)

    def zeros(self) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(0) for name in ("count", "bad_labels", "strings", "positions")}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        safe, bad_labels = task_numbers(logits, targets)
        hits = guessed_classes(logits) == safe
        return {
            "count": torch.tensor(len(targets)),
            "bad_labels": bad_labels,
            "strings": hits.all(1).sum(),
            "positions": hits.sum(0),
        }

    def result(self, totals: Mapping[str, Any]) -> dict[str, Any]:
        check_labels(totals)
        shares = [100.0 * hits / totals["count"] for hits in totals["positions"].tolist()]
        return {
            "acc_string": 100.0 * totals["strings"] / totals["count"],
            "acc_character": sum(shares) / len(shares),
            "acc_position": shares,
        }


def chosen_primary(primary: str | None, directions: Mapping[str, Direction]) -> str:
    """Return the key that decides which checkpoint is best; the first where None is asked for.

    Raises:
        ConfigError: there is no such key.
    """
    if primary is None:
        return next(iter(directions), "")
    if primary not in directions:
        raise ConfigError(f"primary is '{primary}', but the results are {', '.join(directions)}")
    return primary
