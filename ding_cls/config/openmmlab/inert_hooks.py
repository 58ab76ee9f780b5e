"""Hooks of mmcv and mmengine whose work every run does, and arguments of hooks that have no effect here."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from ding_cls.config.messages import location_suffix
from ding_cls.config.tree import at, keep_items, place_of, put

_LISTS = ("policy.learn.learner.custom_hooks", "policy.learn.learner.loggers")
_OF_ANY = ("type", "name", "priority", "position")
_OF_LOGGERS = ("ignore_last", "reset_flag", "by_epoch")
_OF_WANDB = ("commit", "with_step", "log_artifact", "log_checkpoint_metadata", "num_eval_images")
# Hooks that are left out, with their arguments that are left out too.
_DONE_ANYWAY: Mapping[str, tuple[str, ...]] = {
    "ClassNumCheckHook": (),
    "IterTimerHook": (),
    "DistSamplerSeedHook": (),
    "TextLoggerHook": _OF_LOGGERS,
    "TensorboardLoggerHook": _OF_LOGGERS,
}
# Arguments that are left out: a tracker gets a row where a log line is due, and a key must exist.
_IGNORED: Mapping[str, tuple[str, ...]] = {
    "EarlyStoppingHook": ("strict",),
    "MlflowLoggerHook": ("interval", *_OF_LOGGERS),
    "WandbLoggerHook": ("interval", *_OF_LOGGERS, *_OF_WANDB),
    "MMClsWandbHook": ("interval", *_OF_LOGGERS, *_OF_WANDB),
}


def drop_inert_hooks(cfg: dict[str, Any], origins: MutableMapping[str, str]) -> list[str]:
    """Take such hooks and arguments out of the config's lists of hooks, in place.

    Returns:
        a line for each hook with an argument that cannot be left out.
    """
    problems = []
    for key in _LISTS:
        hooks = at(cfg, key)
        if not isinstance(hooks, (list, tuple)):
            continue
        for index, hook in enumerate(hooks):
            if problem := _problem(hook):
                place = place_of(f"{key}.{index}", origins) or place_of(key, origins)
                problems.append(f"{key}.{index}: {hook['type']} {problem}{location_suffix(place)}")
        kept = [index for index, hook in enumerate(hooks) if _type(hook) not in _DONE_ANYWAY]
        left = [_effective(hooks[index]) for index in kept]
        if left != list(hooks):
            keep_items(cfg, key, kept, origins)
            put(cfg, key, left)
    return problems


def _type(hook: Any) -> str:
    return str(hook.get("type")) if isinstance(hook, Mapping) else ""


def _problem(hook: Any) -> str:
    known = _DONE_ANYWAY.get(_type(hook))
    if known is None:
        return ""
    if hook.get("interval") is not None and "by_epoch" in known:
        return (
            f"has interval={hook['interval']}; one interval holds for all: "
            "policy.learn.learner.log_show_freq, or log_config.interval"
        )
    unknown = [name for name in hook if name not in (*_OF_ANY, *known, "interval")]
    return f"has no argument '{unknown[0]}'; every run does its work" if unknown else ""


def _effective(hook: Any) -> Any:
    ignored = _IGNORED.get(_type(hook), ())
    return {name: value for name, value in hook.items() if name not in ignored} if ignored else hook
