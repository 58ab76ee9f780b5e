"""A checkpoint taken up by a learner's parts: as a whole, or not at all."""

import copy
import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from ding_cls.errors import ChangedRunError, DingError
from ding_cls.policy.modes import LearnMode
from ding_cls.types import Stateful

# The learner's own. Their form is checked beforehand, so that loading them cannot fail.
_OWN = ("monitor", "history", "hook_calls")


def restore(
    policy: LearnMode, parts: Mapping[str, Stateful], state: Mapping[str, Any]
) -> MutableMapping[str, Any]:
    """Load a checkpoint, of checked form, into a policy and the parts; return the states of no part.

    Raises:
        DingError: the policy or a part refuses it; the parts are as they were then. A policy is loaded after
            them: what it leaves behind when it refuses is its own affair, and ours leaves nothing.
    """
    saved: Mapping[str, Any] = state.get("parts", {})
    others = [name for name in saved if name in parts and name not in _OWN]
    before = {name: copy.deepcopy(parts[name].state_dict()) for name in others}
    touched: list[str] = []
    try:
        for name in others:
            touched.append(name)
            load_part(name, parts[name], saved[name])
        policy.load_state_dict(state)
    except Exception:
        for name in touched:
            parts[name].load_state_dict(before[name])
        raise
    for name in _OWN:
        if name in saved:
            parts[name].load_state_dict(saved[name])
    return {name: part_state for name, part_state in saved.items() if name not in parts}


def load_part(name: str, part: Stateful, state: Any) -> None:
    """Load the state of a hook, or of what else is registered under a name.

    Raises:
        DingError: the part refuses it, in whatever words.
    """
    try:
        part.load_state_dict(state)
    except DingError:
        raise
    except Exception as error:  # a hook of the user's raises what it likes
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise ChangedRunError(
            f"what the checkpoint has under parts.{name} is no state of this run's {type(part).__name__} "
            f"({reason})"
        ) from error


@contextmanager
def name_file_on_error(source: object) -> Iterator[None]:
    """Name the file in the remedy of a run that was changed, where a file was named and there is no other."""
    try:
        yield
    except ChangedRunError as error:
        if error.remedy is not None or not isinstance(source, str | os.PathLike):
            raise
        remedy = f"begin a new run with these weights: policy.model.pretrained={os.fspath(source)}"
        raise ChangedRunError(error.what, remedy) from error
