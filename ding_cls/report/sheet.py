"""Images with words under them, laid out on one sheet by Pillow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from PIL import Image, ImageDraw

from ding_cls.common.tables import published
from ding_cls.report.caption import fitted

_TEXT_PX, _LINE_PX, _GAP_PX = 12, 16, 10
_PAPER, _INK, _FRAME = "#ffffff", "#202020", "#c8c8c8"


@dataclass(frozen=True, slots=True)
class Cell:
    """One image of a sheet.

    Attributes:
        image: uint8 ``(H, W, 3)``.
        lines: what is written under it.
    """

    image: npt.NDArray[Any]
    lines: tuple[str, ...]


def draw_sheet(groups: Sequence[Sequence[Cell]], *, cell_px: int, per_row: int) -> Image.Image:
    """Return a sheet of groups of images that belong together, from left to right and downwards.

    An image that does not fit its cell is made smaller; one that fits several times over is enlarged by a
    whole number, so that each of its pixels stays one colour.

    Args:
        groups: at least one, of one cell or more.
        cell_px: side of a cell, in pixels.
        per_row: groups beside each other.
    """
    length = max(map(len, groups))
    width_px = length * (cell_px + _GAP_PX) + _GAP_PX
    num_lines = max(len(cell.lines) for group in groups for cell in group)
    height_px = cell_px + num_lines * _LINE_PX + 2 * _GAP_PX
    columns = min(per_row, len(groups))
    sheet = Image.new("RGB", (columns * width_px, -(-len(groups) // columns) * height_px + _GAP_PX), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, group in enumerate(groups):
        left, top = number % columns * width_px, number // columns * height_px + _GAP_PX
        for place, cell in enumerate(group):
            _draw_cell(sheet, draw, cell, left + _GAP_PX + place * (cell_px + _GAP_PX), top, cell_px)
    return sheet


def save_sheet(sheet: Image.Image, path: str | os.PathLike[str]) -> None:
    """Publish a sheet as a PNG file.

    Raises:
        DataError: the file cannot be written.
        DiskError: the disk is full or fails.
    """
    with published(path) as file:
        sheet.save(file, format="PNG")


def _draw_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, cell: Cell, left: int, top: int, cell_px: int
) -> None:
    image = _scaled(Image.fromarray(cell.image), cell_px)
    x, y = left + (cell_px - image.width) // 2, top + (cell_px - image.height) // 2
    sheet.paste(image, (x, y))
    draw.rectangle((x - 1, y - 1, x + image.width, y + image.height), outline=_FRAME)
    for number, line in enumerate(cell.lines):
        below = (left, top + cell_px + 4 + number * _LINE_PX)
        text, font = fitted(line, _TEXT_PX, cell_px)
        draw.text(below, text, fill=_INK, font=font)


def _scaled(image: Image.Image, cell_px: int) -> Image.Image:
    longest = max(image.size)
    if longest > cell_px:
        size = [max(1, round(side * cell_px / longest)) for side in image.size]
        return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    times = cell_px // longest
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
