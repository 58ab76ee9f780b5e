"""Temperature scaling: one number that divides the logits, so that scores become probabilities.

It must not know networks, images or files.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from ding_cls.errors import DataError
from ding_cls.metrics.base import plain_totals
from ding_cls.metrics.calibration import CalibrationError, NegativeLogLikelihood

LIMITS = (1e-3, 1e3)
"""No temperature outside is looked for: none is known whose network was of any use."""

_MAX_STEPS = 100
_TOLERANCE = 1e-6
_CHUNK_VALUES = 1 << 22
# exp(b * it) is 0 at every temperature, and its square is no infinity.
_FAR_BELOW = -1e30
_Z = 1.959963984540054
_WIDEST = 100.0


class Temperature(NamedTuple):
    """What was fitted.

    Attributes:
        value: divides the logits; 1 where no temperature is the best.
        note: why there is none; empty where there is one.
        interval: that of 95 %; None where there is no best one. That of samples which depend on each other,
            as the labels of one image may, is wider.
    """

    value: float
    note: str = ""
    interval: tuple[float, float] | None = None


def fit_temperature(logits: torch.Tensor, targets: torch.Tensor, *, start: float = 1.0) -> Temperature:
    """Return the temperature with the smallest mean negative log-likelihood, to ten digits.

    That is convex in 1/T, so its derivative has one zero, which Newton's method finds; a step that leaves the
    bracket is replaced by a bisection. There is no zero where every sample is right (T would go to 0) or the
    right classes' logits are on average no higher than all (T would grow for ever): T is 1 then.

    Args:
        logits: float ``(N, C)``, or log-probabilities; -inf for a class that is impossible.
        targets: class numbers, int64 ``(N,)``.
        start: where to begin; it changes the time that this takes.

    Raises:
        DataError: no samples, or logits that no temperature turns into probabilities: NaN, infinite, or -inf
            for the right class.

    Source: On Calibration of Modern Neural Networks, Guo et al. 2017, section 4.2 (arXiv:1706.04599).
    """
    count = len(targets)
    if not count:
        raise DataError("there are no labels to fit a temperature on")
    bad = 0
    are_all_right, excess = True, 0.0
    for part, own in _parts(logits, targets):
        right = part.gather(1, own[:, None])[:, 0]
        bad += int((part.isnan().any(1) | (part == math.inf).any(1) | (right == -math.inf)).sum())
        are_all_right = are_all_right and bool((right == part.amax(1)).all())
        excess += float((right - part.mean(1)).sum())
    if bad:
        raise DataError(
            f"the network's output is NaN or infinite for {bad:,} of {count:,} labels: no temperature makes "
            "probabilities of it"
        )
    if are_all_right:
        return Temperature(1.0, f"none of {count:,} labels is wrong, so no temperature is the best")
    if excess <= 0:
        return Temperature(1.0, "the scores are no better than chance, so no temperature is the best")
    inverse = _zero(logits, targets, 1 / start)
    # Bisection towards a limit ends just before it.
    if not 1.0001 * LIMITS[0] < 1 / inverse < 0.9999 * LIMITS[1]:
        return Temperature(1.0, f"no temperature from {LIMITS[0]:g} to {LIMITS[1]:,g} is the best")
    spread = _Z * _relative_error(logits, targets, inverse)
    return Temperature(1 / inverse, "", (math.exp(-spread) / inverse, math.exp(spread) / inverse))


def _zero(logits: torch.Tensor, targets: torch.Tensor, inverse: float) -> float:
    """Return the 1/T where the derivative is 0, or one near the limit that it lies beyond.

    Args:
        logits: as above.
        targets: as above.
        inverse: the 1/T to begin with.
    """
    low, high = 1 / LIMITS[1], 1 / LIMITS[0]
    for _ in range(_MAX_STEPS):
        slope, curvature = _slope(logits, targets, inverse)
        if slope == 0:
            break
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        following = inverse - slope / curvature if curvature > 0 else low
        if not low < following < high:
            following = math.sqrt(low * high)
        step, inverse = abs(following - inverse), following
        # The next step would be of the size of this one's square.
        if step <= _TOLERANCE * inverse:
            break
    return inverse


def _slope(logits: torch.Tensor, targets: torch.Tensor, inverse: float) -> tuple[float, float]:
    """Return the first and second derivative of the mean negative log-likelihood by 1/T."""
    first, second, _ = _derivatives(logits, targets, inverse)
    return first / len(targets), second / len(targets)


def _relative_error(logits: torch.Tensor, targets: torch.Tensor, inverse: float) -> float:
    """Return the standard error of 1/T over 1/T, valid also where no temperature makes true probabilities.

    Source: Maximum Likelihood Estimation of Misspecified Models, White 1982, theorem 3.2 (the sandwich).
    """
    _, curvature, squares = _derivatives(logits, targets, inverse)
    return min(math.sqrt(squares) / (curvature * inverse), _WIDEST) if curvature > 0 else _WIDEST


def _derivatives(logits: torch.Tensor, targets: torch.Tensor, inverse: float) -> tuple[float, float, float]:
    """Return sums over the samples: of the derivative by 1/T of each one's -log p, which is E[z] - z_y under
    the softmax of z/T; of the second derivative, which is Var[z]; of the square of the first."""
    first = second = squares = 0.0
    for part, own in _parts(logits, targets):
        values = (part - part.amax(1, keepdim=True)).clamp(min=_FAR_BELOW)
        shares = (values * inverse).softmax(1)
        mean = (shares * values).sum(1)
        slopes = mean - values.gather(1, own[:, None])[:, 0]
        first += float(slopes.sum())
        squares += float(slopes.square().sum())
        second += float((shares * (values - mean[:, None]).square()).sum())
    return first, second, squares


def calibration_of(
    logits: torch.Tensor, targets: torch.Tensor, temperatures: torch.Tensor | float = 1.0
) -> dict[str, float]:
    """Return ``ece`` (15 bins) and ``nll`` of the softmax of logits over temperatures.

    Args:
        logits: float ``(N, C)``.
        targets: int64 ``(N,)``.
        temperatures: one, or float ``(N,)``.

    Raises:
        DataError: a target is no class.
    """
    result: dict[str, float] = {}
    each = torch.as_tensor(temperatures, dtype=torch.float64).expand(len(targets))
    for metric in (CalibrationError(), NegativeLogLikelihood()):
        totals: Mapping[str, Any] = metric.zeros()
        start = 0
        for part, own in _parts(logits, targets):
            scaled = part / each[start : start + len(own), None]
            sums = metric.sums(scaled, own)
            totals = {name: value + sums.get(name, 0) for name, value in totals.items()}
            start += len(own)
        result |= metric.result(plain_totals(totals))
    return result


def top_scores(logits: torch.Tensor, temperatures: torch.Tensor) -> torch.Tensor:
    """Return the largest softmax of each row of logits over its temperature, float64 ``(N,)``.

    Args:
        logits: float ``(N, C)``.
        temperatures: float64 ``(N,)``.
    """
    rows = [(part / own[:, None]).softmax(1).amax(1) for part, own in _parts(logits, temperatures)]
    return torch.cat(rows) if rows else temperatures


def _parts(logits: torch.Tensor, targets: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield rows in float64, a few megabytes at a time, with their targets."""
    size = max(1, _CHUNK_VALUES // logits.shape[1])
    for start in range(0, len(targets), size):
        yield logits[start : start + size].double(), targets[start : start + size]
