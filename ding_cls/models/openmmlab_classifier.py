"""The base of mmclassification's whole networks, which are called by keyword.

It must not know which parts there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from ding_cls.errors import ConfigError
from ding_cls.models.heads.multi_label import MultiLabelClsHead
from ding_cls.models.heads.openmmlab import logits_in_test
from ding_cls.models.openmmlab import BaseModule
from ding_cls.models.outputs import Outputs, only_losses, weight_keyword


class BaseClassifier(BaseModule):
    """Base of whole networks; a subclass has ``extract_feat``, and may have the other methods of its own.

    ``model(img, gt_label=, return_loss=True)`` calls ``forward_train``, ``return_loss=False`` calls
    ``simple_test``.

    Attributes:
        augments: None; batches are mixed before they come.
        computes_loss: it is called with targets, and gives its losses itself.
        is_composed: it has a neck and a head that a file of weights need not have.
        CLASSES: the names of the classes; None until they are set.
    """

    augments: None = None
    computes_loss = True
    is_composed = True
    CLASSES: tuple[str, ...] | None = None
    backbone: nn.Module
    neck: nn.Module | None
    head: nn.Module | None

    @property
    def with_neck(self) -> bool:
        """Whether there is a neck."""
        return getattr(self, "neck", None) is not None

    @property
    def with_head(self) -> bool:
        """Whether there is a head."""
        return getattr(self, "head", None) is not None

    def extract_feat(self, images: Tensor, stage: str = "neck") -> Any:
        """Return the features of images."""
        raise NotImplementedError

    def extract_feats(self, imgs: Iterable[Tensor], stage: str = "neck") -> list[Any]:
        """Return the features of each batch of several."""
        return [self.extract_feat(each, stage) for each in imgs]

    def forward_train(self, img: Tensor, gt_label: Tensor, **kwargs: Any) -> dict[str, Any]:
        """Return the losses of a batch, by name."""
        head: Any = self.head
        return dict(head.forward_train(self.extract_feat(img), gt_label, **kwargs))

    def simple_test(self, img: Tensor, img_metas: Any = None, **kwargs: Any) -> Any:
        """Return an array of probabilities for each image; keywords go to the head's ``simple_test``."""
        head: Any = self.head
        return head.simple_test(self.extract_feat(img), **kwargs)

    def forward_test(self, imgs: Tensor | list[Tensor], **kwargs: Any) -> Any:
        """Return ``simple_test`` of a batch, which may be alone in a list.

        Raises:
            ConfigError: there are several.
        """
        if not isinstance(imgs, Tensor) and len(imgs) != 1:
            raise ConfigError(f"forward_test takes one batch of images, not {len(imgs)}")
        return self.simple_test(imgs if isinstance(imgs, Tensor) else imgs[0], **kwargs)

    def forward(
        self,
        images: Any = None,
        targets: Tensor | None = None,
        weights: Tensor | None = None,
        **by_name: Any,
    ) -> Any:
        """Return the logits; with targets the losses.

        By name it is what ``forward_train`` or ``simple_test`` returns.

        Args:
            images: float ``(N, 3, H, W)``, normalised.
            targets: class numbers ``(N,)``, or what else the loss takes.
            weights: float ``(N,)``, weights of the samples; None: equal.
            **by_name: ``img``, ``gt_label``, ``return_loss``, and further arguments of these methods.

        Raises:
            ModelError: ``forward_train`` cannot weight samples, or gives no losses.
        """
        if by_name:
            img, is_training = by_name.pop("img", images), by_name.pop("return_loss", True)
            return self.forward_train(img, **by_name) if is_training else self.forward_test(img, **by_name)
        if targets is None:
            return self._logits(images)
        keywords = weight_keyword(self, "forward_train", weights)
        return Outputs(None, only_losses(self, self.forward_train(images, targets, **keywords)))

    def train_step(self, data: Mapping[str, Any], optimizer: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Return ``loss``, ``log_vars`` and ``num_samples`` of a batch; nothing is updated.

        Args:
            data: ``img`` and ``gt_label``, by name.
            optimizer: not used; a subclass may.
            **kwargs: likewise.
        """
        plain = {name: value for name, value in data.items() if name != "img_metas"}
        loss, log_vars = self._parse_losses(self(return_loss=True, **plain))
        return {"loss": loss, "log_vars": log_vars, "num_samples": len(data["img"])}

    def val_step(self, data: Mapping[str, Any], optimizer: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Return the same as ``train_step``."""
        return self.train_step(data, optimizer, **kwargs)

    def _parse_losses(self, losses: Mapping[str, Any]) -> tuple[Any, dict[str, float]]:
        """Return the sum of what has ``loss`` in its name, and every value as a number."""
        found: dict[str, Any] = {}
        for name, value in losses.items():
            inner = value if isinstance(value, Mapping) else {name: value}
            for each, one in inner.items():
                values = one if isinstance(one, list | tuple) else [one]
                found[str(each)] = sum(entry.mean() for entry in values)
        total = sum(value for name, value in found.items() if "loss" in name)
        return total, {name: float(_detached(value)) for name, value in {**found, "loss": total}.items()}

    def _logits(self, images: Tensor) -> Tensor:
        head = getattr(self, "head", None)
        has_sigmoids = isinstance(head, MultiLabelClsHead)
        rest = getattr(head, "simple_test", None)
        return logits_in_test(self.simple_test, images, has_sigmoids=has_sigmoids, rest=rest)


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value
