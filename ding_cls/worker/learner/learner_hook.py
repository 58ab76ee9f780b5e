"""Hooks from configs, and how they are put in order. The built-in hooks are re-exported here."""

from collections.abc import Mapping
from typing import Any

from ding_cls.config.defaults import NEVER
from ding_cls.errors import ConfigError
from ding_cls.worker.learner.hooks.base import (
    HOOKS,
    POSITIONS,
    LearnerHook,
    move_hook,
    register_learner_hook,
    show_priority,
)
from ding_cls.worker.learner.hooks.builtin import (
    ImageClsLogShowHook,
    LoadCkptHook,
    LogReduceHook,
    LogShowHook,
    SaveCkptHook,
)
from ding_cls.worker.learner.hooks.custom import build_custom_hooks
from ding_cls.worker.learner.hooks.hook_state import state_of

Hooks = dict[str, list[LearnerHook]]

__all__ = [
    "ImageClsLogShowHook",
    "LearnerHook",
    "LoadCkptHook",
    "LogReduceHook",
    "LogShowHook",
    "SaveCkptHook",
    "add_learner_hook",
    "build_learner_hook_by_cfg",
    "learner_hooks",
    "merge_hooks",
    "place_hook",
    "register_learner_hook",
    "show_hooks",
]


def learner_hooks(cfg: Mapping[str, Any], *, world_size: int = 1) -> Hooks:
    """Return the hooks that a learner begins with, by position and in calling order.

    Those of ``hook`` come first, then ``custom_hooks`` and ``loggers`` in the order of the lists, then the
    reduction over the ranks where there are several and none is named.

    Args:
        cfg: the config's ``policy.learn.learner`` section.
        world_size: number of processes.

    Raises:
        ConfigError: see ``build_learner_hook_by_cfg`` and ``build_custom_hooks``.
    """
    described = [hook for line in build_learner_hook_by_cfg(cfg.get("hook", {})).values() for hook in line]
    hooks: Hooks = {position: [] for position in POSITIONS}
    if cfg.get("checkpoint", {}).get("save_best_only"):
        described = [hook for hook in described if not isinstance(hook, SaveCkptHook)]
    listed = [
        each for key in ("custom_hooks", "loggers") for each in build_custom_hooks(cfg.get(key, ()), key=key)
    ]
    for hook in [*described, *listed]:
        place_hook(hooks, hook)
    if world_size > 1 and not any(isinstance(each, LogReduceHook) for each in hooks["after_iter"]):
        add_learner_hook(hooks, LogReduceHook("log_reduce_after_iter", 10, position="after_iter"))
    return hooks


def build_learner_hook_by_cfg(cfg: Mapping[str, Any]) -> Hooks:
    """Return the hooks that a config describes, by position and in calling order.

    Args:
        cfg: either form by name. Short: ``TYPE_POSITION: value``, where the value is the interval for
            log_show, save_ckpt and log_reduce, or the path for load_ckpt; False, 0, None, '' and 1e9
            switch it off. Long: ``dict(name=, type=, priority=, position=, ext_args=dict(...))``.

    Raises:
        ConfigError: a name, type or position that does not exist, or a value that does not fit.
    """
    hooks: Hooks = {position: [] for position in POSITIONS}
    for key, value in cfg.items():
        hook = _from_long_form(key, value) if isinstance(value, Mapping) else _from_short_form(key, value)
        if hook is not None:
            add_learner_hook(hooks, hook)
    return hooks


def add_learner_hook(hooks: Hooks, hook: LearnerHook) -> None:
    """Insert a hook at its place: after those of lower or equal priority."""
    line = hooks.setdefault(hook.position, [])
    place = sum(1 for other in line if other.priority <= hook.priority)
    line.insert(place, hook)


def place_hook(hooks: Hooks, hook: LearnerHook) -> None:
    """Insert a hook at its place, and move those that save behind every hook with a state at that position.

    A file that was written before such a hook's call would hold its state of one update earlier, and the
    resumed run would never make up for that call.
    """
    add_learner_hook(hooks, hook)
    line = hooks[hook.position]
    last = max((number for number, each in enumerate(line) if state_of(each) is not None), default=0)
    priority = line[last].priority
    for saver in [each for each in line[:last] if isinstance(each, SaveCkptHook)]:
        line.remove(saver)
        move_hook(saver, priority=priority)
        add_learner_hook(hooks, saver)


def merge_hooks(hooks1: Hooks, hooks2: Hooks) -> Hooks:
    """Return all hooks of both; of equal priority, those of ``hooks1`` come first."""
    merged: Hooks = {position: [] for position in POSITIONS}
    for hooks in (hooks1, hooks2):
        for line in hooks.values():
            for hook in line:
                add_learner_hook(merged, hook)
    return merged


def show_hooks(hooks: Hooks) -> str:
    """Return the calling order, one line a position: ``after_iter: log_reduce (10), counter (50 NORMAL)``."""
    lines = [
        f"{position}: " + ", ".join(f"{hook.name} ({show_priority(hook)})" for hook in hooks[position])
        for position in POSITIONS
        if hooks.get(position)
    ]
    return "\n".join(lines)


def _from_short_form(key: str, value: Any) -> LearnerHook | None:
    position = next((each for each in POSITIONS if key.endswith(f"_{each}")), None)
    if position is None and value is False:
        # A hook of the long form, switched off by its name.
        return None
    if position is None:
        raise ConfigError(
            f"hook.{key} is neither TYPE_POSITION nor a dict; positions are {', '.join(POSITIONS)}, "
            f"types {', '.join(sorted(HOOKS))}"
        )
    hook_class = _learner_hook_class(key, key.removesuffix(f"_{position}"))
    if not value or (isinstance(value, int | float) and value >= NEVER):
        return None
    if isinstance(value, str):
        ext_args: dict[str, Any] = {"load_path": value}
    elif isinstance(value, int | float) and value >= 1:
        ext_args = {"freq": value if isinstance(value, float) else int(value)}
    else:
        raise ConfigError(f"hook.{key} is {value!r}; it is a number of updates from 1 on, a path, or False")
    hook: LearnerHook = hook_class(key, position=position, ext_args=ext_args)
    return hook


def _from_long_form(key: str, value: Mapping[str, Any]) -> LearnerHook:
    arguments = {"name": key, **value}
    missing = [name for name in ("type", "position") if name not in arguments]
    if missing:
        raise ConfigError(
            f"hook.{key} lacks {' and '.join(missing)}; "
            "the form is dict(type=, priority=, position=, ext_args=)"
        )
    arguments["type"] = _learner_hook_class(key, arguments["type"])
    try:
        hook: LearnerHook = HOOKS.build(arguments)
    except ConfigError as error:
        raise ConfigError(f"hook.{key}: {error}") from error
    return hook


def _learner_hook_class(key: str, name: str) -> Any:
    found = HOOKS.get(name)
    if not (isinstance(found, type) and issubclass(found, LearnerHook)):
        raise ConfigError(f"hook.{key} names {name}, which is no LearnerHook; list it in custom_hooks")
    return found
