"""The text of a table: its encoding, what separates its cells, its first line.

It knows text; it must not know images, labels or splits.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ding_cls.common.counting import first_few
from ding_cls.errors import DataError
from ding_cls.images.decoding.formats import EXTENSIONS

_SEPARATORS = (",", ";", "\t", "|")
# So many lines show what separates the cells.
_NUM_TRIED = 50
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # Before UTF-16's, which begins it.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = (
    (b"PK\x03\x04", "a packed file, as spreadsheets are: unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet; save the sheet as CSV"),
    (b"PAR1", "a Parquet file; write it as CSV: pandas.read_parquet(FILE).to_csv('labels.csv', index=False)"),
    (b"\x1f\x8b", "packed by gzip; unpack it"),
)
_MAX_LISTED = 8


class Table(NamedTuple):
    """A table as it was read.

    Attributes:
        names: of the columns; ``'column 1'``, ``'column 2'`` ... where the file does not name them.
        rows: number of the line where each ends, and its cells without white space around them.
        has_names: the first line names the columns.
        remark: what is unusual about the text; mostly empty.
    """

    names: list[str]
    rows: list[tuple[int, list[str]]]
    has_names: bool
    remark: str


def read_table(file: str, wanted: Collection[str] = ()) -> Table:
    """Read a table of cells separated by commas, semicolons, tabs or bars; or of lines ``path label``.

    The text is UTF-8, or UTF-16 or UTF-32 with or without a mark; what is neither is read as Windows-1252.
    Empty lines are left out.

    Args:
        file: its path.
        wanted: names that columns should have; they help to tell what separates the cells.

    Raises:
        DataError: it cannot be read, is no text, or a line has more or fewer cells than the first.
    """
    text, remark = _decoded(file)
    try:
        lines = list(_split(text, wanted))
    except csv.Error as error:
        raise DataError(f"the CSV file {file!r} cannot be read: {error}") from error
    if not lines:
        return Table([], [], True, remark)
    (_, first), rest = lines[0], lines[1:]
    has_names = bool(set(wanted).intersection(first)) or not any(map(looks_like_image, first))
    names = first if has_names else [f"column {number}" for number in range(1, len(first) + 1)]
    rows = rest if has_names else lines
    for number, cells in rows:
        # Some programs end every line but the first with a separator.
        while len(cells) > len(names) and not cells[-1]:
            del cells[-1]
        if len(cells) != len(names):
            raise DataError(f"{file!r}, line {number} has more or fewer cells than the first line")
    return Table(names, rows, has_names, remark)


def looks_like_image(cell: str) -> bool:
    """Return whether a cell ends as the name of an image file."""
    return os.path.splitext(cell)[1].lower() in EXTENSIONS


def listed(names: Sequence[str]) -> str:
    """Return the names of some columns in a few words."""
    return first_few(names, _MAX_LISTED)


def _decoded(file: str) -> tuple[str, str]:
    """Return the text of a file, and how it was read where that was guessed."""
    try:
        content = Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"the CSV file {file!r} cannot be read: {reason}") from error
    for mark, kind in _OTHERS:
        if content.startswith(mark):
            raise DataError(f"the CSV file {file!r} is {kind}")
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), _unmarked(content))
    text, remark = "", ""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(f"the CSV file {file!r} cannot be read: it is no {encoding}: {error}") from error
        # The last one has a character for every byte.
        text = content.decode("cp1252", "replace")
        if "\ufffd" in text:
            text = content.decode("latin-1")
        remark = "is no UTF-8, and was read as Windows-1252: look at names with accents, or save it as UTF-8"
    if "\0" in text:
        raise DataError(f"the CSV file {file!r} is no text")
    return text, remark


def _unmarked(content: bytes) -> str:
    """Return the encoding of a text without a mark: UTF-16 has a zero in every second byte of its names."""
    head = content[:64]
    if len(head) < 4 or len(content) % 2:
        return "utf-8"
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if not any(head[start::2]) and all(head[1 - start :: 2]):
            return name
    return "utf-8"


def _split(text: str, wanted: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each line that has any."""
    first, _, _rest = text.lstrip().partition("\n")
    # Excel's own first line.
    named = first.strip().strip('"').lower()
    begins_with_separator = len(named) == 5 and named.startswith("sep=")
    separator = first.strip().strip('"')[-1] if begins_with_separator else _separator(text, wanted)
    if separator == " ":
        yield from _words(text)
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for cells in reader:
        if begins_with_separator and len(cells) <= 2 and cells and cells[0].lower().startswith("sep="):
            begins_with_separator = False
            continue
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield reader.line_num, cells


def _separator(text: str, wanted: Collection[str]) -> str:
    """Return what stands between the cells: what makes the wanted names, or else lines of equal length."""
    lines = [line for line in text.splitlines()[: _NUM_TRIED + 20] if line.strip()][:_NUM_TRIED]
    if not lines:
        return ","
    best, best_score = ",", (0, 0, 0)
    for separator in _SEPARATORS:
        try:
            cells = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
        except csv.Error:
            continue
        count = len(cells[0]) if cells else 0
        if count < 2:
            continue
        score = (
            len(set(wanted).intersection(cells[0])),
            sum(len(row) == count for row in cells),
            count,
        )
        if score > best_score:
            best, best_score = separator, score
    words = lines[0].split()
    is_list = best_score == (0, 0, 0) and len(words) > 1 and '"' not in lines[0]
    # The old form of lists: a path, which may hold spaces, and a label.
    return " " if is_list and (looks_like_image(lines[0].rsplit(maxsplit=1)[0]) or "label" in words) else best


def _words(text: str) -> Iterator[tuple[int, list[str]]]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    has_names = not looks_like_image(lines[0][1].rsplit(maxsplit=1)[0])
    count = len(lines[0][1].split()) if has_names else 2
    for number, line in lines:
        yield number, line.rsplit(maxsplit=count - 1)
