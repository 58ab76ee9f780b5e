"""Labelled images of a folder, as an evaluation takes them: those of a split, or of class folders alone.

It must not know pixels or networks.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.errors import DataError
from ding_cls.images.left_out import LeftOut, left_out_line
from ding_cls.images.listing import (
    check_classes,
    find_split,
    folder_names,
    has_splits,
    list_classes,
    list_samples,
    split_folders,
)
from ding_cls.images.split_words import split_hinted


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images whose labels are known.

    Attributes:
        folder: where they lie.
        paths: of each image.
        targets: the class number of each, int64 ``(N,)``; of K tasks ``(N, K)``; of several labels float32
            ``(N, C)``, 1 for a class that is there.
        kind: 'one' class number; 'tasks': one for each; 'several': for each class whether it is there.
        split: 'train', 'val' or 'test'; None: data without splits.
        remarks: what to say of how they were read, in a line each.
    """

    folder: str
    paths: tuple[str, ...]
    targets: npt.NDArray[Any]
    kind: str = "one"
    split: str | None = None
    remarks: tuple[str, ...] = ()


def labelled_folder(
    data: str | os.PathLike[str], split: str | None, classes: Sequence[str]
) -> LabelledImages:
    """Return the images of a split's folder, or of a folder with one folder for each class.

    Args:
        data: the folder.
        split: 'train', 'val' or 'test'; None: 'val', or all of what has no splits.
        classes: the names of the classes, in the order of their numbers.

    Raises:
        DataError: there is no such folder, or it has other classes.
    """
    if is_one_split(data, classes):
        refuse_split(data, split)
        root = os.fspath(data)
    else:
        check_has_split(data, split)
        split = split or "val"
        root = str(find_split(data, split))
    left_out = LeftOut()
    folders = list_classes(root, classes, left_out)
    check_classes(folders, classes, root)
    numbers = {name: number for number, name in enumerate(classes)}
    samples = list_samples(root, folders, numbers, refuse_empty=False, left_out=left_out)
    return LabelledImages(
        root,
        tuple(os.path.join(root, path) for path, _ in samples),
        np.array([number for _, number in samples], np.int64),
        split=split,
        remarks=tuple(filter(None, [left_out_line(root, left_out)])),
    )


def is_one_split(data: str | os.PathLike[str], classes: Sequence[str]) -> bool:
    """Return whether a folder has one folder for each class, and no splits."""
    return os.path.isdir(data) and not has_splits(data, classes) and bool(folder_names(Path(data)))


def refuse_split(data: str | os.PathLike[str], split: str | None) -> None:
    """Refuse a split of a folder that has none.

    Raises:
        DataError: one is named.
    """
    if split is not None:
        raise DataError(
            f"'{os.fspath(data)}' has one folder for each class, and no folder '{split}'; leave out --split"
        )


def check_has_split(data: str | os.PathLike[str], split: str | None, *, is_plain: bool = True) -> None:
    """Refuse a folder of data without the split, where one with another name may be meant.

    Args:
        data: the folder; it may be missing.
        split: 'train', 'val' or 'test'; None: 'val'.
        is_plain: its splits are class folders, which may be read by themselves.

    Raises:
        DataError: it names the folder that may be meant.
    """
    folders, missing = split_folders(data), f"'{os.fspath(data)}' has no folder for {split or 'validation'}"
    if split is None and folders["test"] and not folders["val"]:
        raise DataError(f"{missing}; to evaluate on {folders['test'][0]!r}: --split test")
    wanted = (split,) if split else ("val", "test")
    near = [name for name in folder_names(Path(data)) if split_hinted(name) in wanted]
    if near and is_plain and not folders[wanted[0]]:
        place, without = shlex.quote(str(Path(data, near[0]))), ", without --split" if split else ""
        raise DataError(f"{missing}; to evaluate on {near[0]!r}: --data {place}{without}")
