"""Where a checkpoint comes from: format, settings of the machine, data; and whether a resume fits them."""

import logging
from collections.abc import Mapping
from typing import Any

import torch

from ding_cls.distributed.comm import get_world_size
from ding_cls.errors import ChangedRunError

_LOGGER = logging.getLogger(__name__)

# What must not change between a checkpoint and its resume: positions and class numbers depend on it.
_BINDING = ("class_names", "num_train_samples", "global_batch_size", "drop_last", "seed")


def check_facts(
    *, saved: Mapping[str, Any], now: Mapping[str, Any], allows_changed_data: bool = False
) -> None:
    """Refuse to continue a run on other data, with another seed or another global batch.

    Args:
        saved: the checkpoint's facts.
        now: this run's.
        allows_changed_data: warn of other data; other classes are refused all the same.

    Raises:
        ChangedRunError: names the fact that differs and both values.
    """
    if allows_changed_data:
        found = _changed_data(saved, now)
        if found:
            _LOGGER.warning("%s; the run goes on with the data as they are now", found)
        saved = {name: value for name, value in saved.items() if name != "num_train_samples"}
    if "global_batch_size" in saved:
        # Runs did nothing else before there was a choice.
        saved = {"drop_last": True, **saved}
    for name in _BINDING:
        if name in saved and name in now and saved[name] != now[name]:
            raise ChangedRunError(
                f"{name} differs: the checkpoint was written with {_short(saved[name])}, this run has "
                f"{_short(now[name])}"
            )
    if not allows_changed_data and (found := _changed_data(saved, now)):
        raise ChangedRunError(found, "go on with the data as they are: --allow-changed-data")


def environment() -> dict[str, Any]:
    """Return the settings on which the last bits of a result depend."""
    return {
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "world_size": get_world_size(),
    }


def environment_changes(saved: Mapping[str, Any]) -> list[str]:
    """Return one phrase for each setting that differs from the checkpoint's."""
    now = environment()
    return [
        f"{name} {saved[name]} -> {now[name]}" for name in now if name in saved and saved[name] != now[name]
    ]


def _changed_data(saved: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return which datasets are not those of the checkpoint, by the digests of their names and labels."""
    then, present = saved.get("data"), now.get("data")
    if not isinstance(then, Mapping) or not isinstance(present, Mapping):
        return ""
    names = [name for name in present if name in then and then[name] != present[name]]
    return f"names or labels of the data ({', '.join(names)}) are not the checkpoint's" if names else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}... ({len(value)} in all)"
