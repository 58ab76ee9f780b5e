"""Hooks of mmcv and mmclassification that are options of training here: from ``custom_hooks`` to keys."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from ding_cls.config.settle import put
from ding_cls.config.validate import at, bracketed, place_of

_HOOKS = "policy.learn.learner.custom_hooks"
_KEYS = {"EMAHook": "policy.learn.ema", "PreciseBNHook": "policy.learn.precise_bn"}
# What is so anyway; an average is part of every checkpoint, and is kept in step with the weights.
_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "resume_from": (None,),
    "ema_type": ("ExponentialMovingAverage",),
    "update_buffers": (True,),
}


def hooks_to_keys(cfg: dict[str, Any], origins: MutableMapping[str, str]) -> list[str]:
    """Move such hooks to the keys that mean the same, in place, and their origins with them.

    Returns:
        a line for each that cannot move: its key is set already.
    """
    hooks = at(cfg, _HOOKS)
    if not isinstance(hooks, (list, tuple)):
        return []
    problems, left = [], []
    for index, hook in enumerate(hooks):
        target = _KEYS.get(str(hook.get("type"))) if isinstance(hook, dict) else None
        if target is None:
            left.append(hook)
            continue
        place = place_of(f"{_HOOKS}.{index}", origins) or place_of(_HOOKS, origins)
        if at(cfg, target) is not None:
            text = f"and {target} mean one thing; keep one of them"
            problems.append(f"{_HOOKS}.{index} {text}{bracketed(place)}")
            continue
        put(cfg, target, {name: value for name, value in hook.items() if _is_said(name, value)})
        if place:
            origins[target] = place
    if len(left) < len(hooks):
        put(cfg, _HOOKS, left)
    return problems


def _is_said(name: str, value: Any) -> bool:
    return name not in ("type", "priority") and value not in _NOTHING.get(name, ())
