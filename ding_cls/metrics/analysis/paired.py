"""Two results on the same samples, sample by sample: is the difference more than chance?

It must not know what was right about a sample.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ding_cls.answers.proportions import Interval
from ding_cls.answers.resampling import NUM_DRAWS, counts_of_draws, percentiles


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p of McNemar's test.

    Where both are equally good, the second is right on each sample that one of them alone has right with a
    chance of 1/2: p is twice the smaller tail of that binomial distribution, at most 1.

    Args:
        only_first: samples on which the first alone is right.
        only_second: those on which the second alone is.

    Source: Note on the sampling error of the difference between correlated proportions or percentages,
    McNemar 1947; Approximate Statistical Tests for Comparing Supervised Classification Learning Algorithms,
    Dietterich 1998, section 3.1, in its exact form.
    """
    number, smaller = only_first + only_second, min(only_first, only_second)
    # Whole numbers: no tail is too small for a float before the division.
    term = tail = 1
    for k in range(smaller):
        term = term * (number - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << number))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for how many they are, in the given order.

    Source: A Simple Sequentially Rejective Multiple Test Procedure, Holm 1979.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    found, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        found[index] = largest
    return found


def paired_interval(differences: np.ndarray[Any, Any]) -> Interval | None:
    """Return the 95 % interval of a mean difference; None where all samples have the same difference.

    Each draw takes samples with both their results, so what is hard for both cancels out.

    Args:
        differences: of each sample, float64 ``(N,)``.

    Source: An Introduction to the Bootstrap, Efron & Tibshirani 1993, section 13.3, on pairs.
    """
    size = len(differences)
    draws = np.array([counts @ differences for counts in counts_of_draws(size, NUM_DRAWS)]) / size
    return percentiles(draws, float(differences.mean()))
