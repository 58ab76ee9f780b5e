"""What decoders say of a file, caught: libtiff on the standard error stream and Pillow in its log name none.

Both go on as they were for whoever decodes outside `decoder_messages`. It must not know formats.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import Any

_CAUGHT: ContextVar[list[str] | None] = ContextVar("caught", default=None)
_LONGEST = 500


@contextmanager
def decoder_messages() -> Iterator[list[str]]:
    """Yield a list of the messages about the file that the block decodes, in this thread.

    Pillow's warnings (odd EXIF blocks, large sizes) stay inside, and become no errors.
    """
    _install()
    _put_filter()
    caught: list[str] = []
    token = _CAUGHT.set(caught)
    try:
        yield caught
    finally:
        _CAUGHT.reset(token)


class _WhileDecoding:
    """Stands where a filter of warnings has the pattern of their text."""

    def match(self, text: str) -> bool:
        return _CAUGHT.get() is not None


_FILTER: Any = ("ignore", _WhileDecoding(), Warning, None, 0)


def _put_filter() -> None:
    """Have warnings ignored in threads that decode, and in no other.

    Filters belong to the whole process: threads that save and restore them (`warnings.catch_warnings`) would
    leave them in each other's state. So this one stays, and decides for itself.
    """
    filters: Any = warnings.filters
    # Others may have put theirs before it, or have restored what was before.
    if not filters or filters[0] is not _FILTER:
        with suppress(ValueError):
            filters.remove(_FILTER)
        filters.insert(0, _FILTER)


class _Catching(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        caught = _CAUGHT.get()
        if caught is None or record.levelno < logging.WARNING:
            return True
        caught.append(record.getMessage())
        return False


@cache
def _install() -> Any:
    """Set libtiff's error handler where its library can be found, and return it: it must not be collected."""
    logging.getLogger("PIL.TiffImagePlugin").addFilter(_Catching())
    from PIL import _imaging

    handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)(_on_error)
    try:
        # Found through the module that is linked to it: wheels give the library a name of their own.
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(handler)
    except (AttributeError, OSError):
        # Linked in without names: what it says goes to the standard error stream as it is.
        return None
    return handler


def _on_error(module: bytes | None, form: bytes, arguments: int) -> None:
    """Take a message of libtiff's: a format of C's and the list of its arguments."""
    buffer = ctypes.create_string_buffer(_LONGEST)
    ctypes.pythonapi.PyOS_vsnprintf(
        buffer, ctypes.c_size_t(_LONGEST), ctypes.c_char_p(form), ctypes.c_void_p(arguments)
    )
    # Pillow gives every file the same name.
    words = [module.decode(errors="replace")] if module and module != b"tempfile.tif" else []
    message = ": ".join([*words, buffer.value.decode(errors="replace").rstrip(".")])
    caught = _CAUGHT.get()
    if caught is None:
        print(f"{message}.", file=sys.stderr)
    else:
        caught.append(message)
