"""Text on an image: its size, what it hides, and what becomes of letters that no font has."""

import numpy as np
import pytest
from PIL import Image, ImageFont

from ding_cls.report import caption
from ding_cls.report.caption import captioned, resized, side_by_side, undrawn

LINES = ["0.982  Egyptian cat", "0.012  tiger cat", "0.003  tabby, tabby cat"]


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((8, 8), (320, 320)),
        ((28, 28), (336, 336)),
        ((319, 100), (638, 200)),
        ((640, 480), (640, 480)),
        ((6000, 4000), (1600, 1067)),
        ((1, 1), (320, 320)),
        ((1, 9000), (1, 1600)),
    ],
)
def test_an_image_is_shown_in_a_size_to_look_at(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert resized(Image.new("L", size)).size == shown


def test_small_pixels_stay_squares() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8))
    large = np.asarray(resized(image))
    assert np.array_equal(large[::40, ::40], np.asarray(image))
    assert np.array_equal(large[39::40, 39::40], np.asarray(image))


@pytest.mark.parametrize("colour", ["white", "black", "red", (128, 128, 128)])
def test_text_stands_out_from_any_background(colour: str) -> None:
    pixels = np.asarray(captioned(Image.new("RGB", (640, 480), colour), LINES).convert("L")).astype(float)
    box = pixels[-60:]
    assert box.max() > 250
    # The contrast of WCAG 2 for small text is 4.5.
    dark = (np.median(box) / 255) ** 2.2
    assert (1 + 0.05) / (dark + 0.05) > 4.5
    assert np.array_equal(pixels[:380], np.asarray(Image.new("RGB", (640, 480), colour).convert("L"))[:380])


def test_a_box_that_would_hide_most_of_the_picture_is_below_it() -> None:
    image = Image.new("RGB", (1200, 40), "red")
    picture = captioned(image, LINES)
    assert picture.width == 1200
    assert picture.height > 80
    assert np.array_equal(np.asarray(picture)[:40], np.asarray(image))
    narrow = captioned(Image.new("RGB", (20, 600), "red"), LINES)
    assert narrow.size == (320, 600)
    below = captioned(Image.new("RGB", (640, 480), "red"), LINES[:1], is_below=True)
    assert np.array_equal(np.asarray(below)[:480], np.asarray(Image.new("RGB", (640, 480), "red")))
    assert captioned(image, []).size == image.size


def test_many_lines_are_all_there_up_to_a_hundred() -> None:
    image = Image.new("RGB", (400, 400))
    heights = [captioned(image, ["x"] * count).height for count in (50, 100, 101, 5000)]
    assert heights[0] < heights[1] < heights[2] == heights[3]


def drawn_text(monkeypatch: pytest.MonkeyPatch, line: str, width: int = 900) -> str:
    texts: list[str] = []
    monkeypatch.setattr(
        caption.ImageDraw.ImageDraw, "text", lambda self, place, text, **_: texts.append(text)
    )
    captioned(Image.new("RGB", (width, width)), [line])
    return texts[0]


def test_what_cannot_be_seen_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption, "_FONTS", ())
    assert drawn_text(monkeypatch, "Zoe & <b>") == "Zoe & <b>"
    assert drawn_text(monkeypatch, "a\nb\0\t") == "a\\nb\\x00\\t"
    assert drawn_text(monkeypatch, "\udcff\u202ecat") == "\\xff\\u202ecat"
    assert drawn_text(monkeypatch, "猫 cat") == "\\u732b cat"
    assert undrawn("猫 cat 猫\n") == "猫"
    assert undrawn("Zoe") == ""


def test_a_font_of_the_system_draws_what_the_first_one_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        ImageFont.truetype("DejaVuSans.ttf", 16)
    except OSError:
        pytest.skip("DejaVu is not installed")
    assert drawn_text(monkeypatch, "0.5  Привет") == "0.5  Привет"
    assert undrawn("שלום") == ""


def test_a_line_that_is_too_long_ends_in_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn_text(monkeypatch, "0.5  " + "long name " * 40, width=400)
    assert text.startswith("0.5  long name")
    assert text.endswith("...")
    assert caption.ImageFont.load_default(14).getlength(text) < 400


def test_pictures_stand_side_by_side() -> None:
    row = side_by_side([Image.new("RGB", (20, 10), "red"), Image.new("RGB", (5, 10), "blue")])
    assert row.size == (25, 10)
    assert row.getpixel((19, 5)) == (255, 0, 0)
    assert row.getpixel((20, 5)) == (0, 0, 255)
