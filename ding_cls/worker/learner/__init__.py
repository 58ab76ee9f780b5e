"""The loop over batches and the hooks around it."""

from ding_cls.worker.learner.base_learner import BaseLearner
from ding_cls.worker.learner.create import create_learner
from ding_cls.worker.learner.learner_hook import (
    LearnerHook,
    add_learner_hook,
    build_learner_hook_by_cfg,
    merge_hooks,
    register_learner_hook,
    show_hooks,
)

__all__ = [
    "BaseLearner",
    "LearnerHook",
    "add_learner_hook",
    "build_learner_hook_by_cfg",
    "create_learner",
    "merge_hooks",
    "register_learner_hook",
    "show_hooks",
]
