"""What a hook is: something callable with a place in the loop and a priority."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal, get_args

from ding_cls.errors import ConfigError
from ding_cls.registry import Registry

if TYPE_CHECKING:
    from ding_cls.worker.learner.base_learner import BaseLearner

Position = Literal[
    "before_run", "after_run", "before_iter", "after_iter", "before_epoch", "after_epoch", "after_eval"
]
POSITIONS: tuple[Position, ...] = get_args(Position)


class LearnerHook(ABC):
    """Called by the learner at one position of the loop, with the learner as its argument.

    Args:
        name: unique within its position; it stands in the calling order logged at the start.
        priority: hooks of lower priority run first; equal ones in the order they were registered.
        position: before_run, after_run, before_iter, after_iter, before_epoch, after_epoch or after_eval.
            A run that resumes in mid-epoch calls before_epoch again.

    Raises:
        ConfigError: there is no such position.
    """

    def __init__(self, name: str, priority: int = 100, *, position: Position) -> None:
        if position not in POSITIONS:
            raise ConfigError(
                f"hook '{name}' asks for position '{position}'; there are: {', '.join(POSITIONS)}"
            )
        if isinstance(priority, bool) or not isinstance(priority, int) or priority < 0:
            raise ConfigError(f"hook '{name}' has priority {priority!r}; it is a whole number from 0 on")
        self._name = name
        self._priority = priority
        self._position = position

    @property
    def name(self) -> str:
        """The hook's name."""
        return self._name

    @property
    def priority(self) -> int:
        """Lower runs first."""
        return self._priority

    @property
    def position(self) -> Position:
        """Where in the loop the hook is called."""
        return self._position

    @abstractmethod
    def __call__(self, engine: BaseLearner) -> None:
        """Do the hook's work.

        Args:
            engine: the learner that calls.
        """


HOOKS: Registry[type[LearnerHook]] = Registry("learner hook")


def register_learner_hook(name: str, hook_type: type[LearnerHook]) -> None:
    """Make a hook class known to configs under ``name``.

    Raises:
        ConfigError: another class has that name.
    """
    if not (isinstance(hook_type, type) and issubclass(hook_type, LearnerHook)):
        raise ConfigError(f"'{name}' is {hook_type!r}; a learner hook is a subclass of LearnerHook")
    HOOKS.register(name)(hook_type)
