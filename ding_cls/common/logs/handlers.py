"""Where a logger's lines go: stdout and a text file, neither of which may end a run."""

import logging
import os
from contextlib import suppress
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import TextIO
from weakref import WeakSet, WeakValueDictionary

from ding_cls.common.logs.append import AppendedFile, LogFailures
from ding_cls.common.logs.streams import print_line

# Both are the process's, whatever runs are in it: several loggers print on one stdout, and write one file.
_LOST: WeakSet[TextIO] = WeakSet()
_FILES: WeakValueDictionary[Path, "_TextFile"] = WeakValueDictionary()


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
        warning = self._logger.makeRecord(self._logger.name, logging.WARNING, "", 0, message, (), None)
        for each in files:
            each.handle(warning)


class FileHandler(logging.Handler):
    """Appends each line to a file; one that cannot be written costs one printed warning, and no run.

    Args:
        file: the file; a folder that is missing is made.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        super().__init__()
        path = Path(file).absolute()
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _FILES.setdefault(path, _TextFile(path))

    def emit(self, record: logging.LogRecord) -> None:
        # A file name that is not UTF-8 must not end a run from inside a log line.
        self._file.append(f"{self.format(record)}\n".encode(errors="backslashreplace"))

    def close(self) -> None:
        """Write the lines that are still kept, if they can be written now."""
        self._file.flush()
        super().close()


class _TextFile(AppendedFile):
    def __init__(self, path: Path) -> None:
        self._printed = LogFailures(print_line)
        super().__init__(path, self._printed)

    def append(self, record: bytes) -> None:
        if not self.path.parent.is_dir():
            self._printed.report("folder", f"the folder of '{self.path}' was deleted, and is made anew")
        super().append(record)
