"""What ``--data DIR`` makes of the datasets that a config describes: folders and lists are those in DIR.

It changes descriptions, ``dict(type='Name', ...)``; it must not build datasets.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ding_cls.config.origins import FileNotes, NativeConfig
from ding_cls.config.tree import at, drop, place_of, put
from ding_cls.data import SPLIT_NAMES, find_split
from ding_cls.data.datasets.listing import has_splits
from ding_cls.pipeline.datasets.dataset_cfg import FOLDERS, holds_every_split, inner_of, known_part
from ding_cls.pipeline.datasets.openmmlab import (
    CLASS_FOLDERS,
    LISTED,
    as_class_folders,
    check_has_list,
    eval_section_of,
    holds_files,
    is_published_in,
    published_folder,
)

_COLLECT = "policy.collect"
_PATHS = {"train": "learn_data_path", "val": "eval_data_path"}


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
        return self._moved(plain, split, known, folder)

    def _several(
        self, section: Mapping[str, Any], split: str, folder: Path | None
    ) -> tuple[dict[str, Any], str]:
        """Return several datasets, each in its own folder where all of these are here; else the first."""
        inner = [dict(each) for each in section["datasets"]]
        prefixes = [str(inner_of(each).get("data_prefix") or "") for each in inner]
        root = _common(prefixes)
        places = [self.data / os.path.relpath(each or ".", root or ".") for each in prefixes]
        if len({*places}) == len(places) and all(each.is_dir() for each in places) and len(places) > 1:
            moved = [
                self.described(each, f"{split}.datasets.{number}", folder=place)
                for number, (each, place) in enumerate(zip(inner, places, strict=True))
            ]
            return {**section, "datasets": [with_prefix(*each) for each in moved]}, ""
        if len(inner) > 1:
            self.replaced.append(f"the {len(inner)} datasets of {split} (read as the first)")
        return self.described(inner[0], f"{split}.datasets.0", folder=folder)

    def _moved(
        self, section: dict[str, Any], split: str, prefix: str, folder: Path | None
    ) -> tuple[dict[str, Any], str]:
        kind = str(section.get("type"))
        lists = {
            name: value
            for name, value in section.items()
            if isinstance(value, str) and (name in ("ann_file", "classes") or name.endswith("_file"))
        }
        typed = {name for name in lists if self._is_typed(f"{_COLLECT}.{split}.{name}")}
        root = _common([prefix, *(os.path.dirname(lists[name]) for name in lists)])
        moved = {
            name: place
            for name in lists.keys() - typed
            if (place := self._place(lists[name], root, prefix, folder)) is not None
        }
        has_list = "ann_file" in moved or "ann_file" in typed
        if known_part(section) is None:
            # Of the user's own, which is not imported yet: it alone knows what it reads.
            place = folder or self._folder(split, needed=False) or self.data
            return {**section, **moved}, str(place)
        without = {name: value for name, value in section.items() if name not in lists or name in typed}
        if holds_every_split(section) or is_published_in(section, self.data):
            is_here = has_list or not self._has_class_folders(split, folder) or holds_files(section, self.data)
            if is_here or is_published_in(section, self.data):
                return {**without, **moved}, str(published_folder(section, self.data))
        check_has_list(section, self.data, split, has_list=has_list)
        if kind not in (*CLASS_FOLDERS, *LISTED) and not holds_every_split(section):
            return section, str(folder or self._folder(split))
        if has_list:
            beside = self.data / os.path.relpath(prefix or ".", root or ".")
            place = beside if beside.is_dir() else folder or self._folder(split, needed=False) or self.data
            return {**without, **moved}, str(place)
        self.replaced += [f"{split}.{name}={lists[name]}" for name in lists if name not in (*moved, *typed)]
        changed = as_class_folders({**without, **moved})
        if changed["type"] != kind:
            self.replaced.append(f"{split}.type={kind} (read as class folders)")
        return changed, str(folder or self._folder(split))

    def _place(self, path: str, root: str, prefix: str, folder: Path | None) -> str | None:
        """Return where a list of the config lies in this folder; None where it does not."""
        if os.path.isabs(path) != os.path.isabs(root) and root:
            return None
        below = os.path.relpath(path, root or ".")
        places = [self.data / below]
        if folder is not None and os.path.normpath(root or ".") == os.path.normpath(prefix or "."):
            places.append(folder / below)
        return next((str(each) for each in places if not below.startswith("..") and each.is_file()), None)

    def _folder(self, split: str, *, needed: bool = True) -> Path | None:
        name = split.partition(".")[0]
        if not needed and not any((self.data / each).is_dir() for each in SPLIT_NAMES[name]):
            return None
        return find_split(self.data, name)

    def _has_class_folders(self, split: str, folder: Path | None) -> bool:
        place = folder or self._folder(split, needed=False)
        return place is not None and any(each.is_dir() for each in place.iterdir())

    def _is_typed(self, path: str) -> bool:
        return (place_of(path, self.origins) or "").startswith("override ")


def lay_data_folder(
    native: NativeConfig,
    data: str | os.PathLike[str],
    *,
    words: Sequence[str],
    notes: FileNotes,
    only_training: bool = False,
) -> dict[str, str]:
    """Let a config's datasets read a folder instead of their own, in place.

    Args:
        native: the config.
        data: the folder.
        words: the ``key=value`` words that come on top.
        notes: takes what the folder takes the place of.
        only_training: a folder for validation may be missing, and ``data`` may hold the class folders.

    Returns:
        The folders of training and validation images by their keys.

    Raises:
        DataError: there is no folder for a split that is used, or it cannot hold what the dataset reads.
    """
    collect = at(native.cfg, _COLLECT) or {}
    folder = DataFolder(Path(data), native.origins, notes.replaced)
    is_validated = _is_validated(native, words) and not only_training
    given, prefixes = {}, {split: str(collect.get(path) or "") for split, path in _PATHS.items()}
    sections = {split: collect.get(split) for split in ("train", "val", "test")}
    if is_validated and sections["val"] is None and isinstance(sections["train"], dict):
        sections["val"] = sections["test"] or eval_section_of(sections["train"])
    for split, path in _PATHS.items():
        section, is_used = sections[split], split == "train" or is_validated
        place = _training_folder(data) if split == "train" and only_training else None
        is_there = any(Path(data, name).is_dir() for name in SPLIT_NAMES[split]) or (
            isinstance(section, dict) and (holds_every_split(section) or is_published_in(section, folder.data))
        )
        if not is_used and not is_there:
            if section is not None or only_training:
                given[f"{_COLLECT}.{path}"] = ""
        elif isinstance(section, dict):
            changed, given[f"{_COLLECT}.{path}"] = folder.described(
                section, split, prefix=prefixes[split], folder=place
            )
            put(native.cfg, f"{_COLLECT}.{split}", changed)
        elif is_used or only_training:
            given[f"{_COLLECT}.{path}"] = str(place or find_split(data, split))
    if isinstance(sections["test"], dict):
        _lay_test_set(native, sections["test"], prefixes["val"], given, folder)
    return given


def _lay_test_set(
    native: NativeConfig, section: dict[str, Any], val_prefix: str, given: Mapping[str, str], folder: DataFolder
) -> None:
    """Let the test set read the folder too: that of validation where the config says so of its own."""
    own = str(inner_of(section).get("data_prefix") or "")
    val = given.get(f"{_COLLECT}.eval_data_path")
    has_test = (folder.data / "test").is_dir()
    is_same = bool(own) and bool(val) and os.path.normpath(own) == os.path.normpath(val_prefix or ".")
    quiet = DataFolder(folder.data, folder.origins)
    if is_same or has_test or holds_every_split(section) or is_published_in(section, folder.data):
        place = Path(str(val)) if is_same and not holds_every_split(section) else None
        put(native.cfg, f"{_COLLECT}.test", with_prefix(*quiet.described(section, "test", folder=place)))
    elif known_part(section) is not None and str(inner_of(section).get("type")) in CLASS_FOLDERS:
        drop(native.cfg, f"{_COLLECT}.test")


def with_prefix(section: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a description, less several datasets that have their own, with the folder of its images."""
    if not path:
        return section
    if isinstance(section.get("dataset"), dict):
        return {**section, "dataset": with_prefix(section["dataset"], path)}
    name = "root" if section.get("type") == "ImageNetDataset" else "data_prefix"
    return {**section, name: path}


def _is_validated(native: NativeConfig, words: Sequence[str]) -> bool:
    key = "policy.eval.evaluator.validate"
    typed = [word.partition("=")[2].strip().lower() for word in words if word.partition("=")[0].strip() == key]
    return typed[-1] != "false" if typed else at(native.cfg, key) is not False


def _training_folder(data: str | os.PathLike[str]) -> Path:
    """Return the folder to train on: that of the split, or a folder of class folders itself."""
    return find_split(data, "train") if has_splits(data) else Path(data)


def _common(paths: Sequence[str]) -> str:
    """Return the folder that paths have in common; empty where there is none."""
    named = [os.path.normpath(each) for each in paths if each]
    try:
        return os.path.commonpath(named) if named else ""
    except ValueError:
        return ""
