"""Losses of classification. Each turns ``(N, C)`` logits and targets into a scalar, or a value a sample.

All are called as ``loss(pred, target, weight=None, avg_factor=None, reduction_override=None)``: ``weight``
``(N,)`` weights the samples, ``avg_factor`` divides their sum (the number of samples, or the sum of their
weights), ``reduction_override`` replaces the loss's own reduction. They must not know models or configs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models.losses.class_weight import ClassWeightLoss, as_tensor, checked_weights
from ding_cls.models.losses.reduction import counts_samples, weight_reduce_loss
from ding_cls.models.registry import LOSSES

_SMOOTHINGS = ("original", "classy_vision", "multi_label")


@LOSSES.register_module()
class CrossEntropyLoss(ClassWeightLoss):
    """Cross-entropy of a softmax, or of one sigmoid for each class.

    Targets are class numbers ``(N,)``, or ``(N, C)`` shares of the classes; with ``use_sigmoid`` also -1, an
    answer that is hard to say, which counts as 1.

    Args:
        use_sigmoid: judge each class by itself; a sample's value is the sum over the classes when
            ``avg_factor`` is the number of samples, and their mean when it is None.
        use_soft: accepted: targets ``(N, C)`` are shares of the classes with and without it.
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: factor of the result.
        class_weight: weights of the classes, or 'auto' (see ``balanced_weights``). The mean is divided by the
            number of samples all the same, so that the pieces of a batch add up; torch divides by the sum of
            the weights.
        pos_weight: with ``use_sigmoid``: weights of the positive answers.

    Raises:
        ConfigError: arguments that exclude each other.
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        use_sigmoid: bool = False,
        use_soft: bool = False,
        reduction: str = "mean",
        loss_weight: float = 1.0,
        class_weight: Sequence[float] | str | None = None,
        pos_weight: Sequence[float] | None = None,
    ) -> None:
        super().__init__(class_weight)
        if use_sigmoid and use_soft:
            raise ConfigError("CrossEntropyLoss takes use_sigmoid=True or use_soft=True, not both")
        if pos_weight is not None and not use_sigmoid:
            raise ConfigError("CrossEntropyLoss takes pos_weight only with use_sigmoid=True")
        self.use_sigmoid = use_sigmoid
        self.reduction = reduction
        self.loss_weight = loss_weight
        positive = None if pos_weight is None else as_tensor(pos_weight)
        self.register_buffer("pos_weight", positive, persistent=False)

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the loss of logits ``(N, C)``; the arguments are those of every loss here."""
        reduction = reduction_override or self.reduction
        class_weight = self.weights_of_classes(pred.shape[1])
        if self.use_sigmoid:
            values = functional.binary_cross_entropy_with_logits(
                pred,
                one_hot(target, pred),
                weight=class_weight,
                pos_weight=checked_weights("pos_weight", self.pos_weight, pred.shape[1]),
                reduction="none",
            )
        elif weight is None and class_weight is None and _is_plain_mean(reduction, avg_factor, pred):
            # torch's own mean: the same bits as a plain loop.
            return functional.cross_entropy(pred, target) * self.loss_weight
        else:
            values = functional.cross_entropy(pred, target, weight=class_weight, reduction="none")
        return weight_reduce_loss(values, weight, reduction, avg_factor) * self.loss_weight


@LOSSES.register_module()
class LabelSmoothLoss(nn.Module):
    """Cross-entropy against targets of which a share is spread over all classes.

    With e = ``label_smooth_val``, C classes, and t the one-hot target:

    - original: ``(1 - e) * t + e / C``;
    - classy_vision: ``(t + e / C) / (1 + e)``, as the library of that name has it;
    - multi_label: ``(1 - 2 * e) * t + e``, each class judged by a sigmoid.

    Args:
        label_smooth_val: the share, in [0, 1).
        num_classes: checked against the logits; None takes theirs.
        mode: which of the three.
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: factor of the result.
        use_sigmoid: each class is judged by a sigmoid in the other modes too.

    Raises:
        ConfigError: a share or a mode that does not exist.

    Source: Rethinking the Inception Architecture for Computer Vision, Szegedy et al. 2015, section 7
    (arXiv:1512.00567).
    """

    def __init__(
        self,
        label_smooth_val: float,
        num_classes: int | None = None,
        mode: str = "original",
        reduction: str = "mean",
        loss_weight: float = 1.0,
        use_sigmoid: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= label_smooth_val < 1:
            raise ConfigError(f"label_smooth_val is {label_smooth_val!r}; it must lie in [0, 1)")
        if mode not in _SMOOTHINGS:
            raise ConfigError(f"mode is {mode!r}; it must be one of {', '.join(_SMOOTHINGS)}")
        self.label_smooth_val = label_smooth_val
        self.num_classes = num_classes
        self.mode = mode
        self.use_sigmoid = use_sigmoid or mode == "multi_label"
        self.reduction = reduction
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the loss of logits ``(N, C)``; the arguments are those of every loss here."""
        reduction = reduction_override or self.reduction
        if self.num_classes is not None and pred.shape[1] != self.num_classes:
            raise ConfigError(
                f"LabelSmoothLoss has num_classes={self.num_classes}, but there are {pred.shape[1]} logits"
            )
        share = self.label_smooth_val
        if self.mode == "classy_vision":
            # (t + e / C) / (1 + e) is the original formula for the share e / (1 + e).
            share = share / (1 + share)
        if self.use_sigmoid:
            spread, floor = (
                (2 * share, share) if self.mode == "multi_label" else (share, share / pred.shape[1])
            )
            smoothed = (1 - spread) * one_hot(target, pred) + floor
            values = functional.binary_cross_entropy_with_logits(pred, smoothed, reduction="none")
            return weight_reduce_loss(values, weight, reduction, avg_factor) * self.loss_weight
        if weight is None and _is_plain_mean(reduction, avg_factor, pred):
            return functional.cross_entropy(pred, target, label_smoothing=share) * self.loss_weight
        values = functional.cross_entropy(pred, target, label_smoothing=share, reduction="none")
        return weight_reduce_loss(values, weight, reduction, avg_factor) * self.loss_weight


def _is_plain_mean(reduction: str, avg_factor: float | Tensor | None, pred: Tensor) -> bool:
    """Return whether a mean over the samples is asked for."""
    return reduction == "mean" and (avg_factor is None or counts_samples(avg_factor, pred))


def one_hot(target: Tensor, pred: Tensor) -> Tensor:
    """Return the targets as floats in the shape of the logits; -1, hard to say, becomes 1."""
    if target.dim() == pred.dim():
        return target.to(pred.dtype).abs()
    # torch's one_hot reads the largest target first, which would wait for it.
    return torch.zeros_like(pred).scatter(1, target[:, None], 1.0)
