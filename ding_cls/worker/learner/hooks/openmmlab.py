"""Hooks under the names of mmcv and mmengine, and the keys that replace those that are no hooks here."""

import re
from collections.abc import Callable
from typing import Any

import torch

from ding_cls.distributed.wrap import sync_buffers
from ding_cls.errors import ConfigError
from ding_cls.worker.evaluation.best import EarlyStopping
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.base import HOOKS, LearnerHook
from ding_cls.worker.learner.hooks.method_hook import METHODS

_LOGGERS = "MlflowLoggerHook or WandbLoggerHook in policy.learn.learner.loggers, or a hook of your own"
# Patterns of names, the first that fits counts.
_REPLACED_BY = {
    "CheckpointHook": "policy.learn.learner: hook.save_ckpt_after_epoch=K, checkpoint=dict(...)",
    "(Dist)?EvalHook": "policy.eval.evaluator: eval_interval, by_epoch, start, save_best, rule",
    "(Dist)?OptimizerHook": "policy.learn.grad_clip=dict(max_norm=...)",
    "Fp16OptimizerHook": "policy.learn.precision='fp16'",
    "GradientCumulativeOptimizerHook": "policy.learn.accumulation_steps=K",
    "GradientCumulativeFp16OptimizerHook": (
        "policy.learn.accumulation_steps=K and policy.learn.precision='fp16'"
    ),
    "EMAHook": "policy.learn.ema=dict(...)",
    "SWAHook": "policy.learn.swa=dict(...)",
    "PreciseBNHook": "policy.learn.precise_bn=dict(...)",
    "ParamSchedulerHook": "policy.learn.lr_schedule=dict(type=...)",
    "SwitchRecipeHook": "policy.learn.recipes=[dict(action_epoch=K, batch_augments=..., loss=...)]",
    "VisualizationHook": "none: a run draws no images while it trains",
    "LoggerHook": "policy.learn.learner.log_show_freq",
    "(Neptune|Dvclive|ClearML|Segmind|Pavi)LoggerHook": _LOGGERS,
    r"\w+LrUpdaterHook": "policy.learn.lr_schedule=dict(type=...), or lr_config=dict(policy=...)",
    r"\w+MomentumUpdaterHook": "policy.learn.momentum_schedule, or momentum_config=dict(policy=...)",
}


def replaced_by(name: str) -> str | None:
    """Return which key does the work of a hook of mmcv or mmengine; None for any other name."""
    return next((text for pattern, text in _REPLACED_BY.items() if re.fullmatch(pattern, name)), None)


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

    def before_epoch(self, engine: Engine) -> None:
        """Called before each epoch."""
        self._empty("before_epoch")

    def after_epoch(self, engine: Engine) -> None:
        """Called after each epoch."""
        self._empty("after_epoch")

    def after_iter(self, engine: Engine) -> None:
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

    def after_epoch(self, engine: Engine) -> None:
        """Called after each epoch."""
        if self._is_on and engine.world_size > 1:
            sync_buffers(engine.policy.get_attribute("model"))


@HOOKS.register_module()
class ClosureHook(LearnerHook):
    """Call a function at one position: ``dict(type=ClosureHook, fn_name='after_train_epoch', fn=...)``.

    Only code can hand it in: a config file holds no functions.

    Args:
        fn_name: the position's method, such as ``after_train_iter``.
        fn: called with the engine.
        name: as in ``LearnerHook``.
        priority: as in ``LearnerHook``.

    Raises:
        ConfigError: there is no such position, or ``fn`` is no function.
    """

    def __init__(
        self,
        fn_name: str,
        fn: Callable[[Engine], Any],
        *,
        name: str = "ClosureHook",
        priority: int | str = "NORMAL",
    ) -> None:
        positions = {method: position for position, methods in METHODS.items() for method in methods}
        if fn_name not in positions:
            raise ConfigError(f"ClosureHook has fn_name={fn_name!r}; it is one of {', '.join(positions)}")
        if not callable(fn):
            raise ConfigError(f"ClosureHook has fn={fn!r}; it is a function of the engine, set from code")
        super().__init__(name, priority, position=positions[fn_name])
        self._fn = fn

    def __call__(self, engine: Engine) -> None:
        self._fn(engine)


@HOOKS.register_module()
class EarlyStoppingHook(LearnerHook):
    """End the run when evaluations bring nothing better any more.

    The same as ``policy.eval.evaluator.early_stop_patience``, with mmengine's arguments.

    Args:
        name: as in ``LearnerHook``.
        priority: as in ``LearnerHook``.
        position: as in ``LearnerHook``; before_run.
        monitor: the key of the results that counts; None: that of ``policy.eval.evaluator.save_best``.
        rule: 'greater' or 'less'; None: the metric's direction.
        min_delta: by how much the key must get better to count as better.
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
        check_finite: bool = True,
        patience: int = 5,
    ) -> None:
        super().__init__(name, priority, position=position)
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise ConfigError(f"EarlyStoppingHook has patience={patience!r}; it is a whole number from 1 on")
        self._key, self._rule = monitor, rule
        self._settings = EarlyStopping(patience, min_delta=min_delta, check_finite=check_finite)

    def __call__(self, engine: Engine) -> None:
        if engine.evaluator is None:
            raise ConfigError("EarlyStoppingHook waits for evaluations, and this run has none")
        engine.evaluator.stop_early(self._settings, key=self._key, rule=self._rule)
