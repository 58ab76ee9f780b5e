"""Temperature scaling: one number that divides the logits, so that scores become probabilities.

It must not know networks, images or files.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from ding_cls.answers.proportions import Z_95
from ding_cls.errors import DataError
from ding_cls.metrics.base import plain_totals
from ding_cls.metrics.calibration import CalibrationError, NegativeLogLikelihood

LIMITS = (1e-3, 1e3)
"""No temperature outside is looked for: none is known whose network was of any use."""

_MAX_STEPS = 100
_TOLERANCE = 1e-6
# What stays in the processor's cache: half the time of 32 MiB.
_CHUNK_VALUES = 1 << 16
# exp(b * it) is 0 at every temperature, and its square is no infinity.
_FAR_BELOW = -1e30
_WIDEST = 100.0


class Temperature(NamedTuple):
    """What was fitted.

    Attributes:
        value: the best one, which divides the logits; 1 where none is the best.
        note: why there is none; empty where there is one.
        interval: that of 95 %; None where there is no best one. That of samples which depend on each other,
            as the labels of one image may, is wider.
        gain: by how much lower than at 1 the sum of the negative log-likelihoods of as many other samples is
            expected to be.

    Source: of the gain, Distribution of Informational Statistics and a Criterion of Model Fitting, Takeuchi
    1976: that on the samples themselves, less what fitting one number to them yields by chance; Akaike's
    criterion where the model is true.
    """

    value: float
    note: str = ""
    interval: tuple[float, float] | None = None
    gain: float = 0.0

    @property
    def useful(self) -> float:
        """The temperature to use: the best one where other samples are expected to gain by it, else 1."""
        return self.value if self.gain > 0 else 1.0


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
    before, after = (_sums(logits, targets, each) for each in (1.0, inverse))
    gain = before.loss - after.loss - (after.squares / after.second if after.second > 0 else math.inf)
    spread = Z_95 * after.relative_error(inverse)
    return Temperature(1 / inverse, "", (math.exp(-spread) / inverse, math.exp(spread) / inverse), gain)


def _zero(logits: torch.Tensor, targets: torch.Tensor, inverse: float) -> float:
    """Return the 1/T where the derivative is 0, or one near the limit that it lies beyond.

    Args:
        logits: as above.
        targets: as above.
        inverse: the 1/T to begin with.
    """
    low, high = 1 / LIMITS[1], 1 / LIMITS[0]
    for _ in range(_MAX_STEPS):
        sums = _sums(logits, targets, inverse)
        if sums.first == 0:
            break
        low, high = (inverse, high) if sums.first < 0 else (low, inverse)
        following = inverse - sums.first / sums.second if sums.second > 0 else low
        if not low < following < high:
            following = math.sqrt(low * high)
        step, inverse = abs(following - inverse), following
        # The next step would be of the size of this one's square.
        if step <= _TOLERANCE * inverse:
            break
    return inverse


class _Sums(NamedTuple):
    """Sums over the samples, under the softmax of z/T.

    Attributes:
        loss: of -log p of the right class.
        first: of its derivative by 1/T, which is E[z] - z_y.
        second: of its second derivative, which is Var[z].
        squares: of the square of the first.
    """

    loss: float
    first: float
    second: float
    squares: float

    def relative_error(self, inverse: float) -> float:
        """Return the standard error of 1/T over 1/T, valid also where no temperature makes true
        probabilities.

        Source: Maximum Likelihood Estimation of Misspecified Models, White 1982, theorem 3.2 (the sandwich).
        """
        return min(math.sqrt(self.squares) / (self.second * inverse), _WIDEST) if self.second > 0 else _WIDEST


def _sums(logits: torch.Tensor, targets: torch.Tensor, inverse: float) -> _Sums:
    found = torch.zeros(4, dtype=torch.float64)
    for part, own in _parts(logits, targets):
        values = (part - part.amax(1, keepdim=True)).clamp_(min=_FAR_BELOW)
        right = values.gather(1, own[:, None])[:, 0]
        shares = (values * inverse).softmax(1)
        # The largest value is 0, so its share is 1 over the sum of all.
        losses = -shares.amax(1).log() - right * inverse
        weighted = shares.mul_(values)
        mean = weighted.sum(1)
        variances = weighted.mul_(values).sum(1) - mean.square()
        slopes = mean - right
        found += torch.stack([losses.sum(), slopes.sum(), variances.sum(), slopes.square().sum()])
    return _Sums(*found.tolist())


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
    """Yield rows in float64, some at a time, with their targets."""
    size = max(1, _CHUNK_VALUES // logits.shape[1])
    for start in range(0, len(targets), size):
        yield logits[start : start + size].double(), targets[start : start + size]
