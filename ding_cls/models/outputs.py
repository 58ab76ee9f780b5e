"""What a network that computes its own losses gives in training.

It must not know networks or heads.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ding_cls.errors import ModelError
from ding_cls.models.registry import takes


class Outputs(NamedTuple):
    """What a network that computes its own losses gives in training. DDP finds the tensors in it.

    Attributes:
        logits: float32 ``(N, C)``; None where the head gives losses alone.
        losses: by name; the gradient is that of their sum.
    """

    logits: Tensor | None
    losses: dict[str, Tensor]


def weight_keyword(head: nn.Module, method: str, weights: Tensor | None) -> dict[str, Tensor]:
    """Return samples' weights as a method takes them by name; nothing where there are none.

    Raises:
        ModelError: it does not.
    """
    if weights is None:
        return {}
    if not takes(getattr(head, method), "weight"):
        raise ModelError(
            f"the samples have weights, which the head {type(head).__name__} cannot use: "
            f"its {method} takes no argument 'weight'"
        )
    return {"weight": weights}


def only_losses(head: nn.Module, found: Any) -> dict[str, Tensor]:
    """Return the losses among what a head gave, each as one float32 number.

    As in mmclassification these are the values with ``loss`` in their names; the rest is left out.

    Raises:
        ModelError: it gave no dict, or no loss.
    """
    if not isinstance(found, Mapping):
        raise ModelError(
            f"the head {type(head).__name__} gave {type(found).__name__} as its losses; "
            "it must be a dict such as dict(loss=...)"
        )
    losses = {
        str(name): _number(value)
        for name, value in found.items()
        if not isinstance(value, Mapping) and "loss" in str(name)
    }
    if not losses:
        raise ModelError(
            f"the head {type(head).__name__} gave no loss, only {list(found)}; a loss has 'loss' in its name"
        )
    return losses


def _number(value: Any) -> Tensor:
    if isinstance(value, list | tuple):
        return torch.stack([_number(each) for each in value]).sum()
    if not isinstance(value, Tensor):
        return torch.tensor(float(value))
    # One number goes through as it is, to the last bit.
    return (value if value.dim() == 0 else value.mean()).float()
