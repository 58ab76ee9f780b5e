import base64
import io

import numpy as np
import pytest
from PIL import Image, features

from ding_cls.images.decoding.formats import EXTENSIONS, INSTALL, formats_of, missing_decoder
from ding_cls.images.image_io import load_rgb

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0"


@pytest.mark.parametrize(
    "ending", [".jpe", ".jfif", ".mpo", ".apng", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".tiff"]
)
def test_rare_endings_are_those_of_images(ending):
    assert ending in EXTENSIONS


def test_an_ending_is_read_or_has_a_command_that_makes_it_readable():
    assert not set(EXTENSIONS) & set(INSTALL)
    for ending in (".avif", ".heic", ".heif", ".hif"):
        assert ending in EXTENSIONS or INSTALL[ending].startswith("pip install ")


def test_avif_is_read_where_pillow_can(tmp_path):
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    assert {".avif", ".avifs"} <= set(EXTENSIONS)
    Image.new("RGB", (16, 16), (200, 10, 10)).save(tmp_path / "a.avif", quality=100)
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.avif").read_bytes())
    for name in ("a.avif", "b.jpg"):
        red, green, blue = load_rgb(tmp_path / name).getpixel((8, 8))
        assert red > 190
        assert max(green, blue) < 20


def test_heic_is_read_where_its_package_is_installed(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    assert ".heic" in EXTENSIONS
    Image.new("RGB", (64, 64), (200, 10, 10)).save(tmp_path / "a.HEIC", format="HEIF", quality=100)
    assert load_rgb(tmp_path / "a.HEIC").getpixel((8, 8))[0] > 190


def test_the_package_for_heic_is_asked_for_by_the_content_and_the_position_stays(monkeypatch):
    monkeypatch.setattr("ding_cls.images.decoding.formats._opens_heif", lambda: True)
    file = io.BytesIO(HEIC)
    assert "HEIF" in formats_of(file)
    assert file.tell() == 0
    assert "HEIF" not in formats_of(io.BytesIO(b"\x89PNG\r\n\x1a\n1234"))
    assert missing_decoder(HEIC) == ""
    monkeypatch.setattr("ding_cls.images.decoding.formats._opens_heif", lambda: False)
    assert "HEIF" not in formats_of(io.BytesIO(HEIC))
    assert missing_decoder(HEIC) == "is a HEIC image, which 'pip install pillow-heif' reads"
    assert missing_decoder(b"\0\0\0\x18ftypmp42\0\0\0\0") == ""


def test_avif_without_a_decoder_names_the_version_that_has_one(monkeypatch):
    monkeypatch.setattr("ding_cls.images.decoding.formats._HAS_AVIF", False)
    assert "pillow>=11.3" in missing_decoder(HEIC.replace(b"heic", b"avif"))


# 16 x 16 of 200, 40, 40, by `cjpeg -arithmetic` of libjpeg-turbo 2.1.5.
ARITHMETIC = """
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoK
CgoKBggLDAsKDAkKCgr/2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoK
CgoKCgoKCgr/yQARCAAQABADASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/ANmp5OOEu2D/2Q==
"""


def stored(kind: str, mode: str = "RGB", colour: object = (200, 40, 40), **options) -> bytes:
    content = io.BytesIO()
    Image.new(mode, (16, 16), colour).save(content, kind, **options)
    return content.getvalue()


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((0, 200, 0), (0, 0, 200))]
    return stored(kind, save_all=True, append_images=frames)


# Sound files that viewers show and that datasets of strangers hold, and their colour.
RARE = {
    "an arithmetic JPEG": (base64.b64decode(ARITHMETIC), (200, 40, 40)),
    "a progressive JPEG": (stored("JPEG", progressive=True), (200, 40, 40)),
    "a grey JPEG": (stored("JPEG", "L", 77), (77, 77, 77)),
    "an MPO": (animated("MPO"), (200, 40, 40)),
    "an animated GIF": (animated("GIF"), (200, 40, 40)),
    "an animated WebP": (animated("WEBP"), (200, 40, 40)),
    "an animated PNG": (animated("PNG"), (200, 40, 40)),
    "trailing bytes of a JPEG": (stored("JPEG") + bytes(100) + b"more", (200, 40, 40)),
    "trailing bytes of a PNG": (stored("PNG") + b"more", (200, 40, 40)),
    "JPEG 2000": (stored("JPEG2000"), (200, 40, 40)),
    "a codestream of JPEG 2000": (stored("JPEG2000", no_jp2=True), (200, 40, 40)),
    "grey JPEG 2000": (stored("JPEG2000", "L", 77), (77, 77, 77)),
    "JPEG 2000 with alpha": (stored("JPEG2000", "RGBA", (255, 0, 0, 0)), (255, 255, 255)),
    "JPEG 2000 of 16 bits": (stored("JPEG2000", "I;16", 0x8000), (128, 128, 128)),
    "PPM": (stored("PPM"), (200, 40, 40)),
    "PGM": (stored("PPM", "L", 77), (77, 77, 77)),
    "PBM": (stored("PPM", "1", 1), (255, 255, 255)),
    "PGM in plain text": (b"P2\n# a comment\n2 2\n255\n" + b"77 " * 4, (77, 77, 77)),
    "TIFF with a palette": (stored("TIFF", "P", 0), (0, 0, 0)),
    "TIFF of one bit by fax": (stored("TIFF", "1", 1, compression="group4"), (255, 255, 255)),
    "TIFF with a JPEG in it": (stored("TIFF", compression="jpeg"), (200, 40, 40)),
    "BigTIFF": (stored("TIFF", big_tiff=True), (200, 40, 40)),
}


@pytest.mark.parametrize("name", RARE)
def test_sound_images_of_rare_kinds_are_read_under_any_ending(tmp_path, capfd, caplog, name):
    content, colour = RARE[name]
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    rgb = np.asarray(load_rgb(path)).astype(int)
    assert np.abs(rgb - colour).max() <= 6
    # No decoder has anything to say of them.
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
