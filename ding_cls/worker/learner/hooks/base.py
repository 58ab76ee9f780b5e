"""What a hook is: something callable with a place in the loop and a priority."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from difflib import get_close_matches
from enum import IntEnum
from typing import Any, Literal, get_args

from ding_cls.errors import ConfigError
from ding_cls.registry import Registry
from ding_cls.worker.learner.engine import Engine

Position = Literal[
    "before_run", "after_run", "before_iter", "after_iter", "before_epoch", "after_epoch", "after_eval"
]
POSITIONS: tuple[Position, ...] = get_args(Position)


class Priority(IntEnum):
    """Names of priorities, accepted wherever a number is; they are those of mmcv."""

    HIGHEST = 0
    VERY_HIGH = 10
    HIGH = 30
    ABOVE_NORMAL = 40
    NORMAL = 50
    BELOW_NORMAL = 60
    LOW = 70
    VERY_LOW = 90
    LOWEST = 100


class LearnerHook(ABC):
    """Called by the learner at one position of the loop, with the learner as its argument.

    A hook with ``state_dict`` and ``load_state_dict`` has its place in the checkpoint. after_epoch and
    after_eval are called once for each epoch and evaluation of a run, however often it was resumed.

    Args:
        name: unique within its position; shown in the calling order that is logged at the start.
        priority: hooks of lower priority run first; equal ones in the order they were registered. A number
            from 0 on, or a name of ``Priority`` in any case.
        position: before_run, after_run, before_iter, after_iter, before_epoch, after_epoch or after_eval.
            A run that resumes in mid-epoch calls before_epoch again.

    Raises:
        ConfigError: there is no such position or priority.
    """

    def __init__(self, name: str, priority: int | str = 100, *, position: Position) -> None:
        self._name = name
        self._priority = as_priority(priority, name)
        self._position = as_position(position, name)

    @property
    def name(self) -> str:
        """The hook's name."""
        return self._name

    @property
    def priority(self) -> int:
        """Lower runs first."""
        return int(self._priority)

    @property
    def position(self) -> Position:
        """Where in the loop the hook is called."""
        return self._position

    @abstractmethod
    def __call__(self, engine: Engine) -> None:
        """Do the hook's work.

        Args:
            engine: the learner that calls.
        """


def as_priority(priority: int | str, name: str) -> int:
    """Return a priority as a number; a ``Priority`` where it was given by name.

    Args:
        priority: a number from 0 on, or a name in any case.
        name: the hook's, for the message.

    Raises:
        ConfigError: it is neither.
    """
    known = Priority.__members__
    if isinstance(priority, str) and priority.upper() in known:
        return known[priority.upper()]
    if isinstance(priority, int) and not isinstance(priority, bool) and priority >= 0:
        return priority
    near = get_close_matches(priority.upper(), known, n=1) if isinstance(priority, str) else []
    hint = (
        f"did you mean {near[0]}?" if near else f"it is a whole number from 0 on or one of {', '.join(known)}"
    )
    raise ConfigError(f"hook '{name}' has priority {priority!r}; {hint}")


def as_position(position: Any, name: str) -> Position:
    """Return a position of the loop.

    Raises:
        ConfigError: there is no such position.
    """
    for known in POSITIONS:
        if position == known:
            return known
    raise ConfigError(f"hook '{name}' asks for position '{position}'; there are: {', '.join(POSITIONS)}")


def show_priority(hook: LearnerHook) -> str:
    """Return a priority as the calling order shows it: the number, and its name if that was given."""
    name = f" {hook._priority.name}" if isinstance(hook._priority, Priority) else ""
    return f"{hook.priority}{name}"


def move_hook(
    hook: LearnerHook,
    *,
    name: str | None = None,
    priority: int | str | None = None,
    position: str | None = None,
) -> None:
    """Give a hook that is not yet registered another name or place: what a config sets where a class's
    constructor has no parameter for it."""
    # Functions, not methods: a user's subclass may have any name of its own.
    hook._name = hook._name if name is None else name
    hook._priority = hook._priority if priority is None else as_priority(priority, hook._name)
    hook._position = hook._position if position is None else as_position(position, hook._name)


HOOKS: Registry[Callable[..., Any]] = Registry("hook")


def register_learner_hook(name: str, hook_type: type[LearnerHook]) -> None:
    """Make a hook class known to configs under ``name``.

    Raises:
        ConfigError: another class has that name.
    """
    if not (isinstance(hook_type, type) and issubclass(hook_type, LearnerHook)):
        raise ConfigError(f"'{name}' is {hook_type!r}; a learner hook is a subclass of LearnerHook")
    HOOKS.register(name)(hook_type)
