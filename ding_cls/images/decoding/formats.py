"""Which kinds of image files are read here: their endings, and the formats of Pillow that decode them.

What a file holds is told by its content; endings only say which files of a folder are taken for images.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

# Pillow would open far more, among them EPS, which starts another program. JPEG includes the stereo form MPO.
PLUGINS = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    BmpImagePlugin.BmpImageFile,
    WebPImagePlugin.WebPImageFile,
    GifImagePlugin.GifImageFile,
    TiffImagePlugin.TiffImageFile,
    Jpeg2KImagePlugin.Jpeg2KImageFile,
    PpmImagePlugin.PpmImageFile,
)
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo")
_JPEG_2000 = (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx")
_PNM = (".pbm", ".pgm", ".ppm", ".pnm")
_AVIF, _HEIF = (".avif", ".avifs"), (".heic", ".heif", ".hif")
# Pillow brings AVIF along from this version on.
_INSTALL_AVIF, _INSTALL_HEIF = "pip install 'pillow>=11.3'", "pip install pillow-heif"
# The first of its brands names what an ISO base media file is: 'ftyp', and this.
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def _reads_avif() -> bool:
    try:
        from PIL import AvifImagePlugin
    except ImportError:
        return False
    return AvifImagePlugin.SUPPORTED


_HAS_AVIF, _HAS_HEIF = _reads_avif(), find_spec("pillow_heif") is not None

EXTENSIONS: tuple[str, ...] = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"),
    *(*_JPEG[2:], ".apng", *_JPEG_2000, *_PNM),
    *(_AVIF if _HAS_AVIF else ()),
    *(_HEIF if _HAS_HEIF else ()),
)
"""Endings, in lower case, that a dataset takes for images. What a file holds is told by its content."""

INSTALL: dict[str, str] = {
    **dict.fromkeys(() if _HAS_AVIF else _AVIF, _INSTALL_AVIF),
    **dict.fromkeys(() if _HAS_HEIF else _HEIF, _INSTALL_HEIF),
}
"""Endings of images that could be read here, and what has to be installed for it."""

_FORMATS = (*(str(each.format) for each in PLUGINS), *(("AVIF",) if _HAS_AVIF else ()))


def formats_of(file: BinaryIO) -> tuple[str, ...]:
    """Return the names of Pillow's formats that an open file may be in; its position stays the beginning."""
    head = file.read(12)
    file.seek(0)
    return (*_FORMATS, "HEIF") if head[4:8] == b"ftyp" and _opens_heif() else _FORMATS


def missing_decoder(head: bytes) -> str:
    """Return what has to be installed for a file that begins so, and as what it is known; or nothing."""
    if head[4:8] != b"ftyp" or head[8:12] not in _AVIF_BRANDS + _HEIF_BRANDS:
        return ""
    if head[8:12] in _AVIF_BRANDS:
        return "" if _HAS_AVIF else f"is an AVIF image, which '{_INSTALL_AVIF}' reads"
    return "" if _opens_heif() else f"is a HEIC image, which '{_INSTALL_HEIF}' reads"


@cache
def _opens_heif() -> bool:
    """Return whether Pillow opens HEIC; the package for it is imported when the first such file comes."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True
