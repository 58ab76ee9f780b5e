"""Losses by name: those of ``torch.nn``, called as every loss here is, and short forms ('Focalloss-2')."""

import copy
import inspect
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError
from ding_cls.models.losses.class_weight import AUTO, ClassWeightLoss
from ding_cls.models.losses.reduction import counts_samples, weight_reduce_loss
from ding_cls.registry import Library

_FOCAL = re.compile(r"(?:CEV2|Focalloss)-(\d+(?:\.\d+)?)", re.IGNORECASE)
_PLAIN: dict[str, dict[str, Any]] = {
    "CE": {"type": "CrossEntropyLoss"},
    "BCE": {"type": "CrossEntropyLoss", "use_sigmoid": True},
}
# Tensors in torch's constructors; a config, which is plain data, holds lists.
_TENSORS = ("weight", "pos_weight")
_BATCH_MEAN = "batchmean"
_OF_LOGARITHMS = (nn.NLLLoss, nn.KLDivLoss)
_OF_ELEMENTS = (
    *(nn.BCELoss, nn.BCEWithLogitsLoss, nn.HingeEmbeddingLoss, nn.HuberLoss, nn.KLDivLoss, nn.L1Loss),
    *(nn.MSELoss, nn.MultiLabelSoftMarginLoss, nn.PoissonNLLLoss, nn.SmoothL1Loss, nn.SoftMarginLoss),
)


class TorchLoss(ClassWeightLoss):
    """A loss of ``torch.nn`` that also takes weights of samples, an averaging factor, another reduction.

    Without weights the mean is torch's own, to the last bit. It runs over all elements, or is divided by the
    sum of the class weights. With weights, a sample's own elements are averaged first.

    Args:
        loss: torch's loss.
        loss_weight: factor of the result.
        class_weight: None, or 'auto': its ``weight`` is that of ``balanced_weights``.
    """

    def __init__(self, loss: nn.Module, *, loss_weight: float = 1.0, class_weight: str | None = None) -> None:
        super().__init__(class_weight, str(getattr(loss, "reduction", "mean")), loss_weight)
        # Class weights are settings: a file of the network's weights shall not hold them.
        for name, buffer in list(loss.named_buffers(recurse=False)):
            loss.register_buffer(name, buffer, persistent=False)
        if class_weight is not None:
            loss.register_buffer("weight", None, persistent=False)
        self.loss = loss

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
            pred: float, in the form that torch's loss takes; the first axis counts samples.
            target: in the form that torch's loss takes.
            weight: float ``(N,)``, weights of the samples.
            avg_factor: what a sum over samples is divided by; their number itself means torch's own mean.
            reduction_override: 'none', 'mean' or 'sum', instead of the loss's own.

        Raises:
            ConfigError: weights for a loss that gives no value for each sample; ``avg_factor`` with 'sum'.
        """
        reduction = reduction_override or self.reduction
        counts = counts_samples(avg_factor, pred)
        is_plain = avg_factor is None or reduction == "none" or (reduction != "sum" and counts)
        if weight is None and is_plain:
            return self._reduced(pred, target, reduction) * self.loss_weight
        values = self._reduced(pred, target, "none")
        if values.dim() == 0 or len(values) != len(pred):
            name = type(self.loss).__name__
            raise ConfigError(f"{name} gives no value for each sample; its samples cannot be weighted")
        if values.dim() > 1:
            elements = values.flatten(1)
            # KLDivLoss has a fourth reduction: a mean over samples, a sum over a sample's elements.
            values = elements.sum(1) if reduction == _BATCH_MEAN else elements.mean(1)
        reduction = "mean" if reduction == _BATCH_MEAN else reduction
        return weight_reduce_loss(values, weight, reduction, avg_factor) * self.loss_weight

    def _reduced(self, pred: Tensor, target: Tensor, reduction: str) -> Tensor:
        loss = self.loss
        if wants_floats(loss) and pred.shape != target.shape:
            # Where as many samples as classes are compared, torch would broadcast.
            raise ConfigError(
                f"{type(loss).__name__} compares elements: logits {tuple(pred.shape)} need float targets of "
                f"that shape, not {target.dtype} {tuple(target.shape)}; {FLOATS_OR}"
            )
        if (class_weight := self.weights_of_classes()) is not None:
            loss.weight = class_weight
        if reduction != getattr(loss, "reduction", reduction):
            # A shallow copy: it shares the class weights, wherever they have been moved.
            loss = copy.copy(loss)
            loss.reduction = reduction  # type: ignore[assignment]
        try:
            value: Tensor = loss(pred, target)
        except (ValueError, RuntimeError) as error:
            if type(error) not in (ValueError, RuntimeError):
                raise  # memory that is used up, for example
            raise ConfigError(
                f"{type(self.loss).__name__} cannot compare {pred.dtype} {tuple(pred.shape)} with targets "
                f"{target.dtype} {tuple(target.shape)}: {str(error).splitlines()[0]}"
            ) from error
        return value


FLOATS_OR = (
    "take CrossEntropyLoss (use_sigmoid=True: a sigmoid for each class), or targets for each class, as "
    "policy.learn.batch_augments=dict(type='Mixup', alpha=0.2) or data with several labels give"
)


def wants_floats(loss: Any) -> bool:
    """Return whether a loss of torch's takes targets in the shape of the logits, not class numbers."""
    return isinstance(loss, _OF_ELEMENTS)


def wants_logarithms(loss: Any) -> bool:
    """Return whether a loss of torch's takes logarithms of probabilities, not logits."""
    return isinstance(loss, _OF_LOGARITHMS)


def described_loss(text: str) -> dict[str, Any]:
    """Return the dict that a short form means, or ``dict(type=text)`` of a loss's name.

    ``CEV2-g`` and ``Focalloss-g`` are the focal loss of a softmax with the exponent g.

    Raises:
        ConfigError: there is no such form.
    """
    if text.upper() in _PLAIN:
        return dict(_PLAIN[text.upper()])
    if match := _FOCAL.fullmatch(text):
        return {"type": "SoftmaxFocalLoss", "gamma": float(match[1])}
    if text.isidentifier() and text.endswith("Loss"):
        return {"type": text}
    raise ConfigError(
        f"there is no loss '{text}'; short forms are CE, BCE, CEV2-g and Focalloss-g with the exponent g, "
        "such as Focalloss-2; others are described by dict(type='Name', ...)"
    )


def _find(name: str) -> Callable[..., TorchLoss] | None:
    kind = getattr(nn, name, None) if name.endswith("Loss") else None
    if isinstance(kind, type) and issubclass(kind, nn.Module) and _takes_two(kind):
        return _adapted(kind)
    return None


def _takes_two(kind: type[nn.Module]) -> bool:
    """Return whether a loss compares logits with targets, and wants nothing else, as a triplet's does."""
    _, *needed = inspect.signature(kind.forward).parameters.values()
    return sum(each.default is each.empty for each in needed) == 2


def _names() -> list[str]:
    return [name for name in dir(nn) if _find(name) is not None]


def _adapted(kind: type[nn.Module]) -> Callable[..., TorchLoss]:
    """Return a constructor with the arguments of torch's, and ``loss_weight``."""

    def build(*, loss_weight: float = 1.0, **arguments: Any) -> TorchLoss:
        is_auto = arguments.get("weight") == AUTO
        if is_auto:
            del arguments["weight"]
        for name in _TENSORS:
            if isinstance(arguments.get(name), list | tuple):
                arguments[name] = torch.tensor(arguments[name], dtype=torch.get_default_dtype())
        class_weight = AUTO if is_auto else None
        return TorchLoss(kind(**arguments), loss_weight=loss_weight, class_weight=class_weight)

    own = inspect.signature(build).parameters["loss_weight"]
    signature = inspect.signature(kind)
    build.__name__ = build.__qualname__ = kind.__name__
    build.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), own]
    )
    return build


TORCH_LOSSES: Library[Callable[..., Any]] = Library("torch.nn", _find, _names)
