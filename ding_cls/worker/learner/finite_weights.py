"""A checkpoint holds weights that are numbers, or it is not written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

from ding_cls.models import AVERAGED, TRAINING

if TYPE_CHECKING:
    from ding_cls.worker.learner.base_learner import BaseLearner

_MAX_LISTED = 3


class FiniteWeights:
    """Refuses states whose weights are not finite; older files stay then."""

    def __init__(self) -> None:
        self._has_warned = False

    def has(self, engine: BaseLearner, state: Mapping[str, Any]) -> bool:
        """Return whether the weights of a state, their averages included, are finite.

        The first of several states that are not is told in the log. Buffers that the network began with
        infinities in are left out.
        """
        masks: Collection[str] = ()
        # A learn mode of another make may have no such attribute.
        with suppress(AttributeError, LookupError):
            masks = engine.policy.get_attribute("masks")
        names = non_finite(state, masks)
        if names and not self._has_warned:
            more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
            engine.logger.warning(
                f"not saved after {engine.train_iter} updates: {', '.join(names[:_MAX_LISTED])}{more} of the "
                "weights are not finite; older checkpoints stay as they are"
            )
        self._has_warned = bool(names)
        return not names


def non_finite(state: Mapping[str, Any], masks: Collection[str] = ()) -> list[str]:
    """Return the names of the weights and averages in a state that are not finite: one look at the device,
    a second where there are any.

    Args:
        state: a checkpoint's.
        masks: names that do not count.
    """
    parts = (state.get(key) for key in ("model", TRAINING, AVERAGED))
    named = [pair for part in parts for pair in _tensors(part, masks)]
    with torch.no_grad():
        flags = [torch.isfinite(tensor).all() for _, tensor in named]
        by_device: dict[torch.device, list[torch.Tensor]] = {}
        for flag in flags:
            by_device.setdefault(flag.device, []).append(flag)
        if all(bool(torch.stack(each).all()) for each in by_device.values()):
            return []
    return list(dict.fromkeys(name for (name, _), flag in zip(named, flags, strict=True) if not flag))


def _tensors(part: Any, masks: Collection[str]) -> Iterator[tuple[str, torch.Tensor]]:
    if not isinstance(part, Mapping):
        return
    for name, value in part.items():
        if isinstance(value, torch.Tensor):
            if value.is_floating_point() and name not in masks:
                yield str(name), value
        else:
            yield from _tensors(value, masks)
