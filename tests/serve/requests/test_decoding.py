"""Uploads become what predict's own reading makes of the same file; pixels are counted before it."""

import asyncio
import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ding_cls.errors import ImageError
from ding_cls.images import load_rgb
from ding_cls.serve.requests import decoding
from ding_cls.serve.requests.decoding import Decoder, LargeImageError, Upload, is_plain
from tests.serve.toy import ColourPredictor


def run(action: Callable[[Decoder], Any], predictor: Any = None, *, max_pixels: int = 10_000) -> Any:
    async def main() -> Any:
        decoder = Decoder(predictor or ColourPredictor(), max_pixels=max_pixels, num_threads=2)
        try:
            return await action(decoder)
        finally:
            decoder.stop()

    return asyncio.run(main())


def noise(mode: str) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 255, (30, 40, 4), dtype=np.uint8)
    return Image.fromarray(values, "RGBA").convert(mode)


def variants() -> dict[str, bytes]:
    """Return image files of the kinds that cameras, scanners and screens make."""
    found = {}
    wide = Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 54)
    turned = Image.Exif()
    turned[0x0112] = 6
    cases: list[tuple[str, Image.Image, str, dict[str, Any]]] = [
        ("grey.jpg", noise("L"), "JPEG", {}),
        ("colour.jpg", noise("RGB"), "JPEG", {}),
        ("print.jpg", noise("CMYK"), "JPEG", {}),
        ("turned.jpg", noise("RGB"), "JPEG", {"exif": turned.tobytes()}),
        ("transparent.png", noise("RGBA"), "PNG", {}),
        ("palette.png", noise("RGB").convert("P"), "PNG", {"transparency": 3}),
        ("wide.png", wide, "PNG", {}),
        ("film.gif", noise("RGB").convert("P"), "GIF", {}),
        ("phone.webp", noise("RGB"), "WEBP", {}),
        ("scan.tif", noise("L"), "TIFF", {}),
    ]
    for name, image, kind, options in cases:
        file = io.BytesIO()
        image.save(file, kind, **options)
        found[name] = file.getvalue()
    return found


def test_an_upload_has_the_pixels_that_its_file_has(tmp_path: Path) -> None:
    count = 0
    for name, content in variants().items():
        (tmp_path / name).write_bytes(content)
        upload = Upload(io.BytesIO(content), name)
        image = run(lambda decoder, upload=upload: decoder.image(upload))
        assert np.array_equal(np.asarray(image), np.asarray(load_rgb(tmp_path / name))), name
        (pixels,) = run(lambda decoder, upload=upload: decoder.prepared(upload))
        assert np.array_equal(pixels, ColourPredictor().prepare(tmp_path / name)[0]), name
        count += 1
    assert count == 10


def bomb(width: int, height: int) -> bytes:
    """Return the beginning of a PNG file that promises so many pixels, and has none."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    content = bytearray(file.getvalue())
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("width", "height"), [(101, 100), (9000, 9000), (10_000, 10_000), (2**31 - 1, 1), (65_000, 65_000)]
)
def test_more_pixels_than_the_limit_are_refused_by_the_header(width: int, height: int) -> None:
    began = time.monotonic()
    with pytest.raises(ImageError) as error:
        run(lambda decoder: decoder.prepared(Upload(io.BytesIO(bomb(width, height)), "b.png")))
    assert time.monotonic() - began < 5
    assert isinstance(error.value, LargeImageError)
    assert "more pixels than the limit of 10,000" in str(error.value)


def test_a_client_is_not_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ding_cls.images.decoding.formats._opens_heif", lambda: False)
    upload = Upload(io.BytesIO(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)))
    with pytest.raises(ImageError, match=r"^the image is a HEIC image$"):
        run(lambda decoder: decoder.image(upload))


def test_an_upload_without_a_name_is_the_image() -> None:
    with pytest.raises(ImageError, match=r"^the image is text"):
        run(lambda decoder: decoder.image(Upload(io.BytesIO(b"hello"))))


class Watching(ColourPredictor):
    """Counts how many threads prepare at once."""

    def __init__(self) -> None:
        super().__init__()
        self.count = self.most = 0
        self._lock = threading.Lock()

    def prepare(self, source: Any) -> list[Any]:
        with self._lock:
            self.count += 1
            self.most = max(self.most, self.count)
        time.sleep(0.02)
        with self._lock:
            self.count -= 1
        return super().prepare(source)


def all_at_once(decoder: Decoder) -> Any:
    content = variants()["grey.jpg"]
    return asyncio.gather(*(decoder.prepared(Upload(io.BytesIO(content))) for _ in range(4)))


def test_large_images_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Watching()
    run(all_at_once, predictor)
    assert predictor.most == 2
    monkeypatch.setattr(decoding, "LARGE_PIXELS", 100)
    predictor = Watching()
    run(all_at_once, predictor)
    assert predictor.most == 1


class Preprocessed:
    """What a predictor has of its preprocessing."""

    def __init__(self, *kinds: str, is_builtin: bool = True) -> None:
        self.pipeline = [{"type": kind} for kind in kinds]
        self.is_builtin = is_builtin


def test_steps_that_are_random_or_the_users_own_run_one_at_a_time() -> None:
    predictor: Any = Watching()
    predictor.preprocessings = [Preprocessed("Resize", "CenterCrop")]
    assert is_plain(predictor)
    for other in (Preprocessed("Resize", "RandomFlip"), Preprocessed("Resize", is_builtin=False)):
        predictor = Watching()
        predictor.preprocessings = [Preprocessed("Resize"), other]
        assert not is_plain(predictor)
        run(all_at_once, predictor)
        assert predictor.most == 1
