import io
import os
import re
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ding_cls.errors import DataError
from ding_cls.images.decoding.formats import EXTENSIONS
from ding_cls.images.image_io import as_rgb, decode_rgb, load_rgb, size_of

AVIF = ("avif",) if ".avif" in EXTENSIONS else ()


def save(path: Path, picture: Image.Image, **options) -> Path:
    picture.save(path, **options)
    return path


def palette(mode: str = "P", value: int | tuple[int, int] = 1) -> Image.Image:
    picture = Image.new(mode, (16, 16), value)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    return picture


def grey(value: float, dtype: str) -> Image.Image:
    return Image.fromarray(np.full((16, 16), value, dtype))


def big_endian_16_bit(value: int) -> Image.Image:
    return Image.frombytes("I;16B", (16, 16), np.full((16, 16), value, ">u2").tobytes())


# file name, picture, options of save, expected RGB
MODES = [
    ("1.png", Image.new("1", (16, 16), 1), {}, (255, 255, 255)),
    ("L.png", Image.new("L", (16, 16), 77), {}, (77, 77, 77)),
    ("L_key.png", Image.new("L", (16, 16), 77), {"transparency": 77}, (255, 255, 255)),
    ("LA.png", Image.new("LA", (16, 16), (0, 128)), {}, (127, 127, 127)),
    ("P.png", palette(), {}, (10, 20, 30)),
    ("P_alpha.png", palette(), {"transparency": bytes([255, 128])}, (132, 137, 142)),
    ("P.gif", palette(), {}, (10, 20, 30)),
    ("P_key.gif", palette(), {"transparency": 1}, (255, 255, 255)),
    ("RGB.bmp", Image.new("RGB", (16, 16), (1, 2, 3)), {}, (1, 2, 3)),
    ("RGB_key.png", Image.new("RGB", (16, 16), (9, 8, 7)), {"transparency": (9, 8, 7)}, (255, 255, 255)),
    ("RGBA.png", Image.new("RGBA", (16, 16), (255, 0, 0, 128)), {}, (255, 127, 127)),
    ("RGBA.webp", Image.new("RGBA", (16, 16), (255, 0, 0, 128)), {"lossless": True}, (255, 127, 127)),
    ("RGBA.tif", Image.new("RGBA", (16, 16), (255, 0, 0, 0)), {}, (255, 255, 255)),
    ("CMYK.jpg", Image.new("CMYK", (16, 16), (255, 0, 0, 51)), {"quality": 100}, (0, 204, 204)),
    ("CMYK.tiff", Image.new("CMYK", (16, 16), (255, 0, 0, 51)), {}, (0, 204, 204)),
    ("YCbCr.jpg", Image.new("RGB", (16, 16), (10, 200, 30)), {"quality": 100}, (10, 200, 30)),
    ("I16.png", grey(0x8000, "uint16"), {}, (128, 128, 128)),
    ("I16B.tif", big_endian_16_bit(0x8000), {}, (128, 128, 128)),
    ("I.tif", grey(0xFFFF, "int32"), {}, (255, 255, 255)),
    ("F_unit.tif", grey(0.2, "float32"), {}, (51, 51, 51)),
    ("F_bytes.tif", grey(200.4, "float32"), {}, (200, 200, 200)),
    # Worked out from CIE L*a*b* under D50 and sRGB's definition; a and b are stored with an offset of 128.
    ("LAB_grey.tif", Image.new("LAB", (16, 16), (128, 128, 128)), {}, (119, 119, 119)),
    ("LAB.tif", Image.new("LAB", (16, 16), (150, 148, 108)), {}, (164, 130, 177)),
]


@pytest.mark.parametrize(("name", "picture", "options", "expected"), MODES, ids=[row[0] for row in MODES])
def test_each_mode_gives_its_golden_colour(tmp_path, name, picture, options, expected):
    rgb = load_rgb(save(tmp_path / name, picture, **options))
    assert (rgb.mode, rgb.size, rgb.info) == ("RGB", (16, 16), {})
    assert np.abs(np.asarray(rgb).astype(int) - expected).max() <= 1


def test_palette_with_an_alpha_channel_is_laid_over_white(tmp_path):
    from ding_cls.images.image_io import _to_rgb

    assert _to_rgb(palette("PA", (1, 128))).getpixel((0, 0)) == (132, 137, 142)


def test_ycck_jpeg_is_decoded_as_the_inks_it_stores(tmp_path):
    # A CMYK JPEG whose Adobe marker says YCCK instead. It stores inks inverted: 200 128 128 255 is Y = 200
    # without colour or black, so 200 of each coloured ink.
    path = save(tmp_path / "a.jpg", Image.new("CMYK", (16, 16), (55, 127, 127, 0)), quality=100)
    stored = bytearray(path.read_bytes())
    stored[stored.index(b"Adobe") + 11] = 2
    path.write_bytes(stored)
    rgb = np.asarray(load_rgb(path)).astype(int)
    assert np.abs(rgb - 55).max() <= 2


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (grey(0x18000, "int32"), "integers from 98304 to 98304"),
        (grey(-1, "int32"), "integers from -1"),
        (grey(float("nan"), "float32"), "floats from nan"),
        (grey(300, "float32"), "floats from 300"),
    ],
)
def test_numbers_without_a_meaning_as_grey_are_refused(tmp_path, picture, reason):
    with pytest.raises(DataError, match=reason):
        load_rgb(save(tmp_path / "a.tif", picture))


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", *AVIF])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_stands_upright(tmp_path, ending, orientation):
    # Six flat fields, so that JPEG's losses stay away from the fields' centres.
    upright = np.repeat(np.repeat(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, 16, 0), 16, 1)
    undo = [None, None, 0, 3, 1, 5, 2, 6, 4][orientation]
    stored = Image.fromarray(upright)
    if undo is not None:
        stored = stored.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "avif": {"quality": 100}}.get(ending, {})
    rgb = np.asarray(load_rgb(save(tmp_path / f"a.{ending}", stored, exif=exif, **options)))
    assert rgb[8::16, 8::16, 0].tolist() == upright[8::16, 8::16].tolist()


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_the_first_frame_of_several_counts(tmp_path, ending):
    first, second = (Image.new("RGB", (16, 16), colour) for colour in ((255, 0, 0), (0, 0, 255)))
    options = {"lossless": True} if ending == "webp" else {}
    path = save(tmp_path / f"a.{ending}", first, save_all=True, append_images=[second], **options)
    with Image.open(path) as several:
        assert several.n_frames == 2
    assert load_rgb(path).getpixel((0, 0)) == (255, 0, 0)


FORMATS = [
    ("jpg", {}),
    ("jpg", {"progressive": True}),
    ("png", {}),
    ("webp", {}),
    ("bmp", {}),
    ("gif", {}),
    ("tif", {}),
    ("tif", {"compression": "tiff_lzw"}),
    ("jp2", {}),
    ("jp2", {"irreversible": True}),
    ("ppm", {}),
    *((ending, {}) for ending in AVIF),
]


@pytest.mark.parametrize(("ending", "options"), FORMATS)
def test_no_cut_of_a_file_passes_with_other_pixels(tmp_path, ending, options):
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    path = save(tmp_path / f"a b.{ending}", Image.fromarray(noise), **options)
    whole, pixels = path.read_bytes(), load_rgb(path).tobytes()
    errors = []
    for cut in range(100):
        path.write_bytes(whole[: len(whole) * cut // 100])
        try:
            assert load_rgb(path).tobytes() == pixels
        except DataError as error:
            errors.append(str(error))
    form = re.compile(rf"'{re.escape(str(path))}' is [^\n]*; delete it or replace it")
    assert all(form.fullmatch(error) for error in errors)
    # The last few bytes of PNG and GIF carry no pixels.
    assert len(errors) >= 95


def test_a_name_that_no_file_can_have_is_an_error_of_ours():
    with pytest.raises(DataError, match=r"'a\\x00b.png' cannot be read: embedded null byte; delete it"):
        load_rgb("a\0b.png")


def test_a_cut_file_is_named_with_its_length(tmp_path):
    path = save(tmp_path / "a b.jpg", Image.effect_noise((64, 64), 90))
    path.write_bytes(path.read_bytes()[:812])
    with pytest.raises(DataError) as caught:
        load_rgb(path)
    assert str(caught.value) == f"{str(path)!r} is truncated after 812 bytes; delete it or replace it"


def test_a_cut_file_whose_header_states_its_length_names_both(tmp_path):
    path = save(tmp_path / "a.bmp", Image.new("RGB", (16, 16)))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="is truncated after 500 of 822 bytes; delete it or replace it"):
        load_rgb(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (b"<html>not found</html>", "is text, not a picture"),
        (bytes(range(256)), "is no JPEG, PNG, BMP, WebP, GIF or TIFF picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is text, not a picture"),
        (b"\x89PNG\r\n", "is truncated or damaged in its header (6 bytes)"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, content, reason):
    path = tmp_path / "it's\n.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_rgb(path)
    assert str(caught.value) == f"{str(path)!r} {reason}; delete it or replace it"


def test_what_counts_is_the_content_not_the_ending(tmp_path):
    path = save(tmp_path / "a.jpg", Image.new("RGB", (4, 4), (1, 2, 3)), format="PNG")
    assert load_rgb(path).getpixel((0, 0)) == (1, 2, 3)


def test_missing_files_folders_and_pipes_are_named_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    for name, reason in (
        ("gone.jpg", "does not exist"),
        ("pipe.jpg", "is not a regular file"),
        ("folder.jpg", "is not a regular file"),
    ):
        with pytest.raises(DataError, match=f"{name}' {reason}"):
            load_rgb(tmp_path / name)


def png_of_declared_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
        )

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    pixels = zlib.compress(bytes(60_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_declared_size(50_000, 50_000))
    with pytest.raises(DataError, match=r"bomb.png' is too large: .*2500000000 pixels"):
        load_rgb(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(DataError, match="has 50000 x 50000 pixels, more than the limit of 178956970"):
        load_rgb(path)


def test_pillows_warnings_stay_inside(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", Image.new("RGB", (16, 16), (1, 2, 3)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.warns(Image.DecompressionBombWarning), Image.open(path):
        pass
    found = []
    for start in (lambda task: task(), _in_a_thread):
        start(lambda: found.append(load_rgb(path).getpixel((0, 0))))
    assert found == [(1, 2, 3)] * 2
    with pytest.warns(Image.DecompressionBombWarning), Image.open(path):
        pass


def _in_a_thread(task):
    thread = threading.Thread(target=task)
    thread.start()
    thread.join()


def test_a_damaged_exif_block_does_not_cost_the_picture(tmp_path):
    options = {"exif": b"Exif\0\0II*\0\xff\xff\xff\xff"}
    path = save(tmp_path / "a.jpg", Image.new("RGB", (16, 16), (9, 9, 9)), **options)
    assert load_rgb(path).getpixel((0, 0)) == (9, 9, 9)


def test_threads_decode_the_same_and_leave_one_warning_filter(tmp_path):
    path = save(tmp_path / "a.png", Image.effect_noise((64, 64), 90))
    expected, results = load_rgb(path).tobytes(), []
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=lambda: results.extend(load_rgb(path).tobytes() for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 80
    assert warnings.filters == before


def test_the_size_is_read_from_the_header_and_the_file_left_at_its_beginning():
    file = io.BytesIO()
    Image.new("L", (7, 5)).save(file, "PNG")
    # The pixels are gone: nobody asks for them.
    cut = io.BytesIO(file.getvalue()[:45])
    assert size_of(cut, label="'cut.png'") == (7, 5)
    assert cut.tell() == 0
    with pytest.raises(DataError, match=r"^'cut\.png' is text, not a picture"):
        size_of(io.BytesIO(b"hello"), label="'cut.png'")


def test_an_open_file_is_decoded_under_the_name_it_is_given():
    stored = io.BytesIO()
    Image.new("RGB", (4, 4), (1, 2, 3)).save(stored, "PNG")
    assert decode_rgb(stored, label="upload 7").getpixel((0, 0)) == (1, 2, 3)
    with pytest.raises(DataError, match=r"^upload 8 is text, not a picture"):
        decode_rgb(io.BytesIO(b"hello"), label="upload 8")


@pytest.mark.parametrize(("mode", "is_same"), [("RGB", True), ("L", False)])
def test_the_pixels_of_an_rgb_file_are_not_copied(tmp_path, monkeypatch, mode, is_same):
    path = save(tmp_path / "a.jpg", Image.new(mode, (16, 16), 77), exif=Image.Exif(), comment=b"x")
    opened, real = [], Image.open

    def open_and_keep(*args, **kwargs):
        opened.append(real(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(Image, "open", open_and_keep)
    picture = load_rgb(path)
    assert (picture.im is opened[0].im) is is_same
    assert (type(picture), picture.mode, picture.info, dict(picture.getexif())) == (
        Image.Image,
        "RGB",
        {},
        {},
    )


def test_a_picture_that_the_caller_has_open_is_copied():
    given = Image.new("RGB", (4, 4), (1, 2, 3))
    ours = as_rgb(given, label="a picture")
    given.paste((9, 9, 9), (0, 0, 4, 4))
    assert ours.getpixel((0, 0)) == (1, 2, 3)
