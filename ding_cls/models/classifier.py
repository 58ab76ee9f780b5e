"""A network of parts: a backbone, a neck, a head that brings its own losses.

It must not know the parts that come with the library, nor data, optimizers or configs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ding_cls.errors import ModelError
from ding_cls.models.heads.linear import ClsHead
from ding_cls.models.registry import CLASSIFIERS, Part, build_backbone, build_head, build_neck, takes


class Outputs(NamedTuple):
    """What a network that computes its own losses gives in training. DDP finds the tensors in it.

    Attributes:
        logits: float32 ``(N, C)``; None where the head gives losses alone.
        losses: by name; the gradient is that of their sum.
    """

    logits: Tensor | None
    losses: dict[str, Tensor]


@CLASSIFIERS.register_module()
class ImageClassifier(nn.Module):
    """Backbone, neck and head in a row.

    A head has ``forward(features) -> logits`` and ``loss(logits, targets) -> dict``. One with a
    ``forward_train(features, targets) -> dict`` of its own is accepted too; in evaluation its ``forward``
    is called, or else ``simple_test`` for scores before the softmax. Samples with weights need a head whose
    ``loss`` or ``forward_train`` takes ``weight``.

    Args:
        backbone: ``dict(type=, ...)``, or a module.
        neck: the same, or a list of such; None: the head gets the backbone's maps.
        head: the same; None: the network only extracts features.

    Attributes:
        computes_loss: it is called with targets, and gives its losses itself.
        is_composed: it has a neck and a head that a file of weights need not have.
        CLASSES: the names of the classes; None until they are set.

    Raises:
        ModelError: the head has neither of the two forms.
    """

    computes_loss = True
    is_composed = True
    CLASSES: tuple[str, ...] | None = None

    def __init__(
        self,
        backbone: Mapping[str, Any] | nn.Module,
        neck: Mapping[str, Any] | nn.Module | Sequence[Part] | None = None,
        head: Mapping[str, Any] | nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.backbone: nn.Module = build_backbone(backbone)
        self.neck: nn.Module | None = None if neck is None else build_neck(neck)
        self.head: nn.Module | None = None if head is None else build_head(head)
        if self.head is not None:
            _check_head(self.head)

    @property
    def with_neck(self) -> bool:
        """Whether there is a neck."""
        return self.neck is not None

    @property
    def with_head(self) -> bool:
        """Whether there is a head."""
        return self.head is not None

    def extract_feat(self, images: Tensor) -> Any:
        """Return what the head gets: the neck's vectors, or the backbone's maps where there is no neck."""
        features = self.backbone(images)
        return features if self.neck is None else self.neck(features)

    def forward(
        self, images: Tensor, targets: Tensor | None = None, weights: Tensor | None = None
    ) -> Tensor | Outputs:
        """Return the logits; with targets, these and the losses.

        Args:
            images: float ``(N, 3, H, W)``, normalised.
            targets: class numbers ``(N,)``, or what else the head's loss takes.
            weights: float ``(N,)``, weights of the samples; None: equal.

        Returns:
            float ``(N, C)``, or ``Outputs``.

        Raises:
            ModelError: there is no head, or it cannot weight samples.
        """
        if self.head is None:
            raise ModelError("this ImageClassifier has no head; extract_feat gives its features")
        features = self.extract_feat(images)
        if targets is None:
            return _logits(self.head, features)
        if _has_own_forward_train(self.head):
            keywords = _weight_keyword(self.head, "forward_train", weights)
            losses = self.head.forward_train(features, targets, **keywords)  # type: ignore[operator]
            return Outputs(None, _only_losses(self.head, losses))
        logits = self.head(features).float()
        # Losses lose digits in half precision.
        with torch.autocast(logits.device.type, enabled=False):
            keywords = _weight_keyword(self.head, "loss", weights)
            losses = self.head.loss(logits, targets, **keywords)  # type: ignore[operator]
        return Outputs(logits, _only_losses(self.head, losses))


def _check_head(head: nn.Module) -> None:
    can_evaluate = _has_forward(head) or hasattr(head, "simple_test")
    if _has_own_forward_train(head) and can_evaluate:
        return
    if _has_forward(head) and callable(getattr(head, "loss", None)):
        return
    raise ModelError(
        f"the head {type(head).__name__} needs forward(features) and loss(logits, targets); "
        "or forward_train(features, targets), with forward or simple_test for evaluation"
    )


def _has_forward(head: nn.Module) -> bool:
    return type(head).forward is not nn.Module.forward


def _has_own_forward_train(head: nn.Module) -> bool:
    method = getattr(type(head), "forward_train", None)
    # That of our own heads only puts forward and loss together.
    return method is not None and method is not ClsHead.forward_train


def _logits(head: nn.Module, features: Any) -> Tensor:
    if _has_forward(head):
        logits: Tensor = head(features)
        return logits
    simple_test: Any = head.simple_test
    plain = {name: False for name in ("softmax", "post_process") if takes(simple_test, name)}
    scores: Tensor = simple_test(features, **plain)
    return scores


def _weight_keyword(head: nn.Module, method: str, weights: Tensor | None) -> dict[str, Tensor]:
    if weights is None:
        return {}
    if not takes(getattr(head, method), "weight"):
        raise ModelError(
            f"the samples have weights, which the head {type(head).__name__} cannot use: "
            f"its {method} takes no argument 'weight'"
        )
    return {"weight": weights}


def _only_losses(head: nn.Module, found: Any) -> dict[str, Tensor]:
    """Return the losses among what a head gave, each as one float32 number.

    As in mmclassification these are the values with ``loss`` in their names; the rest is left out.
    """
    if not isinstance(found, Mapping):
        raise ModelError(
            f"the head {type(head).__name__} gave {type(found).__name__} as its losses; "
            "it must be a dict such as dict(loss=...)"
        )
    losses = {
        str(name): _number(value)
        for name, value in found.items()
        if not isinstance(value, Mapping) and "loss" in str(name)
    }
    if not losses:
        raise ModelError(
            f"the head {type(head).__name__} gave no loss, only {list(found)}; a loss has 'loss' in its name"
        )
    return losses


def _number(value: Any) -> Tensor:
    if isinstance(value, list | tuple):
        return torch.stack([_number(each) for each in value]).sum()
    if not isinstance(value, Tensor):
        return torch.tensor(float(value))
    # One number goes through as it is, to the last bit.
    return (value if value.dim() == 0 else value.mean()).float()
