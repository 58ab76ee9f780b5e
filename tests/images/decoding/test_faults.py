"""Sound files of kinds that are not read are told from damaged ones, and say what to do."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from ding_cls.errors import ImageError
from ding_cls.images.image_io import decode_rgb


def jpeg() -> bytes:
    stored = io.BytesIO()
    Image.new("RGB", (16, 16), (10, 200, 30)).save(stored, "JPEG")
    return stored.getvalue()


def jpeg_of_12_bits() -> bytes:
    content = bytearray(jpeg())
    content[content.index(b"\xff\xc0") + 4] = 12
    return bytes(content)


def tiff(
    *, channels: int, bits: int, form: int, size: int = 8, lacks: int = 0, compression: int = 1
) -> bytes:
    """Return a TIFF file of zeros; ``lacks`` bytes of its pixels are not there."""
    count = size * size * channels * bits // 8
    tags = {
        256: (3, size),
        257: (3, size),
        258: (3, bits),
        259: (3, compression),
        262: (3, 2 if channels > 2 else 1),
        273: (4, 200),
        277: (3, channels),
        278: (3, size),
        279: (4, count),
        339: (3, form),
    }
    rows = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + rows + bytes(4)
    return head.ljust(200, b"\0") + bytes(count - lacks)


def said_of(content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode_rgb(io.BytesIO(content), label="x")
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (jpeg_of_12_bits(), "a JPEG that Pillow cannot read (cannot handle 12-bit layers)"),
        (
            tiff(channels=3, bits=32, form=3),
            "a TIFF that Pillow cannot read (3 channels of 32-bit floating-point numbers)",
        ),
        (
            tiff(channels=3, bits=16, form=2),
            "a TIFF that Pillow cannot read (3 channels of 16-bit signed numbers)",
        ),
        (
            tiff(channels=1, bits=64, form=3),
            "a TIFF that Pillow cannot read (1 channel of 64-bit floating-point numbers)",
        ),
        (
            tiff(channels=3, bits=8, form=1, compression=34712),
            "a TIFF that Pillow cannot read (3 channels of 8-bit numbers, compression 34712)",
        ),
        (b"\xff\xd8\xff\xf7" + bytes(40), "a JPEG-LS image"),
        (b"8BPS\0\1" + bytes(40), "a Photoshop image"),
        (b"\0\0\1\0" + bytes(40), "an icon (ICO)"),
        (b"\xff\x0a" + bytes(40), "a JPEG XL image"),
        (b"%PDF-1.4\n" + bytes(40), "a PDF document"),
        (b"PK\3\4" + bytes(40), "a zip archive"),
    ],
)
def test_what_is_not_read_is_named_and_never_called_damaged(content, what):
    assert said_of(content) == f"x is {what}; convert it, to PNG for example"


@pytest.mark.parametrize("lacks", [1, 100])
def test_a_cut_file_of_such_a_kind_is_damaged(lacks):
    content = tiff(channels=3, bits=32, form=3, lacks=lacks)
    said = f"x is truncated or damaged in its header ({len(content)} bytes); delete it or replace it"
    assert said_of(content) == said


def test_numbers_of_another_scale_are_to_be_converted():
    stored = io.BytesIO()
    Image.fromarray(np.full((8, 8), 300, np.float32)).save(stored, "TIFF")
    said = said_of(stored.getvalue())
    assert said == "x holds floats from 300 to 300, outside [0, 1] and [0, 255]; convert it to 8 bits"


def test_a_file_that_git_lfs_has_not_fetched_says_how():
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    assert said_of(pointer) == "x is a pointer of Git LFS, not a picture; fetch the file: git lfs pull"


def test_a_heic_file_says_what_reads_it(monkeypatch):
    monkeypatch.setattr("ding_cls.images.decoding.formats._opens_heif", lambda: False)
    said = said_of(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    assert said.startswith("x is a HEIC image, which 'pip install pillow-heif' reads; install it, or convert")
