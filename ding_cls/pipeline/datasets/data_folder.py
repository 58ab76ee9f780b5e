"""What ``--data DIR`` makes of the datasets that a config describes: folders and lists are those in DIR.

It changes descriptions, ``dict(type='Name', ...)``; it must not build datasets.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ding_cls.config.tree import place_of
from ding_cls.data import find_split
from ding_cls.images.listing import split_folders
from ding_cls.pipeline.datasets.dataset_cfg import FOLDERS, holds_every_split, inner_of, is_own, with_prefix
from ding_cls.pipeline.datasets.openmmlab import (
    CLASS_FOLDERS,
    LISTED,
    as_class_folders,
    check_has_list,
    holds_files,
    is_published_in,
    published_folder,
)

_COLLECT = "policy.collect"


class _Lists(NamedTuple):
    """The files that a description names.

    Attributes:
        named: by argument.
        typed: those that the command line names, which stay.
        moved: where the others lie in the folder of data; without those that do not.
        root: the folder that they and the images have in common.
        above: what takes its place.
    """

    named: Mapping[str, str]
    typed: frozenset[str]
    moved: Mapping[str, str]
    root: str
    above: Path

    @property
    def has_samples(self) -> bool:
        """Whether a file lists the samples."""
        return "ann_file" in self.moved or "ann_file" in self.typed

    def left_out(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """Return the description with those that are there alone."""
        kept = {
            name: value for name, value in section.items() if name not in self.named or name in self.typed
        }
        return {**kept, **self.moved}


@dataclass(slots=True)
class DataFolder:
    """A folder of data, and which of its own data a config gives up for it.

    Attributes:
        data: the folder.
        origins: which line set what in the config; a list that is typed stays.
        replaced: takes, in words, what the folder takes the place of.
    """

    data: Path
    origins: Mapping[str, str] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)

    def described(
        self, section: Mapping[str, Any], split: str, *, prefix: str = "", folder: Path | None = None
    ) -> tuple[dict[str, Any], str]:
        """Return the description of a split as it is in this folder, and the folder of its images.

        That is an empty text where each of several datasets in the description has its own.

        Args:
            section: the description.
            split: 'train', 'val' or 'test'.
            prefix: the folder that the config names beside it.
            folder: the split's folder; None: the one with the split's name, or one of its names.

        Raises:
            DataError: there is no such folder, or it cannot hold what the dataset reads.
        """
        several = section.get("datasets")
        if isinstance(several, list | tuple) and all(isinstance(each, dict) for each in several):
            return self._several(section, split, folder)
        if isinstance(section.get("dataset"), dict):
            inner, path = self.described(section["dataset"], f"{split}.dataset", prefix=prefix, folder=folder)
            return {**section, "dataset": inner}, path
        known = next((str(section[name]) for name in FOLDERS if section.get(name)), prefix)
        plain = {name: value for name, value in section.items() if name not in FOLDERS}
        return self._single(plain, split, known, folder)

    def _several(
        self, section: Mapping[str, Any], split: str, folder: Path | None
    ) -> tuple[dict[str, Any], str]:
        """Return several datasets, each in its own folder where all of these are here; else the first."""
        inner = [dict(each) for each in section["datasets"]]
        prefixes = [str(inner_of(each).get("data_prefix") or "") for each in inner]
        root = _common(prefixes)
        beside = (_moved(each, root, self.data) for each in prefixes)
        places = [each for each in beside if each is not None and each.is_dir()]
        if len({*places}) == len(inner) > 1:
            moved = [
                self.described(each, f"{split}.datasets.{number}", folder=place)
                for number, (each, place) in enumerate(zip(inner, places, strict=True))
            ]
            return {**section, "datasets": [with_prefix(*each) for each in moved]}, ""
        if len(inner) > 1:
            self.replaced.append(f"the {len(inner)} datasets of {split} (the first is read)")
        return self.described(inner[0], f"{split}.datasets.0", folder=folder)

    def _single(
        self, section: dict[str, Any], split: str, prefix: str, folder: Path | None
    ) -> tuple[dict[str, Any], str]:
        present = folder or self._present(split)
        lists = self._lists(section, split, prefix, present)
        if is_own(section):
            # It alone knows what it reads.
            return {**section, **lists.moved}, str(present or self.data)
        if is_published_in(section, self.data) or self._holds_files(section, present):
            return lists.left_out(section), str(published_folder(section, self.data))
        check_has_list(section, self.data, split, has_list=lists.has_samples)
        if lists.has_samples and section.get("type") in (*CLASS_FOLDERS, *LISTED):
            beside = _moved(prefix, lists.root, lists.above)
            is_there = beside is not None and beside.is_dir()
            return lists.left_out(section), str(beside if is_there else present or self.data)
        place = folder or find_split(self.data, split.partition(".")[0])
        if section.get("type") in (*CLASS_FOLDERS, *LISTED) or holds_every_split(section):
            section = self._class_folders(section, split, lists, place)
        return section, str(place)

    def _class_folders(
        self, section: dict[str, Any], split: str, lists: _Lists, place: Path
    ) -> dict[str, Any]:
        """Return the description of a dataset that reads class folders."""
        read = as_class_folders(lists.left_out(section))
        if read["type"] == section["type"]:
            left_out = (name for name in lists.named if name not in {*lists.moved, *lists.typed})
            self.replaced += [f"{split}.{name}" for name in left_out]
        else:
            self.replaced.append(f"{split}.type={section['type']} (class folders are read)")
        if not self._is_typed(f"{split}.classes") and _are_of_other_data(read.get("classes"), place):
            del read["classes"]
            self.replaced.append(f"{split}.classes")
        return read

    def _lists(self, section: Mapping[str, Any], split: str, prefix: str, present: Path | None) -> _Lists:
        named = {name: value for name, value in section.items() if is_file(name, value)}
        root = _common([prefix, *map(os.path.dirname, named.values())])
        typed = frozenset(name for name in named if self._is_typed(f"{split}.{name}"))
        is_of_split = os.path.normpath(root or ".") == os.path.normpath(prefix or ".")
        found = _Lists(named, typed, {}, root, self.data)
        # A split's list may lie in the split's folder too.
        for above in [self.data, *([present] if is_of_split and present is not None else [])]:
            places = {name: _place(named[name], root, above) for name in named if name not in typed}
            moved = {name: place for name, place in places.items() if place}
            found = found if found.moved else found._replace(moved=moved, above=above)
        return found if found.moved else found._replace(above=self.data)

    def _holds_files(self, section: Mapping[str, Any], present: Path | None) -> bool:
        """Return whether a dataset with all splits in one folder is there, or nothing else is."""
        has_class_folders = present is not None and any(each.is_dir() for each in present.iterdir())
        return holds_every_split(section) and (holds_files(section, self.data) or not has_class_folders)

    def _present(self, split: str) -> Path | None:
        """Return the folder of a split; None where there is none."""
        name = split.partition(".")[0]
        return find_split(self.data, name) if has_folder(self.data, name) else None

    def _is_typed(self, path: str) -> bool:
        return (place_of(f"{_COLLECT}.{path}", self.origins) or "").startswith("override ")


def _place(path: str, root: str, above: Path) -> str:
    """Return where a list below ``root`` lies in the folder that takes its place; empty where it does not."""
    if os.path.isabs(path) and not root:
        return ""
    place = _moved(path, root, above)
    return str(place) if place is not None and place.is_file() else ""


def _moved(path: str, root: str, above: Path) -> Path | None:
    """Return where what lies below ``root`` would be; None for what lies elsewhere: the config's own data."""
    name = os.path.relpath(path or ".", root or ".")
    return None if name.startswith("..") else above / name


def has_folder(data: str | os.PathLike[str], split: str) -> bool:
    """Return whether a folder of data has one for a split."""
    return bool(split_folders(data)[split])


def is_file(name: str, value: Any) -> bool:
    """Return whether an argument of a dataset names a file that lists samples or classes."""
    return isinstance(value, str) and (name in ("ann_file", "classes") or name.endswith("_file"))


def _are_of_other_data(classes: Any, folder: Path) -> bool:
    """Return whether no class folder has any of these names."""
    if not isinstance(classes, list | tuple):
        return False
    return not any((folder / str(each)).is_dir() for each in classes)


def _common(paths: Sequence[str]) -> str:
    """Return the folder that paths have in common; empty where there is none."""
    named = [os.path.normpath(each) for each in paths if each]
    try:
        return os.path.commonpath(named) if named else ""
    except ValueError:
        return ""
