"""What a policy minimises where the network brings no loss: ``policy.learn.loss``, or cross-entropy.

It must not know the losses beyond how they are called; ``models`` finds them by name.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError
from ding_cls.models import build_loss, described_loss


class BatchLoss:
    """The loss of a batch: of float32 logits, targets, and weights of the samples or None, one number.

    Logits are ``(N, C)``, or ``(N, K, C)`` with targets ``(N, K)``: K tasks, of which the mean is taken.

    Attributes:
        module: what computes it; None: torch's cross-entropy.
    """

    def __init__(self, module: Any = None, *, smoothing: float = 0.0) -> None:
        self.module = module
        self._smoothing = smoothing

    def __call__(self, logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        if logits.dim() == 3 and targets.dim() == 2:
            num_tasks = logits.shape[1]
            logits, targets = logits.flatten(0, 1), targets.flatten()
            weights = None if weights is None else weights.repeat_interleave(num_tasks)
        if self.module is not None:
            avg_factor = len(logits) if weights is None else weights.sum()
            value: Tensor = self.module(logits, targets, weight=weights, avg_factor=avg_factor)
            return value if value.dim() == 0 else value.mean()
        if weights is None:
            return functional.cross_entropy(logits, targets, label_smoothing=self._smoothing)
        losses = functional.cross_entropy(logits, targets, label_smoothing=self._smoothing, reduction="none")
        return (losses * weights).sum() / weights.sum()

    def modules(self) -> list[torch.nn.Module]:
        """Return what has buffers that change while it trains, such as counts of the classes."""
        return [self.module] if isinstance(self.module, torch.nn.Module) else []

    def state_dict(self) -> dict[str, Tensor]:
        """Return what changes while it trains, by name."""
        return dict(self.module.state_dict()) if isinstance(self.module, torch.nn.Module) else {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from ``state``; a loss that remembers nothing, or is new to the run, begins as it is."""
        if state and self.state_dict():
            self.module.load_state_dict(state)


def computes_loss(model: torch.nn.Module) -> bool:
    """Return whether the network is called with targets and gives its losses itself."""
    return bool(getattr(model, "computes_loss", False))


def build_batch_loss(
    model: torch.nn.Module, learn: Mapping[str, Any], device: torch.device
) -> BatchLoss | None:
    """Return the loss of ``learn.loss`` or ``learn.label_smoothing``; None where the network brings its own.

    Raises:
        ConfigError: two of the three say what is minimised; the loss does not exist, or has weights to learn.
    """
    described, smoothing = learn["loss"], learn["label_smoothing"]
    smoothed = f"dict(type='LabelSmoothLoss', label_smooth_val={smoothing})"
    if computes_loss(model):
        for key, value, instead in (
            ("loss", described, described),
            ("label_smoothing", smoothing or None, smoothed),
        ):
            if value is not None:
                raise ConfigError(
                    f"policy.learn.{key} is {value}, but {type(model).__name__} brings its own loss; "
                    f"set policy.model.head.loss={instead} instead"
                )
        return None
    if described is None:
        return BatchLoss(smoothing=smoothing)
    if smoothing:
        raise ConfigError(
            f"policy.learn.label_smoothing is {smoothing}, but policy.learn.loss says what is minimised; "
            f"set one of them, or policy.learn.loss={smoothed}"
        )
    return build_named_loss(described, device)


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Return the sum; a single loss comes back as it is."""
    first, *others = losses.values()
    for loss in others:
        first = first + loss
    return first


def right_samples(logits: Tensor, targets: Tensor) -> Tensor:
    """Return which samples are right, bool ``(N,)``.

    That is: the class with the largest logit is the target's; of shares or labels ``(N, C)`` one of those
    with the largest share; of K tasks all are right.
    """
    guesses = logits.argmax(-1)
    if targets.is_floating_point():
        return targets.gather(1, guesses[:, None])[:, 0] == targets.amax(1)
    hits = guesses == targets
    return hits if hits.dim() == 1 else hits.all(1)


def set_class_counts(parts: Iterable[Any], count: Callable[[], Tensor], device: torch.device) -> None:
    """Tell the losses that ask for it, among the parts and inside them, how many samples each class has.

    Args:
        parts: losses and networks.
        count: returns int64 ``(C,)``; called only if a loss asks.
        device: where they are needed.
    """
    modules = (each for part in parts if isinstance(part, torch.nn.Module) for each in part.modules())
    asking = [each for each in modules if getattr(each, "needs_class_counts", False)]
    if not asking:
        return
    counts = count().to(device)
    for loss in asking:
        loss.set_class_counts(counts)  # type: ignore[operator]


def build_named_loss(described: Any, device: torch.device, key: str = "policy.learn.loss") -> BatchLoss:
    """Return the loss that a dict or a short form describes.

    Raises:
        ConfigError: it does not exist, or has weights to learn.
    """
    described = described_loss(described) if isinstance(described, str) else plain_copy(described)
    part = build_loss(described)
    if isinstance(part, torch.nn.Module):
        if next(part.parameters(), None) is not None:
            raise ConfigError(
                f"{key} is {described}, which has weights of its own to learn; "
                "set policy.model.head.loss instead"
            )
        part = part.to(device)
    return BatchLoss(part)
