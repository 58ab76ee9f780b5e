"""What a policy minimises where the network brings no loss: ``policy.learn.loss``, or cross-entropy.

It must not know the losses beyond how they are called; ``models`` finds them by name.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError
from ding_cls.models import build_loss

# Of float32 logits (N, C), targets, and weights of the samples (N,) or None, one number.
BatchLoss: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def computes_loss(model: torch.nn.Module) -> bool:
    """Return whether the network is called with targets and gives its losses itself."""
    return bool(getattr(model, "computes_loss", False))


def loss_of(model: torch.nn.Module, learn: Mapping[str, Any], device: torch.device) -> BatchLoss | None:
    """Return the loss of ``learn.loss`` or ``learn.label_smoothing``; None where the network brings its own.

    Raises:
        ConfigError: two of the three say what is minimised; the loss does not exist, or has weights to learn.
    """
    described, smoothing = learn["loss"], learn["label_smoothing"]
    smoothed = f"dict(type='LabelSmoothLoss', label_smooth_val={smoothing})"
    if computes_loss(model):
        for key, value, instead in (
            ("loss", described, described),
            ("label_smoothing", smoothing or None, smoothed),
        ):
            if value is not None:
                raise ConfigError(
                    f"policy.learn.{key} is {value}, but {type(model).__name__} brings its own loss; "
                    f"set policy.model.head.loss={instead} instead"
                )
        return None
    if described is None:
        return _cross_entropy(smoothing)
    if smoothing:
        raise ConfigError(
            f"policy.learn.label_smoothing is {smoothing}, but policy.learn.loss says what is minimised; "
            f"set one of them, or policy.learn.loss={smoothed}"
        )
    return _by_name(plain_copy(described), device)


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Return the sum; a single loss comes back as it is."""
    first, *others = losses.values()
    for loss in others:
        first = first + loss
    return first


def _cross_entropy(smoothing: float) -> BatchLoss:
    def loss(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        if weights is None:
            return functional.cross_entropy(logits, targets, label_smoothing=smoothing)
        losses = functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
        return (losses * weights).sum() / weights.sum()

    return loss


def _by_name(described: dict[str, Any], device: torch.device) -> BatchLoss:
    part = build_loss(described)
    if isinstance(part, torch.nn.Module):
        if next(part.parameters(), None) is not None:
            raise ConfigError(
                f"policy.learn.loss is {described}, which has weights of its own to learn; "
                "set policy.model.head.loss instead"
            )
        part = part.to(device)

    def loss(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        avg_factor = len(logits) if weights is None else weights.sum()
        value: Tensor = part(logits, targets, weight=weights, avg_factor=avg_factor)
        return value if value.dim() == 0 else value.mean()

    return loss
