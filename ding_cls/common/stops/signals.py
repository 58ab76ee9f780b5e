"""The signals that stop a run: what they mean before it trains, while it trains, and the second time.

While a run trains they set a flag, and the loop saves and ends at its next boundary. Before, there is nothing
to save: they raise ``RunStopped`` where the program is. It must not know what a run is.
"""

from __future__ import annotations

import functools
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Any, NoReturn, ParamSpec, TypeVar

from ding_cls.common.command import is_command_line, resume_command, typed_command, whole_folder
from ding_cls.common.logs.streams import no_longer_wait
from ding_cls.common.process import in_slurm_step, launched_rank
from ding_cls.common.stops.mark import leave_stop_mark
from ding_cls.errors import RunStopped

Arguments = ParamSpec("Arguments")
Yielded = TypeVar("Yielded")

# Windows has the first two alone.
_SIGNALS = [
    signal.Signals[name] for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1") if hasattr(signal, name)
]
_NOTE = b"\nstopping after this update, and saving; another signal ends it at once, unsaved\n"
# A shell that loses its terminal passes the SIGHUP on to its jobs, which had one from the terminal already;
# torchrun and srun pass on what a scheduler had sent to every process.
_SAME_EVENT_S = 1.0


class StopSignals:
    """A context in which SIGTERM, SIGINT (Ctrl-C), SIGHUP and SIGUSR1 set ``received``; a second one takes
    its usual effect at once.

    A signal that was ignored stays ignored, and of SIGHUP and SIGUSR1 a handler of the program's own stays.
    Contexts nest: the outermost holds the handlers, and the innermost decides what a signal does.

    Args:
        note: what a signal writes to stderr.
        early: raise `RunStopped` where the program is, until a block inside this one trained.
    """

    def __init__(self, note: bytes = _NOTE, *, early: bool = False) -> None:
        self._note, self._is_early = note, early
        self._received: str | None = None
        self._handlers: _Handlers | None = None
        self._is_outermost = False

    @property
    def received(self) -> str | None:
        """The name of the signal, or the reason, that asked for a stop; None where none did."""
        return self._received or (self._handlers.received if self._handlers is not None else None)

    def __enter__(self) -> StopSignals:
        outer = _ACTIVE.get()
        self._is_outermost = outer is None
        self._handlers = handlers = outer or _Handlers()
        handlers.push(self._note, is_early=self._is_early)
        if self._is_outermost:
            _ACTIVE.set(handlers)
        handlers.install()
        try:
            handlers.stop_if_early()
        except RunStopped:
            handlers.pop(has_trained=False)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        handlers = self._handlers
        if handlers is None:
            return
        self._received, self._handlers = self.received, None
        handlers.pop(has_trained=bool(self._note))
        if self._is_outermost:
            handlers.restore()
            _ACTIVE.set(None)
        elif error is None:
            handlers.stop_if_early()

    def request(self, reason: str) -> None:
        """Ask for a stop as a signal would."""
        self._received = self._received or reason


def early_stops() -> StopSignals:
    """Return a context in which a signal raises `RunStopped` at once, for there is nothing to save yet."""
    return StopSignals(b"", early=True)


def deferred_stops() -> StopSignals:
    """Return a context in which a signal waits for the block's end: it does what must not be cut in two."""
    return StopSignals(b"")


def stoppable(
    generator: Callable[Arguments, Iterator[Yielded]],
) -> Callable[Arguments, Iterator[Yielded]]:
    """Have a generator function, that of a context manager, run in `early_stops`."""

    @functools.wraps(generator)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Iterator[Yielded]:
        with early_stops():
            yield from generator(*args, **kwargs)

    return wrapped


def end_early_stops() -> None:
    """Say that training may begin: a loop that `StopSignals` does not guard is left to the usual effects."""
    handlers = _ACTIVE.get()
    if handlers is not None and handlers.received is None and whole_folder() is None:
        handlers.end_early()
        handlers.restore()


@contextmanager
def stoppable_command() -> Iterator[None]:
    """`early_stops` as a decorator: a command that trains is stopped from its first line on."""
    with early_stops():
        yield


class _Handlers:
    """The handlers of this process, and the contexts that were entered, the innermost last."""

    def __init__(self) -> None:
        self.received: str | None = None
        self._received_at = 0.0
        self._previous: dict[signal.Signals, Any] = {}
        self._levels: list[tuple[bytes, bool]] = []
        self._process = os.getpid()

    def install(self) -> None:
        # Python delivers signals to the main thread, and lets only that one install handlers.
        if self._previous or threading.current_thread() is not threading.main_thread():
            return
        for each in _SIGNALS:
            handler = signal.getsignal(each)
            is_free = each in (signal.SIGTERM, signal.SIGINT) or handler is signal.SIG_DFL
            # None: a handler that was not set from Python, which cannot set it again.
            if is_free and handler not in (None, signal.SIG_IGN):
                self._previous[each] = handler
                signal.signal(each, self._receive)

    def restore(self) -> None:
        for each, handler in self._previous.items():
            signal.signal(each, handler)
        self._previous = {}

    def push(self, note: bytes, *, is_early: bool) -> None:
        self._levels.append((note, is_early))

    def pop(self, *, has_trained: bool) -> None:
        self._levels.pop()
        if has_trained:
            # What follows training is over in a moment, and has no checkpoint to write.
            self.end_early()

    def end_early(self) -> None:
        # Folds follow one another.
        if whole_folder() is None:
            self._levels = [(note, False) for note, _ in self._levels]

    def stop_if_early(self) -> None:
        if self.received is not None and self._levels and self._levels[-1][1]:
            _stop_early(self.received)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        each = signal.Signals(number)
        if os.getpid() != self._process:
            # A process that was forked meanwhile: the main one decides, and ends it by a SIGTERM.
            if each is signal.SIGTERM:
                _end_by(each, signal.SIG_DFL)
            return
        if self.received is not None:
            if time.monotonic() - self._received_at > _SAME_EVENT_S:
                _end_by(each, self._previous.get(each, signal.SIG_DFL))
            return
        self.received, self._received_at = each.name, time.monotonic()
        no_longer_wait()
        for other, handler in self._previous.items():
            if not _may_come_twice(other):
                signal.signal(other, _second(other, handler))
        _write(self._levels[-1][0] if self._levels else b"")
        self.stop_if_early()


_ACTIVE: ContextVar[_Handlers | None] = ContextVar("active", default=None)


def _may_come_twice(number: signal.Signals) -> bool:
    is_launched = "TORCHELASTIC_RUN_ID" in os.environ or in_slurm_step()
    return is_launched or number.name == "SIGHUP"


def _second(number: signal.Signals, handler: Any) -> Any:
    """Return the handler of a second signal: the usual one, but on the command line Ctrl-C ends as surely as
    SIGTERM. A KeyboardInterrupt inside torch's C++ comes out as another error."""
    if number is signal.SIGINT and handler is signal.default_int_handler and is_command_line():
        return _exit_interrupted
    return handler


def _exit_interrupted(number: int, frame: FrameType | None) -> NoReturn:
    _write(b"\ninterrupted\n")
    os._exit(128 + number)


def _end_by(number: signal.Signals, handler: Any) -> None:
    signal.signal(number, _second(number, handler))
    os.kill(os.getpid(), number)


def _write(note: bytes) -> None:
    """Write to stderr, if it takes it at once: never raise, never wait, whatever it is by now.

    Not print: the signal may have come in the middle of one.
    """
    try:
        descriptor = sys.stderr.fileno()
        poller = select.poll()
        poller.register(descriptor, select.POLLOUT)
        # Of several ranks, which all had the signal, the first says so.
        if note and launched_rank() == 0 and poller.poll(0):
            os.write(descriptor, note)
    except (OSError, ValueError, AttributeError):
        # Closed, a pipe without a reader, a terminal that is gone, a full disk; Windows has no poll.
        return


def _stop_early(cause: str) -> NoReturn:
    folder = whole_folder()
    if folder is not None:
        message = f"stopped by {cause}; the folds that are finished stay in '{folder}'; go on "
        command = resume_command(folder)
        message += "with resume=True" if command is None else f"with:\n{command}"
    else:
        message = nothing_saved(cause)
    if not is_command_line():
        logging.getLogger("ding_cls").warning(message)
    leave_stop_mark()
    raise RunStopped(message, cause=cause)


def nothing_saved(cause: str) -> str:
    """Return the line of a stop that leaves nothing to go on from.

    Args:
        cause: the signal's name.
    """
    command = typed_command()
    message = f"stopped by {cause} before training began; nothing was saved; start it again"
    return message if command is None else f"{message} with:\n{command}"
