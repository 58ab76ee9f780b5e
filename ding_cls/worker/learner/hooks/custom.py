"""The config's list ``custom_hooks``: hooks of any make, each with its own arguments."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError, PartError
from ding_cls.worker.learner.hooks.base import HOOKS, LearnerHook, Priority, move_hook
from ding_cls.worker.learner.hooks.method_hook import method_hooks
from ding_cls.worker.learner.hooks.openmmlab import replaced_by

# What an entry may set of any hook; a constructor that has such a parameter gets it.
_PLACE = ("name", "priority", "position")


def build_custom_hooks(entries: Iterable[Any], *, key: str = "custom_hooks") -> list[LearnerHook]:
    """Return the hooks that ``custom_hooks`` or ``loggers`` lists, with names that differ.

    Args:
        entries: each ``dict(type=, name=, priority='NORMAL', position=, ...)`` with the arguments of the
            constructor of ``type``, which ``HOOKS`` knows: a ``LearnerHook``, or a class whose methods are
            named after positions.
        key: which of the two lists it is.

    Raises:
        ConfigError: an entry that names a hook, an argument, a priority or a position that does not exist.
    """
    hooks: list[LearnerHook] = []
    taken: set[str] = set()
    for number, entry in enumerate(entries):
        try:
            hooks += _built(entry, taken)
        except ConfigError as error:
            message = f"policy.learn.learner.{key}.{number}: {error}"
            raise PartError(message, error.name if isinstance(error, PartError) else "") from error
    return hooks


def _built(entry: Any, taken: set[str]) -> list[LearnerHook]:
    """Return the hooks of one entry; their name is added to ``taken``."""
    if not isinstance(entry, Mapping) or "type" not in entry:
        raise ConfigError(f"{entry!r} is no hook; the form is dict(type=, priority='NORMAL', ...)")
    arguments: dict[str, Any] = plain_copy(entry)
    kind = arguments.pop("type")
    instead = replaced_by(kind) if isinstance(kind, str) and kind not in HOOKS else None
    if instead is not None:
        raise ConfigError(f"{kind} is no hook here; in its place: {instead}")
    part = HOOKS.get(kind) if isinstance(kind, str) else kind
    if not callable(part):
        raise ConfigError(f"the type of a hook is a name or a class, not {kind!r}")
    given = {each: arguments.pop(each) for each in _PLACE if each in arguments}
    label = kind if isinstance(kind, str) else getattr(part, "__name__", "hook")
    place = {"name": label, "priority": Priority.NORMAL, **given}
    passed = {each: value for each, value in place.items() if _takes(part, each, is_given=each in given)}
    hook = HOOKS.build({"type": part, **passed, **arguments})
    if isinstance(hook, LearnerHook):
        move_hook(hook, **{each: value for each, value in given.items() if each not in passed})
        move_hook(hook, name=_free(hook.name, taken))
        return [hook]
    if "position" in given and "position" not in passed:
        raise ConfigError(f"hook {label} has methods named after positions; leave position= out")
    return [*method_hooks(hook, _free(str(place["name"]), taken), place["priority"])]


def _takes(part: Callable[..., Any], argument: str, *, is_given: bool) -> bool:
    """Return whether a constructor gets one of name, priority and position.

    What the config gives goes to any constructor with such a parameter; what it leaves out, to that of a
    ``LearnerHook`` without a default of its own.
    """
    try:
        parameters = inspect.signature(part).parameters
    except ValueError:
        # A class written in C: it has none of them.
        return False
    own = parameters.get(argument)
    if own is not None and own.kind not in (own.POSITIONAL_OR_KEYWORD, own.KEYWORD_ONLY):
        own = None
    if not (isinstance(part, type) and issubclass(part, LearnerHook)):
        return own is not None and is_given
    if own is None:
        return any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    return is_given or own.default is own.empty or part.__init__ is LearnerHook.__init__


def _free(name: str, taken: set[str]) -> str:
    """Return ``name``, or with a number where it is taken, and take it."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free
