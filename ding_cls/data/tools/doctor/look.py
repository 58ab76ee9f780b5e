"""One look at one image: what its file is like, and what tells it from others. It is decoded once.

It must not know datasets.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from ding_cls.data.image_depth import brightest_in
from ding_cls.data.tools.doctor.near import GRID, Signature, signature
from ding_cls.errors import DataError
from ding_cls.images.image_io import decode_rgb, exif_orientation, load_rgb

# Side of the square copy that an image is compared by.
_PREPARED = 32
_BITS_TAG = 258
_GREY_MODES = ("1", "L", "LA", "La", "F", "I")


@dataclass(frozen=True, slots=True)
class ImageLook:
    """What is known of an image after it was decoded.

    Attributes:
        fault: why it cannot be decoded, in a line with its path; empty where it can.
        remark: what its decoder said, though it was decoded.
        format: Pillow's name of the format; empty for pixels in memory.
        mode: Pillow's name of the colour mode, as the file has it.
        width: in pixels, upright.
        height: likewise.
        orientation: the EXIF orientation; 1: as it is stored.
        is_animated: it has more than one frame.
        has_alpha: it has transparency.
        is_grey: by its mode, or because all channels are alike.
        brightest: of an image of 16 bits the brightest value; else None.
        file_digest: of the bytes of the file, where another image may be the same; else empty.
        pixel_digest: images of different upright RGB pixels or sizes have different ones, once
            `with_exact_digests` has been asked.
        signature: what near duplicates are found by; None where imagehash is not installed.
    """

    fault: str = ""
    remark: str = ""
    format: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    is_animated: bool = False
    has_alpha: bool = False
    is_grey: bool = False
    brightest: int | None = None
    file_digest: bytes = b""
    pixel_digest: bytes = b""
    signature: Signature | None = None

    @property
    def is_truncated(self) -> bool:
        """Whether the file ends too early."""
        return " is truncated " in self.fault


def look_at_file(path: str) -> ImageLook:
    """Read and decode a file once, as training decodes it, and return what it is like."""
    found: dict[str, Any] = {}
    try:
        # What is no regular file could be waited for without end.
        content = _bytes_of(path) if stat.S_ISREG(os.stat(path).st_mode) else None
    except (OSError, ValueError):
        content = None
    try:
        if content is None:
            rgb = load_rgb(path)
        else:
            rgb = decode_rgb(
                io.BytesIO(content),
                label=repr(path),
                look=lambda image, messages: found.update(_of_file(image, messages, content[:32])),
            )
    except DataError as error:
        return ImageLook(fault=str(error))
    return _with_pixels(rgb, **found)


def look_at_pixels(pixels: npt.NDArray[Any], *, label: str) -> ImageLook:
    """Return what an image in memory is like: uint8 ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)``."""
    try:
        array = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
        image = Image.fromarray(array)
        look = _with_pixels(image.convert("RGB"), mode=image.mode, is_grey=image.mode in _GREY_MODES)
        return replace(look, pixel_digest=_digest(image.convert("RGB")))
    except (TypeError, ValueError) as error:
        return ImageLook(fault=f"{label} cannot be looked at: {error}")


def _bytes_of(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _of_file(image: Image.Image, messages: Sequence[str], head: bytes) -> dict[str, Any]:
    """Return what a decoded image says of itself, before it became RGB."""
    mode = image.mode
    return {
        "remark": messages[0] if messages else "",
        "format": image.format or "",
        "mode": mode,
        "orientation": exif_orientation(image),
        "is_animated": bool(getattr(image, "is_animated", False)) and image.format != "MPO",
        "has_alpha": _is_transparent(image),
        "is_grey": mode in _GREY_MODES or mode.startswith("I;16"),
        "brightest": brightest_in(image) if _has_16_bits(image, head) else None,
    }


def _is_transparent(image: Image.Image) -> bool:
    """Return whether a pixel may be seen through: an alpha channel alone may be opaque."""
    if not image.has_transparency_data:
        return False
    return image.mode not in ("RGBA", "LA") or image.getchannel("A").getextrema() != (255, 255)


def _has_16_bits(image: Image.Image, head: bytes) -> bool:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return True
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return bool(max(image.tag_v2.get(_BITS_TAG, (8,))) == 16)
    # The byte of a PNG that states it: Pillow gives the upper 8 bits alone.
    return image.format == "PNG" and head[24:25] == b"\x10"


def _with_pixels(rgb: Image.Image, *, is_grey: bool, **known: Any) -> ImageLook:
    # Pillow's own quick way: whole factors first, the rest exactly.
    small = rgb.resize((_PREPARED, _PREPARED), Image.Resampling.BILINEAR, reducing_gap=1.5)
    grid = np.asarray(small.resize((GRID, GRID), Image.Resampling.BILINEAR))
    # All pixels would take a fifth of the time of decoding.
    digest = hashlib.sha256(f"{rgb.size}".encode() + small.tobytes()).digest()
    return ImageLook(
        width=rgb.width,
        height=rgb.height,
        pixel_digest=digest,
        is_grey=is_grey or bool((grid == grid[..., :1]).all()),
        signature=signature(small, grid),
        **known,
    )


def with_exact_digests(looks: Sequence[ImageLook], paths: Sequence[str | None]) -> list[ImageLook]:
    """Return looks whose digests tell files of different pixels apart.

    Those that may be the same are compared by their bytes, and where these differ by their pixels.

    Args:
        looks: of images.
        paths: of their files; None for those in memory, whose digests are exact already.
    """
    places: dict[bytes, list[int]] = {}
    for place, (look, path) in enumerate(zip(looks, paths, strict=True)):
        if path is not None and look.pixel_digest:
            places.setdefault(look.pixel_digest, []).append(place)
    exact = list(looks)
    for alike in (each for each in places.values() if len(each) > 1):
        files = [(place, str(paths[place])) for place in alike]
        contents = {place: hashlib.sha256(_bytes_of(path)).digest() for place, path in files}
        are_same = len({*contents.values()}) == 1
        for place, path in files:
            pixels = looks[place].pixel_digest if are_same else _digest(load_rgb(path))
            exact[place] = replace(looks[place], file_digest=contents[place], pixel_digest=pixels)
    return exact


def _digest(rgb: Image.Image) -> bytes:
    return hashlib.sha256(f"{rgb.size}".encode() + rgb.tobytes()).digest()
