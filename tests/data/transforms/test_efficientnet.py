import math

import numpy as np
import pytest

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import CenterCrop, RandomResizedCrop, pipeline_preprocessing
from ding_cls.data.transforms.efficientnet import central_window, distorted_window
from ding_cls.data.transforms.preprocessing import PipelinePreprocessing
from ding_cls.data.transforms.shapes import resized
from ding_cls.errors import ConfigError

USUAL = {"scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3), "min_covered": 0.1, "max_attempts": 10}


def noise(width, height):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


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
    assert isinstance(pipeline_preprocessing([*steps, style, norm]), PipelinePreprocessing)


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
