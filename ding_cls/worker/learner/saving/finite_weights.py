"""A checkpoint holds weights that are numbers, or it is not written."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch

from ding_cls.common.counting import first_few
from ding_cls.distributed.comm import broadcast_object
from ding_cls.errors import NumbersError
from ding_cls.models import AVERAGED, TRAINING
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.state.bad_updates import advice_by, settings_of

_MAX_LISTED = 3


class FiniteWeights:
    """Refuses states whose weights are not finite; older files stay then."""

    def __init__(self) -> None:
        self._has_warned = False

    def has(self, engine: Engine, state: Mapping[str, Any]) -> bool:
        """Return whether the weights of a state, their averages included, are finite.

        The first of several states that are not is a warning in the log.
        """
        names = _found(engine, state)
        if names and not self._has_warned:
            engine.logger.warning(
                f"not saved after {engine.train_iter} updates: {_shown(names)} of the weights are not "
                "finite; older checkpoints stay as they are"
            )
        self._has_warned = bool(names)
        return not names


def check_weights(engine: Engine, how: str, newest: Callable[[], str]) -> None:
    """Refuse to call a run done, or stopped and saved, whose weights are not finite: no file holds them.

    Rank 0 decides, whose weights are saved; inside ``start`` all ranks come here together.

    Args:
        engine: whose run it is.
        how: how it ends, as the message begins.
        newest: returns which checkpoint is the newest, in words.

    Raises:
        NumbersError: what they are, and what to do.
    """
    is_shared = engine.max_iter is not None
    line = ""
    if engine.rank == 0 and engine.train_iter > 0 and (names := _found(engine, engine.policy.state_dict())):
        line = (
            f"{how} after {engine.train_iter} updates, and {_shown(names)} of the weights are not finite; "
            f"{newest()}; {advice_by(settings_of(engine))}"
        )
    line = broadcast_object(line) if is_shared else line
    if line:
        raise NumbersError(line, is_on_all_ranks=is_shared)


def _found(engine: Engine, state: Mapping[str, Any]) -> list[str]:
    """Return the names of what is not finite, less the buffers that the network began with infinities in."""
    masks: Collection[str] = ()
    # A learn mode of another make may have no such attribute.
    with suppress(AttributeError, LookupError):
        masks = engine.policy.get_attribute("masks")
    return non_finite(state, masks)


def _shown(names: list[str]) -> str:
    return first_few(names, _MAX_LISTED)


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
