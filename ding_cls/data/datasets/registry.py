"""The table of datasets by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ding_cls.registry import Registry

DATASETS: Registry[Callable[..., Any]] = Registry("dataset")
"""Datasets: ours and the users' own."""


def build_dataset(cfg: Mapping[str, Any], default_args: Mapping[str, Any] | None = None) -> Any:
    """Return the dataset that ``dict(type='Name', ...)`` describes.

    Args:
        cfg: ``type`` and the arguments of its constructor.
        default_args: arguments that hold where ``cfg`` is silent.

    Raises:
        ConfigError: the name or an argument does not exist.
        DataError: what the dataset finds cannot be used.
    """
    return DATASETS.build(cfg, default_args)
