"""Heads: what a neck gives, to logits, and logits with targets to losses by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ding_cls.errors import ConfigError
from ding_cls.models.registries import HEADS, build_loss

_CROSS_ENTROPY = {"type": "CrossEntropyLoss", "loss_weight": 1.0}


@HEADS.register_module()
class ClsHead(nn.Module):
    """A head without a layer: what comes in last are the logits. Base of the heads with one.

    Args:
        loss: the loss as ``dict(type=, ...)``, or a module; None: cross-entropy.
        topk: accepted; which accuracies an evaluation gives is said by its metric.
        cal_acc: accepted: the accuracy of training is always logged, as ``acc1``.
    """

    def __init__(
        self,
        loss: Mapping[str, Any] | nn.Module | None = None,
        topk: int | Sequence[int] = (1,),
        cal_acc: bool = False,
    ) -> None:
        super().__init__()
        self.compute_loss = build_loss(_CROSS_ENTROPY if loss is None else loss)
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)
        self.cal_acc = cal_acc

    def pre_logits(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return what the last layer sees: the deepest of the features, ``(N, D)``."""
        return features[-1] if isinstance(features, tuple | list) else features

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits ``(N, C)``."""
        return self.pre_logits(features)

    def loss(
        self, logits: Tensor, targets: Tensor, weight: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Return ``dict(loss=...)``, a mean over the samples.

        Args:
            logits: float ``(N, C)``.
            targets: class numbers ``(N,)``, or what else the loss takes.
            weight: float ``(N,)``, weights of the samples.
            **kwargs: further arguments of the loss.
        """
        avg_factor = len(logits) if weight is None else weight.sum()
        return {"loss": self.compute_loss(logits, targets, weight=weight, avg_factor=avg_factor, **kwargs)}

    def forward_train(
        self, x: Tensor | tuple[Tensor, ...], gt_label: Tensor, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Return the losses of features; a subclass may say here how its losses come about."""
        return self.loss(self(x), gt_label, **kwargs)


@HEADS.register_module()
class LinearClsHead(ClsHead):
    """One linear layer.

    Args:
        num_classes: number of logits.
        in_channels: length of the vectors that come in.
        loss: as in ``ClsHead``.
        topk: as in ``ClsHead``.
        cal_acc: as in ``ClsHead``.
        init_cfg: None: torch's own initial values; or ``dict(type='Normal', layer='Linear', mean=0, std=0.01,
            bias=0)``.

    Raises:
        ConfigError: a number that is not positive, or another ``init_cfg``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss: Mapping[str, Any] | nn.Module | None = None,
        topk: int | Sequence[int] = (1, 5),
        init_cfg: Mapping[str, Any] | None = None,
        cal_acc: bool = False,
    ) -> None:
        super().__init__(loss, topk, cal_acc)
        for name, value in (("num_classes", num_classes), ("in_channels", in_channels)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"LinearClsHead has {name}={value!r}; it must be a whole number from 1 on")
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.fc = nn.Linear(in_channels, num_classes)
        if init_cfg is not None:
            _initialise(self.fc, init_cfg)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits ``(N, num_classes)`` of the deepest of the features."""
        logits: Tensor = self.fc(self.pre_logits(features))
        return logits


def _initialise(layer: nn.Linear, init_cfg: Mapping[str, Any]) -> None:
    known = {"type": "Normal", "layer": "Linear", "mean": 0.0, "std": 0.01, "bias": 0.0}
    if not isinstance(init_cfg, Mapping) or not init_cfg.keys() <= known.keys():
        raise ConfigError(f"init_cfg is {init_cfg!r}; it takes a dict of: {', '.join(known)}")
    wanted = {**known, **init_cfg}
    if (wanted["type"], wanted["layer"]) != ("Normal", "Linear"):
        raise ConfigError(f"init_cfg is {dict(init_cfg)}; a linear head takes type='Normal', layer='Linear'")
    nn.init.normal_(layer.weight, wanted["mean"], wanted["std"])
    nn.init.constant_(layer.bias, wanted["bias"])
