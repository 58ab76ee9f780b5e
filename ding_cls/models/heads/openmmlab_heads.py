"""Heads that mmclassification has for one backbone each: DeiT's and EfficientFormer's."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from ding_cls.errors import ModelError
from ding_cls.models.heads.linear import ClsHead, VisionTransformerClsHead, check_sizes
from ding_cls.models.layers.init import initialise_by_cfg
from ding_cls.models.registry import HEADS
from ding_cls.registry import Library


@HEADS.register_module()
class DeiTClsHead(VisionTransformerClsHead):
    """Logits that are the mean of two layers': on the class token, and on the distillation token.

    It takes what ``DistilledVisionTransformer`` gives. There is no teacher: the loss is that of the mean. Its
    arguments are those of ``VisionTransformerClsHead``.

    Source: Training data-efficient image transformers, Touvron et al. 2020, section 4 (arXiv:2012.12877).
    """

    def __init__(
        self, num_classes: int, in_channels: int, init_cfg: Mapping[str, Any] | None = None, **arguments: Any
    ) -> None:
        super().__init__(num_classes, in_channels, init_cfg=init_cfg, **arguments)
        self.fc_dist = nn.Linear(self.fc.in_features, num_classes)
        if init_cfg is not None:
            initialise_by_cfg(self.fc_dist, init_cfg)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits ``(N, num_classes)``.

        Args:
            features: vectors ``(N, D)`` of the class token, of the distillation token, and what else follows.

        Raises:
            ModelError: there are no two tokens.
        """
        if isinstance(features, Tensor) or len(features) < 2:
            raise ModelError(
                "DeiTClsHead needs a class token and a distillation token; its backbone is "
                "dict(type='DistilledVisionTransformer', ...), others take VisionTransformerClsHead"
            )
        of_class: Tensor = self.fc(self.pre_logits((features[0],)))
        of_teacher: Tensor = self.fc_dist(self.pre_logits((features[1],)))
        return (of_class + of_teacher) / 2


@HEADS.register_module()
class EfficientFormerClsHead(ClsHead):
    """Logits that are the mean of two linear layers' on the same vector.

    Args:
        num_classes: number of logits.
        in_channels: length of the vectors that come in.
        distillation: there is the second layer. There is no teacher: the loss is that of the mean.
        init_cfg: as in ``LinearClsHead``.
        loss: as in ``ClsHead``.

    Raises:
        ConfigError: a number that is not positive, or an ``init_cfg`` that does not exist.

    Source: EfficientFormer, Li et al. 2022 (arXiv:2206.01191).
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        distillation: bool = True,
        init_cfg: Mapping[str, Any] | None = None,
        loss: Mapping[str, Any] | nn.Module | None = None,
    ) -> None:
        super().__init__(loss)
        check_sizes(self, num_classes=num_classes, in_channels=in_channels)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.head = nn.Linear(in_channels, num_classes)
        self.dist_head = nn.Linear(in_channels, num_classes) if distillation else None
        initialise_by_cfg(self, init_cfg)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits ``(N, num_classes)`` of the deepest of the features."""
        vectors = self.pre_logits(features)
        logits: Tensor = self.head(vectors)
        return logits if self.dist_head is None else (logits + self.dist_head(vectors)) / 2


def _find(name: str) -> Callable[..., nn.Module] | None:
    return _conformers if name == "ConformerHead" else None


def _conformers(**_arguments: Any) -> nn.Module:
    raise ModelError(
        "head 'ConformerHead' is for the backbone Conformer, which is in neither torchvision nor timm; "
        "register your own under that name, or take another backbone with LinearClsHead"
    )


HEADS.add_libraries(Library("mmclassification", _find, lambda: ()))
