"""The brightest value of deep images, grey and coloured, and of no others."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ding_cls.data.image_depth import brightest_of_16_bits


def png_of_16_bits(path: Path, pixels: np.ndarray) -> None:
    """Write big-endian 16-bit RGB, which Pillow cannot."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("brightest", [4095, 65535, 0])
def test_grey_images_of_16_bits(tmp_path: Path, ending: str, brightest: int) -> None:
    pixels = np.zeros((4, 5), np.uint16)
    pixels[2, 3] = brightest
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}")
    assert brightest_of_16_bits(tmp_path / f"a.{ending}") == brightest


def test_coloured_images_of_16_bits(tmp_path: Path) -> None:
    pixels = np.zeros((4, 5, 3), np.uint16)
    pixels[1, 2, 1] = 3000
    png_of_16_bits(tmp_path / "a.png", pixels)
    assert brightest_of_16_bits(tmp_path / "a.png") == (3000 >> 8 << 8 | 0xFF)


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_others_are_none(tmp_path: Path, ending: str, mode: str) -> None:
    Image.new(mode, (5, 4)).save(tmp_path / f"a.{ending}")
    assert brightest_of_16_bits(tmp_path / f"a.{ending}") is None


def test_what_cannot_be_read_is_left_to_the_reader(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert brightest_of_16_bits(tmp_path / "a.png") is None
    assert brightest_of_16_bits(tmp_path / "none.png") is None
