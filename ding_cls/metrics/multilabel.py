"""Of several labels a sample: precision, recall and F1 by class and overall, exact matches; for labels above
a threshold or for the first k."""

from collections.abc import Mapping
from typing import Any

import torch

from ding_cls.errors import ConfigError
from ding_cls.metrics.accuracy import chosen_primary
from ding_cls.metrics.base import METRICS, Direction, SumMetric
from ding_cls.metrics.per_class import ratio
from ding_cls.metrics.targets import check_labels, several_labels

KEYS = ("CP", "CR", "CF1", "OP", "OR", "OF1")


@METRICS.register_module()
class MultiLabelMetric(SumMetric):
    """``CP``, ``CR``, ``CF1`` and ``OP``, ``OR``, ``OF1`` in percent, 0 to 100.

    CP and CR are the means of the classes' precision and recall, and CF1 is the harmonic mean of these two;
    OP, OR and OF1 add up the classes first. What nothing was guessed of or nothing is there of counts as 0.
    Targets are ``(N, C)``: 1, 0, or negative where an answer is left out.

    Args:
        thr: a class is guessed when its sigmoid reaches this; 0.5 when neither is given.
        topk: the k largest logits are guessed instead; of equal ones the lower class number first.
        primary: the key that decides which checkpoint is best; None: 'OF1'.

    Raises:
        ConfigError: both or impossible values are given, or there is no such key.

    Source: CNN-RNN: A Unified Framework for Multi-label Image Classification, Wang et al. 2016, section 4.2
    (arXiv:1604.04573).
    """

    directions: Mapping[str, Direction] = dict.fromkeys(KEYS, "max")

    def __init__(self, thr: float | None = None, topk: int | None = None, primary: str | None = None) -> None:
        if thr is not None and topk is not None:
            raise ConfigError(f"a label is guessed by thr={thr} or by topk={topk}; leave one of them out")
        if thr is not None and not 0 <= thr <= 1:
            raise ConfigError(f"thr is {thr!r}; it must lie in [0, 1]")
        if topk is not None and (isinstance(topk, bool) or not isinstance(topk, int) or topk < 1):
            raise ConfigError(f"topk is {topk!r}; it must be a whole number from 1 on")
        self._threshold = 0.5 if thr is None else float(thr)
        self._topk = topk
        self.primary = chosen_primary(primary or "OF1", self.directions)

    def zeros(self) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(0) for name in ("count", "bad_labels", "hits", "guesses", "labels")}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        has_class, counts, bad_labels = several_labels(logits, targets)
        guessed = self._guessed(logits) & counts
        return {
            "count": torch.tensor(len(targets)),
            "bad_labels": bad_labels,
            "hits": (guessed & has_class).sum(0),
            "guesses": guessed.sum(0),
            "labels": has_class.sum(0),
        }

    def result(self, totals: Mapping[str, Any]) -> dict[str, float]:
        check_labels(totals)
        hits, guesses, labels = (totals[name].double() for name in ("hits", "guesses", "labels"))
        values = [
            *_both(ratio(hits, guesses).mean(), ratio(hits, labels).mean()),
            *_both(ratio(hits.sum(), guesses.sum()), ratio(hits.sum(), labels.sum())),
        ]
        return {name: 100.0 * value.item() for name, value in zip(KEYS, values, strict=True)}

    def _guessed(self, logits: torch.Tensor) -> torch.Tensor:
        if self._topk is None:
            # NaN reaches no threshold.
            return logits.double().sigmoid() >= self._threshold
        order = logits.argsort(dim=1, descending=True, stable=True)[:, : self._topk]
        return torch.zeros_like(logits, dtype=torch.bool).scatter(1, order, True) & ~logits.isnan()


@METRICS.register_module()
class ExactMatch(MultiLabelMetric):
    """``exact_match``: how many samples have all their labels guessed and no other, in percent, 0 to 100.

    Targets are those of ``MultiLabelMetric``; an answer that is left out is right in any case.

    Args:
        thr: as in ``MultiLabelMetric``.
        topk: as in ``MultiLabelMetric``.

    Raises:
        ConfigError: both or impossible values are given.
    """

    primary = "exact_match"
    directions: Mapping[str, Direction] = {"exact_match": "max"}
    proportions: Mapping[str, str] = {"exact_match": "matches"}

    def __init__(self, thr: float | None = None, topk: int | None = None) -> None:
        super().__init__(thr, topk, "exact_match")

    def zeros(self) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(0) for name in ("count", "bad_labels", "matches")}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        has_class, counts, bad_labels = several_labels(logits, targets)
        is_right = (self._guessed(logits) == has_class) | ~counts
        return {
            "count": torch.tensor(len(targets)),
            "bad_labels": bad_labels,
            "matches": (is_right.all(1) & ~logits.isnan().any(1)).sum(),
        }

    def result(self, totals: Mapping[str, Any]) -> dict[str, float]:
        check_labels(totals)
        return {"exact_match": 100.0 * totals["matches"] / totals["count"]}


def _both(precision: torch.Tensor, recall: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return precision, recall, ratio(2 * precision * recall, precision + recall)
