"""Logits and targets of all kinds for the metrics' tests; ties are common."""

import torch

from ding_cls.common.seed import generator


def single(num_samples: int = 61, num_classes: int = 6, key: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits ``(N, C)`` and class numbers ``(N,)``; the last class has no sample."""
    source = generator(key, num_samples, num_classes)
    targets = torch.randint(num_classes - 1, (num_samples,), generator=source)
    logits = torch.randn(num_samples, num_classes, generator=source)
    return ((logits + torch.nn.functional.one_hot(targets, num_classes)) * 4).round() / 4, targets


def labels(num_samples: int = 61, num_classes: int = 5, key: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits and multi-hot floats, both ``(N, C)``; the last class has no sample."""
    source = generator(key, num_samples, num_classes, 1)
    targets = (torch.rand(num_samples, num_classes, generator=source) < 0.4).float()
    targets[:, -1] = 0
    logits = torch.randn(num_samples, num_classes, generator=source)
    return ((logits + targets) * 4).round() / 4, targets


def tasks(
    num_samples: int = 61, num_tasks: int = 3, num_classes: int = 4
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits ``(N, K, C)`` and class numbers ``(N, K)``."""
    source = generator(num_samples, num_tasks, num_classes)
    targets = torch.randint(num_classes, (num_samples, num_tasks), generator=source)
    logits = torch.randn(num_samples, num_tasks, num_classes, generator=source)
    return ((logits + 2 * torch.nn.functional.one_hot(targets, num_classes)) * 4).round() / 4, targets
