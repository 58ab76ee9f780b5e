"""What a network says of one image, and how that follows from its logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ding_cls.common.tables import SEPARATOR

UNKNOWN = "unknown"
"""The name of an image whose answer is rejected."""

Floats = npt.NDArray[np.floating[Any]]


class Ranked(NamedTuple):
    """One place in the order of the classes; of several tasks one of each.

    Attributes:
        label: class number.
        name: as the class is shown.
        score: its probability.
    """

    label: int | tuple[int, ...]
    name: str
    score: float | tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a network says of one image.

    Attributes:
        path: the file, or what its dataset calls an image without one; None for one that came as pixels.
        label: class number; of an image with several labels those whose probability reaches the threshold,
            of several tasks one for each, both as a tuple; None where the image could not be read, or is
            unknown.
        name: the class's name; several are joined by ``|``; ``unknown`` where the probability is too low.
        score: the probability of ``label``, or theirs; of an unknown image that of the most likely class.
        probabilities: float32 ``(C,)``, of several tasks ``(K, C)``; empty where the image could not be read.
        error: why the image could not be read; empty where it could.
        names: the names of all classes, by class number.
    """

    path: str | None
    label: int | tuple[int, ...] | None
    name: str
    score: float | tuple[float, ...] | None
    probabilities: npt.NDArray[np.float32] = field(repr=False)
    error: str = ""
    names: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_unknown(self) -> bool:
        """Whether the image was read, and no class is likely enough to be named."""
        return self.label is None and not self.error

    def top(self, k: int = 3) -> list[Ranked]:
        """Return the ``k`` classes of the highest probability, the highest first; of equal ones the lower
        number."""
        if self.error:
            return []
        count = min(k, len(self.names))
        order = np.argsort(-self.probabilities, axis=-1, kind="stable")
        if self.probabilities.ndim == 2:
            return [self._rank_of_tasks(order[:, place]) for place in range(count)]
        if isinstance(self.label, int):
            # float32 may round the two highest to one number; the network's own choice stays the first.
            order = np.concatenate([[self.label], order[order != self.label]])
        return [
            Ranked(int(each), self.names[each], float(self.probabilities[each])) for each in order[:count]
        ]

    def _rank_of_tasks(self, labels: npt.NDArray[np.int64]) -> Ranked:
        scores = self.probabilities[np.arange(len(labels)), labels]
        names = SEPARATOR.join(self.names[each] for each in labels)
        return Ranked(tuple(labels.tolist()), names, tuple(scores.tolist()))


@dataclass(frozen=True, slots=True, eq=False)
class AnswerRule:
    """How logits become predictions.

    Attributes:
        names: the classes as they are shown, by class number.
        has_several_labels: an image may have several labels, each class by itself.
        threshold: the probability from which on a label is named, where there are several.
        thresholds: from where on each class is named, float64 ``(C,)``; None: from 0 on, or ``threshold``.
    """

    names: tuple[str, ...]
    has_several_labels: bool = False
    threshold: float = 0.5
    thresholds: npt.NDArray[np.float64] | None = None

    def predictions(self, paths: Sequence[str | None], logits: Floats) -> list[Prediction]:
        """Return what each row of logits says.

        Args:
            paths: of the images; None of one that came as pixels.
            logits: float ``(N, C)``, of K tasks ``(N, K, C)``.
        """
        # float64: a threshold and a loss shall see what evaluation's metrics see.
        probabilities = self.probabilities(logits)
        guesses = logits.argmax(-1)
        are_bad = [bool(np.isnan(row).any()) for row in probabilities]
        return [
            self.failed(path, _holds_nan(path)) if is_bad else self._prediction(path, row, guess)
            for path, row, guess, is_bad in zip(paths, probabilities, guesses, are_bad, strict=True)
        ]

    def probabilities(self, logits: Floats) -> npt.NDArray[np.float64]:
        """Return the probabilities of logits: of each class by itself, or, with one label, of all classes."""
        found: npt.NDArray[np.float64] = logits.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.has_several_labels:
                found = 1 / (1 + np.exp(-found))
            else:
                # In place: of many classes the room for copies takes longer than the numbers.
                found -= found.max(-1, keepdims=True)
                np.exp(found, out=found)
                found /= found.sum(-1, keepdims=True)
        return found

    def failed(self, path: str | None, error: str) -> Prediction:
        """Return the record of an image that cannot be answered, with the reason."""
        return Prediction(path, None, "", None, np.zeros(0, np.float32), error=error, names=self.names)

    def _prediction(self, path: str | None, row: npt.NDArray[np.float64], guess: Any) -> Prediction:
        label: int | tuple[int, ...]
        score: float | tuple[float, ...]
        single = row.astype(np.float32)
        if self.has_several_labels:
            least = self.threshold if self.thresholds is None else self.thresholds
            label = tuple(np.flatnonzero(row >= least).tolist())
            score = tuple(single[list(label)].tolist())
        elif row.ndim == 2:
            label = tuple(guess.tolist())
            score = tuple(single[np.arange(len(row)), guess].tolist())
        else:
            label = int(guess)
            score = float(single[label])
        if self.thresholds is not None and not self.has_several_labels:
            chosen = np.take_along_axis(row, np.asarray(guess)[..., None], -1)[..., 0]
            if (chosen < self.thresholds[guess]).any():
                return Prediction(path, None, UNKNOWN, score, single, names=self.names)
        labels = label if isinstance(label, tuple) else (label,)
        name = SEPARATOR.join(self.names[each] for each in labels)
        return Prediction(path, label, name, score, single, names=self.names)


def _holds_nan(path: str | None) -> str:
    return f"the network's output for {'this image' if path is None else repr(path)} holds NaN"
