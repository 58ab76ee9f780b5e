"""The loop over batches and the hooks around it."""

from ding_cls.worker.learner.base_learner import BaseLearner
from ding_cls.worker.learner.create import create_learner
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.base import HOOKS, Priority
from ding_cls.worker.learner.hooks.method_hook import Hook
from ding_cls.worker.learner.hooks.openmmlab import (
    ClosureHook,
    EarlyStoppingHook,
    EmptyCacheHook,
    SyncBuffersHook,
)
from ding_cls.worker.learner.hooks.profiler import ProfilerHook
from ding_cls.worker.learner.hooks.scheduled_params import SetAdaptiveMarginsHook, WarmupParamHook
from ding_cls.worker.learner.hooks.trackers import MlflowLoggerHook, WandbLoggerHook
from ding_cls.worker.learner.learner_hook import (
    LearnerHook,
    add_learner_hook,
    build_learner_hook_by_cfg,
    learner_hooks,
    merge_hooks,
    register_learner_hook,
    show_hooks,
)

__all__ = [
    "HOOKS",
    "BaseLearner",
    "ClosureHook",
    "EarlyStoppingHook",
    "EmptyCacheHook",
    "Engine",
    "Hook",
    "LearnerHook",
    "MlflowLoggerHook",
    "Priority",
    "ProfilerHook",
    "SetAdaptiveMarginsHook",
    "SyncBuffersHook",
    "WandbLoggerHook",
    "WarmupParamHook",
    "add_learner_hook",
    "build_learner_hook_by_cfg",
    "create_learner",
    "learner_hooks",
    "merge_hooks",
    "register_learner_hook",
    "show_hooks",
]
