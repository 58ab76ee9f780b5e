"""Logits of heads that are written as mmclassification's: ``forward_train`` and ``simple_test``.

Such a head gives losses in training and, unasked, probabilities in a test; the rest of the library counts in
logits, of which a softmax gives the very probabilities again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
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
_TINY, _TINY_SHARE = 1e-30, 1e-7


def is_tested(part: nn.Module) -> bool:
    """Return whether a user's ``simple_test`` gives the scores: none of its subclasses has a ``forward``."""
    kinds = (kind for kind in type(part).__mro__ if "simple_test" in vars(kind) or "forward" in vars(kind))
    nearest = next(kinds)
    return "simple_test" in vars(nearest) and not is_ours(nearest)


def has_forward_train_alone(head: nn.Module) -> bool:
    """Return whether a head's layers are used in ``forward_train`` alone; the rest is ``ClsHead``'s."""
    if type(head).forward is not ClsHead.forward or is_tested(head):
        return False
    return not is_ours(next(kind for kind in type(head).__mro__ if "forward_train" in vars(kind)))


def logits_of(head: nn.Module, features: Any) -> Tensor:
    """Return float ``(N, C)`` logits of features: of ``simple_test``; of ``forward``, where a subclass
    has one or there is no other; of ``forward_train``, where that alone is the head's own.

    Raises:
        ModelError: only ``forward_train`` is there, and its logits reach no loss of ``ClsHead`` or depend on
            the labels; or scores that are no probabilities where only those can be meant.
    """
    if is_tested(head):
        method: Any = head.simple_test
        return logits_in_test(method, features, has_sigmoids=isinstance(head, MultiLabelClsHead))
    if has_forward_train_alone(head):
        return _logits_in_forward_train(head, features)
    logits: Tensor = head(features)
    return logits


def logits_in_test(
    method: Callable[..., Any], given: Any, *, has_sigmoids: bool, rest: Callable[..., Any] | None = None
) -> Tensor:
    """Return what a ``simple_test`` gives as logits.

    Args:
        method: with ``softmax=`` or ``sigmoid=`` it is asked for the logits; one that does not heed this, or
            takes neither, gives probabilities, which become such as give them again.
        given: images, or features.
        has_sigmoids: each class has a probability of its own.
        rest: the method that gets the keywords which ``method`` does not name.

    Raises:
        ModelError: it takes neither, and has several labels' scores beyond 0 and 1.
    """
    named = inspect.signature(method).parameters
    if rest is not None and any(each.kind is each.VAR_KEYWORD for each in named.values()):
        named = {**named, **inspect.signature(rest).parameters}  # type: ignore[assignment]
    switches = [name for name in ("softmax", "sigmoid") if name in named]
    plain = {"post_process": False} if "post_process" in named else {}
    has_sigmoids = has_sigmoids or "sigmoid" in named
    found = _as_tensor(method(given, **plain, **dict.fromkeys(switches, False)), like=given)
    if not _are_shares(found, has_sigmoids=has_sigmoids):
        if has_sigmoids and not switches:
            raise ModelError(
                f"{method.__qualname__} has several labels' scores that are no probabilities; for evaluation "
                "let it take sigmoid=True, and give logits where that is False"
            )
        return found
    # Logits may lie so by chance: a method that heeds the question gives others when asked again.
    if switches and not torch.equal(found, _as_tensor(method(given, **plain), like=given)):
        return found
    return torch.logit(found, eps=_TINY_SHARE) if has_sigmoids else found.clamp_min(_TINY).log()


def _as_tensor(scores: Any, *, like: Any) -> Tensor:
    """Return scores, a tensor ``(N, C)`` or an array for each sample, as floats where ``like`` is."""
    if isinstance(scores, Tensor):
        return scores.float()
    rows = np.stack([np.asarray(each) for each in scores])
    return torch.from_numpy(rows).float().to(_first(like).device)


def _are_shares(scores: Tensor, *, has_sigmoids: bool) -> bool:
    if has_sigmoids:
        return bool(((scores >= 0) & (scores <= 1)).all())
    return bool((scores >= 0).all() & ((scores.sum(-1) - 1).abs() < _TOLERANCE).all())


class _LogitsFoundError(Exception):
    def __init__(self, logits: Any) -> None:
        super().__init__()
        self.logits = logits


def _logits_in_forward_train(head: nn.Module, features: Any) -> Tensor:
    """Return what ``forward_train`` hands to the loss; what it would do after that is not done."""

    def stop(_loss: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        raise _LogitsFoundError(given[0] if given else next(iter(named.values())))

    first = _first(features)
    hook = head.get_submodule("compute_loss").register_forward_pre_hook(stop, with_kwargs=True)

    def logits_for(label: int) -> Tensor:
        targets = torch.full((len(first),), label, dtype=torch.int64, device=first.device)
        try:
            getattr(head, "forward_train")(features, targets)  # noqa: B009 (no method of nn.Module)
        except _LogitsFoundError as found:
            logits: Tensor = found.logits
            return logits
        raise ModelError(
            f"the head {type(head).__name__} has a forward_train of its own that does not call self.loss; "
            "for evaluation it needs simple_test(x) or forward(x)"
        )

    try:
        logits = logits_for(0)
        # A margin or the like is for the right class of a training sample.
        if not torch.equal(logits, logits_for(logits.shape[-1] - 1)):
            raise ModelError(
                f"the logits in the forward_train of the head {type(head).__name__} change with gt_label; "
                "for evaluation it needs simple_test(x) or forward(x)"
            )
    finally:
        hook.remove()
    return logits


def _first(features: Any) -> Tensor:
    if isinstance(features, Tensor):
        return features
    return _first(features[0])
