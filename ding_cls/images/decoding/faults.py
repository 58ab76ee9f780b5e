"""What is wrong with a file that could not be decoded, in a few words, and what to do about it.

A sound file of a kind that is not read here is never called damaged. It must not know datasets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, BinaryIO

from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from ding_cls.common.counting import counted
from ding_cls.images.decoding.formats import PLUGINS, missing_decoder

DELETE = "delete it or replace it"
CONVERT = "convert it, to PNG for example"

_SIGNATURES = {
    b"\xff\xd8": "JPEG",
    b"\x89PNG": "PNG",
    b"BM": "BMP",
    b"RIFF": "WEBP",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\xff\x4f\xff\x51": "JPEG2000",
    b"\0\0\0\x0cjP  ": "JPEG2000",
}
# Kinds of files that lie among images, or bear the ending of one, and are not decoded here.
_FOREIGN = {
    b"8BPS": "a Photoshop image",
    b"\0\0\1\0": "an icon (ICO)",
    b"\xff\xd8\xff\xf7": "a JPEG-LS image",
    b"II\xbc\1": "a JPEG XR image",
    b"\xff\x0a": "a JPEG XL image",
    b"\0\0\0\x0cJXL ": "a JPEG XL image",
    b"\x76\x2f\x31\x01": "an OpenEXR image",
    b"DDS ": "a DDS texture",
    b"qoif": "a QOI image",
    b"%PDF": "a PDF document",
    b"PK\3\4": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
}
# How Pillow says that it lacks what a sound file would need.
_UNSUPPORTED = re.compile(
    r"unsupported|not (supported|available|implemented|configured)|cannot handle|unknown (pixel|raw) mode|"
    r"unrecognized image mode|unknown data organization",
    re.IGNORECASE,
)
_CUT_SHORT = re.compile(r"truncated|read error (on|at)|unexpected end of", re.IGNORECASE)
# Tags of TIFF: where its strips or tiles begin, and how many bytes they have.
_TIFF_PARTS = ((273, 324), (279, 325))
_SAMPLE_FORMATS = {1: "-bit", 2: "-bit signed", 3: "-bit floating-point"}


def fault_of_file(error: Exception, file: BinaryIO, messages: Sequence[str] = ()) -> tuple[str, str]:
    """Return what is wrong with a file, and the remedy.

    Args:
        error: what decoding it raised.
        file: the open file.
        messages: what the decoder said beside it.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(512)
    text = " ".join(str(messages[-1] if messages else error).split())
    if size == 0:
        return "is empty (0 bytes)", DELETE
    if isinstance(error, Image.DecompressionBombError):
        return f"is too large: {error}", DELETE
    if _UNSUPPORTED.search(text):
        return _of_unread_kind(head, text, file), CONVERT
    declared = _declared_size(head)
    if declared > size:
        return f"is truncated after {size} of {declared} bytes", DELETE
    if _CUT_SHORT.search(f"{error} {text}") or isinstance(error, EOFError):
        return f"is truncated after {size} bytes", DELETE
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(head, size, file)
    reason = text if messages else f"{type(error).__name__}: {text}"
    return f"is damaged ({reason})", DELETE


def _declared_size(head: bytes) -> int:
    """Return the file size that a WebP or BMP header states; 0 for other formats, which state none."""
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8
    if head[:2] == b"BM":
        return int.from_bytes(head[2:6], "little")
    return 0


def _unidentified(head: bytes, size: int, file: BinaryIO) -> tuple[str, str]:
    if missing := missing_decoder(head):
        return missing, f"install it, or {CONVERT}"
    if foreign := next((kind for begin, kind in _FOREIGN.items() if head.startswith(begin)), ""):
        return f"is {foreign}", CONVERT
    if any(head.startswith(begin) for begin in _SIGNATURES):
        why = _header_error(head, file)
        if _tiff_samples(file) if _kind(head) == "TIFF" else _UNSUPPORTED.search(why):
            return _of_unread_kind(head, why, file), CONVERT
        return f"is truncated or damaged in its header ({size} bytes)", DELETE
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not a picture", "fetch the file: git lfs pull"
    if all(byte >= 0x20 or byte in b"\t\n\r\f" for byte in head):
        return "is text, not a picture", DELETE
    return "is no JPEG, PNG, BMP, WebP, GIF or TIFF picture", DELETE


def _header_error(head: bytes, file: BinaryIO) -> str:
    """Return what the format's own part of Pillow says of a header, which ``Image.open`` keeps to itself."""
    name = _kind(head)
    plugin: Any = next(each for each in PLUGINS if each.format == name)
    file.seek(0)
    try:
        plugin(file)
    # A damaged header raises nearly every exception there is.
    except Exception as error:
        return str(error)
    return ""


def _kind(head: bytes) -> str:
    return next((kind for begin, kind in _SIGNATURES.items() if head.startswith(begin)), "image")


def _of_unread_kind(head: bytes, why: str, file: BinaryIO) -> str:
    kind = _kind(head)
    about = (_tiff_samples(file) if kind == "TIFF" else "") or why
    return f"is a {kind} that Pillow cannot read ({about})"


def _tiff_samples(file: BinaryIO) -> str:
    """Return what the samples of a whole TIFF file are, as its first directory says; else an empty text."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        header = file.read(8)
        header += file.read(8) if header[2] == 43 or header[3] == 43 else b""
        directory = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(directory.next)
        directory.load(file)
        offsets, counts = (directory.get(strips) or directory[tiles] for strips, tiles in _TIFF_PARTS)
        if any(begin + count > size for begin, count in zip(offsets, counts, strict=True)):
            return ""
        channels, bits = directory.get(277, 1), directory.get(258, (1,))
        form = _SAMPLE_FORMATS.get(directory.get(339, (1,))[0], "-bit")
        compression = directory.get(259, 1)
        packed = "" if compression in TiffImagePlugin.COMPRESSION_INFO else f", compression {compression}"
        return f"{counted(channels, 'channel')} of {bits[0]}{form} numbers{packed}"
    # As above.
    except Exception:
        return ""
