"""Sharpness-aware minimization: the gradient is taken a step uphill from the weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError

# Keeps a gradient of zero from being divided by its length.
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharpness:
    """Perturbs the weights for the second of an update's two backward passes.

    The step up follows from the whole gradient of the update, that of all pieces and ranks. It does not
    depend on the gradient's length, so fp16's loss scale need not be divided out.

    Attributes:
        rho: length of the step.
        adaptive: measure lengths in units of each weight's own size.

    Raises:
        ConfigError: ``rho`` is not greater than 0.

    Source: Sharpness-Aware Minimization, Foret et al. 2020, algorithm 1 (arXiv:2010.01412); adaptive: ASAM,
    Kwon et al. 2021, algorithm 1 with eta = 0 (arXiv:2102.11600).
    """

    rho: float = 0.05
    adaptive: bool = False

    def __post_init__(self) -> None:
        if not self.rho > 0:
            raise ConfigError(f"policy.learn.sam.rho is {self.rho!r}; it must be greater than 0")

    @contextmanager
    def perturbed_weights(
        self, model: nn.Module, buffers: Sequence[Tensor] = (), begun: Sequence[Tensor] = ()
    ) -> Iterator[None]:
        """Perturb the weights and clear the gradients inside the block; put the weights back after it.

        Args:
            model: the network after the update's first pass.
            buffers: what a pass changes without the optimizer. Inside the block they are as the first pass
                found them: a loss that counts its samples is the same function in both passes. After it they
                are as the first pass left them: BatchNorm sees each batch once.
            begun: their values before the first pass.
        """
        with torch.no_grad():
            moved = [each for each in model.parameters() if each.grad is not None]
            kept = [(each, each.clone()) for each in (*moved, *buffers)]
            for buffer, value in zip(buffers, begun, strict=True):
                buffer.copy_(value)
            self._climb([*moved], [each.grad for each in moved if each.grad is not None])
            for parameter in model.parameters():
                parameter.grad = None
        yield
        with torch.no_grad():
            for tensor, before in kept:
                tensor.copy_(before)

    def _climb(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        if not weights:
            return
        sizes = list(torch._foreach_abs(weights)) if self.adaptive else []
        steps = list(torch._foreach_mul(gradients, sizes)) if self.adaptive else gradients
        scale = self.rho / (nn.utils.get_total_norm(steps) + _TINY)
        if self.adaptive:
            steps = list(torch._foreach_mul(steps, sizes))
        torch._foreach_add_(weights, list(torch._foreach_mul(steps, scale)))
