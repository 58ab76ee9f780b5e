"""Logits and targets as the metrics take them: class numbers or labels of one or of several, and guesses.

Of equal logits the lower class number comes first, so a tie has one answer on every device; a row that holds
a NaN is never right. ``topk`` and ``argmax`` promise neither. It must not know what is computed from them.
"""

from collections.abc import Mapping
from typing import Any

import torch

from ding_cls.errors import DataError


def target_ranks(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return how many classes come before the right one, for each sample: 0 means a top-1 hit.

    Of equal logits the lower class number comes first, so a tie has one answer on every device; a row that
    holds a NaN is never a hit. ``topk`` promises neither.

    Args:
        logits: float ``(N, C)``.
        targets: int64 ``(N,)`` in ``[0, C)``.

    Returns:
        int64 ``(N,)`` in ``[0, C]``.
    """
    num_classes = logits.shape[1]
    own = logits.gather(1, targets[:, None])
    class_numbers = torch.arange(num_classes, device=logits.device)
    before = (logits > own) | ((logits == own) & (class_numbers < targets[:, None]))
    return before.sum(1).masked_fill(logits.isnan().any(1), num_classes)


def guessed_classes(logits: torch.Tensor) -> torch.Tensor:
    """Return the class with the largest logit; C, which is no class, where a row holds a NaN.

    Args:
        logits: float ``(..., C)``.

    Returns:
        int64 ``(...)`` in ``[0, C]``.
    """
    num_classes = logits.shape[-1]
    is_largest = logits == logits.amax(-1, keepdim=True)
    class_numbers = torch.arange(num_classes, device=logits.device)
    return torch.where(is_largest, class_numbers, num_classes).amin(-1)


def class_numbers(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the targets clamped into the network's classes, and how many lay outside (0-dim).

    An index out of range would abort a CUDA process; it is counted, and ``check_labels`` refuses it. Floats
    ``(N, C)`` with a single 1 in each row and else 0 are taken for the numbers that they mean.

    Raises:
        DataError: the logits are not ``(N, C)``, or the targets no class numbers ``(N,)``.
    """
    if targets.is_floating_point() and targets.shape == logits.shape and targets.dim() == 2:
        is_one = (targets == 1).sum(1) == 1
        if bool((is_one & (targets.count_nonzero(1) == 1)).all()):
            targets = targets.argmax(1)
    _check_shapes(logits, targets, 2)
    safe = targets.clamp(0, logits.shape[-1] - 1)
    return safe, (safe != targets).sum()


def task_numbers(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same of K tasks: logits ``(N, K, C)``, targets ``(N, K)``.

    Raises:
        DataError: other shapes.
    """
    _check_shapes(logits, targets, 3)
    safe = targets.clamp(0, logits.shape[-1] - 1)
    return safe, (safe != targets).any(1).sum()


def check_labels(totals: Mapping[str, Any]) -> None:
    """Refuse totals in which ``bad_labels`` is not 0.

    Raises:
        DataError: labels lay outside the network's classes.
    """
    if totals["bad_labels"]:
        raise DataError(
            f"{totals['bad_labels']} of {totals['count']} labels lie outside the network's classes; "
            "the network and the data set disagree about the number of classes"
        )


def several_labels(
    logits: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return which classes each sample has and which of these answers count, two bool ``(N, C)``; and how
    many class numbers lay outside the network's classes (0-dim).

    Args:
        logits: float ``(N, C)``.
        targets: ``(N, C)``, 1 for a class that a sample has, 0 for another, negative: hard to say, left out;
            or class numbers ``(N,)``.

    Raises:
        DataError: other shapes.
    """
    if targets.dim() == 1:
        safe, bad_labels = class_numbers(logits, targets)
        has_class = torch.zeros_like(logits, dtype=torch.bool).scatter(1, safe[:, None], True)
        return has_class, torch.ones_like(has_class), bad_labels
    if targets.shape != logits.shape or logits.dim() != 2:
        raise DataError(
            f"this metric takes logits (N, C) and labels (N, C); there are {_shape(logits)} and "
            f"{_shape(targets)}"
        )
    return targets >= 0.5, targets >= 0, torch.zeros((), dtype=torch.int64, device=targets.device)


def _check_shapes(logits: torch.Tensor, targets: torch.Tensor, num_axes: int) -> None:
    if logits.dim() == num_axes and targets.shape == logits.shape[:-1] and not targets.is_floating_point():
        return
    wanted = {2: "logits (N, C) and class numbers (N,)", 3: "logits (N, K, C) and class numbers (N, K)"}
    other = {
        (2, 2): "several labels a sample: metrics=['mAP', 'CF1', 'OF1']",
        (3, 2): "several tasks: metrics=['string_accuracy']",
    }
    hint = other.get((logits.dim(), targets.dim()))
    advice = f"; for {hint} in policy.eval.metric=dict(type='ClassificationMetrics', ...)" if hint else ""
    raise DataError(
        f"this metric takes {wanted[num_axes]}; there are {_shape(logits)} and {targets.dtype} "
        f"{_shape(targets)}{advice}"
    )


def _shape(tensor: torch.Tensor) -> str:
    return str(tuple(tensor.shape))
