"""Heads: what a neck gives, to logits, and logits with targets to losses by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from ding_cls.errors import ConfigError
from ding_cls.models.layers.init import initialise_by_cfg, is_init_cfg
from ding_cls.models.layers.ops import activation_of, check_dropout, norm_of
from ding_cls.models.openmmlab import BaseModule
from ding_cls.models.registry import HEADS, build_loss
from ding_cls.registry import is_ours

_CROSS_ENTROPY = {"type": "CrossEntropyLoss", "loss_weight": 1.0}
_RELU, _TANH = {"type": "ReLU"}, {"type": "Tanh"}


@HEADS.register_module()
class ClsHead(BaseModule):
    """A head without a layer: what comes in last are the logits. Base of the heads with one.

    Args:
        loss: the loss as ``dict(type=, ...)``, or a module; None: cross-entropy.
        topk: with ``cal_acc``: how many classes may hold the right one.
        cal_acc: ``loss`` gives the ``accuracy`` of the batch too, a percentage for each of ``topk``.
        init_cfg: of ``init_weights``, for subclasses.

    Raises:
        ConfigError: a ``topk`` below 1.
    """

    def __init__(
        self,
        loss: Mapping[str, Any] | nn.Module | None = None,
        topk: int | Sequence[int] = (1,),
        cal_acc: bool = False,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)
        for each in self.topk:
            check_sizes(self, topk=each)
        self.cal_acc = cal_acc
        self.compute_loss = build_loss(_CROSS_ENTROPY if loss is None else loss)

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
        loss = self.compute_loss(logits, targets, weight=weight, avg_factor=avg_factor, **kwargs)
        losses: dict[str, Any] = {"loss": loss}
        if self.cal_acc:
            found = self.compute_accuracy(logits, targets)
            losses["accuracy"] = {f"top-{k}": each for k, each in zip(self.topk, found, strict=True)}
        return losses

    def forward_train(
        self, x: Tensor | tuple[Tensor, ...], gt_label: Tensor, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Return the losses of features, or of what a subclass has made logits."""
        return self.loss(self._logits_for("forward_train", x), gt_label, **kwargs)

    def simple_test(self, x: Any, softmax: bool = True, post_process: bool = True) -> Any:
        """Return the scores of features, or of what a subclass has made logits.

        Args:
            x: as ``forward`` takes it.
            softmax: probabilities, not logits.
            post_process: as ``post_process`` returns them, not as one tensor.
        """
        scores = scores_of(self._logits_for("simple_test", x), softmax=softmax, post_process=False)
        return self.post_process(scores) if post_process else scores

    def post_process(self, pred: Tensor) -> list[npt.NDArray[np.float32]]:
        """Return an array ``(C,)`` for each sample."""
        return list(pred.detach().float().cpu().numpy())

    def compute_accuracy(self, logits: Tensor, targets: Tensor) -> list[Tensor]:
        """Return for each of ``topk`` the percentage of samples whose class is among so many."""
        num_guesses = min(max(self.topk), logits.shape[1])
        hits = logits.topk(num_guesses, 1).indices == targets[:, None]
        return [hits[:, :k].any(1).float().mean() * 100 for k in self.topk]

    def _logits_for(self, method: str, x: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits of what a method of this class gets.

        Where only methods of the user's use the head's layers, these are the logits: such a method has used
        them before it calls the one that it overrides.
        """
        has_layers = type(self).forward is not ClsHead.forward
        own = (getattr(type(self), name) for name in (method, "forward_train"))
        return self(x) if has_layers or all(map(is_ours, own)) else ClsHead.pre_logits(self, x)


@HEADS.register_module()
class LinearClsHead(ClsHead):
    """One linear layer.

    Args:
        num_classes: number of logits.
        in_channels: length of the vectors that come in.
        loss: as in ``ClsHead``.
        init_cfg: None: torch's own initial values; or such as ``dict(type='Normal', layer='Linear',
            std=0.01)``, which a config in mmclassification's spelling has by default.
        dropout: before the layer.
        topk: as in ``ClsHead``, like ``cal_acc``.

    Raises:
        ConfigError: a number that is not positive, or an ``init_cfg`` that does not exist.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss: Mapping[str, Any] | nn.Module | None = None,
        init_cfg: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
        topk: int | Sequence[int] = (1,),
        cal_acc: bool = False,
    ) -> None:
        if isinstance(loss, Mapping) and is_init_cfg(loss):
            # mmclassification's order: a subclass may hand init_cfg on by its place.
            loss, init_cfg = init_cfg, loss
        super().__init__(loss, topk, cal_acc, init_cfg)
        check_sizes(self, num_classes=num_classes, in_channels=in_channels)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.dropout = nn.Dropout(check_dropout(dropout))
        self.fc = nn.Linear(in_channels, num_classes)
        initialise_by_cfg(self, init_cfg)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits ``(N, num_classes)`` of the deepest of the features."""
        logits: Tensor = self.fc(self.dropout(self.pre_logits(features)))
        return logits


@HEADS.register_module()
class StackedLinearClsHead(ClsHead):
    """Hidden layers (linear, normalization, activation, dropout), then a linear one.

    Args:
        num_classes: number of logits.
        in_channels: length of the vectors that come in.
        mid_channels: width of each hidden layer.
        dropout_rate: after each hidden layer.
        norm_cfg: the hidden layers' normalization, such as ``dict(type='BN1d')``; None: none.
        act_cfg: the hidden layers' activation; None: none.
        loss: as in ``ClsHead``.
        init_cfg: as in ``LinearClsHead``.
        topk: as in ``ClsHead``, like ``cal_acc``.

    Raises:
        ConfigError: a number, normalization or activation that does not exist.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        mid_channels: Sequence[int],
        dropout_rate: float = 0.0,
        norm_cfg: Mapping[str, Any] | None = None,
        act_cfg: Mapping[str, Any] | None = _RELU,
        loss: Mapping[str, Any] | nn.Module | None = None,
        init_cfg: Mapping[str, Any] | None = None,
        topk: int | Sequence[int] = (1,),
        cal_acc: bool = False,
    ) -> None:
        super().__init__(loss, topk, cal_acc, init_cfg)
        if not isinstance(mid_channels, list | tuple):
            raise ConfigError(f"{type(self).__name__} has mid_channels={mid_channels!r}; it must be a list")
        check_sizes(self, num_classes=num_classes, in_channels=in_channels)
        for width in mid_channels:
            check_sizes(self, mid_channels=width)
        self.num_classes = num_classes
        self.in_channels = in_channels
        check_dropout(dropout_rate)
        self.layers = nn.ModuleList()
        for width in mid_channels:
            self.layers.append(hidden_layer(in_channels, width, dropout_rate, norm_cfg, act_cfg))
            in_channels = width
        self.fc = nn.Linear(in_channels, num_classes)
        initialise_by_cfg(self, init_cfg)

    def pre_logits(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return what the last layer sees: the hidden layers' output, ``(N, D)``."""
        vectors = super().pre_logits(features)
        for layer in self.layers:
            vectors = layer(vectors)
        return vectors

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits ``(N, num_classes)`` of the deepest of the features."""
        logits: Tensor = self.fc(self.pre_logits(features))
        return logits


@HEADS.register_module()
class VisionTransformerClsHead(StackedLinearClsHead):
    """The head of a vision transformer, on the vector of its class token.

    Args:
        num_classes: number of logits.
        in_channels: length of the vectors that come in.
        hidden_dim: width of a hidden layer; None: there is none.
        act_cfg: the hidden layer's activation.
        **arguments: ``loss``; ``init_cfg``, which the hidden layer does not follow: it
            is drawn from a normal distribution of variance 1 / in_channels.

    Source: An Image is Worth 16x16 Words, Dosovitskiy et al. 2020, section 3.1 (arXiv:2010.11929).
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        hidden_dim: int | None = None,
        act_cfg: Mapping[str, Any] | None = _TANH,
        **arguments: Any,
    ) -> None:
        widths = [] if hidden_dim is None else [hidden_dim]
        super().__init__(num_classes, in_channels, widths, act_cfg=act_cfg, **arguments)
        for layer in self.layers:
            # init_cfg is for the last layer: zeros here would be the end of it.
            hidden = layer.get_submodule("fc")
            nn.init.trunc_normal_(hidden.weight, std=in_channels**-0.5)  # type: ignore[arg-type]
            nn.init.zeros_(hidden.bias)  # type: ignore[arg-type]


def hidden_layer(
    in_channels: int,
    width: int,
    dropout: float,
    norm_cfg: Mapping[str, Any] | None,
    act_cfg: Mapping[str, Any] | None,
) -> nn.Sequential:
    """Return a linear layer and what follows it; where that is a normalization, the layer has no bias."""
    layer = nn.Sequential()
    layer.add_module("fc", nn.Linear(in_channels, width, bias=norm_cfg is None))
    if norm_cfg is not None:
        kind = {**norm_cfg, "type": "BN1d"} if norm_cfg.get("type") == "BN" else norm_cfg
        layer.add_module("bn", norm_of(kind)(width))
    if act_cfg is not None:
        layer.add_module("act", activation_of(act_cfg))
    if dropout > 0:
        layer.add_module("dropout", nn.Dropout(dropout))
    return layer


def scores_of(logits: Tensor, *, softmax: bool = True, post_process: bool = True) -> Any:
    """Return logits as mmclassification's tests do: probabilities, as an array for each sample."""
    scores = logits.softmax(-1) if softmax else logits
    return list(scores.detach().float().cpu().numpy()) if post_process else scores


def check_sizes(head: nn.Module, **sizes: int) -> None:
    """Check numbers of a head's constructor.

    Raises:
        ConfigError: one is no whole number from 1 on.
    """
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(
                f"{type(head).__name__} has {name}={value!r}; it must be a whole number from 1 on"
            )
