"""The mean of what several networks, or several views of an image, say; as logits, which all else takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.floating[Any]]


def mean_logits(views: Sequence[Logits], *, has_several_labels: bool) -> Logits:
    """Return the logits, float32, whose probabilities are the mean of the probabilities of several logits.

    With one label an image, in each task, these are ``log(mean(softmax(view)))``; with several
    ``logit(mean(sigmoid(view)))``. Both are computed by way of their logarithms, in float64, so that a
    probability near 0 or 1 keeps its digits, and a loss stays finite. Of a single view it is that.

    Args:
        views: float ``(N, C)`` or, of K tasks, ``(N, K, C)`` each.
        has_several_labels: an image may have several labels, each class by itself.
    """
    if len(views) == 1:
        return views[0]
    exact = np.stack(views).astype(np.float64)
    # What is NaN in one view is NaN in the mean.
    with np.errstate(invalid="ignore"):
        if has_several_labels:
            there, absent = -np.logaddexp(0, -exact), -np.logaddexp(0, exact)
            mean = np.logaddexp.reduce(there) - np.logaddexp.reduce(absent)
        else:
            logs = exact - np.logaddexp.reduce(exact, axis=-1, keepdims=True)
            mean = np.logaddexp.reduce(logs) - math.log(len(views))
    averaged: Logits = mean.astype(np.float32)
    return averaged
