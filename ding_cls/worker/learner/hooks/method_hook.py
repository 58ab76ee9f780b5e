"""Hooks whose methods are named after positions, in the manner of mmcv."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ding_cls.errors import ConfigError
from ding_cls.worker.learner.hooks.base import LearnerHook, Position
from ding_cls.worker.learner.hooks.runner_view import Runner

if TYPE_CHECKING:
    from ding_cls.worker.learner.base_learner import BaseLearner

# The methods that a position calls; of several that a class defines the first.
METHODS: dict[Position, tuple[str, ...]] = {
    "before_run": ("before_run",),
    "after_run": ("after_run",),
    "before_iter": ("before_train_iter", "before_iter"),
    "after_iter": ("after_train_iter", "after_iter"),
    "before_epoch": ("before_train_epoch", "before_epoch"),
    "after_epoch": ("after_train_epoch", "after_epoch"),
    "after_eval": ("after_val_epoch", "after_eval"),
}
_CALLED = tuple(name for names in METHODS.values() for name in names)
# Methods of mmcv's and mmengine's hooks for which this loop has no position.
_NEVER_CALLED = (
    *("before_val_epoch", "before_val_iter", "after_val_iter", "before_train", "after_train"),
    *("before_val", "after_val", "before_test", "after_test", "before_test_epoch", "after_test_epoch"),
    *("before_test_iter", "after_test_iter", "before_save_checkpoint", "after_load_checkpoint"),
)
_MIN_LIKENESS = 0.85


class Hook:
    """Base of hooks whose methods are named after positions; a subclass overrides those it wants.

    A class without this base does as well: it needs at least one of the methods.
    """

    def before_run(self, runner: Runner) -> None:
        """Called once, before training begins or goes on."""

    def after_run(self, runner: Runner) -> None:
        """Called once, when training is over."""

    def before_epoch(self, runner: Runner) -> None:
        """Called before each epoch; once more in one that a run resumes in."""

    def after_epoch(self, runner: Runner) -> None:
        """Called after each epoch, before its evaluation."""

    def before_iter(self, runner: Runner) -> None:
        """Called before each update."""

    def after_iter(self, runner: Runner) -> None:
        """Called after each update."""

    def before_train_epoch(self, runner: Runner) -> None:
        """The same as ``before_epoch``."""
        self.before_epoch(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """The same as ``after_epoch``."""
        self.after_epoch(runner)

    def before_train_iter(self, runner: Runner) -> None:
        """The same as ``before_iter``."""
        self.before_iter(runner)

    def after_train_iter(self, runner: Runner) -> None:
        """The same as ``after_iter``."""
        self.after_iter(runner)

    def after_val_epoch(self, runner: Runner) -> None:
        """Called after each evaluation; ``runner.eval_result`` is its result."""

    def every_n_epochs(self, runner: Runner, n: int) -> bool:
        """Return whether the epoch at hand is an n-th one; False where n is 0 or less."""
        return n > 0 and (runner.epoch + 1) % n == 0

    def every_n_iters(self, runner: Runner, n: int) -> bool:
        """Return whether the update at hand is an n-th one; False where n is 0 or less."""
        return n > 0 and (runner.iter + 1) % n == 0

    def every_n_inner_iters(self, runner: Runner, n: int) -> bool:
        """Return whether the update at hand is an n-th one of its epoch; False where n is 0 or less."""
        return n > 0 and (runner.inner_iter + 1) % n == 0

    def is_last_epoch(self, runner: Runner) -> bool:
        """Return whether the epoch at hand is the run's last."""
        return runner.epoch + 1 == runner.max_epochs

    def is_last_iter(self, runner: Runner) -> bool:
        """Return whether the update at hand is the run's last."""
        return runner.iter + 1 == runner.max_iters


class MethodHook(LearnerHook):
    """One method of a hook object, at its position.

    Attributes:
        owner: the object.
    """

    def __init__(
        self,
        name: str,
        priority: int | str,
        *,
        position: Position,
        owner: object,
        method: str,
    ) -> None:
        super().__init__(name, priority, position=position)
        self.owner = owner
        self._method: Callable[[Runner], Any] = getattr(owner, method)

    def __call__(self, engine: BaseLearner) -> None:
        self._method(Runner(engine, self.position))


def method_hooks(owner: object, name: str, priority: int | str) -> list[MethodHook]:
    """Return a hook for each method of ``owner`` that is named after a position.

    Args:
        owner: one object, which all of them share.
        name: of each of them.
        priority: of each of them.

    Raises:
        ConfigError: there is no such method, or one that this loop would never call.
    """
    own = _own_methods(owner)
    for method in own:
        _check_is_called(type(owner).__name__, method)
        _check_takes_runner(owner, method)
    hooks = [
        MethodHook(name, priority, position=position, owner=owner, method=defined[0])
        for position, methods in METHODS.items()
        if (defined := [each for each in methods if each in own])
    ]
    if not hooks:
        raise ConfigError(
            f"hook {type(owner).__name__} is no LearnerHook and has no method named after a position: "
            f"{', '.join(_CALLED)}"
        )
    return hooks


def _own_methods(owner: object) -> list[str]:
    """Return the methods before_... and after_... that a class defines, less the empty ones of a base called
    Hook: ours, or mmcv's."""
    found = []
    for name in dir(type(owner)):
        if name.startswith(("before_", "after_")) and callable(getattr(type(owner), name)):
            definer = next(each for each in type(owner).__mro__ if name in vars(each))
            if definer is not Hook and (definer is type(owner) or definer.__name__ != "Hook"):
                found.append(name)
    return found


def _check_takes_runner(owner: object, method: str) -> None:
    try:
        inspect.signature(getattr(owner, method)).bind(None)
    except TypeError as error:
        raise ConfigError(
            f"hook {type(owner).__name__}: {method} is called with one argument, the runner: {error}"
        ) from error


def _check_is_called(hook: str, method: str) -> None:
    if method in _CALLED:
        return
    if method in _NEVER_CALLED:
        raise ConfigError(
            f"hook {hook} defines {method}, for which this loop has no position; "
            f"it calls: {', '.join(_CALLED)}"
        )
    near = get_close_matches(method, _CALLED, n=1, cutoff=_MIN_LIKENESS)
    if near:
        raise ConfigError(
            f"hook {hook} defines {method}, which nothing calls; did you mean {near[0]}? "
            "A method of your own begins with an underscore"
        )
