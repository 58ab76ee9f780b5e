"""One place for each value: what can be set in two ways is moved to one key, and contradictions are found.

It works on native keys, and must not look up any part by its name.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from ding_cls.common.process import launched_world_size
from ding_cls.config.defaults import COLLECT
from ding_cls.config.merge import deep_merge_dicts, plain_copy
from ding_cls.config.messages import type_error_text
from ding_cls.config.overrides import apply_overrides
from ding_cls.config.tree import at, drop, last_name, place_of, put, section_of
from ding_cls.config.validate import Validator

_LEARN, _COLLECT, _MODEL = "policy.learn", "policy.collect", "policy.model"
_SGD_ONLY = {
    f"{_LEARN}.optimizer.momentum": f"{_LEARN}.momentum",
    f"{_LEARN}.optimizer.nesterov": f"{_LEARN}.nesterov",
}
_DATA = {
    f"{_COLLECT}.train.data_prefix": f"{_COLLECT}.learn_data_path",
    f"{_COLLECT}.val.data_prefix": f"{_COLLECT}.eval_data_path",
}
# From an argument of a part to the key with the same meaning.
MOVES = {
    f"{_LEARN}.optimizer.lr": f"{_LEARN}.learning_rate",
    f"{_LEARN}.optimizer.weight_decay": f"{_LEARN}.weight_decay",
    **_SGD_ONLY,
    **_DATA,
}
_SCHEDULE = f"{_LEARN}.lr_schedule"
# No image is larger; a greater number is a mistake, and shown as it was typed.
MAX_SIDE_PX = 1e6
ONE_THING = "mean one thing; keep one of them"
# What the native schedules read, and a schedule by name does not.
_SCALARS = ("decay_epoch", "decay_rate", "min_lr", "warmup_lr", "warmup_epoch")
# A network by its name brings all its parts.
_BESIDE_NAME = ("num_classes", "pretrained")
_PARTS = (
    f"{_LEARN}.optimizer",
    f"{_LEARN}.lr_schedule",
    f"{_LEARN}.loss",
    f"{_COLLECT}.train",
    f"{_COLLECT}.val",
    f"{_COLLECT}.test",
    f"{_COLLECT}.sampler",
    "policy.eval.metric",
)
_PARTS_OF_A_CLASSIFIER = (f"{_MODEL}.backbone", f"{_MODEL}.neck", f"{_MODEL}.head", f"{_MODEL}.head.loss")
_LISTS_OF_PARTS = (
    f"{_LEARN}.learner.custom_hooks",
    f"{_LEARN}.learner.loggers",
    f"{_COLLECT}.train.pipeline",
    f"{_COLLECT}.val.pipeline",
    f"{_COLLECT}.test.pipeline",
)


def move_arguments(cfg: dict[str, Any], origins: MutableMapping[str, str]) -> list[tuple[str, str]]:
    """Move arguments of parts to the keys that say the same, in place, and their origins with them.

    Returns:
        Pairs of paths that are both given; they are left as they are.
    """
    clashes = []
    for source, target in MOVES.items():
        if not _is_movable(cfg, source):
            continue
        if at(cfg, target) not in (None, ""):
            clashes.append((source, target))
            continue
        place = place_of(source, origins)
        put(cfg, target, at(cfg, source))
        drop(cfg, source)
        origins.pop(source, None)
        if place:
            origins[target] = place
    return clashes


def merge_sections(base: Mapping[str, Any], cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``cfg`` merged into ``base``, where one network is not made of two.

    ``policy.model.type`` replaces the ``name`` of ``base``, and a ``name`` its ``type`` and parts.
    """
    under, over = at(base, _MODEL), at(cfg, _MODEL)
    if not isinstance(under, Mapping) or not isinstance(over, Mapping):
        return deep_merge_dicts(base, cfg)
    if "type" in over and "name" not in over:
        base = _with_model(base, {key: value for key, value in under.items() if key != "name"})
    elif "name" in over and "type" in under:
        base = _with_model(base, {key: value for key, value in under.items() if key in _BESIDE_NAME})
    return deep_merge_dicts(base, cfg)


def merge_policies(base: Mapping[str, Any], cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``merge_sections`` of two ``policy`` sections, as plain dicts."""
    merged = merge_sections({"policy": plain_copy(base)}, {"policy": plain_copy(cfg)})
    policy: dict[str, Any] = merged["policy"]
    return policy


def override(cfg: Mapping[str, Any], word: str, origins: MutableMapping[str, str]) -> dict[str, Any]:
    """Return ``cfg`` with ``key=value`` set, and without what sets the same elsewhere: the word wins."""
    path = word.partition("=")[0].strip()
    values: dict[str, Any] = plain_copy(cfg)
    model = at(values, _MODEL)
    if isinstance(model, dict) and path == f"{_MODEL}.name" and "type" in model:
        values["policy"]["model"] = {key: value for key, value in model.items() if key in _BESIDE_NAME}
    elif isinstance(model, dict) and path == f"{_MODEL}.type":
        model.pop("name", None)
    values = apply_overrides(values, [word], origins=origins)
    for source, target in MOVES.items():
        if f"{source}.".startswith(f"{path}.") and _is_movable(values, source):
            drop(values, target)
        elif target == path and _is_movable(values, source):
            drop(values, source)
    move_arguments(values, origins)
    if path in (_SCHEDULE, f"{_SCHEDULE}.type") and isinstance(at(values, _SCHEDULE), dict):
        _drop_inherited_scalars(values, origins)
    return values


def duplicate_settings(words: Sequence[str], cfg: Mapping[str, Any]) -> list[str]:
    """Return a line for each two of the ``key=value`` words that mean one thing; ``cfg`` has them set."""
    problems = []
    for source, target in MOVES.items():
        one, other = (_last_that_sets(path, words) for path in (source, target))
        kind = at(cfg, f"{_LEARN}.optimizer.type") or "SGD"
        if one and other and (source not in _SGD_ONLY or kind == "SGD"):
            problems.append(f"{source} (override {one}) and {target} (override {other}) {ONE_THING}")
    return problems


def check_contradictions(values: Mapping[str, Any], validator: Validator, *, base: Mapping[str, Any]) -> None:
    """Note what contradicts itself in a whole config.

    Args:
        values: the config over its defaults.
        validator: gathers the problems.
        base: the defaults, those of the user's classes among them. A value that equals its default counts as
            not set: a saved config holds all of them.
    """
    model, loss, schedule = (at(values, path) for path in (_MODEL, f"{_LEARN}.loss", f"{_LEARN}.lr_schedule"))
    if isinstance(model, dict) and "name" in model and "type" in model:
        validator.clash(f"{_MODEL}.name", f"{_MODEL}.type", "name two networks; leave one of them out")
    has_head = isinstance(at(model, "head"), dict) and "type" in (model or {})
    if has_head and loss is not None:
        text = "say what is minimised, and a head always does; set policy.model.head.loss alone"
        validator.clash(f"{_LEARN}.loss", f"{_MODEL}.head", text)
    if at(values, f"{_LEARN}.label_smoothing"):
        for path, is_there in ((f"{_LEARN}.loss", loss is not None), (f"{_MODEL}.head", has_head)):
            if is_there:
                text = "say what is minimised; leave label_smoothing out and name a loss that smooths"
                validator.clash(f"{_LEARN}.label_smoothing", path, text)
    for name in _SCALARS if isinstance(schedule, dict) else ():
        path = f"{_LEARN}.{name}"
        if at(values, path) != at(base, path):
            text = (
                "contradict each other: a schedule by name has its own arguments, its warm-up among them; "
                f"leave it out, or set it back: {path}={at(base, path)}"
            )
            validator.clash(path, _SCHEDULE, text)
    for path, part in _parts(values):
        _check_part(path, part, validator)


def usual_resize_size(image_size: float) -> int:
    """Return the shorter side before a centre crop, both in pixels, as 256 is before 224."""
    resize_px, image_px = (int(COLLECT[name].default) for name in ("resize_size", "image_size"))
    return round(image_size * resize_px / image_px)


def fill_resize_size(values: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Let ``policy.collect.resize_size`` follow an ``image_size`` that is set alone, in place.

    Args:
        values: the config over its defaults.
        given: what the user sets; a class that declares the key sets it too.
    """
    sizes = [at(values, f"{_COLLECT}.{name}") for name in ("image_size", "resize_size")]
    is_alone = sizes[0] != COLLECT["image_size"].default and sizes[1] == COLLECT["resize_size"].default
    is_number = type(sizes[0]) in (int, float) and 1 <= sizes[0] < MAX_SIDE_PX
    if is_alone and is_number and at(given, f"{_COLLECT}.resize_size") is None:
        put(values, f"{_COLLECT}.resize_size", usual_resize_size(sizes[0]))


def normalize_multi_gpu(values: dict[str, Any], cfg: Mapping[str, Any], validator: Validator) -> None:
    """Make one of the two spellings of the switch, and True or False of ``'auto'``."""
    if not isinstance(at(values, "policy.learn"), dict):
        return
    # The user's value goes before the one that a class declares.
    explicit = _switches(cfg) or _switches(values)
    world_size = launched_world_size()
    if len(set(explicit.values())) == 2:
        text = "contradicts policy.multi_gpu; they are one switch: set one of them"
        validator.add("policy.learn.multi_gpu", text)
    elif False in explicit.values() and world_size > 1:
        text = f"is False, but a launcher started {world_size} processes; start one, or set it to 'auto'"
        validator.add(next(iter(explicit)), text)
    switch = next(iter(explicit.values()), world_size > 1)
    values["policy"]["multi_gpu"] = values["policy"]["learn"]["multi_gpu"] = switch


def _switches(cfg: Mapping[str, Any]) -> dict[str, bool]:
    spellings = ((path, at(cfg, path)) for path in ("policy.multi_gpu", "policy.learn.multi_gpu"))
    return {path: value for path, value in spellings if isinstance(value, bool)}


def _parts(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what describes a part by its ``type``, with its path."""
    is_classifier = at(values, f"{_MODEL}.type") == "ImageClassifier"
    for path in (*_PARTS, *(_PARTS_OF_A_CLASSIFIER if is_classifier else ())):
        if isinstance(at(values, path), dict):
            yield path, at(values, path)
    for path in _LISTS_OF_PARTS:
        parts = at(values, path)
        for index, part in enumerate(parts if isinstance(parts, (list, tuple)) else ()):
            yield f"{path}.{index}", part


def _check_part(path: str, part: Any, validator: Validator) -> None:
    if not isinstance(part, dict):
        validator.add(path, type_error_text(part, (dict,)))
    elif "type" not in part:
        validator.add(path, "has no 'type'; a part is described by dict(type='Name', ...)")
    elif not isinstance(part["type"], str):
        validator.add(f"{path}.type", type_error_text(part["type"], (str,)))


def _last_that_sets(path: str, words: Sequence[str]) -> str:
    return next((word for word in reversed(words) if at(apply_overrides({}, [word]), path) is not None), "")


def _drop_inherited_scalars(values: dict[str, Any], origins: MutableMapping[str, str]) -> None:
    """Take out what a schedule by name does not read, unless it was typed too."""
    for path in (f"{_LEARN}.{name}" for name in _SCALARS):
        if not origins.get(path, "").startswith("override "):
            drop(values, path)
            origins.pop(path, None)


def _with_model(tree: Mapping[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    return {**tree, "policy": {**tree["policy"], "model": model}}


def _is_movable(cfg: Mapping[str, Any], source: str) -> bool:
    section = at(cfg, section_of(source))
    if not isinstance(section, dict) or last_name(source) not in section:
        return False
    if source in _DATA:
        # A dataset without a folder has an empty one.
        return at(cfg, source) not in (None, "")
    return source not in _SGD_ONLY or section.get("type", "SGD") == "SGD"
