"""Log files that grow by records, on disks that are full, gone or replaced."""

import logging
import os
import resource
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ding_cls.common.logs import append
from ding_cls.common.logs.append import AppendedFile, LogFailures, keep_spans


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size`` bytes: a write that does so is cut short, and the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_log_that_fails_is_named_once_and_others_still_are(caplog: pytest.LogCaptureFixture) -> None:
    failures = LogFailures()
    for log in ("one", "one", "other"):
        with failures.survived(log):
            raise ValueError("many\nlines")
    assert [record.getMessage() for record in caplog.records] == [
        f"{log} failed: ValueError: many lines; training goes on" for log in ("one", "other")
    ]
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_a_record_is_written_whole_or_waits_for_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = AppendedFile(tmp_path / "log", LogFailures())
    file.append(b"first")
    with disk_of(8):
        file.append(b"second")
        assert (tmp_path / "log").read_bytes() == b"first"
        file.append(b"third")
    file.append(b"fourth")
    assert (tmp_path / "log").read_bytes() == b"firstsecondthirdfourth"
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith(f"'{tmp_path / 'log'}' cannot be written: File too large; ")
    assert message.endswith("; training goes on")


def test_what_waits_is_bounded_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append, "_MAX_WAITING_BYTES", 10)
    (tmp_path / "log").symlink_to("/dev/full")
    file = AppendedFile(tmp_path / "log", LogFailures())
    for record in (b"aaaa", b"bbbb", b"cccc"):
        file.append(record)
    (tmp_path / "log").unlink()
    file.flush()
    assert (tmp_path / "log").read_bytes() == b"bbbbcccc"


def test_a_folder_that_was_deleted_is_made_anew_but_not_by_the_end_of_a_run(tmp_path: Path) -> None:
    file = AppendedFile(tmp_path / "a" / "log", LogFailures(), lead=lambda _, size: b"" if size else b"head ")
    file.append(b"one")
    shutil.rmtree(tmp_path / "a")
    file.flush()
    assert list(tmp_path.iterdir()) == []
    file.append(b"two")
    assert (tmp_path / "a" / "log").read_bytes() == b"head two"


def test_a_pipe_in_its_place_does_not_stop_the_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    told: list[str] = []
    file = AppendedFile(tmp_path / "log", LogFailures(told.append))
    # More than a pipe holds: who waits for room in it waits for ever.
    for _ in range(3):
        file.append(bytes(100_000))
    file.flush()
    assert (len(told), (tmp_path / "log").is_fifo()) == (1, True), told


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], b""),
        ([(0, 3)], b"abc"),
        ([(0, 2), (2, 4)], b"abcd"),
        ([(0, 6)], b"abcdef"),
        ([(0, 1), (3, 5)], b"ade"),
        ([(2, 3)], b"c"),
    ],
)
def test_parts_of_a_file_are_kept(spans: list[tuple[int, int]], expected: bytes, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"abcdef")
    keep_spans(file, spans)
    assert file.read_bytes() == expected
    assert [each.name for each in tmp_path.iterdir()] == ["log"]


def test_the_end_of_a_file_is_dropped_on_a_full_disk_too(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"abcdef")
    with disk_of(0):
        with pytest.raises(OSError, match="too large"):
            (tmp_path / "other").write_bytes(b"a")
        keep_spans(file, [(0, 4)])
    assert file.read_bytes() == b"abcd"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_writes_though_a_thread_was_writing_at_the_fork(tmp_path: Path) -> None:
    file = AppendedFile(tmp_path / "log", LogFailures())
    is_held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with file._lock:
            is_held.set()
            is_over.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        file.append(b"from a worker")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    is_over.set()
    thread.join()
    assert (tmp_path / "log").read_bytes() == b"from a worker"
