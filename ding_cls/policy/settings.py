"""From a dict in ``policy.learn`` to the object that it describes."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError
from ding_cls.registry import Registry, build_from_cfg

T = TypeVar("T")


def build_optional(part: Callable[..., T], learn: Mapping[str, Any], key: str) -> T | None:
    """Return ``part`` called with the dict in ``learn[key]``; None where that is None.

    Raises:
        ConfigError: it is no dict, or ``part`` has no such argument; or what ``part`` raises.
    """
    if learn[key] is None:
        return None
    if not isinstance(learn[key], Mapping):
        raise ConfigError(f"policy.learn.{key} is {learn[key]!r}; it must be a dict")
    registry: Registry[Callable[..., Any]] = Registry(f"policy.learn.{key}")
    found: T = build_from_cfg({**plain_copy(learn[key]), "type": part}, registry)
    return found
