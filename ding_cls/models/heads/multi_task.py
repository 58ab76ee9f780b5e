"""Heads with another form of output: several tasks at once, logarithms of probabilities."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ding_cls.models.heads.linear import ClsHead, StackedLinearClsHead, check_sizes
from ding_cls.models.layers.ops import check_dropout
from ding_cls.models.registry import HEADS


@HEADS.register_module()
class MultiTaskHead(ClsHead):
    """K tasks of C classes each, such as the characters of a captcha: logits ``(N, K, C)``.

    Targets are int64 ``(N, K)``. The loss is the mean over samples and tasks.

    Args:
        num_classes: classes of each task.
        in_channels: length of the vectors that come in.
        num_tasks: number of tasks.
        loss: of each task, as in ``ClsHead``.
        dropout: before the linear layer.

    Raises:
        ConfigError: a number that does not exist.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_tasks: int,
        loss: Mapping[str, Any] | nn.Module | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(loss)
        check_sizes(self, num_classes=num_classes, in_channels=in_channels, num_tasks=num_tasks)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.num_tasks = num_tasks
        self.dropout = nn.Dropout(check_dropout(dropout))
        self.fc = nn.Linear(in_channels, num_tasks * num_classes)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logits ``(N, num_tasks, num_classes)`` of the deepest of the features."""
        logits: Tensor = self.fc(self.dropout(self.pre_logits(features)))
        return logits.view(-1, self.num_tasks, self.num_classes)

    def loss(
        self, logits: Tensor, targets: Tensor, weight: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Return ``dict(loss=...)``; logits ``(N, K, C)``, targets ``(N, K)``, samples' weights ``(N,)``."""
        weights = None if weight is None else weight.repeat_interleave(self.num_tasks)
        return super().loss(logits.flatten(0, 1), targets.flatten(), weights, **kwargs)


@HEADS.register_module()
class LogSoftmaxHead(StackedLinearClsHead):
    """Linear layers and a log-softmax: with ``NLLLoss``, its default, this is cross-entropy.

    Args:
        num_classes: number of classes.
        in_channels: length of the vectors that come in.
        mid_channels: width of each hidden layer; empty: one linear layer.
        loss: the loss of logarithms of probabilities, as in ``ClsHead``; None: ``NLLLoss``.
        **arguments: those of ``StackedLinearClsHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        mid_channels: Any = (),
        loss: Mapping[str, Any] | nn.Module | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(
            num_classes,
            in_channels,
            mid_channels,
            loss={"type": "NLLLoss"} if loss is None else loss,
            **arguments,
        )

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Return the logarithms of the probabilities, ``(N, num_classes)``."""
        return super().forward(features).log_softmax(1)
