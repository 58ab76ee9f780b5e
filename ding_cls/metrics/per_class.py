"""Of single labels: precision, recall, F1 and support by class and averaged, and the confusion matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ding_cls.errors import ConfigError
from ding_cls.metrics.accuracy import Accuracy, chosen_primary
from ding_cls.metrics.base import METRICS, Direction, SumMetric
from ding_cls.metrics.targets import check_labels, class_numbers, guessed_classes

ITEMS = ("precision", "recall", "f1", "support")
AVERAGES = ("macro", "micro", "weighted", "none")


@METRICS.register_module()
class SingleLabelMetric(SumMetric):
    """Precision, recall and F1 in percent, 0 to 100, by ``{item}_{average}``; 'none' gives the list
    ``{item}_per_class``.

    ``support`` is the list of how many samples each class has. Where nothing was guessed or nothing is there,
    precision or recall is 0. Macro is the mean over all classes, also those without a sample; weighted
    is weighted by support; micro adds up the classes first.

    Args:
        items: some of 'precision', 'recall', 'f1', 'support'.
        average: one of 'macro', 'micro', 'weighted', 'none' (or None), or several.
        primary: the key that decides which checkpoint is best; None: F1 if it is there, else the first.

    Raises:
        ConfigError: no such item, average or key.
    """

    def __init__(
        self,
        items: Sequence[str] = ITEMS,
        average: str | Sequence[str | None] | None = "macro",
        primary: str | None = None,
    ) -> None:
        averages = [average] if average is None or isinstance(average, str) else list(average)
        self._items = _checked("items", items, ITEMS)
        self._averages = _checked(
            "average", ["none" if each is None else each for each in averages], AVERAGES
        )
        self.directions: Mapping[str, Direction] = {
            f"{item}_{each}": "max"
            for each in self._averages
            for item in self._items
            if each != "none" and item != "support"
        }
        preferred = next((name for name in self.directions if name.startswith("f1_")), None)
        self.primary = chosen_primary(primary or preferred, self.directions)

    def zeros(self) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(0) for name in ("count", "bad_labels", "hits", "guesses", "support")}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        safe, bad_labels = class_numbers(logits, targets)
        guesses, num_classes = guessed_classes(logits), logits.shape[1]
        return {
            "count": torch.tensor(len(targets)),
            "bad_labels": bad_labels,
            # What is no hit counts as no class: to leave it out would wait for how many these are.
            "hits": _counted(torch.where(guesses == safe, safe, num_classes), num_classes + 1)[:-1],
            # The last is no class: rows with a NaN.
            "guesses": _counted(guesses, num_classes + 1)[:-1],
            "support": _counted(safe, num_classes),
        }

    def result(self, totals: Mapping[str, Any]) -> dict[str, Any]:
        check_labels(totals)
        hits, guesses, support = (totals[name].double() for name in ("hits", "guesses", "support"))
        found: dict[str, Any] = {}
        for average in self._averages:
            values = _averaged(hits, guesses, support, average)
            for item in self._items:
                if item != "support":
                    name = f"{item}_per_class" if average == "none" else f"{item}_{average}"
                    found[name] = (100.0 * values[item]).tolist()
        if "support" in self._items:
            found["support"] = totals["support"].tolist()
        return found


@METRICS.register_module()
class ConfusionMatrix(SumMetric):
    """How many samples of each class were taken for which: ``confusion``, rows by class, columns by guess;
    and ``acc1``.

    A row with a NaN in its logits is taken for no class. The lists are in every row of metrics.jsonl.
    """

    primary = "acc1"
    directions: Mapping[str, Direction] = {"acc1": "max"}

    def zeros(self) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(0) for name in ("count", "bad_labels", "confusion")}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        safe, bad_labels = class_numbers(logits, targets)
        num_classes = logits.shape[1]
        pairs = safe * (num_classes + 1) + guessed_classes(logits)
        confusion = _counted(pairs, num_classes * (num_classes + 1)).view(num_classes, num_classes + 1)
        return {
            "count": torch.tensor(len(targets)),
            "bad_labels": bad_labels,
            "confusion": confusion[:, :-1],
        }

    def result(self, totals: Mapping[str, Any]) -> dict[str, Any]:
        check_labels(totals)
        hits = int(totals["confusion"].trace())
        return {"acc1": 100.0 * hits / totals["count"], "confusion": totals["confusion"].tolist()}

    def lean(self, *, has_scores: bool) -> SumMetric:
        return Accuracy()


def ratio(numerator: torch.Tensor, denominator: torch.Tensor) -> torch.Tensor:
    """Return the quotient, and 0 where the denominator is 0; both float64 and not negative."""
    return torch.where(denominator > 0, numerator / denominator.clamp(min=torch.finfo().tiny), 0.0)


def _averaged(
    hits: torch.Tensor, guesses: torch.Tensor, support: torch.Tensor, average: str
) -> dict[str, torch.Tensor]:
    if average == "micro":
        hits, guesses, support = hits.sum(), guesses.sum(), support.sum()
    values = {
        "precision": ratio(hits, guesses),
        "recall": ratio(hits, support),
        "f1": ratio(2 * hits, guesses + support),
    }
    if average == "macro":
        return {name: value.mean() for name, value in values.items()}
    if average == "weighted":
        return {name: (value * support).sum() / support.sum() for name, value in values.items()}
    return values


def _counted(numbers: torch.Tensor, length: int) -> torch.Tensor:
    """Return how often each number below ``length`` occurs; ``bincount`` would wait for the largest."""
    zeros = torch.zeros(length, dtype=torch.int64, device=numbers.device)
    return zeros.index_add(0, numbers, torch.ones_like(numbers))


def _checked(name: str, given: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    words = [given] if isinstance(given, str) else list(given)
    for word in words:
        if word not in known:
            raise ConfigError(f"{name} holds {word!r}; known are {', '.join(known)}")
    return tuple(dict.fromkeys(words))
