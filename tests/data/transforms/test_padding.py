import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import LetterBox, Pad, RandomCrop, Resize
from ding_cls.data.transforms.array_ops import FROM_FILE
from ding_cls.errors import ConfigError, DataError

RGB = [10, 20, 30]
MODES = ("constant", "edge", "reflect", "symmetric")


def noise(width, height):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def after(step, img, **known):
    results = step({"img": img.copy(), **known})
    assert results["img_shape"] == results["img"].shape
    return results["img"]


def in_torchvision(img, border, mode):
    fill = {"fill": RGB} if mode == "constant" else {}
    return np.asarray(v2.functional.pad(Image.fromarray(img), list(border), padding_mode=mode, **fill))


@pytest.mark.parametrize("mode", MODES)
def test_the_border_lies_to_the_right_and_below_as_torchvision_makes_it(mode):
    img = noise(12, 9)
    ours = after(Pad(size=(14, 17), pad_val=RGB, padding_mode=mode), img)
    assert np.array_equal(ours, in_torchvision(img, (0, 0, 5, 5), mode))
    square = after(Pad(pad_to_square=True, pad_val=RGB, padding_mode=mode), img)
    assert np.array_equal(square, in_torchvision(img, (0, 0, 0, 3), mode))


def test_a_picture_that_is_large_enough_stays():
    img = noise(12, 9)
    assert np.array_equal(after(Pad(size=8), img), img)
    assert after(Pad(size=10), img).shape == (10, 12, 3)


def test_a_colour_is_backwards_for_files_alone():
    img = noise(4, 2)
    assert after(Pad(4, pad_val=RGB), img)[3, 0].tolist() == RGB
    assert after(Pad(4, pad_val=RGB), img, **{FROM_FILE: True})[3, 0].tolist() == RGB[::-1]
    assert after(Pad(4), img)[3, 0].tolist() == [128, 128, 128]


def test_floats_are_padded_too():
    img = noise(4, 2).astype(np.float32)
    padded = after(Pad(4, pad_val=0.5), img)
    assert padded.dtype == np.float32
    assert (padded[2:] == 0.5).all()
    assert np.array_equal(padded[:2], img)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", [None, 4, [2, 3], [1, 2, 3, 4]])
def test_the_random_crop_draws_and_pads_as_torchvision_does(mode, padding):
    img, seen = noise(20, 16), set()
    fill = {"fill": RGB} if mode == "constant" else {}
    theirs = v2.RandomCrop((12, 10), padding, padding_mode=mode, **fill)
    ours = RandomCrop(size=(12, 10), padding=padding, pad_val=RGB, padding_mode=mode)
    for seed in range(20):
        with torch_randomness(seed):
            mine = after(ours, img)
        with torch_randomness(seed):
            assert np.array_equal(np.asarray(theirs(Image.fromarray(img))), mine)
        seen.add(mine.tobytes())
    assert len(seen) > 10


def test_a_picture_that_is_too_small_is_padded_or_refused():
    img = noise(8, 20)
    with pytest.raises(DataError, match=r"RandomCrop cuts 12 x 12 of a picture of 20 x 8; set pad_if_needed"):
        RandomCrop(12)({"img": img})
    theirs = v2.RandomCrop(12, pad_if_needed=True)
    for seed in range(5):
        with torch_randomness(seed):
            mine = after(RandomCrop(12, pad_if_needed=True), img)
        with torch_randomness(seed):
            assert np.array_equal(np.asarray(theirs(Image.fromarray(img))), mine)


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [(30, 20, (2, 0, 8, 12)), (20, 30, (0, 2, 12, 8)), (30, 30, (0, 0, 12, 12)), (5, 3, (2, 0, 7, 12))],
)
def test_a_letterbox_holds_the_whole_picture_in_the_middle(width, height, box):
    img = noise(width, height)
    top, left, rows, columns = box
    framed = after(LetterBox(12, pad_val=RGB), img)
    assert framed.shape == (12, 12, 3)
    inside = (slice(top, top + rows), slice(left, left + columns))
    assert np.array_equal(framed[inside], after(Resize((rows, columns)), img))
    bars = np.ones((12, 12), bool)
    bars[inside] = False
    assert (framed[bars] == RGB).all()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Pad(), "set size or pad_to_square=True, one of them"),
        (lambda: Pad(8, pad_to_square=True), "set size or pad_to_square=True, one of them"),
        (lambda: Pad(8, padding_mode="wrap"), "padding_mode='wrap' is none of constant, edge"),
        (lambda: Pad(0), "Pad: size=0"),
        (lambda: RandomCrop(8, padding=[1, 2, 3]), r"RandomCrop: padding=\[1, 2, 3\]"),
        (lambda: RandomCrop("8"), "RandomCrop: size='8'"),
        (lambda: RandomCrop(8, pad_val=300), "RandomCrop: pad_val=300"),
        (lambda: LetterBox(8, interpolation="best"), "LetterBox: interpolation='best'"),
    ],
)
def test_values_that_mean_nothing_are_named(make, reason):
    with pytest.raises(ConfigError, match=reason):
        make()
