"""One look at one image: what the file says, and one decoding for all of it."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from ding_cls.data.tools.doctor.look import look_at_file, look_at_pixels, with_exact_digests

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def saved(path: Path, image: Image.Image, **options: Any) -> str:
    image.save(path, **options)
    return str(path)


@pytest.fixture
def rgb() -> Image.Image:
    return Image.fromarray(NOISE)


def test_what_kinds_of_files_there_are(tmp_path: Path, rgb: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = look_at_file(saved(tmp_path / "a.jpg", rgb, exif=exif))
    assert (turned.orientation, turned.width, turned.height, turned.format) == (6, 40, 60, "JPEG")
    assert look_at_file(saved(tmp_path / "b.jpg", rgb.convert("CMYK"))).mode == "CMYK"
    assert look_at_file(saved(tmp_path / "c.jpg", rgb.convert("L"))).is_grey
    assert look_at_file(saved(tmp_path / "d.png", rgb.convert("L").convert("RGB"))).is_grey
    clear = rgb.copy()
    clear.putalpha(90)
    opaque = rgb.copy()
    opaque.putalpha(255)
    assert look_at_file(saved(tmp_path / "e.png", clear)).has_alpha
    assert not look_at_file(saved(tmp_path / "f.png", opaque)).has_alpha
    frames = [rgb.convert("P"), rgb.rotate(90).convert("P")]
    moving = saved(tmp_path / "g.gif", frames[0], save_all=True, append_images=frames[1:])
    assert look_at_file(moving).is_animated
    plain = look_at_file(saved(tmp_path / "h.png", rgb))
    assert (plain.is_animated, plain.has_alpha, plain.is_grey, plain.orientation) == (False, False, False, 1)
    assert (plain.brightest, plain.fault, plain.remark) == (None, "", "")


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_deep_images_tell_their_brightest_value(tmp_path: Path, ending: str) -> None:
    deep = Image.fromarray(np.full((9, 8), 4095, np.uint16))
    assert look_at_file(saved(tmp_path / f"a.{ending}", deep)).brightest == 4095


def test_faults_are_those_of_training(tmp_path: Path, rgb: Image.Image) -> None:
    file = io.BytesIO()
    rgb.save(file, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(file.getvalue()[:-900])
    (tmp_path / "empty.jpg").write_bytes(b"")
    cut, empty, gone, folder = (
        look_at_file(str(tmp_path / name)) for name in ("cut.jpg", "empty.jpg", "no", "")
    )
    assert cut.is_truncated
    assert cut.fault.startswith(f"'{tmp_path}/cut.jpg' is truncated")
    assert "is empty" in empty.fault
    assert not empty.is_truncated
    assert "does not exist" in gone.fault
    assert "not a regular file" in folder.fault


def test_a_file_is_decoded_once(tmp_path: Path, rgb: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [saved(tmp_path / f"{number}.jpg", rgb.rotate(9 * number)) for number in range(3)]
    loads, whole = [], ImageFile.ImageFile.load

    def load(image: Any) -> Any:
        loads.append(bool(image.tile))
        return whole(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with_exact_digests([look_at_file(each) for each in paths], list(paths))
    assert sum(loads) == 3


def test_digests_tell_one_pixel_apart(tmp_path: Path) -> None:
    # A pixel that no small copy shows.
    large = np.random.default_rng(1).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    other = large.copy()
    other[300, 300, 0] ^= 1
    paths: list[str | None] = [
        saved(tmp_path / "a.png", Image.fromarray(large)),
        saved(tmp_path / "b.png", Image.fromarray(large), compress_level=1),
        saved(tmp_path / "c.png", Image.fromarray(other)),
    ]
    looks = [look_at_file(str(each)) for each in paths]
    assert len({each.pixel_digest for each in looks}) == 1
    one, two, three = with_exact_digests(looks, paths)
    assert one.pixel_digest == two.pixel_digest != three.pixel_digest
    assert len({one.file_digest, two.file_digest, three.file_digest}) == 3


def test_pixels_in_memory() -> None:
    coloured, grey = look_at_pixels(NOISE, label="x"), look_at_pixels(NOISE[..., :1], label="x")
    assert (coloured.width, coloured.height, coloured.is_grey, grey.is_grey) == (60, 40, False, True)
    assert coloured.pixel_digest != look_at_pixels(NOISE[::-1], label="x").pixel_digest
    assert look_at_pixels(NOISE.astype(np.complex64), label="image 3").fault.startswith("image 3 cannot")
