"""Descriptions of datasets, ``dict(type='Name', ...)``, before they are built: what they take, and wrappers.

A wrapper holds other descriptions in ``dataset`` or ``datasets``. It must not know configs.
"""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ding_cls.config.tools.pipeline_info import unwrapped
from ding_cls.data import DATASETS, find_split

FOLDERS = ("data_prefix", "root")
"""The argument that holds a dataset's folder: mmclassification's name, and ImageNetDataset's."""

LOADING = {"type": "LoadImageFromFile"}
"""The step of our own pipelines that reads a file."""

DIVIDING = ("KFoldDataset", "SplitDataset")
"""Wrappers that take a part of what is inside: that must be the same data for training and evaluation."""


def filled(section: dict[str, Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description with what is offered where it is silent, inside wrappers too."""
    takes = arguments_of(section)
    below = [name for name in ("dataset", "datasets") if name in section]
    if not below:
        offered = {**offered, "pipeline": without_loading(offered["pipeline"], section)}
        return {**{name: value for name, value in offered.items() if name in takes}, **section}
    if section.get("type") in DIVIDING:
        if "test_mode" in takes:
            section = {"test_mode": offered.get("test_mode", False), **section}
        offered = {**offered, "test_mode": False, "is_training": True}
    return _changed_below(section, lambda inner: filled(inner, offered))


def changed(section: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Return a description with a change made to each dataset inside its wrappers."""
    if not {"dataset", "datasets"} & section.keys():
        return change(section)
    return _changed_below(section, lambda inner: changed(inner, change))


def _changed_below(
    section: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    changed = dict(section)
    if isinstance(section.get("dataset"), dict):
        changed["dataset"] = change(section["dataset"])
    if isinstance(section.get("datasets"), (list, tuple)):
        changed["datasets"] = [
            change(each) if isinstance(each, dict) else each for each in section["datasets"]
        ]
    return changed


def inner_of(section: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the description inside wrappers; of several the first."""
    return unwrapped(section, "")[0]


def with_prefix(section: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a description with the folder of its images, inside a wrapper too; as it is for an empty one."""
    if not path:
        return section
    if isinstance(section.get("dataset"), dict):
        return {**section, "dataset": with_prefix(section["dataset"], path)}
    return {**section, "root" if section.get("type") == "ImageNetDataset" else "data_prefix": path}


def with_pipeline(section: dict[str, Any], pipeline: Sequence[Any]) -> dict[str, Any]:
    """Return a description with a pipeline, where its dataset takes one."""
    if "pipeline" not in arguments_of(section):
        return section
    return {**section, "pipeline": without_loading(pipeline, section)}


def without_loading(pipeline: Sequence[Any], section: Mapping[str, Any]) -> list[Any]:
    """Return our own pipeline for a dataset; one whose pixels are in memory reads no file."""
    steps, part = list(pipeline), part_of(section)
    is_loading = bool(steps) and steps[0] == LOADING
    return steps[1:] if is_loading and getattr(part, "is_in_memory", False) else steps


def pipeline_for(pipeline: Sequence[Any], section: Mapping[str, Any]) -> list[Any]:
    """Return a run's pipeline for data named instead of its own: these may be files where those were in
    memory, or the reverse. Of files and of arrays the same ``to_rgb`` means different colours."""
    is_from_file = any(_is_of(step, "LoadImageFromFile") for step in pipeline)
    if is_from_file != is_in_memory(section):
        return list(pipeline)
    steps = without_loading(pipeline, section) if is_from_file else [LOADING, *pipeline]
    return [
        {**step, "to_rgb": not step["to_rgb"]}
        if _is_of(step, "Normalize") and step.get("to_rgb") is not None
        else step
        for step in steps
    ]


def _is_of(step: Any, kind: str) -> bool:
    return isinstance(step, Mapping) and step.get("type") == kind


def is_in_memory(section: Mapping[str, Any]) -> bool:
    """Return whether a description's dataset has its pixels in memory, so that its pipeline reads no file."""
    kind = section.get("type")
    # The user's own parts may not be imported yet.
    part = DATASETS.get(kind) if isinstance(kind, str) and kind in DATASETS else kind
    return bool(getattr(part, "is_in_memory", False))


def needs_no_folder(section: Mapping[str, Any]) -> bool:
    """Return whether a dataset is complete without a folder: its list says where the images are."""
    part = part_of(section)
    parameters = inspect.signature(part).parameters if callable(part) else {}
    return any(name in parameters and parameters[name].default == "" for name in FOLDERS)


def folder_of_split(section: Mapping[str, Any] | None, data: str | os.PathLike[str], split: str) -> Path:
    """Return the folder of a split in a folder of data: that itself where the dataset has all splits in one.

    Raises:
        DataError: there is no folder for the split.
    """
    return Path(data) if holds_every_split(section) else find_split(data, split)


def holds_every_split(section: Mapping[str, Any] | None) -> bool:
    """Return whether a description's dataset has all splits in one folder, as published files have."""
    return bool(getattr(known_part(section or {}), "holds_every_split", False))


def known_part(section: Mapping[str, Any]) -> Any:
    """Return the class or function inside a description's wrappers; None: not imported yet, or no type."""
    kind = inner_of(section).get("type")
    return (DATASETS.get(kind) if kind in DATASETS else None) if isinstance(kind, str) else kind


def part_of(section: Mapping[str, Any]) -> Any:
    """Return the class or function that a description's type names; None without a type."""
    kind = section.get("type")
    return DATASETS.get(kind) if isinstance(kind, str) else kind


def is_own(section: Mapping[str, Any]) -> bool:
    """Return whether a description inside its wrappers names a dataset of the user's, imported or not yet."""
    module = getattr(known_part(section), "__module__", "")
    return inner_of(section).get("type") is not None and not str(module).startswith("ding_cls.")


def arguments_of(section: Mapping[str, Any]) -> set[str]:
    """Return the names that the constructor of a description's type takes; none without a type."""
    part = part_of(section)
    if not callable(part):
        return set()
    names: set[str] = set()
    for function in _constructors(part):
        parameters = inspect.signature(function).parameters.values()
        names.update(each.name for each in parameters if each.kind is not each.VAR_KEYWORD)
        if not any(each.kind is each.VAR_KEYWORD for each in parameters):
            break
    return names


def _constructors(part: Callable[..., Any]) -> Sequence[Callable[..., Any]]:
    """Return a function itself; of a class its constructors, the most derived one first."""
    if not inspect.isclass(part):
        return [part]
    return [
        vars(each)["__init__"] for each in part.__mro__ if each is not object and "__init__" in vars(each)
    ]
