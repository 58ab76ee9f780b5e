"""TensorBoard's event files, written at once and without a thread.

What was logged before a checkpoint is there after any kill, and a write that fails cannot stop training. The
writers of tensorboardX and PyTorch hand their events to a thread. Once that has ended (a full disk) or waits
(a clock set back), its queue is full and ``add_scalar`` blocks for ever. All above the queue stays in use.
"""

import copy
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c
from tensorboardX.writer import FileWriter

from ding_cls.common.logs.append import AppendedFile, LogFailures, Span, keep_spans

TENSORBOARD = "TensorBoard"
_PREFIX = "events.out.tfevents."
# Ends an event with the number of updates it was written after: field 1000, fixed64. Readers of event files
# skip fields that they do not know.
_STAMP = b"\xc1\x3e"
# How long the thread of a writer that is taken over may take to end, in seconds.
_PATIENCE_S = 5.0

# A value's place on TensorBoard: tag and step.
_Point = tuple[str, int]


class EventWriter(SummaryWriter):  # type: ignore[misc]
    """A ``tensorboardX.SummaryWriter`` without a thread. That its disk fails is a warning, once.

    Args:
        folder: of the event files; it is created.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._shared = _Shared()
        super().__init__(str(folder))

    def _get_file_writer(self) -> Any:
        if getattr(self, "file_writer", None) is None:
            writers = _FileWriters(self._shared, _FileWriter())
            self.all_writers: Any = writers
            self.file_writer: Any = writers[str(self.logdir)]
        return self.file_writer


class _Shared:
    """What the event files of one summary writer share.

    Attributes:
        failures: of all its files: one warning.
        position: returns the number of finished updates; None: nothing counts them.
        resumed_at: the update at which the run was resumed; -1: it was not.
        present: what was written at that update, and may be written again.
        folder: holds all event files of the run.
    """

    def __init__(self) -> None:
        self.failures = LogFailures()
        self.position: Callable[[], int] | None = None
        self.resumed_at = -1
        self.present: set[_Point] = set()
        self.folder = Path()

    def drop_repeated(self, points: set[_Point]) -> None:
        """Drop what was written after the checkpoint, at its update, and is written again now."""
        self.present -= points
        with self.failures.survived(TENSORBOARD):
            for path in _event_files(self.folder):
                _filter(path, lambda each: each.position != self.resumed_at or not points & each.points)


class _FileWriters(dict[str, Any]):
    """A summary writer's file writers by folder; one that is asked for is there.

    Args:
        shared: what they share.
        pattern: a file writer of the kind that the summary writer uses; others are made after it.
    """

    def __init__(self, shared: _Shared, pattern: Any) -> None:
        super().__init__()
        self.shared, self._pattern = shared, pattern

    def __contains__(self, folder: object) -> bool:
        return True

    def __missing__(self, folder: str) -> Any:
        self[folder] = writer = copy.copy(self._pattern)
        writer.event_writer = _EventFile(folder, _new_file(Path(folder)), self.shared)
        return writer


class _FileWriter(FileWriter):  # type: ignore[misc]
    """tensorboardX's, without the thread that its constructor begins."""

    def __init__(self) -> None:
        self._default_metadata: dict[str, Any] = {}


class _EventFile:
    """What tensorboardX and PyTorch call an ``EventFileWriter``."""

    def __init__(self, folder: str, path: Path, shared: _Shared) -> None:
        self._folder, self._shared = folder, shared
        self._is_closed = False
        self._file = AppendedFile(path, shared.failures, log=TENSORBOARD, lead=_head)
        self._file.append(b"")

    def get_logdir(self) -> str:
        return self._folder

    def add_event(self, event: Any) -> None:
        if self._is_closed:
            return
        shared, points = self._shared, _points(event)
        if repeated := shared.present & points:
            shared.drop_repeated(repeated)
        content = event.SerializeToString()
        if shared.position is not None:
            content += _STAMP + struct.pack("<Q", shared.position())
        self._file.append(_framed(content))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.flush()
        self._is_closed = True

    def reopen(self) -> None:
        self._is_closed = False


def write_at_once(writer: Any, position: Callable[[], int] | None = None) -> None:
    """Take the thread out of a summary writer of tensorboardX or PyTorch; any other writer stays as it is.

    Args:
        writer: anything that serves as ``tb_logger``.
        position: returns the number of finished updates, which every event keeps; None: as before.
    """
    if not hasattr(getattr(writer, "file_writer", None), "event_writer"):
        return
    if not isinstance(writer.all_writers, _FileWriters):
        writers = _FileWriters(_Shared(), writer.file_writer)
        for folder, file_writer in writer.all_writers.items():
            path = (
                _last_file(Path(folder)) if _has_ended(file_writer.event_writer) else _new_file(Path(folder))
            )
            file_writer.event_writer = _EventFile(folder, path, writers.shared)
            writers[folder] = file_writer
        writer.all_writers = writers
    if position is not None:
        writer.all_writers.shared.position = position


def resume_events(writer: Any, folder: Path, train_iter: int) -> None:
    """Drop the events that a resumed run will write again.

    What was written after more updates goes at once. What was written at this very update goes when the run
    writes the same tag at the same step again: only that says on which side of the checkpoint it was.

    Args:
        writer: the run's; it was given to `write_at_once` if it can be.
        folder: holds all event files of the run.
        train_iter: the checkpoint's position.
    """
    present: set[_Point] = set()
    highest = 0

    def is_kept(record: _Record) -> bool:
        nonlocal highest
        if record.position > train_iter:
            return False
        if record.position == train_iter:
            present.update(record.points)
        highest = max([highest, *(step for _, step in record.points)])
        return True

    for path in _event_files(folder):
        _filter(path, is_kept)
    writers = getattr(writer, "all_writers", None)
    if isinstance(writers, _FileWriters):
        shared = writers.shared
        shared.folder, shared.resumed_at, shared.present = folder, train_iter, present
        # A viewer that is open forgets what it has seen beyond this step. It takes all tags by their steps:
        # one that counts something else than updates would lose what stays.
        if highest <= train_iter:
            start = SessionLog(status=SessionLog.START)
            event = Event(wall_time=time.time(), step=train_iter + 1, session_log=start)
            writer.file_writer.event_writer.add_event(event)


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


class _Record(NamedTuple):
    """One event: the number of updates it was written after, what is in it, and its bytes in the file."""

    position: int
    points: set[_Point]
    span: Span


def _records(path: Path) -> Iterator[_Record]:
    """Yield the events of a file, up to one that was cut off by a kill."""
    end = 0
    with open(path, "rb") as file:
        while len(head := file.read(12)) == 12 and head == _length(head[:8]):
            (length,) = struct.unpack("<Q", head[:8])
            begin, end = end, end + length + 16
            content = file.read(length + 4)[:-4]
            if len(content) < length:
                return
            try:
                event = Event.FromString(content)
            except DecodeError:
                return
            # What was written before there was a position was written before the first update.
            is_stamped = content[-10:-8] == _STAMP
            position = struct.unpack("<Q", content[-8:])[0] if is_stamped else 0
            yield _Record(position, _points(event), (begin, end))


def _filter(path: Path, is_kept: Callable[[_Record], bool]) -> None:
    keep_spans(path, [record.span for record in _records(path) if is_kept(record)])


def _points(event: Any) -> set[_Point]:
    return {(value.tag, event.step) for value in event.summary.value}


def _event_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob(f"{_PREFIX}*") if path.is_file())


def _last_file(folder: Path) -> Path:
    return max(folder.glob(f"{_PREFIX}*"), default=None) or _new_file(folder)


def _new_file(folder: Path) -> Path:
    """Return a name behind those that are there: TensorBoard reads by name, whatever the clock says."""
    numbers = [path.name.removeprefix(_PREFIX).split(".")[0] for path in folder.glob(f"{_PREFIX}*")]
    last = max((int(number) for number in numbers if number.isdecimal()), default=0)
    return folder / f"{_PREFIX}{max(int(time.time()), last + 1):010d}.{socket.gethostname()}.{os.getpid()}"


def _head(descriptor: int, size: int) -> bytes:
    """Return what every event file begins with."""
    return (
        b""
        if size
        else _framed(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
    )


def _framed(content: bytes) -> bytes:
    """Return a record of an event file: length, its checksum, content, its checksum."""
    return _length(struct.pack("<Q", len(content))) + content + struct.pack("<I", masked_crc32c(content))


def _length(packed: bytes) -> bytes:
    return packed + struct.pack("<I", masked_crc32c(packed))


def _has_ended(threaded: Any) -> bool:
    """Close a writer that has a thread, and return whether its file is whole; else it is left behind."""
    ended = threading.Event()

    def close() -> None:
        with suppress(Exception):
            threaded.close()
            ended.set()

    threading.Thread(target=close, daemon=True).start()
    return ended.wait(_PATIENCE_S)
