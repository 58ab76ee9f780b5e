"""Hooks from configs, and how they are put in order. The hooks themselves are re-exported here."""

from collections.abc import Mapping
from typing import Any

from ding_cls.errors import ConfigError
from ding_cls.worker.learner.builtin_hooks import (
    ImageClsLogShowHook,
    LoadCkptHook,
    LogReduceHook,
    LogShowHook,
    SaveCkptHook,
)
from ding_cls.worker.learner.hook import HOOKS, POSITIONS, LearnerHook, register_learner_hook

# This design's configs write 'never' as an interval of a thousand million updates.
NEVER = 1e9

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
    "merge_hooks",
    "register_learner_hook",
    "show_hooks",
]


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


def merge_hooks(hooks1: Hooks, hooks2: Hooks) -> Hooks:
    """Return all hooks of both; of equal priority, those of ``hooks1`` come first."""
    merged: Hooks = {position: [] for position in POSITIONS}
    for hooks in (hooks1, hooks2):
        for line in hooks.values():
            for hook in line:
                add_learner_hook(merged, hook)
    return merged


def show_hooks(hooks: Hooks) -> str:
    """Return the calling order, one line a position: ``after_iter: log_reduce (10), log_show (20)``."""
    lines = [
        f"{position}: " + ", ".join(f"{hook.name} ({hook.priority})" for hook in hooks[position])
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
    hook_type = key.removesuffix(f"_{position}")
    hook_class = HOOKS.get(hook_type)
    if not value or (isinstance(value, int | float) and value >= NEVER):
        return None
    if isinstance(value, str):
        ext_args: dict[str, Any] = {"load_path": value}
    elif isinstance(value, int | float) and value >= 1:
        ext_args = {"freq": value if isinstance(value, float) else int(value)}
    else:
        raise ConfigError(f"hook.{key} is {value!r}; it is a number of updates from 1 on, a path, or False")
    return hook_class(key, position=position, ext_args=ext_args)  # type: ignore[call-arg]


def _from_long_form(key: str, value: Mapping[str, Any]) -> LearnerHook:
    arguments = {"name": key, **value}
    missing = [name for name in ("type", "position") if name not in arguments]
    if missing:
        raise ConfigError(
            f"hook.{key} lacks {' and '.join(missing)}; "
            "the form is dict(type=, priority=, position=, ext_args=)"
        )
    hook_class = HOOKS.get(arguments.pop("type"))
    try:
        return hook_class(**arguments)
    except TypeError as error:
        raise ConfigError(f"hook.{key} does not fit {hook_class.__name__}: {error}") from error
