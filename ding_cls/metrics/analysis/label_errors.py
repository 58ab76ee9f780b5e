"""Which labels are probably wrong, by confident learning.

It must not know networks or datasets; and it finds little in predictions of a network that was trained on the
very labels in question, because it has learned their errors too.

Source: Confident Learning: Estimating Uncertainty in Dataset Labels, Northcutt, Jiang & Chuang 2021, JAIR 70,
sections 3.1 and 3.2 (arXiv:1911.00068).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.answers.prediction import AnswerRule

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Logits of so many values are turned into probabilities together: 32 MiB.
_BLOCK = 4_194_304
# A mean of equal probabilities may be rounded up.
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """What confident learning says of N labels.

    Attributes:
        order: the samples, int64 ``(N,)``: the likely errors first, each part by ``margins``, the lowest
            first; samples without a finite score come last.
        is_likely: bool ``(N,)``: an off-diagonal entry of the confident joint whose label is not the answer.
        suggested: the class that the label probably should be, int64 ``(N,)``; where no class reaches its
            threshold, that with the highest probability.
        margins: the normalised margin, float64 ``(N,)`` in [-1, 1]: the label's probability less the highest
            of the others; NaN without a finite score.
        thresholds: the mean probability of each class where it is the label, float64 ``(C,)``; infinite for a
            class that no sample has.
        joint: the confident joint, int64 ``(C, C)``: label by suggested class, of the samples that reach a
            threshold.
    """

    order: Integers
    is_likely: npt.NDArray[np.bool_]
    suggested: Integers
    margins: Floats
    thresholds: Floats
    joint: Integers


def find_label_errors(logits: npt.NDArray[Any], labels: npt.NDArray[Any]) -> LabelErrors:
    """Return which labels contradict the predictions most.

    A sample is a likely error where the classes whose probability reaches their threshold do not have the
    label as their most probable one (eq. 1 and 2, without the calibration, which changes no sample), and
    another class is more probable than the label, as in cleanlab.
    The order is that of the normalised margin, section 3.2 of Northcutt et al.

    Args:
        logits: ``(N, C)`` of a network that was not trained on these samples; logarithms of probabilities, as
            of averaged ones, are logits too.
        labels: class numbers ``(N,)``.
    """
    numbers = np.asarray(labels, np.int64)
    count, num_classes = logits.shape
    own = np.full(count, np.nan)
    for rows, probabilities in _blocks(logits):
        own[rows] = probabilities[np.arange(len(probabilities)), numbers[rows]]
    is_scored = np.isfinite(own)
    sums = np.bincount(numbers[is_scored], own[is_scored], num_classes)
    counts = np.bincount(numbers[is_scored], minlength=num_classes)
    thresholds = np.full(num_classes, np.inf)
    np.divide(sums, counts, out=thresholds, where=counts > 0)

    suggested, margins = numbers.copy(), np.full(count, np.nan)
    is_confident = np.zeros(count, bool)
    for rows, probabilities in _blocks(logits):
        reached = np.where(probabilities >= thresholds - _TOLERANCE, probabilities, -1.0)
        is_confident[rows] = reached.max(1) >= 0
        best = np.where(is_confident[rows], reached.argmax(1), probabilities.argmax(1))
        suggested[rows] = np.where(is_scored[rows], best, numbers[rows])
        probabilities[np.arange(len(probabilities)), numbers[rows]] = -np.inf
        margins[rows] = own[rows] - (probabilities.max(1) if num_classes > 1 else 0.0)
    margins[~is_scored] = np.nan
    is_confident &= is_scored
    # What the network answers itself is no error: a class that it never answers has a threshold of about 0,
    # and would be suggested wherever the label stays below its own.
    is_likely = is_confident & (suggested != numbers) & (margins < 0)
    cells = numbers[is_confident] * num_classes + suggested[is_confident]
    joint = np.bincount(cells, minlength=num_classes * num_classes).reshape(num_classes, num_classes)
    # NaN sorts last.
    order = np.lexsort((margins, ~is_likely))
    return LabelErrors(order, is_likely, suggested, margins, thresholds, joint)


def _blocks(logits: npt.NDArray[Any]) -> Iterator[tuple[slice, Floats]]:
    """Yield some rows and their softmax, in float64."""
    size = max(1, _BLOCK // logits.shape[1])
    for first in range(0, len(logits), size):
        rows = slice(first, first + size)
        yield rows, AnswerRule(()).probabilities(logits[rows])
