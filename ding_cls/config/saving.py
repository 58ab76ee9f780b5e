"""When a run saves checkpoints, computed from the hooks' section of its config."""

from collections.abc import Iterator, Mapping
from typing import Any

from ding_cls.config.defaults import NEVER


def save_intervals(hooks: Mapping[str, Any]) -> Iterator[tuple[str, float, str]]:
    """Yield position, interval and name of each hook that saves between the begin and the end of a run.

    Args:
        hooks: the section ``policy.learn.learner.hook``.
    """
    for name, value in hooks.items():
        position, freq = name.removeprefix("save_ckpt_"), value
        if isinstance(value, Mapping):
            is_saving = value.get("type") == "save_ckpt"
            position, freq = str(value.get("position")), (value.get("ext_args") or {}).get("freq", 1)
        else:
            is_saving = name.startswith("save_ckpt_")
        is_active = isinstance(freq, (int, float)) and 0 < freq < NEVER
        if is_saving and is_active and position in ("after_iter", "after_epoch"):
            yield position, freq, name


def updates_saved(hooks: Mapping[str, Any], *, updates_per_epoch: int, num_updates: int) -> set[int]:
    """Return the updates after which a run saves, its end apart.

    Args:
        hooks: the section ``policy.learn.learner.hook``.
        updates_per_epoch: updates in an epoch.
        num_updates: updates of the run.
    """
    saves: set[int] = set()
    for position, freq, _ in save_intervals(hooks):
        every = int(freq) * (updates_per_epoch if position == "after_epoch" else 1)
        saves.update(range(every, num_updates, every))
    return saves
