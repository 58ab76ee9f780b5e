"""``metrics.jsonl``: what a run measured, a row a line."""

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ding_cls.common.logs.append import AppendedFile, LogFailures, Span, keep_spans

_LOG = "metrics.jsonl"


class MetricsFile:
    """``metrics.jsonl``: one JSON object a line, each with ``kind`` and ``train_iter``.

    That it cannot be written is a warning, once; the rows are kept until they can be.

    Args:
        path: the file; its folder is created with the first row.
        failures: gets the first failure.
    """

    def __init__(self, path: str | os.PathLike[str], failures: LogFailures | None = None) -> None:
        self.path = Path(path)
        self._failures = failures or LogFailures()
        self._file = AppendedFile(self.path, self._failures, log=_LOG, lead=_line_end)
        # Where the run resumes, and the kinds of rows that are there already.
        self._position, self._present = -1, set[str]()

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row; numbers that are not finite are written as null, which every JSON reader accepts."""
        kind = row.get("kind")
        if kind in self._present and row.get("train_iter") == self._position:
            # It was written after the checkpoint that the run resumed from.
            self._present.remove(kind)
            self._keep(lambda each: each["train_iter"] != self._position or each["kind"] != kind)
        self._file.append(json.dumps(finite(row)).encode() + b"\n")

    def close(self) -> None:
        """Write the rows that are still kept, if they can be written now."""
        self._file.flush()

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows that are whole; a line cut off by a kill is left out."""
        return [row for row, _ in self._rows_and_spans()]

    def cut_after(self, train_iter: int, *, kinds_at: frozenset[str] = frozenset()) -> None:
        """Drop the rows that a resumed run will write again.

        A row of another kind at exactly this position stays until one of its kind is written there again.

        Args:
            train_iter: the checkpoint's position; rows beyond it go.
            kinds_at: kinds of rows that go at exactly this position too, because the checkpoint was written
                before they were.
        """
        kept = self._keep(
            lambda row: (
                row["train_iter"] < train_iter
                or (row["train_iter"] == train_iter and row["kind"] not in kinds_at)
            )
        )
        self._position = train_iter
        self._present = {row["kind"] for row in kept if row["train_iter"] == train_iter}

    def _keep(self, is_kept: Callable[[Mapping[str, Any]], bool]) -> list[dict[str, Any]]:
        """Drop the other rows, and return those that stay."""
        kept: list[tuple[dict[str, Any], Span]] = []
        with self._failures.survived(_LOG):
            if self.path.is_file():
                kept = [(row, span) for row, span in self._rows_and_spans() if is_kept(row)]
                keep_spans(self.path, [span for _, span in kept])
        return [row for row, _ in kept]

    def _rows_and_spans(self) -> list[tuple[dict[str, Any], Span]]:
        """Return all whole rows with their place in the file, line ends included."""
        found: list[tuple[dict[str, Any], Span]] = []
        # Not ``exists``: a device in the file's place may have no end.
        if not self.path.is_file():
            return found
        end = 0
        for line in self.path.read_bytes().splitlines(keepends=True):
            begin, end = end, end + len(line)
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                found.append((row, (begin, end)))
        return found


def finite(value: Any) -> Any:
    """Return plain values with None for numbers that are not finite, as every JSON reader accepts them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(each) for name, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value


def _line_end(descriptor: int, size: int) -> bytes:
    """Return a line end where a kill cut the last line off: the new row must not be glued to it."""
    if size == 0:
        return b""
    os.lseek(descriptor, -1, os.SEEK_END)
    return b"" if os.read(descriptor, 1) == b"\n" else b"\n"
