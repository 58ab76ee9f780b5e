"""The hooks of a run, as its config describes them: for the run, and for whoever wants to see their order."""

from collections.abc import Iterable
from typing import Any

from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError
from ding_cls.optim import observes_evaluations
from ding_cls.registry import Registry, build_from_cfg
from ding_cls.worker.learner import LearnerHook, learner_hooks
from ding_cls.worker.learner.hooks.builtin import LogRowHook, LogShowHook
from ding_cls.worker.learner.hooks.implied import ObserveEvaluation, PreciseBatchNorm
from ding_cls.worker.learner.learner_hook import Hooks, place_hook


def log_hook(cfg: Any) -> LearnerHook:
    """Return the hook that shows a run's log lines, every ``policy.learn.learner.log_show_freq`` updates.

    It stands before the hooks that save: the averages that a checkpoint holds include its own update.
    """
    return LogRowHook("log_show", 15, freq=cfg.policy.learn.learner.log_show_freq)


def implied_hooks(cfg: Any, loader: Any = None, *, named: Iterable[object] = ()) -> list[LearnerHook]:
    """Return the hooks that other keys of the config bring along.

    Args:
        cfg: the compiled config.
        loader: the training loader, for those that use it; None where only their places are asked for.
        named: the hooks after an update that the config names. One that shows log lines replaces the run's
            own, which would empty the log buffer before it.

    Raises:
        ConfigError: an argument of theirs that does not exist or cannot be used; a learning rate that
            follows evaluations where there are none.
    """
    learn = cfg.policy.learn
    hooks = [] if any(isinstance(each, LogShowHook) for each in named) else [log_hook(cfg)]
    if learn.precise_bn is not None:
        settings = {**plain_copy(learn.precise_bn), "type": PreciseBatchNorm, "loader": loader}
        hooks.append(build_from_cfg(settings, Registry("policy.learn.precise_bn")))
    if observes_evaluations(learn.lr_schedule):
        if not cfg.policy.eval.evaluator.validate:
            raise ConfigError(
                "policy.learn.lr_schedule follows the evaluations, and policy.eval.evaluator.validate is "
                "False: the learning rate would never fall; evaluate, or choose another schedule"
            )
        hooks.append(ObserveEvaluation())
    return hooks


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
    for hook in implied_hooks(cfg, named=hooks["after_iter"]):
        place_hook(hooks, hook)
    return hooks
