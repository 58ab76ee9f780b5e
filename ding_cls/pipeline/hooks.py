"""The hooks of a run, as its config describes them: for the run, and for whoever wants to see their order."""

from typing import Any

from ding_cls.worker.learner import LearnerHook, learner_hooks
from ding_cls.worker.learner.learner_hook import Hooks, ImageClsLogShowHook, place_hook


def log_hook(cfg: Any) -> LearnerHook:
    """Return the hook that shows a run's log lines, every ``policy.learn.learner.log_show_freq`` updates.

    It stands before the hooks that save: the averages that a checkpoint holds include its own update.
    """
    return ImageClsLogShowHook("log_show", 15, freq=cfg.policy.learn.learner.log_show_freq)


def run_hooks(cfg: Any, *, world_size: int = 1) -> Hooks:
    """Return all hooks of a run, by position and in calling order; ``show_hooks`` prints them.

    Neither data nor a network are needed; the hooks that the config names must be registered.

    Args:
        cfg: the compiled config.
        world_size: number of processes.

    Raises:
        ConfigError: a hook, an argument, a position or a priority that does not exist.
    """
    hooks = learner_hooks(cfg.policy.learn.learner, world_size=world_size)
    place_hook(hooks, log_hook(cfg))
    return hooks
