"""Tables as files; the ending of the name decides the format. It must not know what the rows mean."""

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO, get_args, get_origin

import numpy as np

from ding_cls.common.disk import disk_error
from ding_cls.common.files import atomic_write
from ding_cls.errors import ConfigError, DataError, DingError

TABLE_ENDINGS = (".csv", ".json", ".parquet")
SEPARATOR = "|"
"""Stands between the values of one cell of a CSV file, such as several labels."""

_CELLS_OF_A_GROUP = 500_000


def checked_ending(path: str | os.PathLike[str], endings: Sequence[str] = TABLE_ENDINGS) -> str:
    """Return the ending of a file to write, in lower case; ask before the work whose outcome it holds.

    Raises:
        ConfigError: it is none of ``endings``, or pyarrow is missing for ``.parquet``.
        DataError: a folder has that name, or nothing can be written there.
    """
    ending = Path(path).suffix.lower()
    if ending not in endings:
        wanted = " or ".join(filter(None, [", ".join(endings[:-1]), endings[-1]]))
        raise ConfigError(f"'{os.fspath(path)}' must end in {wanted}: the ending decides the format")
    if ending == ".parquet":
        _arrow()
    if Path(path).is_dir():
        raise DataError(f"'{os.fspath(path)}' is a folder; name a file")
    above = next(each for each in Path(path).absolute().parents if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        problem = "is read-only" if above.is_dir() else "is a file"
        raise DataError(f"'{os.fspath(path)}' cannot be written: '{above}' {problem}")
    return ending


def write_table(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    types: Sequence[Any] | None = None,
) -> None:
    """Publish rows as ``.csv``, with a line of column names first, as ``.json``, a list of objects, or as
    ``.parquet``.

    The rows are written as they come, and nothing is published where one fails.

    In CSV None is an empty cell, a boolean 1 or 0, and a list its values with `SEPARATOR` between; a name
    with a comma or a line break is quoted, and one that is not UTF-8 keeps its bytes. In JSON such a name is
    escaped as Python does it (``os.fsencode`` of the loaded string gives the bytes), and a number that is not
    finite is null. In Parquet, whose text is UTF-8, it holds the same escapes as letters: ``\\udcff``.

    Args:
        path: the file.
        columns: their names.
        rows: one value for each column: text, numbers, booleans, None, or lists of them.
        types: of the columns' values, for Parquet: ``str``, ``int``, ``float``, ``bool``, ``np.float32``, or
            ``list[...]`` of one; None: all are text.

    Raises:
        ConfigError: another ending, or pyarrow is missing.
        DataError: it cannot be written.
        DiskError: the disk is full or fails.
    """
    ending = checked_ending(path)
    with published(path) as file:
        if ending == ".parquet":
            _parquet_rows(file, columns, rows, types or [str] * len(columns))
        else:
            (_csv_rows if ending == ".csv" else _json_rows)(file, columns, rows)


def write_json(path: str | os.PathLike[str], value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Publish plain values; numbers that are not finite become null.

    Raises:
        DataError: the file cannot be written.
        DiskError: the disk is full or fails.
    """
    with published(path) as file:
        file.write(json.dumps(_plain(value), indent=2).encode() + b"\n")


def read_parquet(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the rows of a ``.parquet`` file.

    Raises:
        ConfigError: pyarrow is missing.
        OSError: the file cannot be read.
        ValueError: it is no such file.
    """
    _, parquet = _arrow()
    with open(path, "rb") as file:
        rows: list[dict[str, Any]] = parquet.ParquetFile(file).read().to_pylist()
    return rows


def _csv_rows(file: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
    writer = csv.writer(_Lines(text))
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    text.flush()
    text.detach()


def _json_rows(file: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    file.write(b"[")
    for number, row in enumerate(rows):
        values = {name: _plain(value) for name, value in zip(columns, row, strict=True)}
        file.write((b",\n " if number else b"\n ") + json.dumps(values).encode())
    file.write(b"\n]\n")


def _parquet_rows(
    file: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[object]], types: Sequence[Any]
) -> None:
    arrow, parquet = _arrow()
    known = {
        str: arrow.string(),
        int: arrow.int64(),
        float: arrow.float64(),
        bool: arrow.bool_(),
        np.float32: arrow.float32(),
    }

    def type_of(each: Any) -> Any:
        return arrow.list_(known[get_args(each)[0]]) if get_origin(each) is list else known[each]

    schema = arrow.schema(list(zip(map(_utf8, columns), map(type_of, types), strict=True)))
    # A group's values are Python objects for a moment.
    num_rows = max(1, _CELLS_OF_A_GROUP // len(columns))
    with parquet.ParquetWriter(file, schema) as writer:
        remaining = iter(rows)
        while group := list(islice(remaining, num_rows)):
            arrays = [
                arrow.array(list(map(_utf8, values)), field.type)
                for values, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _utf8(value: Any) -> Any:
    """Return text that is UTF-8, bytes that are none as escapes; also in a list."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return [_utf8(each) for each in value] if isinstance(value, list | tuple) else value


def _arrow() -> tuple[Any, Any]:
    """Return pyarrow, and its module for Parquet.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError(
            ".parquet files need pyarrow, which is not installed: pip install 'ding_cls[parquet]'"
        ) from error
    return pyarrow, parquet


class _Lines:
    """Ends each row with a line feed. A csv.writer that is set to do so leaves '\\r' inside a name unquoted,
    and readers take it for the end of the row.

    Args:
        file: where the rows go.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        """Write one row, as a csv.writer hands it over: with '\\r\\n' at its end."""
        return self._file.write(row.removesuffix("\r\n") + "\n")


@contextmanager
def published(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that a user has named: it is there whole, or not at all.

    Raises:
        DataError: it cannot be written.
        DiskError: the disk is full or fails.
    """
    try:
        with atomic_write(path) as file:
            yield file
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: str | os.PathLike[str], error: OSError) -> DingError:
    """Return the line for a file that cannot be written."""
    return disk_error(error) or DataError(f"'{os.fspath(path)}' cannot be written: {error.strerror}")


def _cell(value: object) -> object:
    if isinstance(value, list | tuple):
        return SEPARATOR.join("" if each is None else str(_cell(each)) for each in value)
    return int(value) if isinstance(value, bool) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.float32):
        # By way of its text: 0.87059885, not 0.8705988526344299.
        value = float(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
