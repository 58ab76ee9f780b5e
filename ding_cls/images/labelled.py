"""Labelled images as an evaluation takes them: those of a split's folder, of class folders alone, of a table.

It must not know pixels or networks.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterable, Sequence
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
from ding_cls.images.sample_text import below_their_folder, label_texts, listed
from ding_cls.images.split_words import split_hinted
from ding_cls.images.tables.columns import Columns, find_columns, is_yes
from ding_cls.images.tables.label_table import LabelTable, chosen_split, words_of_splits
from ding_cls.images.tables.reading import Table, read_table
from ding_cls.images.tables.remarks import named_columns, remarks_on

TABLES = (".csv", ".tsv", ".txt")
"""The endings of tables."""

_MARKS = "|;, "


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images whose labels are known.

    Attributes:
        folder: where they lie.
        names: the path of each image, from there on.
        targets: the class number of each, int64 ``(N,)``; of K tasks ``(N, K)``; of several labels float32
            ``(N, C)``, 1 for a class that is there.
        kind: 'one' class number; 'tasks': one for each; 'several': for each class whether it is there.
        split: 'train', 'val' or 'test'; None: data without splits.
        file: the table that names them; empty without one.
        note: how it was read, in a line.
        warning: what is left out of a folder, in a line.
    """

    folder: str
    names: tuple[str, ...]
    targets: npt.NDArray[Any]
    kind: str = "one"
    split: str | None = None
    file: str = ""
    note: str = ""
    warning: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """The path of each image."""
        return tuple(os.path.join(self.folder, name) for name in self.names)

    @property
    def source(self) -> str:
        """Where they come from, for a reader."""
        return self.folder or self.file

    @property
    def digest(self) -> str:
        """SHA-256 of names and labels, in hexadecimal digits, as `SampleList` has it."""
        names = below_their_folder(list(self.names))
        return hashlib.sha256(listed(names, label_texts(self.targets))).hexdigest()


def labelled_images(
    data: str | os.PathLike[str],
    split: str | None,
    classes: Sequence[str],
    *,
    trained: str = "one",
    num_tasks: int | None = None,
) -> LabelledImages:
    """Return the images of a folder, see `labelled_folder`, or of a table, which names paths and labels.

    Args:
        data: the folder or the file.
        split: 'train', 'val' or 'test'; None: 'val', of a table or else 'test', or else all of it.
        classes: the names of the classes, in the order of their numbers.
        trained: what the network's labels are, as `LabelledImages.kind`: it decides where cells may be read
            in two ways.
        num_tasks: how many tasks it has; None: one.

    Raises:
        DataError: it cannot be used, has no such split, or other classes.
    """
    name = os.fspath(data).lower()
    if os.path.isdir(data) or not (os.path.isfile(data) or name.endswith(TABLES)):
        return labelled_folder(data, split, classes)
    if not name.endswith(TABLES):
        raise DataError(
            f"'{os.fspath(data)}' is no folder and no table ({', '.join(TABLES)}); other data are for the "
            "checkpoint: ding-cls eval CKPT --data FILE"
        )
    return _of_table(os.path.expanduser(os.fspath(data)), split, classes, trained, num_tasks)


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
        tuple(path for path, _ in samples),
        np.array([number for _, number in samples], np.int64),
        split=split,
        warning=left_out_line(root, left_out),
    )


def _of_table(
    file: str, split: str | None, classes: Sequence[str], trained: str, num_tasks: int | None
) -> LabelledImages:
    content = read_table(file)
    columns = find_columns(file, content, _task_columns(content, classes, num_tasks))
    words = words_of_splits(file, columns)
    found = chosen_split(file, words, split)
    named = columns.arguments() | reading(content, columns, classes, trained)
    if found:
        named |= {"split": words[found], "split_column": columns.split}
    table = LabelTable(file, classes=classes, test_mode=True, **named)
    if not table.samples:
        raise DataError(f"the CSV file {file!r} names no image")
    line = "; ".join([f"{file}: {', '.join(named_columns(table))}", *remarks_on(table, is_training=False)])
    return LabelledImages(
        table.folder,
        tuple(each.path for each in table.samples),
        np.array([each.label for each in table.samples]),
        kind=table.labels,
        split=found or None,
        file=file,
        note=line,
    )


def _task_columns(content: Table, classes: Sequence[str], num_tasks: int | None) -> dict[str, Any]:
    """Return which columns hold the labels of tasks: those whose cells are classes, if they are as many."""
    found = [
        name
        for place, name in enumerate(content.names)
        if all(cells[place] in classes or _is_number(cells[place], classes) for _, cells in content.rows)
    ]
    return {"label": found, "labels": "tasks"} if num_tasks and len(found) == num_tasks > 1 else {}


def _is_number(cell: str, classes: Sequence[str]) -> bool:
    return cell.isdecimal() and int(cell) < len(classes)


def reading(content: Table, columns: Columns, classes: Sequence[str], trained: str) -> dict[str, Any]:
    """Return how cells are read that may mean one label or several: as the network answers.

    Args:
        content: of the table.
        columns: what `find_columns` takes its columns for.
        classes: the names of the classes, in the order of their numbers.
        trained: what the network's labels are, as `LabelledImages.kind`.

    Returns:
        Those arguments of `CSVDataset` that differ from ``columns``.
    """
    if not isinstance(columns.label, str):
        flags = [content.names.index(name) for name in columns.label if columns.labels == "several"]
        is_one_hot = all(sum(is_yes(cells[place]) for place in flags) == 1 for _, cells in content.rows)
        is_alike = trained == "tasks" or (trained == "one" and is_one_hot)
        return {"labels": trained} if is_alike else {}
    place = content.names.index(columns.label)
    cells = {cells[place] for _, cells in content.rows}
    if trained == "one":
        # A class may be called 'goldfish, Carassius auratus'.
        return {"labels": "one"} if cells <= set(classes) else {}
    named = [mark for mark in _MARKS if _are_names(cells, mark, classes)]
    used = [mark for mark in named if any(mark in cell for cell in cells)]
    if not used and (named or columns.labels != "several"):
        # Of tasks every character is a label.
        return {"labels": trained, "separator": "" if trained == "tasks" else "|"}
    return {"labels": trained, "separator": used[0] if used else columns.separator}


def _are_names(cells: Iterable[str], mark: str, classes: Sequence[str]) -> bool:
    return {part.strip() for cell in cells for part in cell.split(mark)} <= {*classes, ""}


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
