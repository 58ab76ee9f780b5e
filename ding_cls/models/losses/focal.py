"""Losses that turn down what the network is sure of already. They must not know models or configs."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from ding_cls.errors import ConfigError
from ding_cls.models.losses.class_weight import ClassWeightLoss
from ding_cls.models.losses.cross_entropy import one_hot
from ding_cls.models.losses.reduction import ReducedLoss
from ding_cls.models.registry import LOSSES


@LOSSES.register_module()
class FocalLoss(ReducedLoss):
    """Focal loss of one sigmoid for each class; a sample's value is the sum over the classes when
    ``avg_factor`` is the number of samples, and their mean when it is None.

    Targets are class numbers ``(N,)``, or ``(N, C)``: 1, 0, or -1, which counts as 1.

    Args:
        gamma: exponent of 1 - p; 0 turns nothing down.
        alpha: weight of the positive answers, 1 - alpha that of the others; negative: both 1.
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: factor of the result.

    Raises:
        ConfigError: a negative ``gamma``.

    Source: Focal Loss for Dense Object Detection, Lin et al. 2017, eq. 5 (arXiv:1708.02002).
    """

    def __init__(
        self, gamma: float = 2.0, alpha: float = 0.25, reduction: str = "mean", loss_weight: float = 1.0
    ) -> None:
        super().__init__(reduction, loss_weight)
        _check(gamma=gamma)
        self.gamma, self.alpha = gamma, alpha

    def elementwise(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return a value for each class of each sample."""
        wanted = one_hot(targets, logits)
        if self.gamma >= 1:
            focal: Tensor = sigmoid_focal_loss(logits, wanted, self.alpha, self.gamma)
            return focal
        # torchvision's slope is not finite here where a score is 0 or 1.
        scores = logits.sigmoid()
        doubts = 1 - (scores * wanted + (1 - scores) * (1 - wanted))
        entropies = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        values = power(doubts, self.gamma) * entropies
        if self.alpha >= 0:
            values = values * (self.alpha * wanted + (1 - self.alpha) * (1 - wanted))
        return values


@LOSSES.register_module()
class SoftmaxFocalLoss(ClassWeightLoss):
    """Focal loss of a softmax: the sum over the classes of ``-t * (1 - p)^gamma * log(p)``.

    With ``gamma=0`` it is the cross-entropy.

    Args:
        gamma: exponent of 1 - p.
        class_weight: weights of the classes, or 'auto'; the mean is that over the samples all the same.
        label_smoothing: share of the target spread over all classes, in [0, 1).
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: factor of the result.

    Raises:
        ConfigError: a negative ``gamma``, or a share that does not exist.

    Source: Focal Loss for Dense Object Detection, Lin et al. 2017, eq. 4 (arXiv:1708.02002), for a softmax,
    and for a target that is spread over several classes by the sum of their terms.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        class_weight: Sequence[float] | str | None = None,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(class_weight, reduction, loss_weight)
        _check(gamma=gamma)
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"label_smoothing is {label_smoothing!r}; it must lie in [0, 1)")
        self.gamma, self.label_smoothing = gamma, label_smoothing

    def elementwise(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return a value for each sample."""
        share = self.label_smoothing
        spread = (1 - share) * one_hot(targets, logits) + share / logits.shape[1]
        log_scores = logits.log_softmax(1)
        terms = -spread * power(-log_scores.expm1(), self.gamma) * log_scores
        class_weight = self.weights_of_classes(logits.shape[1])
        return (terms if class_weight is None else terms * class_weight).sum(1)


@LOSSES.register_module()
class AsymmetricLoss(ReducedLoss):
    """Focal loss of one sigmoid for each class, with an exponent of its own for the answers no, whose small
    scores count as 0.

    Targets are as in ``FocalLoss``, and so are the sums over the classes.

    Args:
        gamma_pos: exponent of the answers yes.
        gamma_neg: exponent of the answers no.
        clip: an answer no is as good as sure from this score down; 0 or None: never.
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: factor of the result.
        use_sigmoid: False: a softmax over the classes takes the place of the sigmoids.
        eps: the least score that a logarithm is taken of.

    Raises:
        ConfigError: a negative exponent or ``clip``.

    Source: Asymmetric Loss For Multi-Label Classification, Ridnik et al. 2020, eq. 7 (arXiv:2009.14119).
    """

    def __init__(
        self,
        gamma_pos: float = 0.0,
        gamma_neg: float = 4.0,
        clip: float | None = 0.05,
        reduction: str = "mean",
        loss_weight: float = 1.0,
        use_sigmoid: bool = True,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(reduction, loss_weight)
        _check(gamma_pos=gamma_pos, gamma_neg=gamma_neg, clip=clip or 0.0)
        self.gamma_pos, self.gamma_neg, self.clip = gamma_pos, gamma_neg, clip or 0.0
        self.use_sigmoid, self.eps = use_sigmoid, eps

    def elementwise(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return a value for each class of each sample."""
        wanted = one_hot(targets, logits)
        scores = logits.sigmoid() if self.use_sigmoid else logits.softmax(1)
        refused = (1 - scores + self.clip).clamp(max=1)
        right = scores * wanted + refused * (1 - wanted)
        exponents = self.gamma_pos * wanted + self.gamma_neg * (1 - wanted)
        return -right.clamp(min=self.eps).log() * power(1 - right, exponents)


def power(doubts: Tensor, exponents: float | Tensor) -> Tensor:
    """Return ``doubts ** exponents``, of which 0 is never quite 0: below 1 the slope is infinite there."""
    raised: Tensor = doubts.clamp(min=torch.finfo(doubts.dtype).tiny) ** exponents
    return raised


def _check(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value >= 0:
            raise ConfigError(f"{name} is {value!r}; it must not be negative")
