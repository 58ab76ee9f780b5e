"""The input that a network's library declares, taken where the config says nothing of its own."""

from collections.abc import Mapping, MutableMapping
from typing import Any, TypeGuard

from ding_cls.config.defaults import COLLECT, defaults
from ding_cls.config.merge import plain_copy
from ding_cls.config.normalize import MAX_SIDE_PX, usual_resize_size
from ding_cls.config.preprocessing import INPUT_KEYS
from ding_cls.config.tools.pipeline_info import unwrapped
from ding_cls.config.tree import at
from ding_cls.models.weights.input_statistics import InputStatistics, input_statistics, size_argument

_COLLECT, _MODEL = "policy.collect", "policy.model"
_USUAL = {name: value for name, value in defaults(COLLECT).items() if name in INPUT_KEYS}


def fill_input_statistics(
    cfg: dict[str, Any],
    origins: MutableMapping[str, str] | None = None,
    *,
    policy: object = None,
) -> None:
    """Write into ``policy.collect`` what the network's library declares, in place; `input_line` tells of it.

    ``resize_size`` follows ``image_size`` in the network's own crop ratio, or as 256 follows 224.

    Args:
        cfg: in the native spelling, less the defaults; only keys of which it says nothing are set, and but
            for ``resize_size`` none where a pipeline of the config's own makes the images.
        origins: which line set what; gets those of the keys that are set.
        policy: a class whose own config may set the keys too.
    """
    description, collect = at(cfg, _MODEL), at(cfg, _COLLECT)
    if not isinstance(cfg.get("policy"), dict) or not isinstance(description or {}, Mapping):
        return
    if not isinstance({} if collect is None else collect, dict):
        return
    description, collect = plain_copy(description or {}), collect or {}
    expected = input_statistics(description)
    given = {**_declared(policy), **collect}
    found = {} if expected is None or _has_own_pipeline(collect) else _taken(expected, given)
    image_size = {**given, **found}.get("image_size")
    if "resize_size" not in given and _is_size(image_size):
        follow = usual_resize_size if expected is None else expected.resize_for
        found["resize_size"] = follow(int(image_size))
    usual = {**_USUAL, **given}
    if image_size != _USUAL["image_size"]:
        # Said even where it is 256: of another size alone, compiling derives it.
        usual.pop("resize_size")
    found = {name: value for name, value in found.items() if value != usual.get(name)}
    arguments = size_argument(description, int(image_size)) if _is_size(image_size) else {}
    if not found and not arguments:
        return
    cfg["policy"]["collect"] = {**collect, **found}
    if arguments:
        cfg["policy"]["model"] = {**description, **arguments}
    if origins is not None:
        paths = [f"{_COLLECT}.{name}" for name in found] + [f"{_MODEL}.{name}" for name in arguments]
        origins.update(dict.fromkeys(paths, _source(expected, image_size)))


def input_line(cfg: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """Return the line that tells what `fill_input_statistics` has set; an empty text where it is nothing.

    Args:
        cfg: the config after it.
        origins: those that it was given.
    """
    expected = input_statistics(plain_copy(at(cfg, _MODEL) or {}))
    source = _source(expected, at(cfg, f"{_COLLECT}.image_size"))
    paths = [path for path, origin in origins.items() if origin == source]
    head = f"for {source}, as 256 with 224" if expected is None else f"input as declared for {source}"
    listed = ", ".join(f"{path}={at(cfg, path)}" for path in paths)
    return f"{head}: {listed}" if paths else ""


def keep_input_statistics(cfg: dict[str, Any], saved: object) -> None:
    """Write the input of a run that is resumed into its config, in place, where this says nothing of its own.

    So a run goes on with what it began with, whatever its libraries declare by now.

    Args:
        cfg: as in `fill_input_statistics`.
        saved: the config in the run's checkpoint; anything else is passed over.
    """
    before = at(saved, _COLLECT)
    if not isinstance(before, dict) or not isinstance(cfg.get("policy"), dict):
        return
    collect = cfg["policy"].get("collect") or {}
    before = {**_USUAL, **{name: before[name] for name in INPUT_KEYS if name in before}}
    if collect.get("image_size", before["image_size"]) != before["image_size"]:
        # Another size than the run's: its resize_size follows anew.
        del before["resize_size"]
    cfg["policy"]["collect"] = {**before, **collect}


def _source(expected: InputStatistics | None, image_size: object) -> str:
    return f"image_size={image_size}" if expected is None else expected.source


def _taken(expected: InputStatistics, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the keys, ``resize_size`` apart, on which the config is silent."""
    found: dict[str, Any] = {}
    # A config that sets one of mean and std is not silent about the other.
    if "mean" not in given and "std" not in given:
        found |= {"mean": list(expected.mean), "std": list(expected.std)}
    for name in ("image_size", "interpolation"):
        if name not in given:
            found[name] = getattr(expected, name)
    return found


def _declared(policy: object) -> dict[str, Any]:
    """Return which of the keys a policy class of the user's own sets, and to what."""
    default_config = getattr(policy, "default_config", None)
    collect = {} if default_config is None else at(plain_copy(default_config()), "collect")
    if not isinstance(collect, dict):
        return {}
    return {name: collect[name] for name in INPUT_KEYS if collect.get(name, _USUAL[name]) != _USUAL[name]}


def _has_own_pipeline(collect: Mapping[str, Any]) -> bool:
    sections = (unwrapped(collect.get(split), "")[0] for split in ("train", "val"))
    return any(section.get("pipeline") is not None for section in sections)


def _is_size(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < MAX_SIDE_PX
