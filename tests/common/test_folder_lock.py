"""One writer for a folder: who is refused, and whose lock is taken over."""

import errno
import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ding_cls.common import folder_lock
from ding_cls.common.folder_lock import STALE_S, check_not_lost, join_lock, lock_folder
from ding_cls.errors import ConfigError

# Holds the lock of argv[1]; 'fork': a child goes on after its end, as a loader's worker does for a moment.
HOLDER = """
import os, sys, time
from ding_cls.common.folder_lock import lock_folder
lock = lock_folder(sys.argv[1])
child = os.fork() if 'fork' in sys.argv else None
if child == 0:
    time.sleep(30)
    os._exit(0)
print(os.getpid(), child, flush=True)
time.sleep(30)
"""


def start_holder(folder: Path, *words: str) -> tuple[subprocess.Popen[str], list[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().split()


def owner_file(folder: Path) -> Path:
    return folder / ".run.owner.json"


def rewrite(folder: Path, **values: Any) -> None:
    """Let the owner's file be of another process."""
    owner = json.loads(owner_file(folder).read_text())
    owner_file(folder).write_text(json.dumps({**owner, **values}))


@pytest.fixture
def left_behind(tmp_path: Path) -> Path:
    """The files of an owner that is not there any more: its flock is free."""
    lock = lock_folder(tmp_path)
    text = owner_file(tmp_path).read_text()
    lock.release()
    owner_file(tmp_path).write_text(text)
    rewrite(tmp_path, inode=owner_file(tmp_path).stat().st_ino)
    return tmp_path


@pytest.fixture
def without_flock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    calls: list[int] = []

    def none(descriptor: int, how: int) -> None:
        calls.append(how)
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    yield calls
    assert calls


def test_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    threads = threading.active_count()
    lock = lock_folder(tmp_path)
    assert lock.has_flock
    assert sorted(each.name for each in tmp_path.iterdir()) == [".run.lock", ".run.owner.json"]
    lock.release()
    lock.release()
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == threads
    lock_folder(tmp_path).release()


def test_what_a_killed_one_was_writing_is_swept(tmp_path: Path) -> None:
    leftover = tmp_path / "..run.owner.json.host-1-0a1b2c3d.tmp"
    leftover.write_text("{")
    lock = lock_folder(tmp_path)
    assert not leftover.exists()
    lock.release()


def test_a_second_one_in_this_process_is_refused(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    with pytest.raises(ConfigError, match=rf"is in use by process {os.getpid()} \(this one\) on host"):
        lock_folder(tmp_path / ".." / tmp_path.name)
    other = lock_folder(tmp_path, name="fold_0")
    other.release()
    lock.release()


def test_another_process_is_refused_by_name_and_a_killed_ones_lock_is_free_at_once(tmp_path: Path) -> None:
    process, (pid, child) = start_holder(tmp_path, "fork")
    try:
        with pytest.raises(ConfigError) as refused:
            lock_folder(tmp_path)
        assert re.fullmatch(
            rf"'{tmp_path}' is in use by process {pid} on host \S+, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d: "
            "two at once would mix their files; wait until it ends, or stop it",
            str(refused.value),
        )
        process.kill()
        assert process.wait() == -signal.SIGKILL
        # Its forked child lives on, and has the descriptor's number alone.
        os.kill(int(child), 0)
        lock_folder(tmp_path).release()
    finally:
        process.kill()
        os.kill(int(child), signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_forked_child_neither_holds_nor_releases(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    child = os.fork()
    if child == 0:
        lock.release()
        os._exit(int(bool(folder_lock._HELD)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert owner_file(tmp_path).exists()
    with pytest.raises(ConfigError, match="in use"):
        lock_folder(tmp_path)
    lock.release()


@pytest.mark.parametrize("kernel", ["this one", "another"])
def test_a_copy_of_a_folder_that_is_in_use_is_free(
    kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    lock = lock_folder(tmp_path / "run")
    copied = shutil.copytree(tmp_path / "run", tmp_path / "copy")
    assert owner_file(copied).is_file()
    if kernel == "another":
        rewrite(copied, boot="another", host="another")
    lock_folder(copied).release()
    with pytest.raises(ConfigError, match="in use"):
        lock_folder(tmp_path / "run")
    lock.release()


@pytest.mark.parametrize(
    "change",
    [
        {"pid": 2**22 + 1},  # no such process
        {"start": 1},  # another one has its number now
        {"space": "pid:[1]", "pid": 1},  # a container beside this one: the kernel has freed its flock
    ],
)
def test_the_lock_of_a_dead_process_of_this_kernel_is_taken_over(
    change: dict[str, Any], left_behind: Path
) -> None:
    rewrite(left_behind, **change)
    lock = lock_folder(left_behind)
    owner = json.loads(owner_file(left_behind).read_text())
    assert {name: owner[name] for name in change} != change
    lock.release()


def test_a_living_owner_whose_lock_file_was_removed_is_found_by_its_number(left_behind: Path) -> None:
    with pytest.raises(ConfigError, match="in use by process"):
        lock_folder(left_behind)


@pytest.mark.parametrize(("age", "is_refused"), [(0.0, True), (STALE_S - 5, True), (STALE_S + 5, False)])
def test_an_owner_on_another_host_is_judged_by_its_last_sign_of_life(
    age: float, is_refused: bool, left_behind: Path
) -> None:
    rewrite(left_behind, host="elsewhere", boot="another")
    now = time.time()
    os.utime(owner_file(left_behind), (now - age, now - age))
    if is_refused:
        with pytest.raises(ConfigError, match=r"in use by process \d+ on host elsewhere, since "):
            lock_folder(left_behind)
    else:
        lock_folder(left_behind).release()


def test_without_flock_the_heartbeat_decides(tmp_path: Path, without_flock: list[int]) -> None:
    lock = lock_folder(tmp_path)
    assert not lock.has_flock
    owner = owner_file(tmp_path).read_text()
    with pytest.raises(ConfigError, match="in use"):
        lock_folder(tmp_path)
    lock.release()
    owner_file(tmp_path).write_text(owner)
    rewrite(tmp_path, inode=owner_file(tmp_path).stat().st_ino)
    with pytest.raises(ConfigError, match="in use"):
        lock_folder(tmp_path)
    rewrite(tmp_path, pid=2**22 + 1)
    lock_folder(tmp_path).release()


def test_the_heartbeat_is_renewed_while_the_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "BEAT_S", 0.01)
    lock = lock_folder(tmp_path)
    os.utime(owner_file(tmp_path), (0, 0))
    deadline = time.monotonic() + 10
    while owner_file(tmp_path).stat().st_mtime < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert owner_file(tmp_path).stat().st_mtime > 1
    lock.release()


def test_who_was_taken_over_writes_no_more(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    check_not_lost(tmp_path)
    new = tmp_path / "new"
    new.write_text(json.dumps({"pid": 7, "host": "elsewhere", "since": "then"}))
    new.replace(owner_file(tmp_path))
    with pytest.raises(ConfigError, match="in use by process 7 on host elsewhere, since then"):
        check_not_lost(tmp_path)
    lock.release()
    # The new owner's files are not removed.
    assert owner_file(tmp_path).exists()


def test_a_full_disk_takes_no_heartbeat_and_the_lock_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = []

    def full(*args: Any) -> None:
        happened.append(args)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder_lock, "atomic_write", full)
    lock = lock_folder(tmp_path)
    assert happened
    with pytest.raises(ConfigError, match="is in use by another process"):
        lock_folder(tmp_path)
    lock.release()
    assert list(tmp_path.iterdir()) == []


class Part:
    """Something that writes into a folder, as a learner does."""


def test_the_parts_of_a_program_share_a_lock(tmp_path: Path) -> None:
    first, second = Part(), Part()
    release = join_lock(tmp_path, first)
    assert owner_file(tmp_path).exists()
    join_lock(tmp_path, second)()
    assert owner_file(tmp_path).exists()
    # A run in the same process takes it over, and ends it.
    lock_folder(tmp_path).release()
    assert not owner_file(tmp_path).exists()
    release()
    join_lock(tmp_path, first, is_writer=False)
    assert not owner_file(tmp_path).exists()


def test_a_parts_lock_ends_with_it(tmp_path: Path) -> None:
    part = Part()
    join_lock(tmp_path, part)
    assert owner_file(tmp_path).exists()
    del part
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_part_is_refused_where_another_process_writes(tmp_path: Path) -> None:
    process, (pid, _) = start_holder(tmp_path)
    with process:
        with pytest.raises(ConfigError, match=f"in use by process {pid} "):
            join_lock(tmp_path, Part())
        process.kill()
    assert process.returncode == -signal.SIGKILL
