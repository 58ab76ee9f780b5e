"""One checkpoint file: torch's own zip format, tensors and plain values only."""

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ding_cls.common.files import atomic_write
from ding_cls.errors import CheckpointError


def write_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Publish ``state`` as ``path``: after a crash at any instant the file is the old one or the new one,
    whole.

    Args:
        path: the file; its folder is created.
        state: nested dicts, lists, tuples of tensors, numbers, strings, booleans and None.

    Raises:
        OSError: the disk is full, the folder cannot be written, ...
    """
    with atomic_write(path) as file:
        torch.save(dict(state), file)


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
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    # testzip raises what the damage suggests: a bad header, an impossible length, a codec that does not
    # exist.
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{_sized(file)} is not a whole checkpoint: {error}") from error
    if damaged is not None:
        raise CheckpointError(f"{_sized(file)} is damaged: the checksum of '{damaged}' does not fit")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"'{file}' holds more than tensors and plain values, and was not loaded: only such a file is safe"
        ) from error
    except (RuntimeError, EOFError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(
            f"{_sized(file)} cannot be read as a checkpoint: {_first_line(error)}"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"'{file}' holds a {type(state).__name__}, not a checkpoint's dict")
    return state


def _sized(file: Path) -> str:
    return f"'{file}' ({file.stat().st_size:,} bytes)"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
