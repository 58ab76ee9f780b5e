"""Tables as files; the ending of the name decides the format. It must not know what the rows mean."""

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np

from ding_cls.common.disk import disk_error
from ding_cls.common.files import atomic_write
from ding_cls.errors import ConfigError, DataError, DingError

TABLE_ENDINGS = (".csv", ".json")
SEPARATOR = "|"
"""Stands between the values of one cell of a CSV file, such as several labels."""


def checked_ending(path: str | os.PathLike[str], endings: Sequence[str] = TABLE_ENDINGS) -> str:
    """Return the ending of a file to write, in lower case; ask before the work whose outcome it holds.

    Raises:
        ConfigError: it is none of ``endings``.
        DataError: a folder has that name, or nothing can be written there.
    """
    ending = Path(path).suffix.lower()
    if ending not in endings:
        wanted = " or ".join(filter(None, [", ".join(endings[:-1]), endings[-1]]))
        raise ConfigError(f"'{os.fspath(path)}' must end in {wanted}: the ending decides the format")
    if Path(path).is_dir():
        raise DataError(f"'{os.fspath(path)}' is a folder; name a file")
    above = next(each for each in Path(path).absolute().parents if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        problem = "is read-only" if above.is_dir() else "is a file"
        raise DataError(f"'{os.fspath(path)}' cannot be written: '{above}' {problem}")
    return ending


def write_table(
    path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Publish rows as ``.csv``, with a line of column names first, or as ``.json``, a list of objects.

    The rows are written as they come, and nothing is published where one fails.

    In CSV None is an empty cell, a boolean 1 or 0, and a list its values with `SEPARATOR` between; a name
    with a comma or a line break is quoted, and one that is not UTF-8 keeps its bytes. In JSON such a name is
    escaped as Python does it (``os.fsencode`` of the loaded string gives the bytes), and a number that is not
    finite is null.

    Args:
        path: the file.
        columns: their names.
        rows: one value for each column: text, numbers, booleans, None, or lists of them.

    Raises:
        ConfigError: another ending.
        DataError: it cannot be written.
        DiskError: the disk is full or fails.
    """
    write = _csv_rows if checked_ending(path) == ".csv" else _json_rows
    try:
        with atomic_write(path) as file:
            write(file, columns, rows)
    except OSError as error:
        raise not_written(path, error) from error


def write_json(path: str | os.PathLike[str], value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Publish plain values; numbers that are not finite become null.

    Raises:
        DataError: the file cannot be written.
        DiskError: the disk is full or fails.
    """
    try:
        with atomic_write(path) as file:
            file.write(json.dumps(_plain(value), indent=2).encode() + b"\n")
    except OSError as error:
        raise not_written(path, error) from error


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
