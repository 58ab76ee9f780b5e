import io

import pytest
from PIL import Image, features

from ding_cls.data.image_formats import EXTENSIONS, INSTALL, formats_of, missing_decoder
from ding_cls.data.image_io import load_rgb

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
    monkeypatch.setattr("ding_cls.data.image_formats._opens_heif", lambda: True)
    file = io.BytesIO(HEIC)
    assert "HEIF" in formats_of(file)
    assert file.tell() == 0
    assert "HEIF" not in formats_of(io.BytesIO(b"\x89PNG\r\n\x1a\n1234"))
    assert missing_decoder(HEIC) == ""
    monkeypatch.setattr("ding_cls.data.image_formats._opens_heif", lambda: False)
    assert "HEIF" not in formats_of(io.BytesIO(HEIC))
    assert missing_decoder(HEIC) == "is a HEIC image, which 'pip install pillow-heif' reads"
    assert missing_decoder(b"\0\0\0\x18ftypmp42\0\0\0\0") == ""


def test_avif_without_a_decoder_names_the_version_that_has_one(monkeypatch):
    monkeypatch.setattr("ding_cls.data.image_formats._HAS_AVIF", False)
    assert "pillow>=11.3" in missing_decoder(HEIC.replace(b"heic", b"avif"))
