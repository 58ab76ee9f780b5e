"""A new folder that files are put into, each under a name of its own: nothing is ever overwritten."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from ding_cls.errors import ConfigError, DiskError

_MAX_NAME_BYTES = 255
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


class OutputFolder:
    """A folder that is made with its first file.

    Args:
        path: the folder.
        option: how errors name it.

    Attributes:
        path: as given.
        count: files that were put into it.

    Raises:
        ConfigError: there is something in it, it is a file, or the name is empty.
    """

    def __init__(self, path: str, option: str) -> None:
        if not path:
            raise ConfigError(f"{option} has an empty name; name a new folder")
        if os.path.lexists(path) and not (os.path.isdir(path) and not os.listdir(path)):
            what = "holds files already" if os.path.isdir(path) else "is no folder"
            raise ConfigError(f"{option} '{path}' {what}, and nothing is overwritten: name a new folder")
        self.path = path
        self.count = 0
        self._next: dict[str, int] = {}

    def put(self, folder: str, name: str, write: Callable[[str], object]) -> str:
        """Put a file under its name, or the next free of ``name_2``, ``name_3``, ...; return its path.

        Args:
            folder: below this one; ``""``: this one.
            name: of the file.
            write: makes the file of a path, and raises FileExistsError where one is there already.

        Raises:
            DiskError: it cannot be written.
        """
        target = os.path.join(self.path, folder) if folder else self.path
        key = os.path.join(target, name)
        while True:
            number = self._next.get(key, 1)
            path = os.path.join(target, _numbered(name, number))
            try:
                os.makedirs(target, exist_ok=True)
                write(path)
            except FileExistsError as error:
                if not os.path.isdir(target):
                    raise _not_written(path, error) from error
                self._next[key] = number + 1
            except OSError as error:
                raise _not_written(path, error) from error
            else:
                self._next[key] = number + 1
                self.count += 1
                return path


def write_new(path: str, save: Callable[[IO[bytes]], object]) -> None:
    """Write a file that was not there; after an error it is not there either.

    Args:
        path: the file.
        save: gets it, opened for bytes.

    Raises:
        FileExistsError: it is there.
    """
    with open(path, "xb") as file:
        try:
            save(file)
        except BaseException:
            with suppress(OSError):
                os.unlink(path)
            raise


def relative_names(paths: Sequence[str]) -> list[str]:
    """Return paths below the folder that all files have in common, so that sub-folders stay apart."""
    places = [os.path.abspath(path) for path in paths]
    try:
        root = os.path.commonpath([os.path.dirname(place) for place in places])
    except ValueError:  # several drives, or no files
        return [os.path.basename(place) for place in places]
    return [os.path.relpath(place, root) for place in places]


def portable_name(name: str) -> str:
    """Return a name that is one folder's or file's on every system, and no hidden one; mostly the same."""
    plain = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name)
    plain = re.sub(r"^\.|[. ]$", "_", plain) or "_"
    if _RESERVED.match(plain):
        plain = f"_{plain}"
    return _shortened(plain, 200)


def _numbered(name: str, number: int) -> str:
    stem, ending = os.path.splitext(name)
    ending = ending if number == 1 else f"_{number}{ending}"
    return _shortened(stem, _MAX_NAME_BYTES - len(os.fsencode(ending))) + ending


def _shortened(name: str, max_bytes: int) -> str:
    while len(os.fsencode(name)) > max_bytes:
        name = name[:-1]
    return name


def _not_written(path: str, error: OSError) -> DiskError:
    return DiskError(f"'{path}' could not be written: {error.strerror or error}")
