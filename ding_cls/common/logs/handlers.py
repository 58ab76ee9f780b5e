"""Where a logger's lines go: stdout and a text file, neither of which may end a run."""

import errno
import logging
import os
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import TextIO
from weakref import WeakSet, WeakValueDictionary

from ding_cls.common.logs.streams import print_line

# Both are the process's, whatever runs are in it: several loggers print on one stdout, and write one file.
_LOST: WeakSet[TextIO] = WeakSet()
_FILES: WeakValueDictionary[Path, "_LogFile"] = WeakValueDictionary()


class StdoutHandler(logging.Handler):
    """Prints on whatever ``sys.stdout`` is at the time: a progress bar and a test both replace it.

    A stdout that is lost costs one line in the logger's file.

    Args:
        logger: whose lines these are.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        stream, failure = print_line(self.format(record))
        files = [each for each in self._logger.handlers if isinstance(each, FileHandler | MemoryHandler)]
        if stream is None or failure is None or not files or stream in _LOST:
            return
        _LOST.add(stream)
        message = f"stdout cannot be written ({failure}): this file has every line"
        told = self._logger.makeRecord(self._logger.name, logging.WARNING, "", 0, message, (), None)
        for each in files:
            each.handle(told)


class FileHandler(logging.Handler):
    """Appends each line to a file; one that cannot be written costs one printed warning, and no run.

    Args:
        file: the file; a folder that is missing is made.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        super().__init__()
        path = Path(file).absolute()
        self._file = _FILES.setdefault(path, _LogFile(path))

    def emit(self, record: logging.LogRecord) -> None:
        self._file.append(self.format(record))


class _LogFile:
    """A text file, opened for each line: nothing to close, and one that was rotated away is begun anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_cut = False
        self._has_warned = False

    def append(self, line: str) -> None:
        # A file name that is not UTF-8 must not end a run from inside a log line.
        text = f"{line}\n".encode(errors="backslashreplace")
        try:
            try:
                self._write(text)
            except FileNotFoundError:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._write(text)
                self._warn("its folder was deleted, and is made anew")
        except OSError as error:
            self._warn(
                f"{error.strerror or error}; training goes on, and later lines are written if they can be"
            )

    def _write(self, text: bytes) -> None:
        with open(self._path, "ab", buffering=0) as file:
            # The rest of a line that a full disk cut off must not be glued to.
            text = b"\n" + text if self._is_cut else text
            written = file.write(text) or 0
            if 0 < written < len(text):
                self._is_cut = True
            if written < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._is_cut = False

    def _warn(self, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            print_line(f"the log '{self._path}': {why}")
