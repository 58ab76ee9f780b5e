"""What is printed, where stdout or stderr may be closed, a pipe without a reader, a full disk, a lost
terminal.

A run must neither end nor lose a checkpoint because its printed lines cannot be written.
"""

import io
import os
import select
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO

_IS_STOPPING: ContextVar[bool] = ContextVar("is_stopping", default=False)
# How often a stream that takes no text is looked at, in milliseconds, and how often in all once a run stops.
_LOOK_MS, _MAX_LOOKS = 200, 5


class TolerantStream(io.TextIOBase):
    """A text stream whose writes never raise; text that its encoding lacks is escaped.

    Args:
        stream: where the text goes.

    Attributes:
        stream: where the text goes.
        failure: the first error that a write met; None while all was written.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.failure: Exception | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.stream.errors

    @property
    def buffer(self) -> Any:
        """The stream's bytes; writing there does raise."""
        return self.stream.buffer

    def write(self, text: str, /) -> int:
        """Write what can be written; return the length of all."""
        try:
            self._wait_for_reader()
            self.stream.write(text)
        except UnicodeEncodeError:
            with self._noting_failures():
                self._write_escaped(text)
        except (OSError, ValueError) as error:
            self.failure = self.failure or error
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:  # type: ignore[override]
        """Write several texts."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Hand everything to the system."""
        with self._noting_failures():
            self._wait_for_reader()
            self.stream.flush()

    def close(self) -> None:
        """Flush; the stream itself belongs to the process."""
        self.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def isatty(self) -> bool:
        try:
            return self.stream.isatty()
        except (OSError, ValueError):
            return False

    def writable(self) -> bool:
        return True

    def reconfigure(self, **settings: Any) -> None:
        """As that of the stream."""
        if isinstance(self.stream, io.TextIOWrapper):
            self.stream.reconfigure(**settings)

    def _write_escaped(self, text: str) -> None:
        try:
            # A file name that is not UTF-8 keeps its bytes: so it can be pasted.
            raw = text.encode(self.encoding, "surrogateescape")
            self.stream.flush()
            self.stream.buffer.write(raw)
        except (UnicodeEncodeError, AttributeError):
            self.stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))

    def _wait_for_reader(self) -> None:
        """Wait as any write does where a reader is slow; once the run stops, drop the stream instead."""
        with suppress(OSError, ValueError, AttributeError):
            descriptor = self.stream.fileno()
            poller = select.poll()
            poller.register(descriptor, select.POLLOUT)
            looks = 0
            # Most often it is ready at once; a signal that comes meanwhile is handled in here.
            while looks < _MAX_LOOKS and not poller.poll(_LOOK_MS):
                looks += _IS_STOPPING.get()
            if looks == _MAX_LOOKS:
                drop(descriptor)
                self.failure = self.failure or TimeoutError("its reader does not read")

    @contextmanager
    def _noting_failures(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self.failure = self.failure or error


@contextmanager
def tolerant_streams() -> Iterator[None]:
    """Have all that is printed in the block go through a `TolerantStream`, a user's ``print`` included.

    What stands in the place of the process's own stdout or stderr, as in a notebook, is left alone.
    """
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdout, sys.stderr = (_tolerant(each, nowhere) for each in before)
        try:
            yield
        finally:
            for each in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    each.flush()
            sys.stdout, sys.stderr = before


def print_line(line: str) -> tuple[TextIO | None, Exception | None]:
    """Print a line on stdout, and never raise; return the stream, and the first error that it has met."""
    shown: Any = sys.stdout
    if shown is None:
        return None, None
    # A progress bar of rich puts a stream of its own before the one that is there.
    stream = getattr(shown, "rich_proxied_file", shown)
    target = TolerantStream(shown)
    target.write(line + "\n")
    target.flush()
    own = stream.stream if isinstance(stream, TolerantStream) else stream
    return own, (stream.failure if isinstance(stream, TolerantStream) else None) or target.failure


def fill_standard_descriptors() -> None:
    """Open what was closed of descriptors 0 to 2, so that no file of the run takes a closed one's number.

    Libraries write their warnings to descriptor 2, whatever it is.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest that is free: this one.
            os.open(os.devnull, os.O_RDWR)


def forget_unwritten() -> None:
    """Drop what stdout and stderr cannot write; Python would try again at its exit, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                drop(stream.fileno())


def no_longer_wait() -> None:
    """From now on drop a stream whose reader does not read: the run is to be saved, and to end."""
    _IS_STOPPING.set(True)


def drop(descriptor: int) -> None:
    """Send what is written to a descriptor from now on nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _tolerant(stream: Any, nowhere: TextIO) -> Any:
    if stream is None:
        return nowhere
    return TolerantStream(stream) if type(stream) is io.TextIOWrapper else stream
