"""One writer for a folder: the second process is refused, and the lock of a dead one is taken over.

Two files say who writes. ``.NAME.lock`` is locked with ``flock``, which the kernel frees when its process
dies, however that happens. ``.NAME.owner.json`` says which process that is, and a small thread renews its
time of change as long as the process lives: on file systems where ``flock`` does not reach from host to host,
or is missing, that decides. Both are removed when the lock is released.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from ding_cls.common.files import atomic_write
from ding_cls.errors import ConfigError

if sys.platform != "win32":
    import fcntl

BEAT_S = 10.0
STALE_S = 60.0
"""Seconds without a sign of life after which an owner on another host is taken for dead."""
# Seconds within which a child that a dead owner had just forked comes to drop its lock.
_FORK_S = 3.0

_NOT_HERE = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
# The locks of this process by file: the parts of a program share them, and a forked child drops them.
_HELD: dict[Path, FolderLock] = {}


class FolderLock:
    """The right to write into a folder; see `lock_folder`.

    Attributes:
        has_flock: whether the file system locks files; else the heartbeat alone keeps others out.
        is_lost: another process has taken the folder over, because this one gave no sign of life for long.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key = folder, folder / f".{name}.lock"
        self._owner_file = folder / f".{name}.owner.json"
        self._descriptor: int | None = None
        self._inode: int | None = None
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None
        self.has_flock = True
        self.is_lost = False
        self._is_held = False
        self._is_soft = False

    def release(self) -> None:
        """Let others write; does nothing where the lock is not held any more, or was a parent process's."""
        if not self._is_held:
            return
        self._is_held = False
        self._ended.set()
        _HELD.pop(self._key, None)
        if self._beating is not None:
            self._beating.join(1.0)
        if not self.is_lost:
            for file in (self._owner_file, self._key):
                with suppress(OSError):
                    file.unlink()
        self._close()

    def _take(self) -> None:
        """Take the lock.

        Raises:
            ConfigError: another one has it.
            OSError: the folder cannot be written.
        """
        try:
            self._descriptor = self._locked_file()
            self._refuse_living_owner()
            self._write_owner()
        except BaseException:
            self._close()
            raise
        _HELD[self._key], self._is_held = self, True

    def _keep_alive(self) -> FolderLock:
        """Renew the heartbeat from now on."""
        self._is_soft = False
        if self._inode is not None:
            self._beating = threading.Thread(target=self._beat_on, name="folder lock", daemon=True)
            self._beating.start()
        return self

    def _locked_file(self) -> int:
        give_up = time.monotonic() + _FORK_S
        while True:
            descriptor = os.open(self._key, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                self.has_flock = _flock(descriptor)
                # An owner that has just released it has removed the file that was opened here.
                is_current = os.fstat(descriptor).st_ino == _inode_of(self._key) or os.name == "nt"
            except BlockingIOError:
                os.close(descriptor)
                owner = self._owner()
                if not owner or self._is_alive(owner) or time.monotonic() > give_up:
                    raise self._refusal(owner) from None
                time.sleep(0.02)
                continue
            except BaseException:
                os.close(descriptor)
                raise
            if is_current:
                return descriptor
            os.close(descriptor)

    def _refuse_living_owner(self) -> None:
        owner = self._owner()
        # The file of a run that was copied names the other run's process.
        is_own = owner.get("inode") == _inode_of(self._owner_file)
        if owner and is_own and self._is_alive(owner):
            raise self._refusal(owner)

    def _is_alive(self, owner: Mapping[str, Any]) -> bool:
        here = _this_process()
        is_same_kernel = owner.get("boot") == here["boot"] and bool(
            here["boot"] or owner.get("host") == here["host"]
        )
        can_look = is_same_kernel and here["start"] is not None and owner.get("space") == here["space"]
        if can_look:
            return _start_of(owner["pid"]) == owner.get("start")
        if is_same_kernel and self.has_flock:
            # A container beside this one, or no /proc: a living owner's flock would still be there.
            return False
        try:
            os.utime(self._key)
            # Both times are the file system's own: the hosts' clocks may differ.
            return self._key.stat().st_mtime - self._owner_file.stat().st_mtime < STALE_S
        except OSError:
            return False

    def _owner(self) -> dict[str, Any]:
        """Return what the owner wrote of itself; empty where there is none, or nothing that can be read."""
        try:
            owner = json.loads(self._owner_file.read_text(encoding="utf-8"))
            return owner if isinstance(owner, dict) and isinstance(owner["pid"], int) else {}
        except (OSError, ValueError, KeyError):
            return {}

    def _write_owner(self) -> None:
        owner = {**_this_process(), "since": datetime.now().strftime("%Y-%m-%d %H:%M:%S")}
        # What a process left that was killed as it wrote this: the lock was its, and is ours now.
        for leftover in self._folder.glob(f".{self._owner_file.name}.*.tmp"):
            with suppress(OSError):
                leftover.unlink()
        try:
            with atomic_write(self._owner_file) as file:
                file.write(json.dumps({**owner, "inode": os.fstat(file.fileno()).st_ino}).encode())
            self._inode = _inode_of(self._owner_file)
        except OSError:
            # On a full disk flock is enough; without it nothing would keep others out.
            if not self.has_flock:
                raise

    def _refusal(self, owner: Mapping[str, Any]) -> ConfigError:
        who = "another process"
        if owner:
            own = (
                " (this one)"
                if owner["pid"] == os.getpid() and owner.get("host") == socket.gethostname()
                else ""
            )
            who = f"process {owner['pid']}{own} on host {owner.get('host')}, since {owner.get('since')}"
        return ConfigError(
            f"'{self._folder}' is in use by {who}: two at once would mix their files; wait until it ends, or "
            "stop it"
        )

    def _beat_on(self) -> None:
        while not self._ended.wait(BEAT_S) and not self.is_lost:
            self._beat()

    def _beat(self) -> None:
        with suppress(OSError):
            self.is_lost = self._inode is not None and _inode_of(self._owner_file) not in (self._inode, None)
            if not self.is_lost:
                os.utime(self._owner_file)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _forget(self) -> None:
        """In a forked child: the lock is the parent's, and ends with it although this process goes on."""
        self._is_held = False
        with suppress(OSError):
            self._close()


def lock_folder(folder: str | os.PathLike[str], *, name: str = "run") -> FolderLock:
    """Take the lock of a folder, or that of a dead process.

    Args:
        folder: it exists.
        name: of what is locked in it.

    Raises:
        ConfigError: another process writes there, or this one already does; says which, and since when.
        OSError: the folder cannot be written.
    """
    lock = FolderLock(Path(folder).resolve(), name)
    held = _HELD.get(lock._key)
    if held is None:
        lock._take()
        return lock._keep_alive()
    if not held._is_soft:
        raise held._refusal(held._owner())
    return held._keep_alive()


def join_lock(folder: str | os.PathLike[str], owner: object, *, is_writer: bool = True) -> Callable[[], None]:
    """Lock a folder for a part of a program that may share it with others of the same process.

    No thread renews this heartbeat, only `check_not_lost` at each save: ``flock`` does the work.

    Args:
        folder: it exists; where it cannot be written nothing is locked.
        owner: the lock ends with this object at the latest.
        is_writer: False: nothing is locked, another rank does so.

    Returns:
        What releases the lock; where this process had it before, nothing is released.

    Raises:
        ConfigError: another process writes there.
    """
    lock = FolderLock(Path(folder).resolve(), "run")
    if lock._key in _HELD or not is_writer:
        return lock.release
    try:
        lock._take()
    except OSError:
        return lock.release
    lock._is_soft = True
    weakref.finalize(owner, lock.release)
    return lock.release


def check_not_lost(folder: str | os.PathLike[str]) -> None:
    """Renew the heartbeat of a folder that is locked here; refuse where another process has taken it over.

    Raises:
        ConfigError: names that process.
    """
    lock = _HELD.get(Path(folder).resolve() / ".run.lock")
    if lock is not None:
        lock._beat()
        if lock.is_lost:
            raise lock._refusal(lock._owner())


def _forget_all() -> None:
    for lock in _HELD.values():
        lock._forget()
    _HELD.clear()


# A child that is forked, such as a loader's worker, has the descriptor too, and would keep the lock of a
# parent that was killed.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _flock(descriptor: int) -> bool:
    """Lock a file; return whether this file system can.

    Raises:
        BlockingIOError: another one has it locked.
    """
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    return True


def _inode_of(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def _this_process() -> dict[str, Any]:
    """Return who this is: ``boot`` is one start of a kernel, ``space`` where a process's number counts."""
    boot, space = "", ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = os.readlink("/proc/self/ns/pid")
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "start": _start_of(pid), "boot": boot, "space": space}


def _start_of(pid: int) -> int | None:
    """Return when a process of this host began, in the kernel's ticks; None if it has ended."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return None
    # A zombie has given up its files; only its parent has not asked for its end yet.
    return None if fields[0] in "ZX" else int(fields[19])
