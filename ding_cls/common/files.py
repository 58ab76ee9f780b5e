"""Publishing files so that a reader finds the old one or the new one, whole, whatever instant the machine
dies."""

import itertools
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file beside ``path`` that becomes ``path`` when the block ends without an error.

    The bytes are on the disk (fsync of the file, rename, fsync of the folder) when the block returns. After
    an error nothing is published and the temporary file is removed. The file's mode follows the umask.

    Args:
        path: the file to create or replace; its folder is created where it is missing.

    Raises:
        OSError: the disk is full, the folder cannot be written, ...; its ``filename`` is set.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(target)
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        # The first error counts, not what removing says on a disk that fails.
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            # A write that fails does not say of which file; an open would name one that nobody knows.
            error.filename = str(target)
        raise
    fsync_folder(target.parent)


def _temporary_name(target: Path) -> Path:
    """Return a name beside ``target`` that no other process has, on this host or another one."""
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:20]
    return target.with_name(f".{target.name}.{host}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def fsync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable; a no-op where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_unique_dir(path: str | os.PathLike[str]) -> Path:
    """Create ``path``, or the first free of ``path_2``, ``path_3``, ...; return the one that was created.

    ``mkdir`` is exclusive, so of two runs that start at the same instant each gets a folder of its own.

    Raises:
        OSError: the parent cannot be written, or a file stands where a folder should.
    """
    wanted = Path(path)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for candidate in numbered_names(wanted):
        with suppress(FileExistsError):
            candidate.mkdir()
            break
    return candidate


def numbered_names(path: Path) -> Iterator[Path]:
    """Yield ``path``, ``path_2``, ``path_3``, ...: the first free one is what `create_unique_dir` makes."""
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.name}_{number}")


def missing_parents(path: str | os.PathLike[str]) -> list[Path]:
    """Return the folders above ``path`` that are not there yet, the innermost first."""
    return [each for each in Path(path).parents if not each.exists()]


def remove_claimed(folder: str | os.PathLike[str], parents: Iterable[Path] = ()) -> None:
    """Remove a folder that was claimed in vain, and what of ``parents`` was made for it and is empty."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        for each in parents:
            each.rmdir()


def latest_folder(path: str | os.PathLike[str]) -> Path | None:
    """Return the newest of the folders that ``create_unique_dir(path)`` made: the highest number, or None."""
    wanted = Path(path)
    numbered = {1: wanted} if wanted.is_dir() else {}
    prefix = f"{wanted.name}_"
    if wanted.parent.is_dir():
        for entry in wanted.parent.iterdir():
            suffix = entry.name.removeprefix(prefix)
            if entry.name.startswith(prefix) and _is_number(suffix) and entry.is_dir():
                numbered[int(suffix)] = entry
    return numbered[max(numbered)] if numbered else None


def _is_number(suffix: str) -> bool:
    """Return whether it is a number as ``create_unique_dir`` writes it: from 2 on, without a leading zero."""
    return suffix.isdecimal() and int(suffix) > 1 and str(int(suffix)) == suffix
