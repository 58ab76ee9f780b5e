"""From one value for each element to a loss: weights of samples, the mean, the sum; the base of all losses.

It must not know which loss the values come from.
"""

import functools
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ding_cls.errors import ConfigError

REDUCTIONS = ("none", "mean", "sum")


class ReducedLoss(nn.Module):
    """Base of losses: a subclass gives one value for each element, which are weighted and reduced here.

    Args:
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: factor of the result.
    """

    def __init__(self, reduction: str = "mean", loss_weight: float = 1.0) -> None:
        super().__init__()
        self.reduction, self.loss_weight = reduction, loss_weight

    def elementwise(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the values, ``(N,)`` or ``(N, C)``, of logits ``(N, C)`` and targets."""
        raise NotImplementedError

    def torch_mean(self, logits: Tensor, targets: Tensor) -> Tensor | None:
        """Return torch's own mean over the samples, the same bits as a plain loop; None: there is none."""
        return None

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the loss.

        Args:
            pred: logits, float ``(N, C)``.
            target: class numbers ``(N,)``, or what else the loss takes.
            weight: ``(N,)``, weights of the samples.
            avg_factor: with 'mean': what the sum is divided by: the number of samples, or the sum of their
                weights.
            reduction_override: 'none', 'mean' or 'sum', instead of the loss's own.

        Raises:
            ConfigError: an unknown reduction, or ``avg_factor`` with 'sum'.
        """
        reduction = reduction_override or self.reduction
        is_mean = reduction == "mean" and (avg_factor is None or counts_samples(avg_factor, pred))
        mean = self.torch_mean(pred, target) if is_mean and weight is None else None
        if mean is not None:
            return mean * self.loss_weight
        values = self.elementwise(pred, target)
        return weight_reduce_loss(values, weight, reduction, avg_factor) * self.loss_weight


def reduce_loss(loss: Tensor, reduction: str) -> Tensor:
    """Return ``loss`` itself ('none'), the mean of its elements ('mean') or their sum ('sum').

    Raises:
        ConfigError: another word.
    """
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    raise ConfigError(f"the reduction of a loss is {reduction!r}; it must be one of {', '.join(REDUCTIONS)}")


def weight_reduce_loss(
    loss: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    avg_factor: float | Tensor | None = None,
) -> Tensor:
    """Weight the values of a loss and reduce them.

    Args:
        loss: float, one value for each element; the first axis counts samples.
        weight: of each element, or ``(N,)``: of each sample. None: all 1.
        reduction: 'none', 'mean' or 'sum'.
        avg_factor: with 'mean': what the sum is divided by, instead of the number of elements.

    Raises:
        ConfigError: an unknown reduction, or ``avg_factor`` with 'sum'.
    """
    if weight is not None:
        loss = loss * weight.to(loss.dtype).reshape(weight.shape + (1,) * (loss.dim() - weight.dim()))
    if avg_factor is None or reduction == "none":
        return reduce_loss(loss, reduction)
    if reduction != "mean":
        raise ConfigError(
            f"a loss with reduction={reduction!r} cannot be averaged over samples; use reduction='mean'"
        )
    return loss.sum() / avg_factor


def counts_samples(avg_factor: float | Tensor | None, pred: Tensor) -> bool:
    """Return whether an averaging factor is known to be the number of samples.

    A number is compared, a tensor is not: reading it would wait for the device.
    """
    return isinstance(avg_factor, int | float) and avg_factor == len(pred)


def weighted_loss(loss_func: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Turn ``loss_func(pred, target, **arguments)``, one value for each element, into a whole loss.

    The result is called as ``loss(pred, target, weight=None, reduction='mean', avg_factor=None,
    **arguments)``; the first three of these are those of ``weight_reduce_loss``.
    """

    @functools.wraps(loss_func)
    def loss(
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        reduction: str = "mean",
        avg_factor: float | Tensor | None = None,
        **arguments: Any,
    ) -> Tensor:
        return weight_reduce_loss(loss_func(pred, target, **arguments), weight, reduction, avg_factor)

    # The signature is that of the call, not that of ``loss_func``.
    del loss.__wrapped__
    return loss
