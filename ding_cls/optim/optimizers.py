"""Optimizers, built from plain arguments."""

import torch
from torch import nn


def build_sgd(
    model: nn.Module,
    *,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float = 1e-4,
    nesterov: bool = False,
) -> torch.optim.SGD:
    """Return torch's own SGD over every trainable parameter, in one group.

    Everything not named here stays torch's default, so that a plain loop computes the same bits.

    Args:
        model: whose parameters to train; those with ``requires_grad=False`` are left out.
        lr: learning rate.
        momentum: share of the last step that is kept.
        weight_decay: L2 penalty of all parameters, biases and BatchNorm's included.
        nesterov: Nesterov's form of momentum.

    Raises:
        ValueError: if there is nothing to train, or torch refuses a value.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError(f"{type(model).__name__} has no trainable parameters; set requires_grad on some")
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)
