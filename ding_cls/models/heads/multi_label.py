"""Heads for images with several labels: one sigmoid for each class."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError
from ding_cls.models.heads.linear import ClsHead, check_sizes
from ding_cls.models.layers.init import initialise_by_cfg
from ding_cls.models.registry import HEADS

_SIGMOIDS = {"type": "CrossEntropyLoss", "use_sigmoid": True, "reduction": "mean", "loss_weight": 1.0}
# Source: the paper's code; 99 means the maximum.
_TEMPERATURES = {
    1: (1,),
    2: (1, 99),
    4: (1, 2, 4, 99),
    6: (1, 2, 3, 4, 5, 99),
    8: (1, 2, 3, 4, 5, 6, 7, 99),
}
_MAXIMUM = 99


@HEADS.register_module()
class MultiLabelClsHead(ClsHead):
    """A head without a layer, for several labels an image. Base of the heads with one.

    Targets are float ``(N, C)``, 1 where the class is there. -1, which marks a difficult example, counts as
    1.

    Args:
        loss: the loss as ``dict(type=, ...)``, or a module; None: binary cross-entropy, for each sample
            summed over the classes.
        init_cfg: of ``init_weights``, for subclasses.
    """

    def __init__(self, loss: Mapping[str, Any] | nn.Module | None = None, init_cfg: Any = None) -> None:
        super().__init__(_SIGMOIDS if loss is None else loss, init_cfg=init_cfg)

    def loss(
        self, logits: Tensor, targets: Tensor, weight: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Return ``dict(loss=...)``, a mean over the samples; its arguments are those of ``ClsHead.loss``."""
        return super().loss(logits, targets.abs(), weight, **kwargs)

    def simple_test(self, x: Any, sigmoid: bool = True, post_process: bool = True) -> Any:
        """Return the scores of features: with ``sigmoid`` probabilities, else logits."""
        logits = self._logits_for("simple_test", x)
        scores = logits.sigmoid() if sigmoid else logits
        return self.post_process(scores) if post_process else scores


@HEADS.register_module()
class MultiLabelLinearClsHead(MultiLabelClsHead):
    """One linear layer, for several labels an image.

    Args:
        num_classes: number of logits.
        in_channels: length of the vectors that come in.
        loss: as in ``MultiLabelClsHead``.
        init_cfg: as in ``LinearClsHead``.

    Raises:
        ConfigError: a number that is not positive, or an ``init_cfg`` that does not exist.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss: Mapping[str, Any] | nn.Module | None = None,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(loss, init_cfg)
        check_sizes(self, num_classes=num_classes, in_channels=in_channels)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.fc = nn.Linear(in_channels, num_classes)
        initialise_by_cfg(self, init_cfg)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits ``(N, num_classes)`` of the deepest of the features."""
        logits: Tensor = self.fc(self.pre_logits(features))
        return logits


@HEADS.register_module()
class CSRAClsHead(MultiLabelClsHead):
    """Class-specific residual attention: for each class the mean of its scores over the plane, and a share
    of their mean where they are large. It takes maps: there is no neck.

    Args:
        num_classes: number of logits.
        in_channels: channels of the maps that come in.
        num_heads: 1, 2, 4, 6 or 8 attentions of different temperatures, added.
        loss: as in ``MultiLabelClsHead``.
        lam: share of the attention.
        init_cfg: as in ``LinearClsHead``.

    Raises:
        ConfigError: a number that does not exist.

    Source: Residual Attention, Zhu & Wu 2021, eq. 2 to 6 and section 3.3 (arXiv:2108.02456).
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_heads: int = 1,
        loss: Mapping[str, Any] | nn.Module | None = None,
        lam: float = 0.1,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(loss, init_cfg)
        check_sizes(self, num_classes=num_classes, in_channels=in_channels)
        if num_heads not in _TEMPERATURES:
            raise ConfigError(f"CSRAClsHead has num_heads={num_heads!r}; it must be one of 1, 2, 4, 6, 8")
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.lam = lam
        self.temperatures = _TEMPERATURES[num_heads]
        self.fcs = nn.ModuleList(nn.Linear(in_channels, num_classes, bias=False) for _ in range(num_heads))
        initialise_by_cfg(self, init_cfg)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits ``(N, num_classes)`` of the deepest of the maps, ``(N, C, H, W)``."""
        pixels = self.pre_logits(features).flatten(2).transpose(1, 2)
        pairs = zip(self.fcs, self.temperatures, strict=True)
        return torch.stack([self._attended(pixels, fc, each) for fc, each in pairs]).sum(0)

    def _attended(self, pixels: Tensor, fc: nn.Module, temperature: int) -> Tensor:
        """Return the logits of one attention, of pixels ``(N, H * W, C)``."""
        weight = fc.get_parameter("weight")
        scores = (pixels @ weight.T) / weight.norm(dim=1)
        mean: Tensor = scores.mean(1)
        if temperature == _MAXIMUM:
            attention = scores.amax(1)
        else:
            attention = ((scores * temperature).softmax(1) * scores).sum(1)
        return mean.add(attention, alpha=self.lam)
