"""What a network makes of each sample: which class, how sure, right or wrong; as rows, mistakes and classes.

It must not know metrics, nor where batches come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.answers.prediction import AnswerRule, Floats

COLUMNS = ("path", "target", "target_name", "predicted", "predicted_name", "score", "correct")
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class SampleAnswers:
    """The samples of an evaluation in the order of the data.

    Attributes:
        kind: what a label is: 'one' class number, or shares of the classes; 'tasks': a class number for each;
            'several': for each class whether it is there.
        sample_ids: positions in the dataset, int64 ``(N,)``.
        targets: as the dataset gives them.
        predicted: the class numbers, ``(N,)`` or ``(N, K)`` of K tasks, C where a network gave NaN; of
            several labels whether each is predicted, bool ``(N, C)``: its probability reaches the threshold.
        scores: the probability of what is predicted, float64 of the same shape; of several labels that of
            each label.
        is_right: bool ``(N,)``: all labels, or all tasks, are right. A label that is hard to say counts as
            right.
        logits: float, where they were asked for; else empty.
        threshold: the probability from which on a label is predicted, where there may be several.
    """

    kind: str
    sample_ids: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    scores: npt.NDArray[Any]
    is_right: npt.NDArray[Any]
    logits: Floats
    threshold: float = 0.5

    @classmethod
    def of(
        cls,
        kind: str,
        sample_ids: npt.NDArray[Any],
        targets: npt.NDArray[Any],
        logits: Floats,
        *,
        threshold: float,
        scores: Floats | None = None,
    ) -> SampleAnswers:
        """Return what logits say of samples whose labels are known.

        Args:
            kind: as above, like the others.
            sample_ids: positions in the dataset.
            targets: class numbers ``(N,)``, of K tasks ``(N, K)``; shares of the classes ``(N, C)``; or, of
                several labels, 1, 0, or negative.
            logits: float ``(N, C)``, of K tasks ``(N, K, C)``.
            threshold: as above.
            scores: the probabilities, float64 in the shape of the logits; None: those of the logits.
        """
        has_several = kind == "several"
        scores = AnswerRule((), has_several).probabilities(logits) if scores is None else scores
        if has_several:
            is_named = scores >= threshold
            is_right = (((is_named == (targets == 1)) | (targets < 0)) & ~np.isnan(scores)).all(1)
            return cls(kind, sample_ids, targets, is_named, scores, is_right, logits, threshold)
        predicted = guessed_classes(logits)
        # C is the number of no class, which has no score.
        last = scores.shape[-1] - 1
        chosen = np.take_along_axis(scores, np.minimum(predicted, last)[..., None], -1)[..., 0]
        scores = np.where(predicted > last, np.nan, chosen)
        is_right = predicted == _one_number(targets, kind)
        is_right = is_right.all(1) if is_right.ndim == 2 else is_right
        return cls(kind, sample_ids, targets, predicted, scores, is_right, logits, threshold)

    def without_logits(self) -> SampleAnswers:
        """Return the same without logits, which take the most room."""
        # A slice of them would hold all of their memory.
        return replace(self, logits=self.logits[:0].copy())

    @classmethod
    def joined(cls, batches: Sequence[SampleAnswers]) -> SampleAnswers:
        """Return the samples of batches, one after the other."""
        names = ("sample_ids", "targets", "predicted", "scores", "is_right", "logits")
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(each, name) for each in batches]) for name in names
        }
        return replace(batches[0], **columns)

    def rows(self, paths: Sequence[str], classes: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the values of ``COLUMNS`` for each sample: numbers and names, lists of them where a sample
        has several; None for a prediction that there is not.

        Args:
            paths: of all samples of the dataset.
            classes: the class names.
        """
        for index in range(len(self.sample_ids)):
            target, predicted, scores = self._numbers(index, len(classes))
            names = [
                [None if each is None else classes[each] for each in numbers]
                for numbers in (target, predicted)
            ]
            cells: list[Any] = [target, names[0], predicted, names[1], scores]
            if self.kind == "one":
                cells = [each[0] for each in cells]
            yield (paths[int(self.sample_ids[index])], *cells, bool(self.is_right[index]))

    def mistakes(self) -> list[int]:
        """Return the positions of the wrong samples, the surest mistake first; else in the data's order."""
        sure = np.nan_to_num(self.sureness(), nan=-1.0)
        return [int(each) for each in np.argsort(-sure, kind="stable") if not self.is_right[each]]

    def by_class(self, num_classes: int) -> dict[str, npt.NDArray[np.float64]]:
        """Return float64 ``(C,)`` each: ``images`` (labels, of several or of tasks) and, in percent,
        ``precision``, ``recall`` and ``f1``; 0 where nothing was predicted, or nothing is there."""
        if self.kind == "several":
            counts = self.targets >= 0
            predicted, there = self.predicted & counts, self.targets >= 0.5
            sums = [(predicted & there).sum(0), predicted.sum(0), there.sum(0)]
        else:
            numbers, predicted = _one_number(self.targets, self.kind).ravel(), self.predicted.ravel()
            sums = [
                np.bincount(each, minlength=num_classes + 1)[:num_classes]
                for each in (numbers[predicted == numbers], predicted, numbers)
            ]
        hits, guesses, images = (each.astype(np.float64) for each in sums)
        return {
            "images": images,
            "precision": 100.0 * ratio(hits, guesses),
            "recall": 100.0 * ratio(hits, images),
            "f1": 100.0 * ratio(2 * hits, guesses + images),
        }

    def sureness(self) -> npt.NDArray[np.float64]:
        """Return how sure the surest wrong answer about each sample is; -1 where there is none."""
        if self.kind == "several":
            is_wrong = (self.predicted != (self.targets == 1)) & (self.targets >= 0)
            sure = np.where(self.predicted, self.scores, 1.0 - self.scores)
        else:
            is_wrong, sure = self.predicted != _one_number(self.targets, self.kind), self.scores
        values = np.where(is_wrong, sure, -1.0)
        return values if values.ndim == 1 else np.nan_to_num(values, nan=-1.0).max(1)

    def _numbers(
        self, index: int, num_classes: int
    ) -> tuple[list[int], list[int | None], list[float | None]]:
        """Return the class numbers of a sample, those predicted, and the scores of these."""
        if self.kind == "several":
            there, named = np.flatnonzero(self.targets[index] == 1), np.flatnonzero(self.predicted[index])
            return there.tolist(), [*named.tolist()], _rounded(self.scores[index][named])
        target = _one_number(self.targets[index : index + 1], self.kind).ravel().tolist()
        predicted = self.predicted[index].reshape(-1).tolist()
        numbers = [None if each == num_classes else each for each in predicted]
        return target, numbers, _rounded(self.scores[index].reshape(-1))


def column_types(kind: str) -> tuple[Any, ...]:
    """Return the types of the values of ``COLUMNS``, for labels of a kind."""
    cells = (int, str, int, str, float)
    return (str, *(cells if kind == "one" else (list[int], list[str]) * 2 + (list[float],)), bool)


def guessed_classes(logits: Floats) -> npt.NDArray[np.int64]:
    """Return the class with the largest logit, of equal ones the lower; C, which is no class, where a row
    holds a NaN.

    Args:
        logits: float ``(..., C)``.
    """
    found: npt.NDArray[np.int64] = logits.argmax(-1)
    return np.where(np.isnan(logits).any(-1), logits.shape[-1], found)


def ratio(numerator: Any, denominator: Any) -> Any:
    """Return the quotient, and 0 where the denominator is 0; both float64 and not negative."""
    found = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    return np.divide(numerator, denominator, out=found, where=np.asarray(denominator) > 0)


def _one_number(targets: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    """Return class numbers; of shares of the classes that with the largest."""
    return targets.argmax(1) if kind == "one" and targets.ndim == 2 else targets


def _rounded(scores: npt.NDArray[Any]) -> list[float | None]:
    return [None if score != score else round(score, _DIGITS) for score in scores.tolist()]
