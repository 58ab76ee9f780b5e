"""What is compared: for each image its class, what was predicted, right or wrong; of a checkpoint, or from a
file that ``ding-cls eval --out`` wrote."""

import csv
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.answers.evaluation.measures import ClassNumber
from ding_cls.answers.evaluation.records import COLUMNS, SampleAnswers
from ding_cls.common.tables import SEPARATOR, TABLE_ENDINGS, read_parquet
from ding_cls.config.merge import plain_copy
from ding_cls.errors import DataError
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.evaluation.sample_records import sample_paths

FILE_ENDINGS = (*TABLE_ENDINGS, ".npz")


@dataclass(frozen=True, slots=True)
class Judged:
    """The images of one result, in the order of its data.

    Attributes:
        name: as the user named it.
        paths: of the images; None: it has none, and the order alone tells which image is which.
        numbers: the class numbers of each image, as text.
        classes: the class names of each image, as text; None: it knows only numbers.
        predicted: what was predicted, as text.
        is_right: bool ``(N,)``: all labels of the image.
        losses: the cross-entropy of each image, float64 ``(N,)``; None where it is not known.
        config: of the run; None where it is not known.
    """

    name: str
    paths: Sequence[str] | None
    numbers: Sequence[str]
    classes: Sequence[str] | None
    predicted: Sequence[str]
    is_right: np.ndarray[Any, Any]
    losses: np.ndarray[Any, Any] | None = None
    config: Mapping[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.is_right)

    def label(self, index: int) -> str:
        """The class of an image, by name where that is known."""
        return (self.numbers if self.classes is None else self.classes)[index]

    def image(self, index: int) -> str:
        """The path of an image, or its place."""
        return str(index) if self.paths is None else self.paths[index]


def is_result_file(name: str | os.PathLike[str]) -> bool:
    """Return whether a name is that of a file of results, not of a run or a checkpoint."""
    return Path(name).suffix.lower() in FILE_ENDINGS and not os.path.isdir(name)


def judged(
    name: str, *, data: str | None = None, split: str | None = None, allow_code: bool = False
) -> Judged:
    """Return a result: read from a file, or of a run or checkpoint, which is evaluated.

    Args:
        name: the file or folder.
        data: as in ``evaluate``, for a checkpoint.
        split: likewise.
        allow_code: likewise.

    Raises:
        CheckpointError: as ``evaluate``.
        ConfigError: likewise.
        DataError: likewise; or a file cannot be read, or holds no results.
    """
    if not is_result_file(name):
        return _of_checkpoint(name, data, split, allow_code=allow_code)
    readers = {".csv": _read_csv, ".json": _read_json, ".parquet": _read_parquet, ".npz": _read_npz}
    try:
        found = readers[Path(name).suffix.lower()](name)
    except OSError as error:
        raise DataError(f"'{name}' cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, IndexError, EOFError, csv.Error, zipfile.BadZipFile) as error:
        raise DataError(
            f"'{name}' holds no results as ding-cls eval --out writes them: {_reason(error)}"
        ) from error
    if not len(found):
        raise DataError(f"'{name}' holds no image")
    return found


def _of_checkpoint(name: str, data: str | None, split: str | None, *, allow_code: bool) -> Judged:
    report = evaluate_checkpoint(
        name, data=data, split=split, keep_predictions=True, intervals=False, allow_code=allow_code
    )
    records = report.records
    rows = [
        dict(zip(COLUMNS, row, strict=True))
        for row in records.rows(sample_paths(report.dataset), report.classes)
    ]
    losses = _losses(records.logits, records.targets)
    return _of_rows(name, rows, losses, plain_copy(report.cfg))


def _read_csv(name: str) -> Judged:
    with open(name, newline="", encoding="utf-8", errors="surrogateescape") as file:
        reader = csv.DictReader(file)
        _check_columns(reader.fieldnames or ())
        return _of_rows(name, [{**row, "correct": _is_one(row["correct"])} for row in reader])


def _read_json(name: str) -> Judged:
    return _of_checked(name, json.loads(Path(name).read_bytes())["rows"])


def _read_parquet(name: str) -> Judged:
    return _of_checked(name, read_parquet(name))


def _of_checked(name: str, rows: Sequence[Mapping[str, Any]]) -> Judged:
    for row in rows[:1]:
        _check_columns(row)
    return _of_rows(name, rows)


def _read_npz(name: str) -> Judged:
    with np.load(name, allow_pickle=False) as file:
        ids, targets, logits = (file[each] for each in ("sample_ids", "targets", "logits"))
        threshold = float(file.get("threshold", 0.5))
    if not len(ids) == len(targets) == len(logits):
        raise ValueError("its arrays differ in length")
    order = ids.argsort(kind="stable")
    targets, logits = targets[order], logits[order]
    is_several = targets.dtype.kind == "f" and bool(((targets == 1) | (targets <= 0)).all())
    kind = "several" if is_several else "tasks" if logits.ndim == 3 else "one"
    answers = SampleAnswers.of(kind, np.arange(len(ids)), targets, logits, threshold=threshold)
    classes = [str(number) for number in range(logits.shape[-1])]
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in answers.rows([""] * len(ids), classes)]
    found = _of_rows(name, rows, _losses(logits, targets))
    return replace(found, paths=None, classes=None)


def _of_rows(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    losses: np.ndarray[Any, Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Judged:
    """Return a result from rows by ``COLUMNS``; several values of a cell are a list or text."""
    return Judged(
        name,
        [str(row["path"]) for row in rows],
        [_cell(row["target"]) for row in rows],
        [_names(row) for row in rows],
        [_cell(row["predicted_name"]) for row in rows],
        np.array([bool(row["correct"]) for row in rows], dtype=bool),
        losses,
        config,
    )


def _check_columns(given: Iterable[str]) -> None:
    if missing := [each for each in COLUMNS if each not in given]:
        raise ValueError(f"it has no column {', '.join(missing)}")


def _is_one(cell: str | None) -> bool:
    # Other programs write the column of a table that they have changed as words.
    if (found := str(cell).lower()) not in ("0", "1", "false", "true"):
        raise ValueError(f"correct is {cell!r} in a row, and must be 1 or 0")
    return found in ("1", "true")


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return SEPARATOR.join(_cell(each) for each in value)
    return "" if value is None else str(value)


def _names(row: Mapping[str, Any]) -> str:
    """Return the class names of an image. Those of several labels are sorted: they come in the order of the
    class numbers, which are each run's own; the order of several tasks means something, and stays."""
    numbers, names = _cell(row["target"]).split(SEPARATOR), _cell(row["target_name"])
    is_ascending = all(int(low) < int(high) for low, high in pairwise(numbers))
    return SEPARATOR.join(sorted(names.split(SEPARATOR))) if is_ascending and len(numbers) > 1 else names


def _losses(logits: npt.NDArray[Any], targets: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
    """Return the cross-entropy of each image; None where an image has not one class number."""
    if logits.ndim != 2 or targets.ndim != 1 or targets.dtype.kind == "f" or not len(targets):
        return None
    if targets.min() < 0 or targets.max() >= logits.shape[1]:
        return None
    measure = ClassNumber()
    measure.add(logits, targets)
    losses: npt.NDArray[np.float64] = measure.columns[0]
    return losses


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no '{error.args[0]}'"
    return (str(error) or type(error).__name__).partition("\n")[0]
