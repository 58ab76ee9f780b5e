"""The usual results of each kind of label, and their 95 % intervals, in NumPy: those of `ding_cls.metrics`.

Each takes how often every sample counts: once for what was measured, as it is drawn for an interval. Of equal
logits the lower class number comes first, and a row that holds a NaN is never right, as in
`ding_cls.metrics.targets`. It must not know images or networks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.answers.evaluation.records import guessed_classes, ratio
from ding_cls.answers.prediction import AnswerRule, Floats
from ding_cls.answers.proportions import Interval, wilson
from ding_cls.answers.resampling import (
    MAX_SCORES,
    NUM_DRAWS,
    NUM_DRAWS_OF_SCORES,
    counts_of_draws,
    percentiles,
)

Counts = npt.NDArray[np.float64]
Columns = tuple[npt.NDArray[Any], ...]


class Measure(ABC):
    """What is measured of samples of one kind of label; they come in batches.

    Attributes:
        drawn: the results whose interval is found by draws.
        num_draws: how many draws these take.
    """

    drawn: Sequence[str] = ()
    num_draws = NUM_DRAWS

    def __init__(self) -> None:
        self._batches: list[Columns] = []

    def add(self, logits: Floats, targets: npt.NDArray[Any]) -> None:
        """Add a batch."""
        self._batches.append(self._columns_of(logits, targets))

    @cached_property
    def columns(self) -> Columns:
        """What is kept of each sample of all batches."""
        return tuple(map(np.concatenate, zip(*self._batches, strict=True)))

    @abstractmethod
    def _columns_of(self, logits: Floats, targets: npt.NDArray[Any]) -> Columns:
        """Return what is kept of each sample of a batch."""

    @abstractmethod
    def proportions(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Return of results that are a share of the samples, which samples count, bool ``(N,)``."""

    @abstractmethod
    def result(self, counts: Counts) -> dict[str, Any]:
        """Return the results by name, percentages from 0 to 100.

        Args:
            counts: how often each sample counts, float64 ``(N,)``.
        """

    def measured(self) -> dict[str, Any]:
        """Return the results of all samples, each counted once."""
        return self.result(np.ones(len(self.columns[0])))

    def intervals(self) -> dict[str, Interval]:
        """Return the 95 % interval of each result that can have one, as `SampleSums.intervals` does."""
        measured, num_samples = self.measured(), len(self.columns[0])
        found = {name: wilson(int(hits.sum()), num_samples) for name, hits in self.proportions().items()}
        draws = [
            [drawn[name] for name in self.drawn]
            for counts in counts_of_draws(num_samples, self.num_draws if self.drawn else 0)
            for drawn in [self.result(counts.astype(np.float64))]
        ]
        for name, values in zip(self.drawn, np.array(draws, np.float64).T, strict=True):
            if (interval := percentiles(values, measured[name])) is not None:
                found[name] = interval
        return {name: found[name] for name in measured if name in found}


class ClassNumber(Measure):
    """``loss``, the cross-entropy, and ``acc1`` and ``acc5``; of fewer classes the latter counts them all.

    Logits are ``(N, C)``, targets class numbers ``(N,)``.
    """

    drawn = ("loss",)

    def _columns_of(self, logits: Floats, targets: npt.NDArray[Any]) -> Columns:
        exact, num_classes = logits.astype(np.float64), logits.shape[1]
        own = np.take_along_axis(exact, targets[:, None], 1)
        is_before = (exact > own) | ((exact == own) & (np.arange(num_classes) < targets[:, None]))
        ranks = np.where(np.isnan(exact).any(1), num_classes, is_before.sum(1))
        with np.errstate(invalid="ignore"):
            losses = np.logaddexp.reduce(exact, 1) - own[:, 0]
        return losses, ranks < 1, ranks < min(5, num_classes)

    def proportions(self) -> dict[str, npt.NDArray[np.bool_]]:
        _, top1, top5 = self.columns
        return {"acc1": top1, "acc5": top5}

    def result(self, counts: Counts) -> dict[str, Any]:
        with np.errstate(invalid="ignore"):
            loss = float(counts @ self.columns[0] / counts.sum())
        return {"loss": loss, **{name: _share(counts, hits) for name, hits in self.proportions().items()}}


class Tasks(Measure):
    """``acc_string``: all K tasks right; ``acc_character``: the mean over all; and ``acc_position``.

    Logits are ``(N, K, C)``, targets class numbers ``(N, K)``.
    """

    drawn = ("acc_character",)

    def _columns_of(self, logits: Floats, targets: npt.NDArray[Any]) -> Columns:
        return (guessed_classes(logits) == targets,)

    def proportions(self) -> dict[str, npt.NDArray[np.bool_]]:
        return {"acc_string": np.asarray(self.columns[0].all(1))}

    def result(self, counts: Counts) -> dict[str, Any]:
        shares = 100.0 * (counts @ self.columns[0]) / counts.sum()
        strings = _share(counts, self.proportions()["acc_string"])
        return {
            "acc_string": strings,
            "acc_character": float(shares.mean()),
            "acc_position": shares.tolist(),
        }


class SeveralLabels(Measure):
    """``mAP`` with ``AP_per_class``, ``CF1``, ``OF1`` and ``exact_match``.

    Logits are ``(N, C)``, targets too: 1, 0, or negative where an answer is left out.

    Args:
        threshold: the probability from which on a label is guessed.
        topk: the k largest logits are guessed instead; None: they are not.
    """

    def __init__(self, threshold: float = 0.5, topk: int | None = None) -> None:
        super().__init__()
        self._threshold, self._topk = threshold, topk

    def _columns_of(self, logits: Floats, targets: npt.NDArray[Any]) -> Columns:
        exact = logits.astype(np.float64)
        scores = np.where(np.isnan(exact), -np.inf, exact)
        if self._topk is None:
            guessed = AnswerRule((), has_several_labels=True).probabilities(logits) >= self._threshold
        else:
            # A NaN takes a place, as the largest, and guesses nothing.
            order = np.argsort(-np.where(np.isnan(exact), np.inf, exact), axis=1, kind="stable")
            guessed = np.zeros(exact.shape, np.bool_)
            np.put_along_axis(guessed, order[:, : self._topk], True, axis=1)
            guessed &= ~np.isnan(exact)
        return scores, guessed, targets, np.asarray(np.isnan(exact).any(1))

    @cached_property
    def _sums(self) -> list[npt.NDArray[np.float64]]:
        _, guessed, targets, _ = self.columns
        guessed, has_class = guessed & (targets >= 0), targets >= 0.5
        return [each.astype(np.float64) for each in (guessed & has_class, guessed, has_class)]

    @cached_property
    def _precisions(self) -> list[PrecisionCurve]:
        scores, _, targets, _ = self.columns
        return [PrecisionCurve(*each) for each in zip(scores.T, targets.T, strict=True)]

    def proportions(self) -> dict[str, npt.NDArray[np.bool_]]:
        _, guessed, targets, has_nan = self.columns
        return {"exact_match": ((guessed == (targets >= 0.5)) | (targets < 0)).all(1) & ~has_nan}

    def intervals(self) -> dict[str, Interval]:
        """Return them; of many scores without that of ``mAP``, which would take many seconds."""
        is_small = self.columns[0].size <= MAX_SCORES
        self.drawn = ("mAP", "CF1", "OF1") if is_small else ("CF1", "OF1")
        self.num_draws = NUM_DRAWS_OF_SCORES if is_small else NUM_DRAWS
        return super().intervals()

    def result(self, counts: Counts) -> dict[str, Any]:
        hits, guesses, labels = (counts @ each for each in self._sums)
        is_asked = "mAP" in self.drawn or bool((counts == 1).all())
        values = [each.average(counts) for each in self._precisions] if is_asked else []
        there = [each for each in values if each is not None]
        return {
            "mAP": 100.0 * sum(there) / len(there) if there else float("nan"),
            "AP_per_class": [None if each is None else 100.0 * each for each in values],
            "CF1": _f1(ratio(hits, guesses).mean(), ratio(hits, labels).mean()),
            "OF1": _f1(ratio(hits.sum(), guesses.sum()), ratio(hits.sum(), labels.sum())),
            "exact_match": _share(counts, self.proportions()["exact_match"]),
        }


class PrecisionCurve:
    """Precision and recall of one class, where all scores from a threshold on are taken for it.

    Args:
        scores: float64 ``(N,)`` without NaN.
        targets: of the class, ``(N,)``: 1, 0, or negative where an answer is left out.
    """

    def __init__(self, scores: Floats, targets: npt.NDArray[Any]) -> None:
        order = np.argsort(-scores, kind="stable")
        self._order = order[targets[order] >= 0]
        ordered = scores[self._order]
        self._is_positive = targets[self._order] >= 0.5
        # A threshold cannot fall between equal scores.
        self._is_last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]

    def average(self, counts: Counts, *, mode: str = "integral") -> float | None:
        """Return the average precision, in [0, 1]; None where nothing is positive.

        Args:
            counts: how often each sample counts, float64 ``(N,)``.
            mode: 'integral': precision summed over the steps of recall. '11points': the mean of the best
                precision at recall 0, 0.1, ..., 1 and beyond, as PASCAL VOC had it until 2009. 'area': the
                integral of the best precision at each recall and beyond, as it has had it since.

        Source: The PASCAL Visual Object Classes (VOC) Challenge, Everingham et al. 2010, section 4.2.
        """
        own = counts[self._order]
        hits, places = np.cumsum(own * self._is_positive), np.cumsum(own)
        if not len(hits) or not hits[-1]:
            return None
        hits, precision = hits[self._is_last], ratio(hits[self._is_last], places[self._is_last])
        if mode != "integral":
            precision = np.maximum.accumulate(precision[::-1])[::-1]
        if mode == "11points":
            # Recall is a quotient of whole numbers: compared with k / 10 without rounding.
            reached = [precision[hits * 10 >= k * hits[-1]] for k in range(11)]
            return sum(float(each[0]) for each in reached if len(each)) / 11
        return float((np.diff(hits / hits[-1], prepend=0.0) * precision).sum())


def build_measure(kind: str, *, threshold: float, topk: int | None = None) -> Measure:
    """Return what is measured of labels of a kind, as in `SampleAnswers`; the rest as in `SeveralLabels`."""
    if kind == "several":
        return SeveralLabels(threshold, topk)
    return Tasks() if kind == "tasks" else ClassNumber()


def _share(counts: Counts, hits: npt.NDArray[np.bool_]) -> float:
    return 100.0 * float(counts @ hits) / float(counts.sum())


def _f1(precision: Any, recall: Any) -> float:
    return 100.0 * float(ratio(2 * precision * recall, precision + recall))
