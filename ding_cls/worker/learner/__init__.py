"""The loop over batches and the hooks around it."""

from ding_cls.worker.learner.base_learner import BaseLearner
from ding_cls.worker.learner.create import create_learner
from ding_cls.worker.learner.hook import HOOKS, Priority
from ding_cls.worker.learner.known_hooks import (
    ClassNumCheckHook,
    ClosureHook,
    EarlyStoppingHook,
    EmptyCacheHook,
    SyncBuffersHook,
)
from ding_cls.worker.learner.learner_hook import (
    LearnerHook,
    add_learner_hook,
    build_learner_hook_by_cfg,
    learner_hooks,
    merge_hooks,
    register_learner_hook,
    show_hooks,
)
from ding_cls.worker.learner.method_hooks import Hook
from ding_cls.worker.learner.profiler_hook import ProfilerHook
from ding_cls.worker.learner.runner import Runner
from ding_cls.worker.learner.setting_hooks import SetAdaptiveMarginsHook, WarmupParamHook
from ding_cls.worker.learner.tracking import MlflowLoggerHook, WandbLoggerHook

__all__ = [
    "HOOKS",
    "BaseLearner",
    "ClassNumCheckHook",
    "ClosureHook",
    "EarlyStoppingHook",
    "EmptyCacheHook",
    "Hook",
    "LearnerHook",
    "MlflowLoggerHook",
    "Priority",
    "ProfilerHook",
    "Runner",
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
