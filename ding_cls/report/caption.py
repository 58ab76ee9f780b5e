"""Lines of text drawn on an image: readable on any background, at any size of the image.

Plain pixels and text in, a picture out.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

_MIN_SIDE_PX = 320
_MAX_SIDE_PX = 1600
_MAX_LINES = 100
_JOINERS = "\u200c\u200d"
_BACKGROUND = (0, 0, 0, 176)

# Found by name in the folders of the system, or in matplotlib; each for writing systems that those before it
# lack.
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "msyh.ttc",
    "arial.ttf",
    "unifont.otf",
    "unifont.ttf",
)

_Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


def captioned(image: Image.Image, lines: Sequence[str], *, is_below: bool = False) -> Image.Image:
    """Return an image, in the size of `resized`, with lines of text, white in a dark box at its bottom.

    Where the box would hide more than half of the picture, it is below it.

    Args:
        image: of any mode.
        lines: from top to bottom; one that is too long ends in dots, and after 100 their number follows. A
            character that no font of this machine has, or that is none to be seen, is written as its number,
            such as ``\\u732b``.
        is_below: the box hides nothing.

    Returns:
        an RGB image.
    """
    picture = resized(image.convert("RGB"))
    size = max(14, round(min(picture.width, 1.5 * picture.height) / 36))
    if len(lines) > _MAX_LINES:
        lines = [*lines[:_MAX_LINES], f"and {len(lines) - _MAX_LINES:,} more"]
    width = max(picture.width, _MIN_SIDE_PX)
    margin = size // 2
    texts = [fitted(line, size, width - 2 * margin) for line in lines]
    box_height = round(1.3 * size * len(texts)) + 2 * margin if texts else 0
    is_below = is_below or box_height > picture.height / 2
    canvas = Image.new("RGB", (width, picture.height + (box_height if is_below else 0)))
    canvas.paste(picture, ((width - picture.width) // 2, 0))
    draw = ImageDraw.Draw(canvas, "RGBA")
    top = canvas.height - box_height
    draw.rectangle((0, top, width, canvas.height), fill=_BACKGROUND)
    for row, (text, font) in enumerate(texts):
        middle = top + margin + (row + 0.5) * 1.3 * size
        is_laid_out = getattr(font, "layout_engine", None) == ImageFont.Layout.RAQM
        # Numbers stay in front of a name that is written from right to left.
        direction = "ltr" if is_laid_out else None
        draw.text((margin, middle), text, fill="white", font=font, anchor="lm", direction=direction)
    return canvas


def resized(image: Image.Image) -> Image.Image:
    """Return an image in a size to look at: enlarged by a whole number until its longer side has 320 pixels,
    each pixel a square; or reduced until it has 1,600."""
    longer = max(image.size)
    if longer < _MIN_SIDE_PX:
        factor = -(-_MIN_SIDE_PX // longer)
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    if longer <= _MAX_SIDE_PX:
        return image
    sides = (max(1, round(side * _MAX_SIDE_PX / longer)) for side in image.size)
    return image.resize((next(sides), next(sides)), Image.Resampling.LANCZOS, reducing_gap=3.0)


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return pictures of one height in a row, RGB."""
    row = Image.new("RGB", (sum(each.width for each in pictures), pictures[0].height))
    left = 0
    for each in pictures:
        row.paste(each, (left, 0))
        left += each.width
    return row


def fitted(line: str, size: int, width: int) -> tuple[str, _Font]:
    """Return a line, or as much of it as fits so many pixels, and dots; and the font that draws it."""
    name = _font_name(line)
    font = _font(name, size) or ImageFont.load_default(size)
    text = "".join(_visible(each, name) for each in line)
    if font.getlength(text) <= width:
        return text, font
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = font.getlength(f"{text[:middle].rstrip()}...") <= width
        low, high = (middle, high) if fits else (low, middle - 1)
    return f"{text[:low].rstrip()}...", font


def undrawn(line: str) -> str:
    """Return the characters of a line that are written as their numbers for want of a font, each once."""
    name = _font_name(line)
    return "".join(dict.fromkeys(each for each in line if _is_shown(each) and not _draws(name, each)))


def _visible(character: str, name: str | None) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if _is_shown(character) and _draws(name, character):
        return character
    return character.encode("unicode_escape").decode()


def _is_shown(character: str) -> bool:
    # Of what has no shape, joiners alone change the letters beside them; the rest hides or turns text.
    return character in _JOINERS or unicodedata.category(character)[0] != "C"


def _font_name(line: str) -> str | None:
    """Return the font that draws most of a line; of equal ones the first, which is Pillow's own."""
    return max((None, *_FONTS), key=lambda name: sum(_draws(name, each) for each in line))


@lru_cache(maxsize=256)
def _font(name: str | None, size: int, engine: ImageFont.Layout | None = None) -> _Font | None:
    if name is None:
        return ImageFont.load_default(size)
    for path in (name, _matplotlib_font(name)):
        with suppress(OSError):
            return ImageFont.truetype(path, size, layout_engine=engine)
    return None


def _matplotlib_font(name: str) -> str:
    """Return where matplotlib, if it is installed, would have a font; it is not imported."""
    found = find_spec("matplotlib")
    return os.path.join(os.path.dirname((found and found.origin) or ""), "mpl-data", "fonts", "ttf", name)


@lru_cache(maxsize=65536)
def _draws(name: str | None, character: str) -> bool:
    """Return whether a font has a character: what it lacks all looks alike."""
    # Without the layout of words, which would put an accent on a circle.
    font = _font(name, 16, ImageFont.Layout.BASIC)
    if font is None:
        return False
    if character == " " or character in _JOINERS:
        return True
    missing, own = font.getmask("\uffff"), font.getmask(character)
    return (own.size, bytes(own)) != (missing.size, bytes(missing))
