"""What a checkpoint knows of hooks: their states, and which calls those states have behind them already.

A checkpoint may be written between two hooks of after_epoch, or in the evaluation that follows. The resumed
run comes to that position again: hooks that stood behind the save are called then, those before it are not.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ding_cls.errors import ConfigError
from ding_cls.types import Stateful
from ding_cls.worker.learner.hooks.base import LearnerHook
from ding_cls.worker.learner.hooks.method_hook import MethodHook

# Where a resumed run comes to the same moment again. before_run and after_run belong to each session;
# before_epoch may set up what no checkpoint holds, so it is repeated in the epoch that a run resumes in.
ONCE = ("after_epoch", "after_eval")

STATE_PREFIX = "hook."


class HookCalls:
    """Which hooks of after_epoch and after_eval were called at the latest such moment."""

    def __init__(self) -> None:
        self._done: dict[str, list[Any]] = {}
        self._loaded: dict[str, list[Any]] = {}

    def due(self, position: str, hooks: Iterable[LearnerHook], train_iter: int) -> Iterator[LearnerHook]:
        """Yield the hooks of a position ``ONCE`` that are to be called now; each is noted as it is taken."""
        moment, names = self._loaded.pop(position, (None, ()))
        behind = list(names) if moment == train_iter else []
        done = [*behind]
        self._done[position] = [train_iter, done]
        for hook in hooks:
            if hook.name not in behind:
                done.append(hook.name)
                yield hook

    def state_dict(self) -> dict[str, Any]:
        """Return, by position, the update of the latest call and the names that were called."""
        return {position: [moment, list(names)] for position, (moment, names) in self._done.items() if names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the calls of ``state``."""
        self._done = {position: [moment, list(names)] for position, (moment, names) in state.items()}
        self._loaded = dict(self._done)


def state_of(hook: LearnerHook) -> Stateful | None:
    """Return what has a hook's state: the hook, or the object whose method it is; None where there is none.

    Raises:
        ConfigError: it has only one of the two methods that this takes.
    """
    owner = hook.owner if isinstance(hook, MethodHook) else hook
    names = ("state_dict", "load_state_dict")
    found = [name for name in names if callable(getattr(owner, name, None))]
    if len(found) == 1:
        (missing,) = set(names) - set(found)
        raise ConfigError(f"hook {type(owner).__name__} has {found[0]} and no {missing}; a state needs both")
    return owner if isinstance(owner, Stateful) else None


def free_state_name(hook: LearnerHook, parts: Mapping[str, Stateful]) -> str:
    """Return a name for a hook's state that no other of ``parts`` has."""
    name, number = f"{STATE_PREFIX}{hook.name}", 1
    while name in parts:
        number += 1
        name = f"{STATE_PREFIX}{hook.name}_{number}"
    return name


@contextmanager
def states_kept(parts: Mapping[str, Stateful], *, is_repeated: bool) -> Iterator[None]:
    """Where hooks are called a second time, leave their states as they were before it."""
    hooks = {name: part for name, part in parts.items() if is_repeated and name.startswith(STATE_PREFIX)}
    states = {name: copy.deepcopy(part.state_dict()) for name, part in hooks.items()}
    yield
    for name, state in states.items():
        hooks[name].load_state_dict(state)
