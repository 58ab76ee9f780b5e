"""Hooks of mmcv, mmclassification and mmpretrain that are options of training here: from ``custom_hooks`` to
keys."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from ding_cls.config.messages import location_suffix
from ding_cls.config.openmmlab.inert_hooks import drop_inert_hooks
from ding_cls.config.tree import at, keep_items, place_of, put

_HOOKS = "policy.learn.learner.custom_hooks"
_KEYS = {
    "EMAHook": "policy.learn.ema",
    "PreciseBNHook": "policy.learn.precise_bn",
    "SwitchRecipeHook": "policy.learn.recipes",
}
# What is so anyway; an average is part of every checkpoint, and is kept in step with the weights.
_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "resume_from": (None,),
    "ema_type": ("ExponentialMovingAverage",),
    "update_buffers": (True,),
}
# mmpretrain's two switches, of the average and of the weights in training.
_EVALUATE = {(True, False): None, (True, True): "both", (False, True): "raw"}


def hooks_to_keys(cfg: dict[str, Any], origins: MutableMapping[str, str]) -> list[str]:
    """Move such hooks to the keys that mean the same, in place, and their origins with them; drop inert ones.

    Returns:
        a line for each that cannot move: its key is set already, or it asks for what makes no sense.
    """
    problems, kept = drop_inert_hooks(cfg, origins), []
    hooks = at(cfg, _HOOKS)
    if not isinstance(hooks, (list, tuple)):
        return problems
    for index, hook in enumerate(hooks):
        target = _KEYS.get(str(hook.get("type"))) if isinstance(hook, dict) else None
        if target is None:
            kept.append(index)
            continue
        place = place_of(f"{_HOOKS}.{index}", origins) or place_of(_HOOKS, origins)
        problem = _problem(hook)
        # A resumed run has the key from its saved config, and the hook from what is typed once more.
        if not problem and at(cfg, target) not in (None, [], _settings(hook)):
            problem = f"and {target} mean one thing; keep one of them"
        if problem:
            problems.append(f"{_HOOKS}.{index} {problem}{location_suffix(place)}")
            continue
        put(cfg, target, _settings(hook))
        if place:
            origins[target] = place
    if len(kept) < len(hooks):
        keep_items(cfg, _HOOKS, kept, origins)
    return problems


def _settings(hook: Mapping[str, Any]) -> Any:
    """Return a hook's arguments as the value of its key."""
    if hook["type"] == "SwitchRecipeHook":
        return hook["schedule"]
    settings = {name: value for name, value in hook.items() if _has_effect(name, value)}
    evaluate = _EVALUATE.get(_switches(hook))
    return settings if evaluate is None else {**settings, "evaluate": evaluate}


def _problem(hook: Mapping[str, Any]) -> str:
    is_switch = hook["type"] == "SwitchRecipeHook"
    if is_switch and not (hook.keys() <= {"type", "priority", "schedule"} and _is_list(hook.get("schedule"))):
        return "is no SwitchRecipeHook; the form is dict(type=, schedule=[dict(action_epoch=, ...), ...])"
    switches = _switches(hook)
    # A list, which compares: a config's values may have no hash.
    if switches in list(_EVALUATE):
        return ""
    return (
        f"has evaluate_on_ema={switches[0]!r} and evaluate_on_origin={switches[1]!r}; "
        "they are True or False, and one of them at least is True"
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _switches(hook: Mapping[str, Any]) -> tuple[Any, Any]:
    return hook.get("evaluate_on_ema", True), hook.get("evaluate_on_origin", False)


def _has_effect(name: str, value: Any) -> bool:
    if name in ("type", "priority", "evaluate_on_ema", "evaluate_on_origin"):
        return False
    return value not in _NOTHING.get(name, ())
