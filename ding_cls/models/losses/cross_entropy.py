"""Cross-entropy, plain and with smoothed targets. It must not know models or configs."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ding_cls.errors import ConfigError
from ding_cls.models.losses.class_weight import ClassWeightLoss, as_tensor, checked_weights
from ding_cls.models.losses.reduction import ReducedLoss
from ding_cls.models.registry import LOSSES

_SMOOTHINGS = ("original", "classy_vision", "multi_label")


@LOSSES.register_module()
class CrossEntropyLoss(ClassWeightLoss):
    """Cross-entropy of a softmax, or of one sigmoid for each class.

    Targets are class numbers ``(N,)``, or ``(N, C)`` shares of the classes; with ``use_sigmoid`` also -1, an
    answer that is hard to say, which counts as 1.

    Args:
        use_sigmoid: each class by itself; a sample's value is the sum over the classes when
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
        super().__init__(class_weight, reduction, loss_weight)
        if use_sigmoid and use_soft:
            raise ConfigError("CrossEntropyLoss takes use_sigmoid=True or use_soft=True, not both")
        if pos_weight is not None and not use_sigmoid:
            raise ConfigError("CrossEntropyLoss takes pos_weight only with use_sigmoid=True")
        self.use_sigmoid = use_sigmoid
        positive = None if pos_weight is None else as_tensor(pos_weight)
        self.register_buffer("pos_weight", positive, persistent=False)

    def elementwise(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return a value for each sample, or with ``use_sigmoid`` for each class of each."""
        class_weight = self.weights_of_classes(logits.shape[1])
        if not self.use_sigmoid:
            return functional.cross_entropy(logits, targets, weight=class_weight, reduction="none")
        return functional.binary_cross_entropy_with_logits(
            logits,
            one_hot(targets, logits),
            weight=class_weight,
            pos_weight=checked_weights("pos_weight", self.pos_weight, logits.shape[1]),
            reduction="none",
        )

    def torch_mean(self, logits: Tensor, targets: Tensor) -> Tensor | None:
        """Return torch's mean; None with ``use_sigmoid`` or weights of the classes."""
        if self.use_sigmoid or self.weights_of_classes(logits.shape[1]) is not None:
            return None
        return functional.cross_entropy(logits, targets)


@LOSSES.register_module()
class LabelSmoothLoss(ReducedLoss):
    """Cross-entropy against targets of which a share is spread over all classes.

    With e = ``label_smooth_val``, C classes, and t the one-hot target:

    - original: ``(1 - e) * t + e / C``;
    - classy_vision: ``(t + e / C) / (1 + e)``, as the library of that name has it;
    - multi_label: ``(1 - 2 * e) * t + e``, a sigmoid for each class.

    Args:
        label_smooth_val: the share, in [0, 1).
        num_classes: checked against the logits; None takes theirs.
        mode: which of the three.
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: factor of the result.
        use_sigmoid: a sigmoid for each class in the other modes too.

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
        super().__init__(reduction, loss_weight)
        if not 0 <= label_smooth_val < 1:
            raise ConfigError(f"label_smooth_val is {label_smooth_val!r}; it must lie in [0, 1)")
        if mode not in _SMOOTHINGS:
            raise ConfigError(f"mode is {mode!r}; it must be one of {', '.join(_SMOOTHINGS)}")
        self.label_smooth_val = label_smooth_val
        self.num_classes = num_classes
        self.mode = mode
        self.use_sigmoid = use_sigmoid or mode == "multi_label"

    def elementwise(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return a value for each sample, or with sigmoids for each class of each.

        Raises:
            ConfigError: there are not ``num_classes`` logits.
        """
        share = self._share(logits)
        if not self.use_sigmoid:
            return functional.cross_entropy(logits, targets, label_smoothing=share, reduction="none")
        spread, floor = (2 * share, share) if self.mode == "multi_label" else (share, share / logits.shape[1])
        smoothed = (1 - spread) * one_hot(targets, logits) + floor
        return functional.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")

    def torch_mean(self, logits: Tensor, targets: Tensor) -> Tensor | None:
        """Return torch's mean; None with sigmoids."""
        if self.use_sigmoid:
            return None
        return functional.cross_entropy(logits, targets, label_smoothing=self._share(logits))

    def _share(self, logits: Tensor) -> float:
        if self.num_classes is not None and logits.shape[1] != self.num_classes:
            raise ConfigError(
                f"LabelSmoothLoss has num_classes={self.num_classes}, but there are {logits.shape[1]} logits"
            )
        share = self.label_smooth_val
        # (t + e / C) / (1 + e) is the original formula for the share e / (1 + e).
        return share / (1 + share) if self.mode == "classy_vision" else share


def one_hot(target: Tensor, pred: Tensor) -> Tensor:
    """Return the targets as floats in the shape of the logits; -1, hard to say, becomes 1."""
    if target.dim() == pred.dim():
        return target.to(pred.dtype).abs()
    # torch's one_hot reads the largest target first, which would wait for it.
    return torch.zeros_like(pred).scatter(1, target[:, None], 1.0)
