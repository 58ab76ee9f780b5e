"""How far scores are from probabilities: negative log-likelihood, Brier score, expected calibration error."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.metrics.base import METRICS, Direction, SumMetric
from ding_cls.metrics.targets import check_labels, class_numbers, target_ranks


class _MeanOverSamples(SumMetric):
    """A mean of one float64 value a sample; smaller is better. A subclass names it and gives the values."""

    primary: str

    def zeros(self) -> dict[str, torch.Tensor]:
        sums = {name: torch.tensor(0) for name in ("count", "bad_labels")}
        return {**sums, "sum": torch.zeros((), dtype=torch.float64)}

    def values(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return float64 ``(N,)`` of float64 logits ``(N, C)`` and valid class numbers."""
        raise NotImplementedError

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        safe, bad_labels = class_numbers(logits, targets)
        return {
            "count": torch.tensor(len(targets)),
            "bad_labels": bad_labels,
            "sum": self.values(logits.double(), safe).sum(),
        }

    def result(self, totals: Mapping[str, Any]) -> dict[str, float]:
        check_labels(totals)
        return {self.primary: totals["sum"] / totals["count"]}


@METRICS.register_module()
class NegativeLogLikelihood(_MeanOverSamples):
    """``nll``: the mean of -log of the right class's softmax, in float64.

    Args:
        name: another key for it.
    """

    def __init__(self, name: str = "nll") -> None:
        self.primary = name
        self.directions: Mapping[str, Direction] = {name: "min"}

    def values(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(logits, targets, reduction="none")


@METRICS.register_module()
class BrierScore(_MeanOverSamples):
    """``brier``: the mean of the squared distances between softmax and one-hot target, in [0, 2].

    Source: Verification of Forecasts Expressed in Terms of Probability, Brier 1950, eq. 2. It is the sum over
    all classes, also where there are two; some halve that.
    """

    primary = "brier"
    directions: Mapping[str, Direction] = {"brier": "min"}

    def values(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        scores = logits.softmax(1)
        return (scores - functional.one_hot(targets, logits.shape[1])).square().sum(1)


@METRICS.register_module()
class CalibrationError(SumMetric):
    """``ece``: the expected calibration error of the largest softmax score, in [0, 1].

    The scores fall into bins of equal width, open below and closed above; the bins' gaps between mean score
    and accuracy are weighted by the bins' shares of the samples.

    Args:
        num_bins: how many.

    Raises:
        ConfigError: fewer than one bin.

    Source: On Calibration of Modern Neural Networks, Guo et al. 2017, eq. 3, with its 15 bins
    (arXiv:1706.04599).
    """

    primary = "ece"
    directions: Mapping[str, Direction] = {"ece": "min"}

    def __init__(self, num_bins: int = 15) -> None:
        if isinstance(num_bins, bool) or not isinstance(num_bins, int) or num_bins < 1:
            raise ConfigError(f"num_bins is {num_bins!r}; it must be a whole number from 1 on")
        self._num_bins = num_bins

    def zeros(self) -> dict[str, torch.Tensor]:
        sums = {name: torch.tensor(0) for name in ("count", "bad_labels")}
        hits = torch.zeros(self._num_bins, dtype=torch.int64)
        return {**sums, "hits": hits, "scores": hits.double()}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        safe, bad_labels = class_numbers(logits, targets)
        # A row with a NaN has no score: it is a miss in the lowest bin.
        scores = logits.double().softmax(1).amax(1).nan_to_num(0.0)
        bins = bins_of(scores, self._num_bins)
        hits = (target_ranks(logits, safe) == 0).long()
        empty = torch.zeros(self._num_bins, dtype=torch.int64, device=logits.device)
        return {
            "count": torch.tensor(len(targets)),
            "bad_labels": bad_labels,
            "hits": empty.index_add(0, bins, hits),
            "scores": empty.double().index_add(0, bins, scores),
        }

    def result(self, totals: Mapping[str, Any]) -> dict[str, float]:
        check_labels(totals)
        # n_b / n * |hits_b / n_b - scores_b / n_b|: the bins' own numbers cancel.
        gaps = (totals["hits"].double() - totals["scores"]).abs()
        return {"ece": gaps.sum().item() / totals["count"]}

    def lean(self, *, has_scores: bool) -> None:
        # Absolute gaps grow with noise, so resamples have larger ones: of 250 samples in 10 classes an
        # interval held the true error in 48 to 89 % of trials, by whatever bootstrap.
        return None


def bins_of(scores: torch.Tensor, num_bins: int) -> torch.Tensor:
    """Return the bin of each score in [0, 1], int64: of equal width, open below and closed above."""
    return ((scores * num_bins).ceil().long() - 1).clamp(0, num_bins - 1)
