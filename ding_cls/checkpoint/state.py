"""One checkpoint file: torch's own zip format, tensors and plain values only."""

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from ding_cls.common.disk import free_bytes, is_full, megabytes, os_error_behind
from ding_cls.common.file_kinds import other_kind
from ding_cls.common.files import atomic_write
from ding_cls.common.pickles import check_archive, check_nesting
from ding_cls.errors import CheckpointError

_PLAIN = (str, int, float, complex, bool, bytes, type(None), torch.Size, torch.dtype, torch.device)
# Headers and padding of a member of the file: 249 to 350 bytes in files of 10 to 1,000 small tensors.
_PER_TENSOR = 240
_IS_FOLDER = 0x10  # in the low byte of a zip member's external attributes, as MS-DOS had it


class SaveError(OSError):
    """A checkpoint that could not be written; the file of that name is still the one it was.

    Args:
        error: what the system said.
        path: the checkpoint.
        state: what it was to hold.
    """

    def __init__(self, error: OSError, path: Path, state: Mapping[str, Any]) -> None:
        reason = error.strerror or str(error)
        super().__init__(error.errno, reason, str(path))
        self._line = f"'{path.absolute()}' could not be saved: {reason}"
        if is_full(error):
            room = f"needs {megabytes(file_size(state))}, has {megabytes(free_bytes(path.parent))}"
            self._line = (
                f"'{path.absolute()}' could not be saved: {room} at '{path.parent.absolute()}' ({reason})"
            )

    def __str__(self) -> str:
        return self._line


def size_of(state: Any) -> int:
    """Return the bytes of all tensors in a state, shared memory once."""
    return sum(_sizes(state).values())


def file_size(state: Any) -> int:
    """Return how large the file of a state is at least, in bytes."""
    sizes = _sizes(state)
    return sum(sizes.values()) + _PER_TENSOR * len(sizes)


def _sizes(state: Any) -> dict[int, int]:
    """Return the bytes of each piece of memory that tensors in a state lie in, by its address."""
    return {each.data_ptr(): each.nbytes() for each in _storages(state)}


def _storages(state: Any) -> Iterator[torch.UntypedStorage]:
    if isinstance(state, torch.Tensor):
        yield state.untyped_storage()
        return
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list | tuple) else ()
    for part in parts:
        yield from _storages(part)


def write_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Publish ``state`` as ``path``: after a crash at any instant the file is the old one or the new one,
    whole.

    Args:
        path: the file; its folder is created.
        state: nested dicts, lists, tuples of tensors, numbers, strings, booleans and None.

    Raises:
        CheckpointError: the state holds something else, which no load would accept; nothing is written.
        SaveError: an OSError: the disk is full, the folder cannot be written, ...
    """
    _check_plain(dict(state), f"'{path}'")
    try:
        with atomic_write(path) as file:
            torch.save(dict(state), file)
    except (OSError, RuntimeError) as error:
        cause = os_error_behind(error)
        if cause is None:
            raise
        raise SaveError(cause, Path(path), state) from error


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the state in ``path``, with its tensors on the CPU.

    The CRC of every member is checked first, so that a flipped bit is found rather than loaded; then only
    tensors and plain values are accepted, so that a stranger's file cannot run code.

    Raises:
        CheckpointError: the file is missing, torn, damaged, or holds something else.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"there is no checkpoint '{file}'")
    if kind := other_kind(file):
        raise CheckpointError(f"'{file}' is {kind}; it is no checkpoint of a run")
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = _odd_member(archive) or archive.testzip()
    # zipfile raises what the damage suggests: a bad header, an impossible length, a password.
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{_sized(file)} is not a whole checkpoint: {error}") from error
    if damaged is not None:
        raise CheckpointError(
            f"{_sized(file)} is damaged: its part '{damaged}' does not fit its checksum or header"
        )
    try:
        num_bytes = check_archive(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
        check_nesting(state, num_bytes=num_bytes)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"'{file}' holds more than tensors and plain values, and was not loaded: only such a file is safe"
        ) from error
    except Exception as error:  # what a foreign file raises depends on what is wrong with it
        raise CheckpointError(
            f"{_sized(file)} cannot be read as a checkpoint: {_first_line(error)}"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"'{file}' holds a {type(state).__name__}, not a checkpoint's dict")
    return state


def _check_plain(value: Any, where: str) -> None:
    """Refuse what ``read_checkpoint`` would refuse, while its author is still there.

    The type itself is compared: a subclass, such as NumPy's float64 of float, is stored as a foreign class.
    """
    if isinstance(value, Mapping) and type(value) in (dict, OrderedDict):
        for name, each in value.items():
            _check_plain(name, f"{where}, a key")
            _check_plain(each, f"{where}, {name!r}")
    elif type(value) in (list, tuple, set):
        for number, each in enumerate(value):
            _check_plain(each, f"{where}, {number}")
    elif not isinstance(value, torch.Tensor) and type(value) not in _PLAIN:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise CheckpointError(
            f"{where}: a {kind} has no place in a checkpoint, only tensors and plain values"
        )


def _odd_member(archive: zipfile.ZipFile) -> str | None:
    """Return the name of a member that torch never writes so.

    A flipped bit can mark a member as a folder: its checksum fits, and torch reads nothing in its place,
    which leaves the tensor with whatever the memory held. Another marks it as compressed.
    """
    for member in archive.infolist():
        if member.external_attr & _IS_FOLDER or member.compress_type != zipfile.ZIP_STORED:
            return member.filename
    return None


def _sized(file: Path) -> str:
    return f"'{file}' ({file.stat().st_size:,} bytes)"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
