"""Full and failing disks: which errors are theirs, how much room there is, and the line that says so."""

import errno
import os
import shutil
from pathlib import Path

from ding_cls.errors import DiskError, behind

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# What a disk does, or who mounted it; a path that is mistyped is none of them.
_OF_DISKS = _FULL | {errno.EIO, errno.EFBIG, errno.EROFS, errno.ESTALE}


def os_error_behind(error: BaseException) -> OSError | None:
    """Return the error of the system that ``error`` is, or was raised because of; None where there is none.

    ``torch.save`` answers a full disk with a RuntimeError about positions in the file.
    """
    return behind(error, OSError)


def is_full(error: OSError) -> bool:
    """Return whether an error means that there is no room left: on the disk, or in the user's quota."""
    return error.errno in _FULL


def disk_error(error: BaseException) -> DiskError | None:
    """Return the one line for an error that a disk caused; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _OF_DISKS:
        return None
    reason = error.strerror or type(error).__name__
    if error.filename is None:
        return DiskError(f"a file could not be written: {reason}; free space or mend the disk, and try again")
    path = Path(os.fsdecode(error.filename)).absolute()
    room = f"; there are {megabytes(free_bytes(path))} free at '{path.parent}'" if is_full(error) else ""
    return DiskError(
        f"'{path}' could not be written: {reason}{room}; free space or mend the disk, and try again"
    )


def existing_folder(path: str | os.PathLike[str]) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    wanted = Path(path).absolute()
    return next(each for each in (wanted, *wanted.parents) if each.is_dir())


def free_bytes(path: str | os.PathLike[str]) -> int:
    """Return how much a user may still write at ``path``, which need not be there yet; 0 if nothing tells."""
    try:
        return shutil.disk_usage(existing_folder(path)).free
    except OSError:
        return 0


def megabytes(count: int) -> str:
    """Return a number of bytes as it is shown: 0.42 MB, 97.8 MB, 1,204 MB."""
    value = count / 1e6
    digits = 2 if value < 10 else 1 if value < 1000 else 0
    return f"{value:,.{digits}f} MB"
