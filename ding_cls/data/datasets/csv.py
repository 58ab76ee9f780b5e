"""Datasets described by a CSV file: path, label, and where there are such columns split, weight and group.

They must not know loaders or splits of folders.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ding_cls.data.datasets.base import Annotation, BaseDataset
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.transforms.compose import Described
from ding_cls.errors import ConfigError
from ding_cls.images.tables.label_table import Labels, LabelTable


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
        self.labels: Labels = labels or "one"
        self._has_prefix = bool(data_prefix)
        self._how: dict[str, Any] = {
            "split": split,
            "path": path,
            "label": label,
            "labels": labels,
            "separator": separator,
            "split_column": split_column,
            "weight": weight,
            "group": group,
        }
        prefix = data_prefix or os.path.dirname(os.path.expanduser(os.fspath(ann_file)))
        super().__init__(prefix, pipeline, classes, ann_file, test_mode)

    @property
    def is_multi_label(self) -> bool:
        """Whether a sample may have several labels, or none."""
        return self.labels == "several"

    def load_annotations(self) -> list[Annotation]:
        """Return the chosen lines' samples, in their order."""
        table = LabelTable(
            str(self.ann_file),
            folder=self.data_prefix if self._has_prefix else None,
            classes=self.CLASSES,
            test_mode=self.test_mode,
            **self._how,
        )
        self.CLASSES, self.data_prefix = table.classes, table.folder
        self.labels, self.has_flags, self.is_one_hot = table.labels, table.has_flags, table.is_one_hot
        self.columns, self.unused, self.remarks = table.columns, table.unused, table.remarks
        return [
            {
                "img_prefix": self.data_prefix,
                "img_info": {"filename": each.path},
                "gt_label": each.label,
                **each.more,
            }
            for each in table.samples
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class numbers of a sample."""
        if self.labels != "several":
            return super().get_cat_ids(idx)
        numbers: list[int] = np.flatnonzero(self.data_infos[idx]["gt_label"]).tolist()
        return numbers
