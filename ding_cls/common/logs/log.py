"""Where a run's lines go: the terminal and a text file. Its numbers: ``metrics_file``, ``events``."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

from ding_cls.common.logs.events import EventWriter
from ding_cls.common.logs.events import write_scalars as write_scalars
from ding_cls.common.logs.handlers import FileHandler, StdoutHandler
from ding_cls.common.logs.metrics_file import MetricsFile as MetricsFile


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
    return logger, EventWriter(path) if need_tb else None


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


def buffered_logger(name: str) -> logging.Logger:
    """Return a logger that prints at once, and keeps its lines for the file that `release` will name."""
    logger = text_logger(name)
    # A capacity and a level that nothing reaches: the lines wait for their file alone.
    logger.addHandler(MemoryHandler(sys.maxsize, flushLevel=logging.CRITICAL + 1, flushOnClose=False))
    return logger


def release(logger: logging.Logger, file: str | os.PathLike[str]) -> None:
    """Write what a `buffered_logger` has kept to ``file``, with the times of then, and all that follows."""
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
def forward_library_logs(logger: logging.Logger) -> Iterator[None]:
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
