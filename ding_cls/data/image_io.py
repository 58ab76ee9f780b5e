"""How a file becomes pixels: one function, so that training, evaluation and serving see the same image.

It knows file formats and colour modes; it must not know datasets, classes or transforms.
"""

from __future__ import annotations

import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from ding_cls.errors import DataError, ImageError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")
"""Endings, in lower case, that a dataset takes for images. What a file holds is told by its content."""

MAX_PIXELS = 178_956_970
"""The largest image that is decoded, Pillow's own limit; checked in the header, before memory is taken."""

# Pillow would open far more, among them EPS, which starts another program. JPEG includes the stereo form MPO.
_FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        BmpImagePlugin.BmpImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
        TiffImagePlugin.TiffImageFile,
    )
)
_SIGNATURES = (b"\xff\xd8", b"\x89PNG", b"BM", b"RIFF", b"GIF8", b"II*\0", b"MM\0*")
_REMEDY = "delete it or replace it"

# EXIF orientation: how the stored pixels must be turned to stand upright.
_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_rgb(path: str | os.PathLike[str], *, label: str | None = None) -> Image.Image:
    """Read an image file as upright 8-bit RGB.

    The first frame or page counts. Transparency is laid over white, 16-bit grey is scaled to 8 bits, EXIF
    orientation is applied. Colour profiles are not.

    Args:
        path: a JPEG, PNG, BMP, WebP, GIF or TIFF file, whatever its ending.
        label: how an error names the file; the quoted path by default.

    Returns:
        An image of mode ``RGB`` without metadata.

    Raises:
        ImageError: the file is missing, empty, truncated, damaged, too large, or no such image.
    """
    text = os.fspath(path)
    label = repr(text) if label is None else label
    try:
        # Opening a FIFO would wait for its writer for ever.
        if not stat.S_ISREG(os.stat(text).st_mode):
            raise ImageError(f"{label} is not a regular file; {_REMEDY}")
        with open(text, "rb") as file:
            return decode_rgb(file, label=label)
    except FileNotFoundError:
        raise ImageError(f"{label} does not exist") from None
    # A name with a NUL in it is a ValueError.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{label} cannot be read: {reason}; {_REMEDY}") from error


def decode_rgb(file: BinaryIO, *, label: str) -> Image.Image:
    """Decode an open image file, as `load_rgb` does.

    Args:
        file: opened for reading in binary mode, seekable.
        label: how an error names the image.

    Raises:
        DataError: as `load_rgb`.
    """
    try:
        with _pillow_silenced(), Image.open(file, formats=_FORMATS) as image:
            return _loaded(image, shares_pixels=True)
    except _UnusableError as error:
        raise ImageError(f"{label} {error}; {_REMEDY}") from None
    # Damaged files make Pillow's decoders raise nearly every exception there is (SyntaxError, struct.error).
    except Exception as error:
        raise ImageError(f"{label} {_reason(error, file)}; {_REMEDY}") from error


def as_rgb(image: Image.Image, *, label: str) -> Image.Image:
    """Return an image that is open in Pillow, of any mode, as `load_rgb` returns one that is in a file.

    Args:
        image: it stays as it is.
        label: how an error names it.

    Raises:
        DataError: it is truncated, damaged, too large, or its file is closed.
    """
    try:
        with _pillow_silenced():
            return _loaded(image, shares_pixels=False)
    except _UnusableError as error:
        raise DataError(f"{label} {error}") from None
    # As above; and an image whose file was closed before its pixels were read.
    except Exception as error:
        raise DataError(f"{label} cannot be used ({type(error).__name__}: {error})") from error


def _loaded(image: Image.Image, *, shares_pixels: bool) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise _UnusableError(
            f"has {image.width} x {image.height} pixels, more than the limit of {MAX_PIXELS}"
        )
    image.load()
    is_shared = shares_pixels and image.mode == "RGB" and not image.has_transparency_data
    # What Pillow's copy() does, without copying the pixels.
    rgb = _without_metadata(image._new(image.im)) if is_shared else _to_rgb(image)
    return _upright(rgb, _orientation(image))


class _UnusableError(Exception):
    """An image that could be opened but holds something that has no meaning as RGB; carries the reason."""


@contextmanager
def _pillow_silenced() -> Iterator[None]:
    """Keep Pillow's warnings (odd EXIF blocks, large sizes) out of the user's log and from becoming errors.

    Python's warning filters belong to the whole process: two threads that save and restore them would leave
    them in each other's state, so only the main thread, which is where loaders decode, touches them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _to_rgb(image: Image.Image) -> Image.Image:
    mode = image.mode
    if mode == "I" or mode.startswith("I;16"):
        return _from_wide_grey(np.asarray(image))
    if mode == "F":
        return _from_float_grey(np.asarray(image))
    if mode == "LAB":
        return _from_lab(image)
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, (255, 255, 255, 255))
        return _without_metadata(Image.alpha_composite(white, opaque).convert("RGB"))
    return _without_metadata(image.convert("RGB"))


def _without_metadata(image: Image.Image) -> Image.Image:
    # A kept EXIF block would have the image turned a second time by whoever looks at it next.
    image.info.clear()
    return image


def _from_wide_grey(values: npt.NDArray[np.integer]) -> Image.Image:
    """Scale 16-bit grey to 8 bits; 32-bit integers are taken as 16-bit ones where they fit."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 0xFFFF:
        raise _UnusableError(f"holds integers from {low} to {high}, which do not fit 16 bits")
    return _grey_to_rgb((values.astype(np.uint32) * 255 + 0x7FFF) // 0xFFFF)


def _from_float_grey(values: npt.NDArray[np.floating]) -> Image.Image:
    """Scale floats in [0, 1], or round floats in [0, 255]; other ranges have no agreed meaning."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 255):
        raise _UnusableError(f"holds floats from {low:g} to {high:g}, outside [0, 1] and [0, 255]")
    return _grey_to_rgb(np.rint(values * 255 if high <= 1 else values))


def _grey_to_rgb(values: npt.NDArray[np.number]) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    """Convert CIE L*a*b* to sRGB; Pillow's ``convert`` cannot."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise _UnusableError("holds L*a*b* colours that could not be converted")
    return _without_metadata(converted)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; an unreadable EXIF block counts as none, as in every viewer."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    # The parser meets arbitrary bytes here, and the pixels are good whatever the block holds.
    except Exception:
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _reason(error: Exception, file: BinaryIO) -> str:
    """Say what is wrong with a file that could not be decoded."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(512)
    text = " ".join(str(error).split())
    if size == 0:
        return "is empty (0 bytes)"
    if isinstance(error, Image.DecompressionBombError):
        return f"is too large: {text}"
    declared = _declared_size(head)
    if declared > size:
        return f"is truncated after {size} of {declared} bytes"
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return f"is truncated after {size} bytes"
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(head, size)
    return f"is damaged ({type(error).__name__}: {text})"


def _declared_size(head: bytes) -> int:
    """Return the file size that a WebP or BMP header states; 0 for other formats, which state none."""
    if head[:4] == b"RIFF":
        return int.from_bytes(head[4:8], "little") + 8
    if head[:2] == b"BM":
        return int.from_bytes(head[2:6], "little")
    return 0


def _unidentified(head: bytes, size: int) -> str:
    if head.startswith(_SIGNATURES):
        return f"is truncated or damaged in its header ({size} bytes)"
    if all(byte >= 0x20 or byte in b"\t\n\r\f" for byte in head):
        return "is text, not a picture"
    return "is no JPEG, PNG, BMP, WebP, GIF or TIFF picture"
