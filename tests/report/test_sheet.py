"""A sheet shows pixels as they are, whatever is written under them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ding_cls.errors import DataError
from ding_cls.report.sheet import Cell, draw_sheet, save_sheet


def cell(height: int, width: int, *lines: str) -> Cell:
    return Cell(np.full((height, width, 3), (255, 128, 0), np.uint8), lines)


def orange(sheet: Image.Image) -> np.ndarray:
    return np.argwhere((np.asarray(sheet) == (255, 128, 0)).all(-1))


@pytest.mark.parametrize(
    ("size", "shown"),
    [((40, 40), (40, 40)), ((8, 4), (40, 20)), ((9, 30), (9, 30)), ((80, 400), (8, 40)), ((1, 900), (1, 40))],
)
def test_large_images_shrink_and_small_ones_grow_by_whole_pixels(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    places = orange(draw_sheet([[cell(*size)]], cell_px=40, per_row=1))
    assert tuple(places.max(0) - places.min(0) + 1) == shown


def test_groups_stay_together_and_go_on_below() -> None:
    groups = [[cell(8, 8, "a"), cell(8, 8, "b")] for _ in range(3)]
    two = draw_sheet(groups, cell_px=40, per_row=2)
    one = draw_sheet(groups, cell_px=40, per_row=1)
    assert two.width == 2 * one.width == 220
    assert one.height > two.height
    assert len(orange(two)) == len(orange(one)) == 6 * 40 * 40


@pytest.mark.parametrize(
    "name", ["", "a" * 500, "x\ny\x00", "\udcff\udc00", "שלום", "\u2fff", "<b>&\"'</b>", "\u200b\u202e"]
)
def test_any_name_is_written(name: str) -> None:
    sheet = draw_sheet([[cell(8, 8, name)]], cell_px=60, per_row=1)
    assert sheet.size == (80, 106)


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    save_sheet(Image.new("RGB", (3, 4)), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.size) == ("PNG", (3, 4))
    with pytest.raises(DataError, match=r"a\.png"):
        save_sheet(Image.new("RGB", (3, 4)), tmp_path / "a.png" / "b.png")
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]
