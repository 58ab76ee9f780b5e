"""An evaluation as a file: rows, results or arrays, as the ending of its name says.

It must not know what was evaluated.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ding_cls.answers.evaluation.records import COLUMNS, column_types
from ding_cls.answers.evaluation.report import Evaluation
from ding_cls.common.tables import TABLE_ENDINGS, checked_ending, published, write_json, write_table

OUT_ENDINGS = (*TABLE_ENDINGS, ".npz")


def write_report(out: str | os.PathLike[str], report: Evaluation) -> None:
    """Publish an evaluation: ``.csv`` or ``.parquet`` with a row per sample in the order of the data,
    ``.json`` with results, classes and these rows, ``.npz`` with ``sample_ids, targets, logits``, of
    several labels also ``threshold``.

    Raises:
        ConfigError: another ending.
        DataError: it cannot be written.
    """
    ending = checked_ending(out, OUT_ENDINGS)
    if ending == ".npz":
        write_arrays(Path(out), report.predictions)
        return
    rows = report.records.rows(report.paths, report.classes)
    if ending != ".json":
        write_table(out, COLUMNS, rows, types=column_types(report.records.kind))
        return
    write_json(
        out,
        {
            "checkpoint": str(report.checkpoint),
            "train_iter": report.train_iter,
            "folder": report.folder,
            "split": report.split,
            **({"tta": True} if report.tta else {}),
            "num_samples": report.num_samples,
            **({"temperature": list(report.calibration.temperatures)} if report.calibration else {}),
            "results": plain(report.result),
            "intervals": {name: list(each) for name, each in report.intervals.items()},
            "per_class": plain(report.per_class()),
            "rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
        },
    )


def write_arrays(out: Path, values: Mapping[str, Any]) -> None:
    """Publish tensors and arrays as an ``.npz`` file.

    Raises:
        DataError: it cannot be written.
        DiskError: the disk is full or fails.
    """
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in values.items()}
    with published(out) as file:
        np.savez(file, **arrays)


def plain(value: Any) -> Any:
    """Return tensors and NumPy's numbers and arrays as Python's own, which checkpoints and JSON can hold."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.tolist() if hasattr(value, "ndim") else value
