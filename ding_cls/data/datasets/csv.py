"""Datasets described by a CSV file: path, label, and where there are such columns split, weight and group.

They must not know loaders or splits of folders.
"""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

import numpy as np

from ding_cls.data.datasets.base import Annotation, BaseDataset
from ding_cls.data.datasets.multi_label import multi_hot
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.datasets.tables.columns import is_yes, is_yes_or_no
from ding_cls.data.datasets.tables.files import locate
from ding_cls.data.datasets.tables.reading import Table, listed, read_table
from ding_cls.data.labels import number_names, numbered
from ding_cls.data.transforms.compose import Described
from ding_cls.errors import ConfigError, DataError
from ding_cls.images.split_words import split_of, words_of_split

_LOGGER = logging.getLogger(__name__)

Labels = Literal["one", "several", "tasks"]


class _Row(NamedTuple):
    place: str
    path: str
    words: list[str]
    more: dict[str, Any]


@DATASETS.register_module()
class CSVDataset(BaseDataset):
    """Images that the lines of a CSV file name; its first line names the columns.

    How its text may be written: `read_table`. Which files its paths may mean: `locate`.

    Args:
        data_prefix: folder that the paths begin from; the file's own, or one beside it, where empty.
        pipeline: as in `BaseDataset`.
        classes: as in `BaseDataset`; the labels that the chosen lines have, in bytewise order, where nobody
            named any. Give the training set's list to every other split.
        ann_file: the CSV file.
        test_mode: judge, do not train.
        split: take the lines alone whose column ``split_column`` says so, in any of the words that
            `split_of` understands; all where None.
        path: name of the column of paths.
        label: name of the column of labels, or of several such columns.
        labels: 'one' in each cell, a class number or name; 'several' (a multi-hot target); or 'tasks': one
            for each task, always equally many. Several columns are 'several' where all say 0 and 1, each
            being named for a class, else 'tasks'; with 'one' a single one of them says 1. By default 'one'
            of one column.
        separator: what stands between labels; empty: every character is a label.
        split_column: name of the column of splits.
        weight: name of the column with each sample's weight in the loss; None: all count alike. That of the
            default name may be missing; another one only with ``test_mode``.
        group: name of the column that says which samples stay together; None: none do. It may be missing as
            that of weights may.

    Attributes:
        columns: name of the column of each kind that is used; several of labels have commas between.
        has_flags: each column of labels says 0 or 1 for the class that it is named for.
        is_one_hot: a single one of them says 1 in each line.
        unused: names of the columns that are not.
        remarks: what was read otherwise than it is written, in a few words each.

    Raises:
        ConfigError: ``labels`` is none of the three.
        DataError: the file or a column is missing, or a cell cannot be used.
    """

    def __init__(
        self,
        data_prefix: str | os.PathLike[str] = "",
        pipeline: Sequence[Described] = (),
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
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
        if labels not in ("one", "several", "tasks", None):
            raise ConfigError(f"CSVDataset: labels={labels!r} must be 'one', 'several' or 'tasks'")
        if ann_file is None:
            raise ConfigError("CSVDataset lacks the argument 'ann_file': the CSV file")
        self.split, self.separator = split, separator
        self._path, self._split_column, self._weight, self._group = path, split_column, weight, group
        self._label = [label] if isinstance(label, str) else list(label)
        # Of several columns the cells decide.
        self.has_flags = len(self._label) > 1 and labels != "tasks"
        self.labels: Labels = labels or "one"
        self._asked, self._has_prefix = labels, bool(data_prefix)
        self.columns: dict[str, str] = {}
        self.unused: list[str] = []
        self.remarks: list[str] = []
        prefix = data_prefix or os.path.dirname(os.path.expanduser(os.fspath(ann_file)))
        super().__init__(prefix, pipeline, classes, ann_file, test_mode)

    @property
    def is_multi_label(self) -> bool:
        """Whether a sample may have several labels, or none."""
        return self.labels == "several"

    def load_annotations(self) -> list[Annotation]:
        """Return the chosen lines' samples, in their order."""
        rows = self._located(self._rows())
        numbers = self._numbers(rows)
        if self.CLASSES is None:
            highest = max((each for labels in numbers for each in labels), default=0)
            self.CLASSES = number_names(highest)
        for row, labels in zip(rows, numbers, strict=True):
            if max(labels, default=0) >= len(self.CLASSES):
                raise DataError(
                    f"{row.place}: there is no class number {max(labels)} among {len(self.CLASSES)} classes"
                )
            self._check_count(row, len(rows[0].words))
        return [
            {
                "img_prefix": self.data_prefix,
                "img_info": {"filename": row.path},
                "gt_label": self._gt_label(labels),
                **row.more,
            }
            for row, labels in zip(rows, numbers, strict=True)
        ]

    def _numbers(self, rows: Sequence[_Row]) -> list[list[int]]:
        """Return the class numbers of each row."""
        if not self.has_flags:
            words, places = [row.words for row in rows], [row.place for row in rows]
            numbers, self.CLASSES = numbered(words, self.CLASSES, places)
            return numbers
        # The columns are named for the classes, whatever these are called.
        self.CLASSES = tuple(self._label) if self.CLASSES is None else self.CLASSES
        unknown = next((name for name in self._label if name not in self.CLASSES), None)
        if unknown is not None:
            raise DataError(
                f"the column {unknown!r} of {self.ann_file!r} is none of the {len(self.CLASSES)} classes"
            )
        places_of = {name: number for number, name in enumerate(self.CLASSES)}
        return [[places_of[name] for name in row.words] for row in rows]

    def _located(self, rows: Sequence[_Row]) -> list[_Row]:
        """Return the rows with the names of their files, which begin in ``data_prefix``."""
        found = locate([row.path for row in rows], self.data_prefix, is_named=self._has_prefix)
        self.data_prefix = found.folder
        self.remarks.extend(found.remarks)
        pairs = zip(rows, found.names, strict=True)
        return [row if row.path == name else row._replace(path=name) for row, name in pairs]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class numbers of a sample."""
        if self.labels != "several":
            return super().get_cat_ids(idx)
        numbers: list[int] = np.flatnonzero(self.data_infos[idx]["gt_label"]).tolist()
        return numbers

    def _gt_label(self, numbers: Sequence[int]) -> Any:
        if self.labels == "several":
            return multi_hot(numbers, len(self.CLASSES or ()))
        return np.array(numbers[0] if self.labels == "one" else numbers, np.int64)

    def _check_count(self, row: _Row, num_tasks: int) -> None:
        wanted = {"one": 1, "several": len(row.words), "tasks": num_tasks}[self.labels]
        if len(row.words) != wanted or (self.labels == "tasks" and not wanted):
            raise DataError(f"{row.place} has {len(row.words)} labels, not {max(wanted, 1)}: {row.words}")

    def _rows(self) -> list[_Row]:
        file = str(self.ann_file)
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
        is_known = self.CLASSES is None or set(self._label) <= set(self.CLASSES)
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
        if self._weight is not None and self._weight in content:
            more["weight"] = _weight(content[self._weight], place)
        if self._group is not None and self._group in content:
            more["group"] = content[self._group]
        return _Row(place, content[self._path], words, more)

    def _words(self, cell: str) -> list[str]:
        if self.labels == "one" or len(self._label) > 1:
            return [cell] if cell else []
        words = cell.split(self.separator) if self.separator else list(cell)
        return [word.strip() for word in words if word.strip()]


def _weight(cell: str, place: str) -> float:
    try:
        weight = float(cell)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise DataError(f"{place} has the weight {cell!r}; a weight is a number above 0")
    return weight
