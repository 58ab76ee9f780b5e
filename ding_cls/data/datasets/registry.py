"""The table of datasets by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ding_cls.registry import Registry

DATASETS: Registry[Callable[..., Any]] = Registry("dataset")
"""Datasets: ours and the users' own."""


def build_dataset(
    cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]], default_args: Mapping[str, Any] | None = None
) -> Any:
    """Return the dataset that ``dict(type='Name', ...)`` describes; of several dicts all of them in a row.

    Args:
        cfg: ``type`` and the arguments of its constructor, or a list of such.
        default_args: arguments that hold where ``cfg`` is silent.

    Raises:
        ConfigError: the name or an argument does not exist.
        DataError: what the dataset finds cannot be used.
    """
    if isinstance(cfg, list | tuple):
        parts = [DATASETS.build(each, default_args) for each in cfg]
        return DATASETS.build({"type": "ConcatDataset", "datasets": parts})
    return DATASETS.build(cfg, default_args)
