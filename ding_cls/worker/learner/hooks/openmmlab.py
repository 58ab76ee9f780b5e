"""Hooks under the names that mmcv, mmclassification and mmengine have for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from ding_cls.distributed.wrap import sync_buffers
from ding_cls.errors import ConfigError
from ding_cls.worker.evaluation.best import EarlyStopping
from ding_cls.worker.learner.hooks.base import HOOKS, LearnerHook
from ding_cls.worker.learner.hooks.method_hook import METHODS

if TYPE_CHECKING:
    from ding_cls.worker.learner.base_learner import BaseLearner
    from ding_cls.worker.learner.hooks.runner_view import Runner


@HOOKS.register_module()
class ClassNumCheckHook:
    """Refuse a network some part of which says another ``num_classes`` than the data have."""

    def before_run(self, runner: Runner) -> None:
        """Compare them, once.

        Raises:
            ConfigError: names the part and both numbers.
        """
        names = runner.learner.policy.get_attribute("class_names")
        for path, module in runner.model.named_modules() if names is not None else ():
            count = getattr(module, "num_classes", None)
            # A part that makes losses of several labels may count otherwise; those say no number.
            if isinstance(count, int) and count not in (-1, len(names)):
                part = f"'{path}' ({type(module).__name__})" if path else type(module).__name__
                raise ConfigError(
                    f"{part} has num_classes={count}, and the training data have {len(names)} classes"
                )


@HOOKS.register_module()
class EmptyCacheHook:
    """Give memory that torch keeps for later back to CUDA; slows training down, changes no number.

    Args:
        before_epoch: do so before each epoch.
        after_epoch: after each.
        after_iter: after each update.
    """

    def __init__(
        self, before_epoch: bool = False, after_epoch: bool = True, after_iter: bool = False
    ) -> None:
        self._when = {"before_epoch": before_epoch, "after_epoch": after_epoch, "after_iter": after_iter}

    def before_epoch(self, runner: Runner) -> None:
        """Called before each epoch."""
        self._empty("before_epoch")

    def after_epoch(self, runner: Runner) -> None:
        """Called after each epoch."""
        self._empty("after_epoch")

    def after_iter(self, runner: Runner) -> None:
        """Called after each update."""
        self._empty("after_iter")

    def _empty(self, moment: str) -> None:
        if self._when[moment] and torch.cuda.is_available():
            torch.cuda.empty_cache()


@HOOKS.register_module()
class SyncBuffersHook:
    """Give rank 0's buffers, such as BatchNorm's statistics, to all ranks after each epoch.

    Every evaluation begins so, with or without this hook.

    Args:
        distributed: False: do nothing.
    """

    def __init__(self, distributed: bool = True) -> None:
        self._is_on = distributed

    def after_epoch(self, runner: Runner) -> None:
        """Called after each epoch."""
        if self._is_on and runner.world_size > 1:
            sync_buffers(runner.model)


class _DoneAnyway(LearnerHook):
    """Accepted: what it did is part of every run."""

    def __init__(self, name: str, priority: int | str = "NORMAL", *, position: Any = "before_run") -> None:
        super().__init__(name, priority, position=position)

    def __call__(self, engine: BaseLearner) -> None:
        return None


@HOOKS.register_module()
class IterTimerHook(_DoneAnyway):
    """Accepted: every log line holds the times of an update."""


@HOOKS.register_module()
class DistSamplerSeedHook(_DoneAnyway):
    """Accepted: the order of the samples follows seed and epoch."""


@HOOKS.register_module()
class ClosureHook:
    """Call a function at one position: ``dict(type=ClosureHook, fn_name='after_train_epoch', fn=...)``.

    Only code can hand it in: a config file holds no functions.

    Args:
        fn_name: the position's method, such as ``after_train_iter``.
        fn: called with the runner.

    Raises:
        ConfigError: there is no such position, or ``fn`` is no function.
    """

    def __new__(cls, fn_name: str, fn: Callable[[Runner], Any]) -> Any:
        known = [name for names in METHODS.values() for name in names]
        if fn_name not in known:
            raise ConfigError(f"ClosureHook has fn_name={fn_name!r}; it is one of {', '.join(known)}")
        if not callable(fn):
            raise ConfigError(f"ClosureHook has fn={fn!r}; it is a function of the runner, set from code")
        # A class of its own: which positions a hook has is a question to its class.
        own = type("ClosureHook", (), {fn_name: lambda self, runner: fn(runner)})
        return own()


@HOOKS.register_module()
class EarlyStoppingHook(LearnerHook):
    """End the run when evaluations bring nothing better any more.

    The same as ``policy.eval.evaluator.early_stop_patience``, with mmengine's arguments.

    Args:
        name: as in ``LearnerHook``.
        priority: as in ``LearnerHook``.
        position: as in ``LearnerHook``; before_run.
        monitor: the key of the results that counts; None: as ``policy.eval.evaluator.save_best`` says.
        rule: 'greater' or 'less'; None: as the metric says.
        min_delta: by how much the key must get better to count as better.
        strict: accepted: a key that does not exist is always an error.
        check_finite: end the run when the key is not finite.
        patience: so many evaluations in a row without an improvement end the run.
    """

    def __init__(
        self,
        name: str,
        priority: int | str = "NORMAL",
        *,
        position: Any = "before_run",
        monitor: str | None = None,
        rule: str | None = None,
        min_delta: float = 0.1,
        strict: bool = False,
        check_finite: bool = True,
        patience: int = 5,
    ) -> None:
        super().__init__(name, priority, position=position)
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise ConfigError(f"EarlyStoppingHook has patience={patience!r}; it is a whole number from 1 on")
        self._key, self._rule = monitor, rule
        self._settings = EarlyStopping(patience, min_delta=min_delta, check_finite=check_finite)

    def __call__(self, engine: BaseLearner) -> None:
        if engine.evaluator is None:
            raise ConfigError("EarlyStoppingHook waits for evaluations, and this run has none")
        engine.evaluator.stop_early(self._settings, key=self._key, rule=self._rule)
