"""Each step by itself does what its name says; that the network sees the same is in tests/export."""

import inspect

import numpy as np
import pytest
from PIL import Image

from ding_cls.inference.onnx import preprocess
from ding_cls.inference.onnx.preprocess import (
    crop,
    crop_efficientnet,
    normalize,
    pad,
    resize,
    resize_inside,
    resize_side,
)

PIXELS = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)
IMAGE = Image.fromarray(PIXELS)


def test_the_module_is_short_enough_to_go_with_a_model() -> None:
    assert len(inspect.getsource(preprocess).splitlines()) <= 60


def test_a_crop_is_the_middle_and_keeps_a_shorter_side() -> None:
    np.testing.assert_array_equal(np.asarray(crop(IMAGE, height=3, width=4)), PIXELS[1:4, 2:6])
    # 0.5 and 1.5 are rounded to the even number.
    np.testing.assert_array_equal(np.asarray(crop(IMAGE, height=4, width=5)), PIXELS[0:4, 2:7])
    np.testing.assert_array_equal(np.asarray(crop(IMAGE, height=9, width=6)), PIXELS[:, 1:7])


def test_efficientnets_crop_is_a_share_of_the_shorter_side() -> None:
    part = crop_efficientnet(IMAGE, size=4, padding=1, filter="nearest")
    np.testing.assert_array_equal(np.asarray(part), PIXELS[0:4, 2:6])


@pytest.mark.parametrize(
    ("side", "size"), [("short", (16, 10)), ("long", (10, 6)), ("height", (16, 10)), ("width", (10, 6))]
)
def test_a_side_gets_its_length_and_the_other_is_rounded_down(side: str, size: tuple[int, int]) -> None:
    assert resize_side(IMAGE, side=side, length=10, filter="box").size == size


def test_of_a_long_strip_only_the_middle_is_resized() -> None:
    strip = Image.new("RGB", (1000, 2))
    assert resize_side(strip, side="short", length=4, filter="box").size == (128, 4)
    assert resize_side(strip, side="short", length=4, filter="box", strip=1 << 30).size == (2000, 4)


def test_an_image_is_fitted_into_a_frame() -> None:
    inside = resize_inside(IMAGE, height=10, width=10, filter="box")
    assert inside.size == (10, 6)
    framed = np.asarray(pad(inside, height=10, width=10, color=[1, 2, 3], is_centred=True))
    np.testing.assert_array_equal(framed[2:8], np.asarray(inside))
    assert (np.delete(framed, range(2, 8), axis=0) == (1, 2, 3)).all()
    square = np.asarray(pad(IMAGE, height=0, width=0, color=[7, 7, 7], is_centred=False))
    np.testing.assert_array_equal(square[:5], PIXELS)
    assert square.shape == (8, 8, 3)
    assert resize(IMAGE, height=3, width=4, filter="lanczos").size == (4, 3)


def test_normalising_is_by_channel() -> None:
    mean, std = [0.1, 0.2, 0.3], [1.0, 2.0, 4.0]
    wanted = (PIXELS.transpose(2, 0, 1)[None] / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(
        std, (3, 1, 1)
    )
    given = normalize(PIXELS[None], mean=mean, std=std)
    assert (given.dtype, given.flags.c_contiguous) == (np.float32, True)
    np.testing.assert_allclose(given, wanted, rtol=0, atol=1e-6)
    swapped = normalize(PIXELS[None, ..., ::-1], mean=mean, std=std, is_swapped=True)
    np.testing.assert_array_equal(swapped, given)
