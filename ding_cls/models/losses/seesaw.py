"""A loss for classes of very different sizes, which counts them while it trains.

It must not know models or configs.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ding_cls.distributed.comm import all_reduce_sums
from ding_cls.errors import ConfigError
from ding_cls.models.losses.reduction import ReducedLoss
from ding_cls.models.registry import LOSSES


@LOSSES.register_module()
class SeesawLoss(ReducedLoss):
    """Cross-entropy in which a rare class is pushed down less by samples of frequent ones, unless it is
    mistaken for the right one.

    Args:
        p: exponent of the mitigation by the classes' counts; 0: none.
        q: exponent of the compensation of mistakes; 0: none.
        num_classes: number of logits; a run whose config is silent takes the data's.
        eps: the least score of the right class that others are compared with.
        reduction: 'none', 'mean' or 'sum'.
        loss_weight: factor of the result.

    Attributes:
        cum_samples: int64 ``(num_classes,)``, samples of each class so far, of all ranks: part of the state.

    Raises:
        ConfigError: a negative exponent.

    Source: Seesaw Loss for Long-Tailed Instance Segmentation, Wang et al. 2020, eq. 2 to 6
    (arXiv:2008.10032).
    """

    needs_num_classes = True
    cum_samples: Tensor

    def __init__(
        self,
        p: float = 0.8,
        q: float = 2.0,
        num_classes: int = 1000,
        eps: float = 1e-2,
        reduction: str = "mean",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if not p >= 0 or not q >= 0:
            raise ConfigError(f"SeesawLoss has p={p!r} and q={q!r}; they must not be negative")
        self.p, self.q, self.eps = p, q, eps
        self.num_classes = num_classes
        self.register_buffer("cum_samples", torch.zeros(num_classes, dtype=torch.int64))

    def elementwise(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return a value for each sample of class numbers ``(N,)``; in training these are counted first.

        Raises:
            ConfigError: targets of another form, or another number of logits.
        """
        if logits.shape[1] != self.num_classes:
            raise ConfigError(
                f"SeesawLoss has num_classes={self.num_classes}, but there are {logits.shape[1]} logits"
            )
        if targets.dim() != 1 or targets.is_floating_point():
            raise ConfigError(
                "SeesawLoss counts class numbers (N,), not mixtures or several labels; the targets are "
                f"{targets.dtype} {tuple(targets.shape)}"
            )
        # A pass that only measures the loss counts nothing.
        if self.training and torch.is_grad_enabled():
            self._count(targets)
        raised = logits + self._log_weights(logits.detach(), targets)
        return functional.cross_entropy(raised, targets, reduction="none")

    def _count(self, target: Tensor) -> None:
        counts = torch.zeros_like(self.cum_samples).index_add_(0, target, torch.ones_like(target))
        self.cum_samples += all_reduce_sums({"counts": counts})["counts"]

    def _log_weights(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the logarithms of the factors of the other classes' scores; that of the own one is 0."""
        logs = torch.zeros_like(pred)
        if self.p > 0:
            counts = self.cum_samples.clamp(min=1).to(pred.dtype)
            logs = logs + self.p * (counts / counts[target, None]).clamp(max=1).log()
        if self.q > 0:
            scores = pred.softmax(1)
            own = scores.gather(1, target[:, None]).clamp(min=self.eps)
            logs = logs + self.q * (scores / own).clamp(min=1).log()
        return logs.scatter(1, target[:, None], 0.0)
