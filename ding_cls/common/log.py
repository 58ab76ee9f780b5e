"""Where a run's lines and numbers go: the terminal, a text file, ``metrics.jsonl``, TensorBoard."""

import json
import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter
from tensorboardX.proto.summary_pb2 import Summary

from ding_cls.common.files import atomic_write
from ding_cls.common.log_handlers import FileHandler, StdoutHandler


def build_logger(
    path: str, name: str | None = None, need_tb: bool = True, need_text: bool = True
) -> tuple[logging.Logger | None, Any]:
    """Return a text logger and a TensorBoard writer for one part of a run.

    Args:
        path: folder for the text file ``{name}.txt`` and the event files; it is created.
        name: the part's name; 'default' when None.
        need_tb: make the TensorBoard writer; else None is returned in its place.
        need_text: make the text logger; else None is returned in its place.
    """
    label = name or "default"
    logger = text_logger(label, os.path.join(path, f"{label}.txt")) if need_text else None
    return logger, SummaryWriter(path) if need_tb else None


def learner_log(run_folder: str | os.PathLike[str]) -> Path:
    """Return the file that holds all that a run printed, with the times."""
    return Path(".", run_folder, "log", "learner", "learner.txt")


def text_logger(name: str, file: str | os.PathLike[str] | None = None) -> logging.Logger:
    """Return a logger that prints plain lines and appends them, with the time, to ``file``.

    It is not entered in Python's global table of loggers, so two runs in one process never share handlers.
    """
    logger = logging.Logger(name, logging.INFO)
    logger.addHandler(StdoutHandler(logger))
    if file is not None:
        logger.addHandler(_to_file(file))
    return logger


def held_logger(name: str) -> logging.Logger:
    """Return a logger that prints at once, and keeps its lines for the file that `release` will name."""
    logger = text_logger(name)
    # A capacity and a level that nothing reaches: the lines wait for their file alone.
    logger.addHandler(MemoryHandler(sys.maxsize, flushLevel=logging.CRITICAL + 1, flushOnClose=False))
    return logger


def release(logger: logging.Logger, file: str | os.PathLike[str]) -> None:
    """Write what a `held_logger` has kept to ``file``, with the times of then, and all that follows."""
    for handler in list(logger.handlers):
        if isinstance(handler, MemoryHandler):
            handler.setTarget(to_file := _to_file(file))
            handler.flush()
            logger.removeHandler(handler)
            logger.addHandler(to_file)


def print_through(logger: logging.Logger, other: logging.Logger) -> None:
    """Let a logger print what ``other`` prints: what it says stands in both their files."""
    for handler in list(logger.handlers):
        if isinstance(handler, StdoutHandler):
            logger.removeHandler(handler)
            logger.addHandler(_Forwarding(other))


def write_only(logger: logging.Logger, message: str, level: int = logging.INFO) -> None:
    """Write a message to a logger's file, a line at a time, and print nothing."""
    for line in message.splitlines():
        record = logger.makeRecord(logger.name, level, "", 0, line, (), None)
        for handler in logger.handlers:
            if isinstance(handler, FileHandler) and logger.isEnabledFor(level):
                handler.handle(record)


def append_lines(file: str | os.PathLike[str], text: str) -> None:
    """Append lines that were printed by other means to a log file, with the time."""
    logger = logging.Logger("printed")
    logger.addHandler(_to_file(file))
    for line in text.splitlines():
        logger.info(line)
    close_logger(logger)


def _to_file(file: str | os.PathLike[str]) -> logging.Handler:
    with suppress(OSError):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    handler = FileHandler(file)
    handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s %(message)s"))
    return handler


def quiet_logger(name: str) -> logging.Logger:
    """Return a logger for ranks other than 0: it prints warnings and errors alone."""
    logger = text_logger(name)
    logger.setLevel(logging.WARNING)
    return logger


class _Forwarding(logging.Handler):
    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        self._logger.handle(record)


@contextmanager
def parts_heard(logger: logging.Logger) -> Iterator[None]:
    """Let what the library's parts say through Python's ``logging``, from level INFO on, come out here."""
    parts = logging.getLogger("ding_cls")
    handler, level = _Forwarding(logger), parts.level
    parts.addHandler(handler)
    parts.setLevel(logging.INFO)
    try:
        yield
    finally:
        parts.removeHandler(handler)
        parts.setLevel(level)


def close_logger(logger: logging.Logger) -> None:
    """Close a logger's files."""
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)


def write_scalars(writer: Any, values: Mapping[str, float], step: int) -> None:
    """Write several scalars to TensorBoard as one event.

    Ten ``add_scalar`` calls of tensorboardX cost a millisecond; one event costs a tenth of it. Writers of
    another make get one ``add_scalar`` a value.
    """
    if isinstance(writer, SummaryWriter) and writer.file_writer is not None:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
        writer.file_writer.add_summary(summary, step)
        return
    for tag, value in values.items():
        writer.add_scalar(tag, value, step)


class MetricsFile:
    """``metrics.jsonl``: one JSON object a line, each with ``kind`` and ``train_iter``.

    Args:
        path: the file; its folder is created with the first row.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row; numbers that are not finite are written as null, which every JSON reader accepts."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Bytes, because a text file opened for appending cannot be read from its end.
        with open(self.path, "ab+") as file:
            if file.tell() and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
                # A kill cut the last line off; the new row must not be glued to it.
                file.write(b"\n")
            file.write(json.dumps(finite(row)).encode() + b"\n")

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows that are whole; a line cut off by a kill is left out."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    def cut_after(self, train_iter: int, *, kinds_at: frozenset[str] = frozenset()) -> None:
        """Drop the rows that a resumed run will write again.

        Args:
            train_iter: the checkpoint's position; rows beyond it go.
            kinds_at: kinds of rows that go at exactly this position too, because the checkpoint was written
                before they were.
        """
        kept = [
            row
            for row in self.rows()
            if row["train_iter"] < train_iter
            or (row["train_iter"] == train_iter and row["kind"] not in kinds_at)
        ]
        if self.path.exists():
            with atomic_write(self.path) as file:
                file.write("".join(json.dumps(row) + "\n" for row in kept).encode())


def finite(value: Any) -> Any:
    """Return plain values with None for numbers that are not finite, as every JSON reader accepts them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(each) for name, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value
