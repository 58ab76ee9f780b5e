"""What a metric is: ``IMetric`` for users, ``SumMetric`` for the exact ones."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch

from ding_cls.errors import ConfigError
from ding_cls.registry import Registry

Direction = Literal["max", "min"]


class IMetric(ABC):
    """The evaluator's part that turns logits and targets into numbers; subclass it with these three
    methods."""

    @abstractmethod
    def eval(self, inputs: Any, label: Any) -> dict[str, Any]:
        """Return the metrics of one batch, by name."""

    @abstractmethod
    def reduce_mean(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the metrics of the whole set from those of its batches.

        It is called once, with the batches of all ranks in the order of the data. A second positional
        parameter, where the method has one, receives the number of samples of each batch.
        """

    @abstractmethod
    def gt(self, metric1: Any, metric2: Any) -> bool:
        """Return whether ``metric1`` is better than ``metric2``; ``metric2`` is None before the first
        result.

        The evaluator asks it about finite results, that of the untrained network (update 0) among them: it
        decides about that one too. Patience counts from the first result of trained weights.
        """


class SumMetric(IMetric):
    """A metric made of sums over samples, and therefore exact at any batch size and number of ranks.

    A subclass names its sums, adds up one batch, and turns totals into results. The evaluator adds the
    batches and the ranks (one packed reduction); integer sums stay integers all the way.

    Attributes:
        primary: the key of the result that decides which checkpoint is best; of equal values that with the
            lower 'loss', where the result has one.
        directions: for each number of the result, whether larger ('max') or smaller ('min') is better.
        needs_scores: whether sums do not suffice. ``result`` then finds all ``logits`` (float32) and
            ``targets`` beside the totals, on the CPU in the order of the data. Every rank holds them all:
            four bytes for each logit, and as much again while they are gathered.
        proportions: results that are a share of the samples in percent, and the sum that counts these: 1 or 0
            of one sample.
    """

    primary: str
    directions: Mapping[str, Direction]
    needs_scores: bool = False
    proportions: Mapping[str, str] = {}

    @abstractmethod
    def zeros(self) -> dict[str, torch.Tensor]:
        """Return the sums over no sample: 0-dim int64 or float64 tensors by name; ``count`` is the
        samples. The sums over a batch may have more axes."""

    @abstractmethod
    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the sums over one batch: on the logits' device, and on the CPU what the host knows, such as
        ``count``: a copy to a GPU would wait for it.

        Args:
            logits: float ``(N, C)``.
            targets: int64 ``(N,)``, on the same device.
        """

    @abstractmethod
    def result(self, totals: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metrics from the sums over all samples: numbers, and tensors where there are more
        axes."""

    def lean(self, *, has_scores: bool) -> "SumMetric | None":
        """Return the metric of the same numbers with the fewest sums, to be resampled; None: there is none.

        Args:
            has_scores: all logits and targets are there for it.
        """
        return self if has_scores or not self.needs_scores else None

    def eval(self, inputs: torch.Tensor, label: torch.Tensor) -> dict[str, Any]:
        totals = plain_totals(self.sums(inputs, label))
        if self.needs_scores:
            totals |= {"logits": inputs.detach().float().cpu(), "targets": label.cpu()}
        return self.result(totals)

    def reduce_mean(
        self, inputs: list[dict[str, Any]], counts: Sequence[int] | None = None
    ) -> dict[str, float]:
        shares = [1] * len(inputs) if counts is None else counts
        total = sum(shares)
        return {
            name: math.fsum(each[name] * share for each, share in zip(inputs, shares, strict=True)) / total
            for name, value in inputs[0].items()
            if isinstance(value, int | float)
        }

    def gt(self, metric1: Mapping[str, float], metric2: Mapping[str, float] | None) -> bool:
        value = metric1.get(self.primary)
        if not isinstance(value, int | float):
            raise ConfigError(
                f"{type(self).__name__} gives no number '{self.primary}', which would decide about the best "
                f"checkpoint; its results are {', '.join(metric1)}"
            )
        if math.isnan(value):
            return False
        if metric2 is None:
            return True
        if value == metric2[self.primary]:
            return self.primary != "loss" and has_lower_loss(metric1, metric2)
        return self.is_better(self.primary, value, metric2[self.primary])

    def is_better(self, name: str, value: float, other: float) -> bool:
        """Return whether ``value`` beats ``other`` in the direction of the key ``name``; NaN never does."""
        if math.isnan(value):
            return False
        if math.isnan(other):
            return True
        return value > other if self.directions[name] == "max" else value < other

    def reached(self, result: Mapping[str, float], stop_value: Mapping[str, float] | float) -> bool:
        """Return whether the result is at least as good as ``stop_value`` in every key that this names.

        Args:
            result: what ``result()`` gave.
            stop_value: values by key, or one value for the primary key.

        Raises:
            KeyError: ``stop_value`` names a key that the result lacks.
        """
        wanted = stop_value if isinstance(stop_value, Mapping) else {self.primary: stop_value}
        return all(
            result[name] == goal or self.is_better(name, result[name], goal) for name, goal in wanted.items()
        )


def has_lower_loss(result: Mapping[str, Any], other: Mapping[str, Any], *, name: str = "loss") -> bool:
    """Return whether ``result`` has a lower loss than ``other``: how a tie of the deciding key is broken.

    Args:
        result: results by name.
        other: those it is compared with.
        name: the loss's key; where one of the two lacks it, or has no number there, the answer is no.
    """
    ours, theirs = result.get(name), other.get(name)
    if not isinstance(ours, int | float) or not isinstance(theirs, int | float):
        return False
    return ours < theirs or (math.isnan(theirs) and not math.isnan(ours))


def plain_totals(totals: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return 0-dim tensors as Python numbers, others on the CPU."""
    return {name: value.item() if value.dim() == 0 else value.cpu() for name, value in totals.items()}


METRICS: Registry[Callable[..., Any]] = Registry("metric")
