"""Where a checkpoint comes from: format, settings of the machine, data; and whether a resume fits them."""

from collections.abc import Mapping
from typing import Any

import torch

from ding_cls.distributed.comm import get_world_size
from ding_cls.errors import ChangedRunError

# What must not change between a checkpoint and its resume: positions and class numbers depend on it.
_BINDING = ("class_names", "num_train_samples", "global_batch_size", "drop_last", "seed")


def check_facts(*, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to continue a run on other data, with another seed or another global batch.

    Raises:
        ChangedRunError: names the fact that differs and both values.
    """
    if "global_batch_size" in saved:
        # Runs did nothing else before there was a choice.
        saved = {"drop_last": True, **saved}
    for name in _BINDING:
        if name in saved and name in now and saved[name] != now[name]:
            raise ChangedRunError(
                f"{name} differs: the checkpoint was written with {_short(saved[name])}, this run has "
                f"{_short(now[name])}"
            )


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


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}... ({len(value)} in all)"
