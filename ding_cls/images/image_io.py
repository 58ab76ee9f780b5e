"""How a file becomes pixels: one function, so that training, evaluation and serving see the same image.

It knows file formats and colour modes; it must not know datasets, classes or transforms.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from ding_cls.errors import DataError, ImageError
from ding_cls.images.decoding.faults import DELETE, fault_of_file
from ding_cls.images.decoding.formats import formats_of
from ding_cls.images.decoding.messages import decoder_messages

_LOGGER = logging.getLogger(__name__)

MAX_PIXELS = 178_956_970
"""The largest image that is decoded, Pillow's own limit; checked in the header, before memory is taken."""

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
        path: a JPEG, PNG, BMP, WebP, GIF, TIFF, JPEG 2000, PNM, AVIF or HEIC file, whatever its ending; the
            last two where Pillow or pillow-heif can.
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
            raise ImageError(f"{label} is not a regular file", DELETE)
        with open(text, "rb") as file:
            return decode_rgb(file, label=label)
    except FileNotFoundError:
        raise ImageError(f"{label} does not exist") from None
    # A name with a NUL in it is a ValueError.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{label} cannot be read: {reason}", DELETE) from error


Look: TypeAlias = Callable[[Image.Image, Sequence[str]], object]


def decode_rgb(file: BinaryIO, *, label: str, look: Look | None = None) -> Image.Image:
    """Decode an open image file, as `load_rgb` does.

    Args:
        file: opened for reading in binary mode, seekable.
        label: how an error names the image.
        look: called with the decoded image as the file has it, not upright and of any mode, and with what its
            decoder said, which is not logged then.

    Raises:
        DataError: as `load_rgb`.
    """
    with decoder_messages() as messages:
        try:
            with Image.open(file, formats=formats_of(file)) as image:
                rgb = _loaded(image, shares_pixels=True)
                if look is not None:
                    look(image, messages)
        except _UnusableError as error:
            raise ImageError(f"{label} {error}", error.remedy) from None
        # Damaged files make Pillow's decoders raise nearly every exception there is (struct.error ...).
        except Exception as error:
            reason, remedy = fault_of_file(error, file, messages)
            raise ImageError(f"{label} {reason}", remedy) from error
    if messages and look is None:
        _report(label, messages[0], len(messages))
    return rgb


def size_of(file: BinaryIO, *, label: str) -> tuple[int, int]:
    """Return width and height of an open image file, as its header says; no pixel is decoded.

    Args:
        file: as in `decode_rgb`; its position is the beginning afterwards.
        label: how an error names the image.

    Raises:
        ImageError: as `load_rgb`.
    """
    with decoder_messages() as messages:
        try:
            with Image.open(file, formats=formats_of(file)) as image:
                return image.size
        # As above.
        except Exception as error:
            reason, remedy = fault_of_file(error, file, messages)
            raise ImageError(f"{label} {reason}", remedy) from error
        finally:
            file.seek(0)


@lru_cache(maxsize=1000)
def _report(label: str, message: str, count: int) -> None:
    """Log what a decoder said of an image that it decoded all the same; of each once, not in every epoch."""
    more = f", and {count - 1} lines more" if count > 1 else ""
    _LOGGER.warning("%s is read, though its decoder says: %s%s", label, message, more)


def as_rgb(image: Image.Image, *, label: str) -> Image.Image:
    """Return an image that is open in Pillow, of any mode, as `load_rgb` returns one that is in a file.

    Args:
        image: it stays as it is.
        label: how an error names it.

    Raises:
        DataError: it is truncated, damaged, too large, or its file is closed.
    """
    try:
        with decoder_messages() as messages:
            rgb = _loaded(image, shares_pixels=False)
    except _UnusableError as error:
        raise DataError(f"{label} {error}") from None
    # As above; and an image whose file was closed before its pixels were read.
    except Exception as error:
        raise DataError(f"{label} cannot be used ({type(error).__name__}: {error})") from error
    if messages:
        _report(label, messages[0], len(messages))
    return rgb


def _loaded(image: Image.Image, *, shares_pixels: bool) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise _UnusableError(
            f"has {image.width} x {image.height} pixels, more than the limit of {MAX_PIXELS}", DELETE
        )
    image.load()
    is_shared = shares_pixels and image.mode == "RGB" and not image.has_transparency_data
    # What Pillow's copy() does, without copying the pixels.
    rgb = _without_metadata(image._new(image.im)) if is_shared else _to_rgb(image)
    return _upright(rgb, exif_orientation(image))


class _UnusableError(Exception):
    """An image that could be opened but holds something that has no meaning as RGB.

    Args:
        reason: what.
        remedy: what to do.
    """

    def __init__(self, reason: str, remedy: str = "convert it to 8 bits") -> None:
        super().__init__(reason)
        self.remedy = remedy


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


def exif_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8 where it means something; an unreadable block counts as none, as in
    every viewer."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    # The parser meets arbitrary bytes here, and the pixels are good whatever the block holds.
    except Exception:
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
