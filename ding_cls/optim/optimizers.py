"""Optimizers by name: those that users register, and every class of ``torch.optim``, exactly torch's."""

import inspect
from collections.abc import Callable

import torch
from torch.optim import Optimizer

from ding_cls.registry import Library, Registry


def _find(name: str) -> type[Optimizer] | None:
    found = getattr(torch.optim, name, None)
    is_optimizer = inspect.isclass(found) and issubclass(found, Optimizer) and found is not Optimizer
    return found if is_optimizer else None


def _names() -> list[str]:
    return [name for name in vars(torch.optim) if _find(name)]


OPTIMIZERS: Registry[Callable[..., Optimizer]] = Registry(
    "optimizer", libraries=[Library("torch.optim", _find, _names)]
)


def takes_argument(part: Callable[..., object], name: str) -> bool:
    """Return whether a class or function can be called with an argument of that name."""
    try:
        parameters = inspect.signature(part).parameters
    except ValueError:
        # Some classes written in C have no signature: they check for themselves.
        return True
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
