"""An image file opened by the stand-alone function has the pixels that `load_rgb` gives."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ding_cls.images import load_rgb
from ding_cls.inference.onnx.open_image import open_rgb
from tests.image_files import write_images


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_each_kind_of_file_has_the_same_pixels(tmp_path: Path) -> None:
    files = write_images(tmp_path)
    assert len(files) == 51
    for file in files:
        wanted, given = load_rgb(file), open_rgb(file)
        assert given.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(given), np.asarray(wanted), err_msg=file.name)


def test_every_grey_of_16_bits_is_the_same(tmp_path: Path) -> None:
    Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(open_rgb(tmp_path / "a.png")), load_rgb(tmp_path / "a.png"))


@pytest.mark.parametrize("value", [-1, 65536])
def test_integers_beyond_16_bits_are_refused(value: int, tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), value, np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=rf"a\.tif: grey values from {value} to {value} have no meaning"):
        open_rgb(tmp_path / "a.tif")


@pytest.mark.parametrize("value", [-0.1, 256, np.nan])
def test_floats_without_a_meaning_are_refused(value: float, tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), value, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="have no meaning"):
        open_rgb(tmp_path / "a.tif")
