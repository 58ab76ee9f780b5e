"""``--data DIR`` laid over a whole config: which folder each split reads, and what that takes the place of.

It must not build datasets.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ding_cls.config.origins import FileNotes, NativeConfig
from ding_cls.config.tree import at, drop, put
from ding_cls.data import find_split
from ding_cls.errors import DataError
from ding_cls.images.listing import folder_names, split_folders
from ding_cls.pipeline.datasets.data_folder import DataFolder, has_folder, is_file
from ding_cls.pipeline.datasets.dataset_cfg import (
    DIVIDING,
    FOLDERS,
    changed,
    folder_of_split,
    holds_every_split,
    inner_of,
    with_prefix,
)
from ding_cls.pipeline.datasets.openmmlab import CLASS_FOLDERS, eval_section_of, is_published_in

_COLLECT, _VALIDATE = "policy.collect", "policy.eval.evaluator.validate"
_PATHS = {"train": "learn_data_path", "val": "eval_data_path"}


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
    notes.data = os.fspath(data)
    collect = at(native.cfg, _COLLECT) or {}
    folder = DataFolder(Path(data), native.origins, notes.replaced)
    is_validated = _is_validated(native, words) and not only_training
    prefixes = {split: str(collect.get(path) or "") for split, path in _PATHS.items()}
    train, val, test = (collect.get(split) for split in ("train", "val", "test"))
    if notes.is_openmmlab and is_validated and val is None and isinstance(train, dict):
        # In our own spelling that is a folder, read by the keys beside it.
        val = test or eval_section_of(train)
    is_divided = all(isinstance(each, dict) and each.get("type") in DIVIDING for each in (train, val))
    given: dict[str, str] = {}
    for split, section in (("train", train), ("val", val)):
        key, is_used = f"{_COLLECT}.{_PATHS[split]}", split == "train" or is_validated
        # Parts of one dataset are taken from one folder.
        is_whole = is_divided or (split == "train" and only_training)
        place = _training_folder(data) if is_whole else None
        if not is_used and not _is_in(data, split, section):
            # What describes it says still what is done to an image.
            given |= {key: ""} if section is not None or only_training else {}
            if isinstance(section, dict):
                put(native.cfg, f"{_COLLECT}.{split}", changed(section, _without_files))
        elif isinstance(section, dict):
            moved, given[key] = folder.described(section, split, prefix=prefixes[split], folder=place)
            put(native.cfg, f"{_COLLECT}.{split}", moved)
        elif (is_used or only_training) and not _names(words, key):
            given[key] = str(place or folder_of_split(section, data, split))
    if isinstance(test, dict):
        _lay_test_set(native, test, prefixes["val"], given, DataFolder(Path(data), native.origins))
    return given


def _lay_test_set(
    native: NativeConfig,
    section: dict[str, Any],
    val_prefix: str,
    given: Mapping[str, str],
    folder: DataFolder,
) -> None:
    """Let the test set read the folder too: that of validation where the config's own does."""
    own, val = str(inner_of(section).get("data_prefix") or ""), given.get(f"{_COLLECT}.eval_data_path")
    is_same = bool(own and val) and os.path.normpath(own) == os.path.normpath(val_prefix or ".")
    if is_same or _is_in(folder.data, "test", section):
        place = Path(str(val)) if is_same and not holds_every_split(section) else None
        put(native.cfg, f"{_COLLECT}.test", with_prefix(*folder.described(section, "test", folder=place)))
    elif inner_of(section).get("type") in CLASS_FOLDERS:
        drop(native.cfg, f"{_COLLECT}.test")


def _is_in(data: str | os.PathLike[str], split: str, section: Any) -> bool:
    """Return whether a folder of data holds a split."""
    is_of_all = isinstance(section, dict) and (
        holds_every_split(section) or is_published_in(section, Path(data))
    )
    return has_folder(data, split) or is_of_all


def _is_validated(native: NativeConfig, words: Sequence[str]) -> bool:
    pairs = (word.partition("=") for word in words)
    typed = [value.strip().lower() for key, _, value in pairs if key.strip() == _VALIDATE]
    return typed[-1] != "false" if typed else at(native.cfg, _VALIDATE) is not False


def _names(words: Sequence[str], key: str) -> bool:
    """Return whether a word names the folder of a split by itself: no other is sought then."""
    return any(word.partition("=")[0].strip() == key for word in words)


def _without_files(section: dict[str, Any]) -> dict[str, Any]:
    """Return a description that names neither a folder nor a list."""
    return {name: each for name, each in section.items() if name not in FOLDERS and not is_file(name, each)}


def _training_folder(data: str | os.PathLike[str]) -> Path:
    """Return the folder to train on: that of the split, or a folder of class folders itself.

    Raises:
        DataError: the names of its folders may mean splits or classes.
    """
    splits = split_folders(data)
    names = [name for each in splits.values() for name in each]
    if not any(folder_names(Path(data, name)) for name in names):
        # A class may be called 'dev': without class folders in it it is no split.
        return Path(data)
    if splits["train"] and "train" not in splits["train"]:
        raise DataError(
            f"'{data}' has {' and '.join(map(repr, names))}, by name splits; pass the one to divide: "
            f"'{Path(data, splits['train'][0])}'"
        )
    return find_split(data, "train")
