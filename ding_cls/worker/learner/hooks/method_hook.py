"""Hooks whose methods are named after positions; each method is called with the engine.

One whose parameter is called ``runner`` gets the engine under mmcv's names, see ``RunnerView``.
"""

import inspect
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from ding_cls.errors import ConfigError
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.base import LearnerHook, Position
from ding_cls.worker.learner.hooks.openmmlab_runner import RunnerView

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
_NEVER_CALLED = re.compile(r"(before|after)_((train|val|test)(_epoch|_iter)?|(save|load)_checkpoint)")
_MIN_LIKENESS = 0.85


class Hook:
    """Base of hooks whose methods are named after positions; a subclass overrides those it wants.

    A class without this base works as well: it needs at least one of the methods. The questions at the end
    count finished updates: they are for methods that begin with ``after_``; those of mmcv, whose parameter is
    called ``runner``, may ask before an update or epoch too, which then counts.
    """

    def before_run(self, engine: Engine) -> None:
        """Called once, before training begins or goes on."""

    def after_run(self, engine: Engine) -> None:
        """Called once, when training is over."""

    def before_epoch(self, engine: Engine) -> None:
        """Called before each epoch; once more in one that a run resumes in."""

    def after_epoch(self, engine: Engine) -> None:
        """Called after each epoch, before its evaluation."""

    def before_iter(self, engine: Engine) -> None:
        """Called before each update."""

    def after_iter(self, engine: Engine) -> None:
        """Called after each update."""

    def before_train_epoch(self, engine: Engine) -> None:
        """The same as ``before_epoch``."""
        self.before_epoch(engine)

    def after_train_epoch(self, engine: Engine) -> None:
        """The same as ``after_epoch``."""
        self.after_epoch(engine)

    def before_train_iter(self, engine: Engine) -> None:
        """The same as ``before_iter``."""
        self.before_iter(engine)

    def after_train_iter(self, engine: Engine) -> None:
        """The same as ``after_iter``."""
        self.after_iter(engine)

    def after_val_epoch(self, engine: Engine) -> None:
        """Called after each evaluation; ``engine.eval_result`` is its result."""

    def every_n_epochs(self, engine: Engine, n: int) -> bool:
        """Return whether the latest epoch is an n-th one; False where n is 0 or less."""
        return n > 0 and _num_epochs(engine, _num_updates(engine)) % n == 0

    def every_n_iters(self, engine: Engine, n: int) -> bool:
        """Return whether the latest update is an n-th one; False where n is 0 or less."""
        return n > 0 and _num_updates(engine) % n == 0

    def every_n_inner_iters(self, engine: Engine, n: int) -> bool:
        """Return whether the latest update is an n-th one of its epoch; False where n is 0 or less."""
        return n > 0 and (engine.epoch_info[1] + 1) % n == 0

    def is_last_epoch(self, engine: Engine) -> bool:
        """Return whether the latest epoch is the run's last."""
        last = engine.max_iter
        return last is not None and _num_epochs(engine, _num_updates(engine)) == _num_epochs(engine, last)

    def is_last_iter(self, engine: Engine) -> bool:
        """Return whether the latest update is the run's last."""
        return _num_updates(engine) == engine.max_iter

    def end_of_epoch(self, engine: Engine) -> bool:
        """Return whether the latest update is the last of its epoch."""
        return engine.epoch_info[1] + 1 == engine.epoch_info[2]


def _num_updates(engine: Engine) -> int:
    """Return how many updates are finished; with the one at hand before it, where mmcv asks so."""
    return engine.train_iter + int(getattr(engine, "num_begun", 0))


def _num_epochs(engine: Engine, num_updates: int) -> int:
    """Return in how many epochs so many updates are done, one that is cut short included."""
    length = engine.updates_per_epoch
    # A loop of the caller's own counts its epochs itself.
    return engine.epoch_info[0] + 1 if length is None else -(-num_updates // length)


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
        self._method: Callable[[Any], Any] = getattr(owner, method)
        self._wants_runner = next(iter(inspect.signature(self._method).parameters), "") == "runner"

    def __call__(self, engine: Engine) -> None:
        self._method(RunnerView(engine, self.position) if self._wants_runner else engine)


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
        _check_method(owner, method)
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


def _check_method(owner: object, method: str) -> None:
    """Refuse a method that needs more than the engine, and one that nothing would call."""
    hook = type(owner).__name__
    if method in _CALLED:
        try:
            inspect.signature(getattr(owner, method)).bind(None)
        except TypeError as error:
            raise ConfigError(
                f"hook {hook}: {method} is called with one argument, the engine: {error}"
            ) from error
        return
    if _NEVER_CALLED.fullmatch(method):
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
