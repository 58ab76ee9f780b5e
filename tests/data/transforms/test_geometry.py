import math

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import (
    CenterCrop,
    PipelinePreprocessing,
    RandomFlip,
    RandomResizedCrop,
    Resize,
    pipeline_preprocessing,
)
from ding_cls.data.transforms.array_ops import resized
from ding_cls.data.transforms.default import TrainAugmentation
from ding_cls.data.transforms.geometry import central_window, distorted_window
from ding_cls.errors import ConfigError

USUAL = {"scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3), "min_covered": 0.1, "max_attempts": 10}


def noise(width, height):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def after(step, img):
    results = step({"img": img.copy()})
    assert results["img_shape"] == results["img"].shape
    return results["img"]


def test_one_number_squashes_to_a_square():
    img = noise(30, 20)
    expected = np.asarray(Image.fromarray(img).resize((8, 8), Image.Resampling.BILINEAR))
    assert np.array_equal(after(Resize(size=8), img), expected)
    assert np.array_equal(after(Resize(size=[8, 8]), img), expected)


def test_a_pair_is_height_and_width():
    assert after(Resize(size=(10, 14)), noise(30, 20)).shape == (10, 14, 3)


@pytest.mark.parametrize(
    ("side", "shape"), [("short", (8, 12)), ("long", (5, 8)), ("height", (8, 12)), ("width", (5, 8))]
)
def test_minus_one_keeps_the_proportion(side, shape):
    assert after(Resize(size=(8, -1), adaptive_side=side), noise(30, 20)).shape == (*shape, 3)


@pytest.mark.parametrize("size", [(30, 20), (20, 30), (200, 301), (48, 48)])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_the_shorter_side_and_the_middle_are_torchvisions_to_the_last_bit(size, interpolation):
    img = noise(*size)
    mode = v2.InterpolationMode(interpolation)
    theirs = v2.Compose([v2.Resize(17, interpolation=mode), v2.CenterCrop(14)])(Image.fromarray(img))
    ours = after(CenterCrop(crop_size=14), after(Resize(size=(17, -1), interpolation=interpolation), img))
    assert np.array_equal(ours, np.asarray(theirs))


@pytest.mark.parametrize("backend", ["cv2", "pillow"])
def test_both_backends_are_pillow(backend):
    img = noise(30, 20)
    assert np.array_equal(after(Resize(8, backend=backend), img), after(Resize(8), img))


def test_a_strip_is_cut_before_it_is_enlarged():
    strip = np.zeros((1, 60_000, 3), np.uint8)
    strip[:, 29_984:30_016] = 200
    result = after(Resize(size=(16, -1)), strip)
    assert result.shape == (16, 512, 3)
    assert (result == 200).all()


def test_floats_are_resized_without_rounding():
    img = noise(30, 20)
    floats = after(Resize(8), img.astype(np.float32))
    assert floats.dtype == np.float32
    assert np.abs(floats - after(Resize(8), img)).max() <= 1
    assert not np.array_equal(floats, np.rint(floats))


def test_a_tensor_comes_back_as_an_array():
    tensor = torch.from_numpy(noise(30, 20)).permute(2, 0, 1).float()
    assert after(CenterCrop(8), tensor.numpy().transpose(1, 2, 0)).shape == (8, 8, 3)
    assert CenterCrop((6, 8))({"img": tensor})["img"].shape == (6, 8, 3)


def test_a_small_picture_keeps_its_side_under_the_crop():
    img = noise(30, 10)
    assert np.array_equal(after(CenterCrop(20), img), img[:, 5:25])


def test_the_random_crop_draws_and_cuts_as_torchvision_does():
    img, results = noise(64, 48), set()
    ours = RandomResizedCrop(size=24, scale=(0.3, 0.9), ratio=(0.8, 1.2))
    theirs = v2.RandomResizedCrop(24, scale=(0.3, 0.9), ratio=(0.8, 1.2), antialias=True)
    for seed in range(20):
        with torch_randomness(seed):
            mine = after(ours, img)
        with torch_randomness(seed):
            assert np.array_equal(np.asarray(theirs(Image.fromarray(img))), mine)
        results.add(mine.tobytes())
    assert len(results) == 20
    assert after(RandomResizedCrop(size=(6, 9)), img).shape == (6, 9, 3)


def test_crop_and_flip_are_train_augmentation_to_the_last_bit():
    img = noise(64, 48)
    steps, native = (RandomResizedCrop(size=24), RandomFlip()), TrainAugmentation(image_size=24)
    for seed in range(20):
        with torch_randomness(seed):
            mine = after(steps[0], img)
            mine = steps[1]({"img": mine})["img"]
        with torch_randomness(seed):
            assert np.array_equal(np.asarray(native(Image.fromarray(img))), mine)


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 1), ("vertical", 0)])
def test_flipping_mirrors_along_its_axis(direction, axis):
    img = noise(6, 5)
    results = RandomFlip(flip_prob=1.0, direction=direction)({"img": img})
    assert np.array_equal(results["img"], np.flip(img, axis))
    assert (results["flip"], results["flip_direction"]) == (True, direction)
    kept = RandomFlip(flip_prob=0.0, direction=direction)({"img": img})
    assert np.array_equal(kept["img"], img)
    assert kept["flip"] is False


def test_flipping_happens_as_often_as_asked():
    with torch_randomness(0):
        flips = sum(RandomFlip(flip_prob=0.2)({"img": noise(2, 2)})["flip"] for _ in range(1000))
    assert 160 <= flips <= 240


def test_the_middle_is_a_square_of_the_shorter_side():
    # 224 / (224 + 32) of 256 is 224, in the middle of 256 x 320.
    assert central_window(256, 320, 224, 32) == (16, 48, 224, 224)
    assert central_window(100, 80, 224, 32) == (15, 5, 70, 70)
    assert central_window(1, 1, 8, 32) == (0, 0, 1, 1)


def test_the_centre_crop_resizes_that_square():
    img = noise(80, 100)
    found = CenterCrop(224, efficientnet_style=True, interpolation="bicubic")({"img": img})["img"]
    assert np.array_equal(found, resized(img[15:85, 5:75], 224, 224, "bicubic"))
    whole = CenterCrop(16, efficientnet_style=True, crop_padding=0)({"img": noise(20, 20)})["img"]
    assert np.array_equal(whole, resized(noise(20, 20), 16, 16, "bilinear"))


def test_it_is_not_taken_for_the_plain_crop_in_a_checkpoint():
    steps = [{"type": "LoadImageFromFile"}, {"type": "Resize", "size": (256, -1)}]
    style = {"type": "CenterCrop", "crop_size": 224, "efficientnet_style": True}
    norm = {"type": "Normalize", "mean": [1.0, 2, 3], "std": [1.0, 2, 3]}
    assert type(pipeline_preprocessing([*steps, style, norm])) is PipelinePreprocessing


def test_windows_keep_to_scale_ratio_and_cover_and_reach_everywhere():
    shares, ratios, corners = [], [], set()
    with torch_randomness(0):
        for _ in range(500):
            window = distorted_window(200, 300, **{**USUAL, "min_covered": 0.3, "max_attempts": 50})
            assert window is not None
            top, left, rows, columns = window
            assert 0 <= top <= 200 - rows
            assert 0 <= left <= 300 - columns
            shares.append(rows * columns / 60_000)
            ratios.append(columns / rows)
            corners.add((top, left))
    assert min(shares) >= 0.3
    # The widest window as high as the picture covers 8 / 9 of it.
    assert 0.8 < max(shares) <= 8 / 9 + 0.01
    assert 0.74 < min(ratios) < 0.77
    assert 1.31 < max(ratios) < 1.35
    assert len(corners) > 400


def test_heights_are_uniform_where_torchvisions_areas_are():
    with torch_randomness(1):
        heights = [
            distorted_window(100, 100, scale=(0.01, 1.0), ratio=(1.0, 1.0), min_covered=0.0, max_attempts=10)[
                2
            ]
            for _ in range(2000)
        ]
    assert np.mean(heights) == pytest.approx(55, abs=2)
    assert np.std(heights) == pytest.approx(90 / math.sqrt(12), rel=0.05)


def test_where_no_window_fits_the_middle_is_taken():
    impossible = {"scale": (0.9, 1.0), "ratio": (0.5, 0.5), "min_covered": 0.1, "max_attempts": 3}
    assert distorted_window(100, 100, **impossible) is None
    step = RandomResizedCrop(20, **impossible, efficientnet_style=True, crop_padding=5)
    img = noise(100, 100)
    assert np.array_equal(step({"img": img})["img"], resized(img[10:90, 10:90], 20, 20, "bilinear"))


def test_the_random_crop_is_a_function_of_the_seed():
    step, img = RandomResizedCrop(20, efficientnet_style=True), noise(60, 40)
    found = []
    for seed in (1, 1, 2):
        with torch_randomness(seed):
            found.append(step({"img": img})["img"].tobytes())
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Resize(0), "Resize: size=0 must be"),
        (lambda: Resize((8, 8, 8)), "Resize: size="),
        (lambda: Resize((8, -2)), "Resize: size="),
        (lambda: Resize("8"), "Resize: size='8'"),
        (lambda: Resize(8, interpolation="best"), "interpolation='best' is none of nearest"),
        (lambda: Resize(8, adaptive_side="left"), "adaptive_side='left'"),
        (lambda: Resize(8, backend="gpu"), "backend='gpu' is none of cv2, pillow"),
        (lambda: CenterCrop(-1), "CenterCrop: crop_size=-1"),
        (lambda: RandomResizedCrop(8, scale=(1.0, 0.1)), "scale="),
        (lambda: RandomResizedCrop(8, ratio=(1.0,)), "ratio="),
        (lambda: RandomFlip(1.5), "flip_prob=1.5"),
        (lambda: RandomFlip(direction="sideways"), "direction='sideways'"),
        (lambda: CenterCrop((8, 9), efficientnet_style=True), "CenterCrop: efficientnet_style cuts squares"),
        (lambda: CenterCrop(8, efficientnet_style=True, crop_padding=-1), "crop_padding=-1"),
        (lambda: RandomResizedCrop((8, 9), efficientnet_style=True), "RandomResizedCrop: efficientnet_style"),
        (lambda: RandomResizedCrop(8, min_covered=2), "min_covered=2"),
        (lambda: RandomResizedCrop(8, max_attempts=0), "max_attempts=0"),
    ],
)
def test_values_that_mean_nothing_are_named(make, reason):
    with pytest.raises(ConfigError, match=reason):
        make()


@pytest.mark.parametrize("size", [8.0, True, "8", (8.0, 8), (-1, 8), None])
def test_a_size_is_a_whole_number(size):
    with pytest.raises(ConfigError, match="must be a length or"):
        Resize(size)


def test_a_part_is_no_more_than_the_picture():
    for scale in ((0.08, 2), 0.5, (8, 100)):
        with pytest.raises(ConfigError, match="RandomResizedCrop: scale="):
            RandomResizedCrop(8, scale=scale)


@pytest.mark.parametrize(
    ("size", "scale", "factors", "keeps_ratio"),
    [
        ((10, 5), (5, 10), [0.25, 1.0], False),
        ((20, -1), (40, 20), [2.0, 2.0], True),
    ],
)
def test_what_resize_leaves_for_a_step_of_ones_own(size, scale, factors, keeps_ratio):
    results = Resize(size=size)({"img": np.zeros((10, 20, 3), np.uint8)})
    assert (results["scale"], results["scale_idx"], results["keep_ratio"]) == (scale, 0, keeps_ratio)
    assert results["scale_factor"].tolist() == factors * 2
    assert results["pad_shape"] == results["img_shape"] == (scale[1], scale[0], 3)
