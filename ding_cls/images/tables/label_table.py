"""A table of images and labels: its rows read, their files found, their labels numbered.

It must not know pixels, nor what is done with a label.
"""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ding_cls.errors import DataError
from ding_cls.images.label_words import multi_hot, number_names, numbered
from ding_cls.images.split_words import same_word, split_of, splits_among, words_of_split
from ding_cls.images.tables.columns import Columns, is_yes, is_yes_or_no
from ding_cls.images.tables.files import locate
from ding_cls.images.tables.reading import Table, listed, read_table

_LOGGER = logging.getLogger(__name__)

Labels = Literal["one", "several", "tasks"]


class _Row(NamedTuple):
    place: str
    path: str
    words: list[str]
    more: dict[str, Any]


class Sample(NamedTuple):
    """One row.

    Attributes:
        path: of the image, from the table's ``folder`` on.
        label: the class number, int64; of K tasks int64 ``(K,)``; of several labels float32 ``(C,)``.
        more: ``weight`` and ``group``, where they are used.
    """

    path: str
    label: npt.NDArray[Any]
    more: dict[str, Any]


class LabelTable:
    """What the lines of a CSV file say of images.

    Args:
        file: its path.
        folder: that the paths begin from; None: the file's own, or one beside it.
        classes: the class names; None: the labels that the chosen lines have, in bytewise order.
        test_mode: judge, do not train.
        split: as in `CSVDataset`, like all that follows.

    Attributes:
        samples: the chosen lines, in their order.
        folder: where the paths begin.
        classes: the class names.
        labels: what a label is: 'one', 'several' or 'tasks'.
        columns: as in `CSVDataset`, like ``has_flags``, ``is_one_hot``, ``unused`` and ``remarks``.

    Raises:
        DataError: the file or a column is missing, or a cell cannot be used.
    """

    def __init__(
        self,
        file: str,
        *,
        folder: str | None = None,
        classes: Sequence[str] | None = None,
        test_mode: bool = False,
        split: str | None = None,
        path: str = "path",
        label: str | Sequence[str] = "label",
        labels: Labels | None = None,
        separator: str = " ",
        split_column: str = "split",
        weight: str | None = "weight",
        group: str | None = "group",
    ) -> None:
        self.ann_file, self.test_mode, self.split, self.separator = file, test_mode, split, separator
        self._path, self._split_column, self._weight, self._group = path, split_column, weight, group
        self._label = [label] if isinstance(label, str) else list(label)
        # Of several columns the cells decide.
        self.has_flags = len(self._label) > 1 and labels != "tasks"
        self.labels: Labels = labels or "one"
        self._asked, self._has_prefix = labels, bool(folder)
        self.columns: dict[str, str] = {}
        self.unused: list[str] = []
        self.remarks: list[str] = []
        self.classes = None if classes is None else tuple(classes)
        self.folder = folder or os.path.dirname(file)
        self.samples = self._samples()

    def _samples(self) -> list[Sample]:
        rows = self._located(self._rows())
        numbers = self._numbers(rows)
        if self.classes is None:
            highest = max((each for labels in numbers for each in labels), default=0)
            self.classes = number_names(highest)
        for row, labels in zip(rows, numbers, strict=True):
            if max(labels, default=0) >= len(self.classes):
                raise DataError(
                    f"{row.place}: there is no class number {max(labels)} among {len(self.classes)} classes"
                )
            self._check_count(row, len(rows[0].words))
        return [
            Sample(row.path, self._target(labels), row.more)
            for row, labels in zip(rows, numbers, strict=True)
        ]

    def _target(self, numbers: Sequence[int]) -> npt.NDArray[Any]:
        if self.labels == "several":
            return multi_hot(numbers, len(self.classes or ()))
        return np.array(numbers[0] if self.labels == "one" else numbers, np.int64)

    def _numbers(self, rows: Sequence[_Row]) -> list[list[int]]:
        """Return the class numbers of each row."""
        if not self.has_flags:
            words, places = [row.words for row in rows], [row.place for row in rows]
            numbers, self.classes = numbered(words, self.classes, places)
            return numbers
        # The columns are named for the classes, whatever these are called.
        self.classes = tuple(self._label) if self.classes is None else self.classes
        unknown = next((name for name in self._label if name not in self.classes), None)
        if unknown is not None:
            raise DataError(
                f"the column {unknown!r} of {self.ann_file!r} is none of the {len(self.classes)} classes"
            )
        places_of = {name: number for number, name in enumerate(self.classes)}
        return [[places_of[name] for name in row.words] for row in rows]

    def _located(self, rows: Sequence[_Row]) -> list[_Row]:
        """Return the rows with the names of their files, which begin in ``data_prefix``."""
        found = locate([row.path for row in rows], self.folder, is_named=self._has_prefix)
        self.folder = found.folder
        self.remarks.extend(found.remarks)
        pairs = zip(rows, found.names, strict=True)
        return [row if row.path == name else row._replace(path=name) for row, name in pairs]

    def _check_count(self, row: _Row, num_tasks: int) -> None:
        wanted = {"one": 1, "several": len(row.words), "tasks": num_tasks}[self.labels]
        if len(row.words) != wanted or (self.labels == "tasks" and not wanted):
            raise DataError(f"{row.place} has {len(row.words)} labels, not {max(wanted, 1)}: {row.words}")

    def _rows(self) -> list[_Row]:
        file = self.ann_file
        self._elsewhere: set[str] = set()
        table = read_table(file, (self._path, *self._label))
        self._check_columns(table)
        if table.remark:
            self.remarks.append(table.remark)
        if self.split is not None:
            column = table.names.index(self._split_column)
            self._own_words = self._words_of(self.split, Counter(cells[column] for _, cells in table.rows))
        contents = (dict(zip(table.names, cells, strict=True)) for _, cells in table.rows)
        self.has_flags = self.has_flags and self._are_flags(contents)
        if len(self._label) > 1:
            self.labels = (self._asked or "several") if self.has_flags else "tasks"
        rows = [
            self._row(dict(zip(table.names, cells, strict=True)), f"{file!r}, line {number}")
            for number, cells in table.rows
        ]
        chosen = [row for row in rows if row is not None]
        self.is_one_hot = self.has_flags and all(len(row.words) == 1 for row in chosen)
        self._warn_repeats(chosen)
        del self._elsewhere
        return chosen

    def _words_of(self, split: str, counts: Counter[str]) -> frozenset[str]:
        """Return the words of the column of splits that mean this one."""
        column = f"{self.ann_file!r}, column {self._split_column!r}"
        try:
            words, taken, left_out = words_of_split(counts, split)
        except ValueError as error:
            raise DataError(f"{column}: {error}") from error
        # What no split holds is told once.
        for note in (taken, "" if self.test_mode else left_out):
            if note:
                _LOGGER.warning("%s: %s", column, note)
        return words

    def _warn_repeats(self, rows: Sequence[_Row]) -> None:
        """Tell of images that have two labels, or that another split has too."""
        words: dict[str, list[str]] = {}
        twice = [row for row in rows if words.setdefault(row.path, row.words) != row.words]
        shared = [row for row in rows if row.path in self._elsewhere]
        for found, problem in ((twice, "has another label above"), (shared, "is in another split too")):
            if found:
                more = f", and {len(found) - 1} more" if len(found) > 1 else ""
                _LOGGER.warning("%s: %r %s%s", found[0].place, found[0].path, problem, more)

    def _check_columns(self, table: Table) -> None:
        names = table.names
        wanted = [self._path, *self._label, *([] if self.split is None else [self._split_column])]
        if not self.test_mode:
            # Whoever names a column counts on it: without it folds would leak, weights would do nothing.
            named = ((self._weight, "weight"), (self._group, "group"))
            wanted += [name for name, default in named if name not in (default, None)]
        missing = [name for name in wanted if name not in names]
        if missing and not table.has_names:
            raise DataError(
                f"the CSV file {self.ann_file!r} begins with an image, not with the names of its columns; "
                f"write {', '.join(wanted)} above"
            )
        if missing:
            near = get_close_matches(missing[0], names, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DataError(
                f"the CSV file {self.ann_file!r} has no column {missing[0]!r}; {hint}"
                f"its first line names {listed(names) or 'none'}"
            )
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"the first line of the CSV file {self.ann_file!r} names {twice!r} twice")
        used = {
            "path": self._path,
            "label": ", ".join(self._label),
            "split": None if self.split is None else self._split_column,
            "weight": self._weight if self._weight in names and not self.test_mode else None,
            "group": self._group if self._group in names else None,
        }
        self.columns = {kind: name for kind, name in used.items() if name is not None}
        taken = {self._path, *self._label, self._weight, self._group, self._split_column}
        taken -= {self._split_column} if self.split is None else set()
        self.unused = [name for name in names if name and name not in taken]

    def _are_flags(self, contents: Iterable[Mapping[str, str]]) -> bool:
        """Return whether the columns of labels say of each class whether it is there.

        Raises:
            DataError: they should, and do not.
        """
        rows = [[content[name] for name in self._label] for content in contents]
        if not is_yes_or_no({cell for cells in rows for cell in cells}):
            if self._asked != "several":
                return False
            number, wrong, cell = next(
                (number, name, cell)
                for number, cells in enumerate(rows, 1)
                for name, cell in zip(self._label, cells, strict=True)
                if not is_yes_or_no(["0", cell])
            )
            raise DataError(
                f"row {number} of {self.ann_file!r} has {cell!r} in the column {wrong!r}; with "
                "labels='several' columns hold 0 and 1; labels='tasks' makes each of them a task"
            )
        # The list of a training set whose columns were tasks.
        is_known = self.classes is None or set(self._label) <= set(self.classes)
        return is_known or self._asked is not None

    def _row(self, content: Mapping[str, str], place: str) -> _Row | None:
        """Return a line's content; None where it belongs to another split."""
        if self.split is not None and content[self._split_column] not in self._own_words:
            # Of training and validation a run tells it, whatever lists or folders they are read from.
            if {split_of(self.split), split_of(content[self._split_column])} != {"train", "val"}:
                self._elsewhere.add(content[self._path])
            return None
        if not content[self._path]:
            raise DataError(f"{place} has no {self._path!r}")
        if any("\n" in content[name] for name in (self._path, *self._label)):
            raise DataError(f"{place} has a cell of several lines; a quote above is not closed")
        if self.has_flags:
            words = [name for name in self._label if is_yes(content[name])]
        else:
            words = [word for name in self._label for word in self._words(content[name])]
        more: dict[str, Any] = {}
        if not self.test_mode and self._weight is not None and self._weight in content:
            more["weight"] = _weight(content[self._weight], place)
        if self._group is not None and self._group in content:
            more["group"] = content[self._group]
        return _Row(place, content[self._path], words, more)

    def _words(self, cell: str) -> list[str]:
        if self.labels == "one" or len(self._label) > 1:
            return [cell] if cell else []
        words = cell.split(self.separator) if self.separator else list(cell)
        return [word.strip() for word in words if word.strip()]


def words_of_splits(file: str, columns: Columns) -> dict[str, str]:
    """Return a word for each split that a table's column of splits says; empty where it has none.

    Raises:
        DataError: two words mean one split, or none means one.
    """
    if columns.split is None:
        return {}
    found = {}
    for split, words in splits_among(columns.words).items():
        other = next((word for word in words if not same_word(word, words[0])), None)
        if other is not None:
            raise DataError(
                f"the CSV file {file!r}: {words[0]!r} and {other!r} in the column {columns.split!r} mean "
                "one split; write one word"
            )
        if words:
            found[split] = words[0]
    if not found:
        raise DataError(
            f"the CSV file {file!r}: its column {columns.split!r} says {listed(sorted(columns.words))}; it "
            "says train, val or test"
        )
    return found


def chosen_split(file: str, splits: Collection[str], split: str | None, *, has_all: bool = True) -> str:
    """Return which split of a file is evaluated: the named one, or else validation, or else the test; empty:
    all of the file.

    Args:
        file: how an error names it.
        splits: that it has.
        split: 'train', 'val' or 'test'; None: none is named.
        has_all: its samples may be taken together.

    Raises:
        DataError: it has no such split.
    """
    found = next((name for name in ([split] if split else ["val", "test"]) if name in splits), None)
    if found is not None or (split is None and has_all):
        return found or ""
    if not splits:
        raise DataError(f"{file!r} has no column of splits; leave out --split {split}")
    uses = {"train": "training", "val": "validation", "test": "the test"}
    raise DataError(f"{file!r} has nothing for {uses[split or 'val']}: it has {' and '.join(splits)}")


def _weight(cell: str, place: str) -> float:
    try:
        weight = float(cell)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise DataError(f"{place} has the weight {cell!r}; a weight is a number above 0")
    return weight
