"""A network of parts: a backbone, a neck, a head that brings its own losses.

It must not know the parts that come with the library, nor data, optimizers or configs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models.heads.linear import ClsHead, scores_of
from ding_cls.models.heads.openmmlab import has_forward_train_alone, logits_of
from ding_cls.models.layers.init import PRETRAINED
from ding_cls.models.openmmlab_classifier import BaseClassifier
from ding_cls.models.outputs import Outputs, only_losses, weight_keyword
from ding_cls.models.registry import CLASSIFIERS, Part, build_backbone, build_head, build_neck


@CLASSIFIERS.register_module()
class ImageClassifier(BaseClassifier):
    """Backbone, neck and head in a row.

    A head has ``forward(features) -> logits`` and ``loss(logits, targets) -> dict``. One with a
    ``forward_train(features, targets) -> dict`` of its own is accepted too; in evaluation its ``forward`` or
    ``simple_test`` is called. Samples with weights need a head whose ``loss`` or ``forward_train`` takes
    ``weight``. A subclass may have a ``forward_train`` or ``simple_test`` of its own as well.

    Args:
        backbone: ``dict(type=, ...)``, or a module.
        neck: the same, or a list of such; None: the head gets the backbone's maps.
        head: the same; None: the network only extracts features.
        pretrained: a file of weights, which ``init_weights`` loads.
        train_cfg: None or empty; batches are mixed elsewhere.
        init_cfg: of ``init_weights``.

    Raises:
        ConfigError: a ``train_cfg`` with ``augments``.
        ModelError: the head has neither of the two forms.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any] | nn.Module,
        neck: Mapping[str, Any] | nn.Module | Sequence[Part] | None = None,
        head: Mapping[str, Any] | nn.Module | None = None,
        pretrained: str | None = None,
        train_cfg: Mapping[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        if (train_cfg or {}).get("augments"):
            raise ConfigError(
                "model.train_cfg.augments is not the network's: a run reads it in a whole config, "
                "or as policy.learn.batch_augments"
            )
        super().__init__({"type": PRETRAINED, "checkpoint": pretrained} if pretrained else init_cfg)
        self.backbone: nn.Module = build_backbone(backbone)
        self.neck: nn.Module | None = None if neck is None else build_neck(neck)
        self.head: nn.Module | None = None if head is None else build_head(head)
        if self.head is not None:
            _check_head(self.head)

    def extract_feat(self, images: Tensor, stage: str = "neck") -> Any:
        """Return what the head gets: the neck's vectors, or the backbone's maps where there is no neck.

        Args:
            images: float ``(N, 3, H, W)``, normalised.
            stage: 'backbone': its maps; 'pre_logits': what the head's last layer sees.

        Raises:
            ModelError: another stage.
        """
        if stage not in ("backbone", "neck", "pre_logits"):
            raise ModelError(f"extract_feat has stage={stage!r}; it is 'backbone', 'neck' or 'pre_logits'")
        features = self.backbone(images)
        if self.neck is not None and stage != "backbone":
            features = self.neck(features)
        head: Any = self.head
        return head.pre_logits(features) if stage == "pre_logits" else features

    def forward(
        self,
        images: Any = None,
        targets: Tensor | None = None,
        weights: Tensor | None = None,
        **by_name: Any,
    ) -> Any:
        """Return the logits; with targets, these and the losses.

        Args:
            images: float ``(N, 3, H, W)``, normalised.
            targets: class numbers ``(N,)``, or what else the head's loss takes.
            weights: float ``(N,)``, weights of the samples; None: equal.
            **by_name: the arguments of ``BaseClassifier.forward``: ``img``, ``gt_label``, ``return_loss``.

        Returns:
            float ``(N, C)``, or ``Outputs``; by name what ``forward_train`` or ``simple_test`` returns.

        Raises:
            ModelError: there is no head, or it cannot weight samples.
        """
        if self.head is None:
            raise ModelError("this ImageClassifier has no head; extract_feat gives its features")
        has_own_losses = type(self).forward_train is not ImageClassifier.forward_train
        if by_name or targets is None or has_own_losses:
            return super().forward(images, targets, weights, **by_name)
        features = self.extract_feat(images)
        if _has_own_forward_train(self.head):
            keywords = weight_keyword(self.head, "forward_train", weights)
            losses = self.head.forward_train(features, targets, **keywords)  # type: ignore[operator]
            return Outputs(None, only_losses(self.head, losses))
        logits = self.head(features).float()
        # Losses lose digits in half precision.
        with torch.autocast(logits.device.type, enabled=False):
            keywords = weight_keyword(self.head, "loss", weights)
            losses = self.head.loss(logits, targets, **keywords)  # type: ignore[operator]
        return Outputs(logits, only_losses(self.head, losses))

    def forward_train(self, img: Tensor, gt_label: Tensor, **kwargs: Any) -> dict[str, Any]:
        """Return the losses of a batch, by name, as the head gives them."""
        head: Any = self.head
        features = self.extract_feat(img)
        if hasattr(head, "forward_train"):
            return dict(head.forward_train(features, gt_label, **kwargs))
        return dict(head.loss(head(features), gt_label, **kwargs))

    def simple_test(self, img: Tensor, img_metas: Any = None, **kwargs: Any) -> Any:
        """Return an array of probabilities for each image.

        Args:
            img: float ``(N, 3, H, W)``, normalised.
            img_metas: not used.
            **kwargs: of the head's ``simple_test``: ``softmax``, ``post_process``.
        """
        head: Any = self.head
        features = self.extract_feat(img)
        if has_forward_train_alone(head):
            # What the method of ClsHead that it inherits takes for features are the logits.
            features = logits_of(head, features)
        if hasattr(head, "simple_test"):
            return head.simple_test(features, **kwargs)
        return scores_of(head(features), **kwargs)

    def _logits(self, images: Tensor) -> Tensor:
        if type(self).simple_test is ImageClassifier.simple_test:
            return logits_of(self.head, self.extract_feat(images))  # type: ignore[arg-type]
        return super()._logits(images)


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
