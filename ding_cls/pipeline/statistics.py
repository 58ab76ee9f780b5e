"""Pretrained weights bring their input statistics along, where the config says nothing of its own."""

from collections.abc import Mapping
from typing import Any

from ding_cls.common.log import text_logger
from ding_cls.common.process import launched_rank
from ding_cls.config.defaults import COLLECT, defaults
from ding_cls.config.merge import plain_copy
from ding_cls.models.statistics import input_statistics

# What is set together; a config that says one of them is not silent about the other.
_TOGETHER = (("mean", "std"), ("image_size", "resize_size"))


def fill_input_statistics(cfg: dict[str, Any]) -> None:
    """Write into ``policy.collect`` what pretrained weights expect, and log a line about it.

    Args:
        cfg: in the native spelling, less the defaults; only keys of which it says nothing are set, and none
            where a pipeline of the config's own makes the pictures.
    """
    policy = cfg.get("policy")
    if not isinstance(policy, dict) or not isinstance(policy.get("model", {}), Mapping):
        return
    collect = policy.get("collect", {})
    if not isinstance(collect, dict) or any(_has_pipeline(collect.get(split)) for split in ("train", "val")):
        return
    expected = input_statistics(plain_copy(policy.get("model", {})))
    if expected is None:
        return
    usual = defaults(COLLECT)
    found: dict[str, Any] = {}
    for names in _TOGETHER:
        values = {name: _plain(getattr(expected, name)) for name in names}
        if not any(name in collect for name in names) and any(usual[name] != values[name] for name in names):
            found |= values
    if found:
        policy["collect"] = {**collect, **found}
        if launched_rank() == 0:
            listed = ", ".join(f"policy.collect.{name}={value}" for name, value in found.items())
            text_logger("run").info(f"as {expected.source} expects: {listed}")


def _has_pipeline(section: object) -> bool:
    return isinstance(section, Mapping) and "pipeline" in section


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
