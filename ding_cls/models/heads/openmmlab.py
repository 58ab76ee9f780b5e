"""Logits of heads that are written as mmclassification's: ``forward_train`` and ``simple_test``.

Such a head gives losses in training and, unasked, probabilities in a test; the rest of the library counts in
logits, of which a softmax gives the very probabilities again.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ding_cls.errors import ModelError
from ding_cls.models.heads.linear import ClsHead
from ding_cls.models.heads.multi_label import MultiLabelClsHead
from ding_cls.registry import is_ours

# How far the sum of a sample's probabilities may be from one: they may come from half precision.
_TOLERANCE = 2e-3
_TINY = 1e-30


def has_own(part: nn.Module, method: str, *, beside: str) -> bool:
    """Return whether the nearest class with one of the two methods has this alone, and is the user's."""
    for kind in type(part).__mro__:
        if method in vars(kind) or beside in vars(kind):
            return method in vars(kind) and beside not in vars(kind) and not is_ours(kind)
    return False


def has_forward_train_alone(head: nn.Module) -> bool:
    """Return whether a head's layers are used in ``forward_train`` alone; the rest is ``ClsHead``'s."""
    is_tested = has_own(head, "simple_test", beside="forward")
    is_inherited = type(head).forward is ClsHead.forward
    return is_inherited and not is_tested and has_own(head, "forward_train", beside="forward")


def logits_of(head: nn.Module, features: Any) -> Tensor:
    """Return float ``(N, C)`` logits of features: of ``simple_test`` or ``forward``, whichever is the more
    special; of ``forward_train``, where that alone is the head's own.

    Raises:
        ModelError: only ``forward_train`` is there, and its logits reach no loss of ``ClsHead``.
    """
    if type(head).forward is nn.Module.forward or has_own(head, "simple_test", beside="forward"):
        method: Any = head.simple_test
        named = inspect.signature(method).parameters
        return as_logits(
            method(
                features, **{name: False for name in ("softmax", "sigmoid", "post_process") if name in named}
            ),
            has_sigmoids=isinstance(head, MultiLabelClsHead) or "sigmoid" in named,
            like=features,
        )
    if has_forward_train_alone(head):
        return _logits_in_forward_train(head, features)
    logits: Tensor = head(features)
    return logits


def as_logits(scores: Any, *, has_sigmoids: bool, like: Any) -> Tensor:
    """Return scores as logits: probabilities become such as give them again; logits stay.

    Args:
        scores: a tensor ``(N, C)``, or an array for each sample.
        has_sigmoids: each class has a probability of its own.
        like: features, on whose device the result is.
    """
    if isinstance(scores, Tensor):
        found = scores.float()
    else:
        rows = np.stack([np.asarray(each) for each in scores])
        found = torch.from_numpy(rows).float().to(_first(like).device)
    # Decided on the device: an evaluation shall not wait for it batch by batch.
    if has_sigmoids:
        are_shares = ((found >= 0) & (found <= 1)).all()
        return torch.where(are_shares, torch.logit(found, eps=1e-7), found)
    are_shares = (found >= 0).all() & ((found.sum(-1) - 1).abs() < _TOLERANCE).all()
    return torch.where(are_shares, found.clamp_min(_TINY).log(), found)


class _LogitsFoundError(Exception):
    def __init__(self, logits: Any) -> None:
        super().__init__()
        self.logits = logits


def _logits_in_forward_train(head: nn.Module, features: Any) -> Tensor:
    """Return what ``forward_train`` hands to the loss; what it would do after that is not done."""

    def stop(_loss: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        raise _LogitsFoundError(given[0] if given else next(iter(named.values())))

    first, train = _first(features), getattr(head, "forward_train")  # noqa: B009 (no method of nn.Module)
    hook = head.get_submodule("compute_loss").register_forward_pre_hook(stop, with_kwargs=True)
    try:
        train(features, torch.zeros(len(first), dtype=torch.int64, device=first.device))
    except _LogitsFoundError as found:
        logits: Tensor = found.logits
        return logits
    finally:
        hook.remove()
    raise ModelError(
        f"the head {type(head).__name__} has a forward_train of its own that does not call self.loss; "
        "for evaluation it needs simple_test(x) or forward(x)"
    )


def _first(features: Any) -> Tensor:
    if isinstance(features, Tensor):
        return features
    return _first(features[0])
