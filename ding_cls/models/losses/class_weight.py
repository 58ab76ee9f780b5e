"""Weights of the classes in a loss: given, or by how rare each class is in the training set.

It must not know datasets: the caller that trains gives the counts to ``set_class_counts``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ding_cls.errors import ConfigError
from ding_cls.models.losses.reduction import ReducedLoss

AUTO = "auto"


class ClassWeightLoss(ReducedLoss):
    """Base of losses with ``class_weight``: None, a list of numbers, or 'auto'.

    Args:
        class_weight: 'auto' takes ``balanced_weights`` of the counts that ``set_class_counts`` gets.
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: factor of the result.

    Raises:
        ConfigError: another word.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        class_weight: Sequence[float] | str | None,
        reduction: str = "mean",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if isinstance(class_weight, str) and class_weight != AUTO:
            raise ConfigError(
                f"class_weight is {class_weight!r}; it must be a list of numbers, 'auto' or None"
            )
        self._is_auto = class_weight == AUTO
        given = None if class_weight is None or isinstance(class_weight, str) else as_tensor(class_weight)
        # Not persistent: settings, which a file of weights shall not hold.
        self.register_buffer("class_weight", given, persistent=False)

    @property
    def needs_class_counts(self) -> bool:
        """Whether ``set_class_counts`` is to be called before the first loss."""
        return self._is_auto

    def set_class_counts(self, counts: Tensor) -> None:
        """Weigh the classes by these counts, where ``class_weight='auto'`` asks for it.

        Args:
            counts: int64 ``(C,)``, samples of each class in the training set.
        """
        if self._is_auto:
            self.class_weight = balanced_weights(counts)

    def weights_of_classes(self, num_classes: int | None = None) -> Tensor | None:
        """Return the weights ``(C,)``; None where all are alike.

        Raises:
            ConfigError: 'auto' was asked for, and the counts are not set; there are not as many as classes.
        """
        if self._is_auto and self.class_weight is None:
            raise ConfigError(NO_COUNTS)
        return checked_weights("class_weight", self.class_weight, num_classes)


NO_COUNTS = (
    "class_weight='auto' needs the number of training samples of each class, which this dataset does not "
    "have; give the weights as a list, or the dataset an attribute 'targets'"
)


def balanced_weights(counts: Tensor) -> Tensor:
    """Return the number of samples / (number of classes * the class's own): 1 on average over the samples.

    A class without a sample gets 1.

    Args:
        counts: int64 ``(C,)``.
    """
    num_samples = counts.sum()
    weights = num_samples.double() / (len(counts) * counts.clamp(min=1))
    return torch.where(counts > 0, weights, 1.0).to(torch.get_default_dtype())


def checked_weights(name: str, weights: Tensor | None, num_classes: int | None) -> Tensor | None:
    """Return the weights of the classes.

    Raises:
        ConfigError: there are not as many as classes, unless that is None.
    """
    if weights is not None and num_classes is not None and weights.shape != (num_classes,):
        raise ConfigError(f"{name} holds {weights.numel()} numbers, and there are {num_classes} classes")
    return weights


def as_tensor(values: Sequence[float]) -> Tensor:
    """Return numbers of a config as a tensor."""
    return torch.as_tensor(values, dtype=torch.get_default_dtype())
