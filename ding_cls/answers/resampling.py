"""Bootstrap draws of samples, and the 95 % interval that they show.

It must not know what is measured.

Source: An Introduction to the Bootstrap, Efron & Tibshirani 1993: the percentile interval (section 13.3), and
that a bias above a quarter of the standard error is not to be ignored (section 10.3): there is none then.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ding_cls.answers.proportions import Interval

NUM_DRAWS = 1000
NUM_DRAWS_OF_SCORES = 200
"""Draws where a metric needs all scores each time."""

MAX_SCORES = 250_000
"""With more logits than this a metric that needs all scores is not resampled: it would take many seconds."""

_TAIL = 0.025
_SEED = 0
_MAX_BIAS = 0.25


def percentiles(draws: np.ndarray[Any, Any], value: float) -> Interval | None:
    """Return between which values the middle 95 % of the draws of a number lie; None where they cannot tell.

    Args:
        draws: float64 ``(B,)``.
        value: the number itself.
    """
    if not np.isfinite(draws).all() or np.ptp(draws) <= 1e-12 * max(1.0, abs(value)):
        return None
    if abs(draws.mean() - value) > _MAX_BIAS * draws.std():
        return None
    low, high = np.quantile(draws, [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def counts_of_draws(num_samples: int, num_draws: int) -> Iterator[np.ndarray[Any, Any]]:
    """Yield how often each sample is in a draw, int64 ``(N,)``, of as many samples with replacement."""
    random = np.random.default_rng(_SEED)
    for _ in range(num_draws):
        yield np.bincount(random.integers(0, num_samples, num_samples), minlength=num_samples)
