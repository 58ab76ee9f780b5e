"""Log files that a run appends to. That one cannot be written is a warning, once, and never the run's end."""

import logging
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

from ding_cls.common.files import atomic_write

_logger = logging.getLogger(__name__)

# What a log that cannot be written keeps in memory until it can be; the oldest go first.
_MAX_WAITING_BYTES = 8 * 2**20

Span = tuple[int, int]
# All of this process, for what a fork does to their locks.
_OPEN: WeakSet["AppendedFile"] = WeakSet()


class LogFailures:
    """Warns of each log that fails, the first time.

    Args:
        warn: gets the line; a logger's own file must not be warned of through that logger.
    """

    def __init__(self, warn: Callable[[str], object] = _logger.warning) -> None:
        self._known: set[str] = set()
        self._warn = warn

    def report(self, log: str, message: str) -> None:
        """Warn, unless this log has failed before.

        Args:
            log: the name that failures are told apart by.
            message: one line: what failed, where, why.
        """
        if log not in self._known:
            self._known.add(log)
            self._warn(f"{' '.join(message.split())}; training goes on")

    @contextmanager
    def survived(self, log: str) -> Iterator[None]:
        """Turn whatever goes wrong with a log in the block into a warning."""
        try:
            yield
        except Exception as error:
            self.report(log, f"{log} failed: {type(error).__name__}: {error}")


class AppendedFile:
    """A file that grows by whole records.

    It is opened for each: after it was deleted it is begun anew, folder included. A record that could be
    written in part only is taken back; it waits, with those that follow, until the file can be written.

    Args:
        path: the file.
        failures: gets the first failure.
        log: the log's name there; None: the file's path.
        lead: returns what goes before the next record, from the open file's descriptor and its size in bytes.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        failures: LogFailures,
        *,
        log: str | None = None,
        lead: Callable[[int, int], bytes] = lambda descriptor, size: b"",
    ) -> None:
        self.path = Path(path).absolute()
        self._failures, self._log, self._lead = failures, log or str(self.path), lead
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        # Reentrant: a signal that comes here may end the run with a line of its own.
        self._lock = threading.RLock()
        _OPEN.add(self)

    def append(self, record: bytes) -> None:
        """Write a record, after those that wait."""
        with self._lock:
            self._waiting.append(record)
            self._waiting_bytes += len(record)
            self._try_to_write()
            while self._waiting_bytes > _MAX_WAITING_BYTES:
                self._waiting_bytes -= len(self._waiting.popleft())

    def flush(self) -> None:
        """Write what waits, if it can be written now."""
        with self._lock:
            # A folder that was removed on purpose is not made anew by the end of a run.
            if self._waiting and self.path.parent.is_dir():
                self._try_to_write()

    def _try_to_write(self) -> None:
        try:
            self._write()
        except OSError as error:
            reason = error.strerror or error
            kept = "what comes until it can be is kept and written then"
            self._failures.report(self._log, f"'{self.path}' cannot be written: {reason}; {kept}")

    def _write(self) -> None:
        descriptor = self._open()
        try:
            status = os.fstat(descriptor)
            size = status.st_size
            lead = self._lead(descriptor, size) if stat.S_ISREG(status.st_mode) else b""
            while self._waiting:
                size += _write_whole(descriptor, lead + self._waiting[0], size)
                lead = b""
                self._waiting_bytes -= len(self._waiting.popleft())
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        # O_NONBLOCK: a pipe in the file's place must not stop the run.
        flags = (
            os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        try:
            return os.open(self.path, flags, 0o666)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o666)


def _renew_locks() -> None:
    """Free the locks of a forked process: whichever thread held one is not in it."""
    for each in _OPEN:
        each._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def keep_spans(path: Path, spans: Sequence[Span]) -> None:
    """Keep parts of a file and drop the rest.

    Args:
        path: the file.
        spans: (begin, end) in bytes of what stays, in order; neighbours may touch.

    Raises:
        OSError: it cannot be written.
    """
    joined: list[Span] = []
    for begin, end in spans:
        joined[-1:] = (
            [(joined[-1][0], end)] if joined and joined[-1][1] == begin else [*joined[-1:], (begin, end)]
        )
    kept = joined[0][1] if joined and joined[0][0] == 0 else 0
    if len(joined) > 1 or (joined and kept == 0):
        with open(path, "rb") as source, atomic_write(path) as target:
            for begin, end in joined:
                source.seek(begin)
                target.write(source.read(end - begin))
    elif kept < path.stat().st_size:
        # What is dropped at the end needs no room on a full disk.
        os.truncate(path, kept)


def _write_whole(descriptor: int, record: bytes, size: int) -> int:
    """Append a record to a file of ``size`` bytes, or nothing of it; return its length."""
    view = memoryview(record)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise
    return len(record)
