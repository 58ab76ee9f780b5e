import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import RandomErasing
from ding_cls.data.transforms.array_ops import FROM_FILE
from ding_cls.errors import ConfigError

# No random pixel has a value of the paint by chance.
IMG = np.random.default_rng(0).integers(0, 100, (40, 50, 3), dtype=np.uint8)
BGR = [201, 202, 203]


def erased(seed, img=IMG, known=None, **arguments):
    with torch_randomness(seed):
        return RandomErasing(**{"erase_prob": 1.0, **arguments})({"img": img, **(known or {})})["img"]


def test_the_box_is_torchvisions_and_the_paint_is_ours():
    theirs = v2.RandomErasing(p=1.0, scale=(0.02, 0.4), ratio=(0.3, 10 / 3), value=[201.0, 202.0, 203.0])
    tensor = torch.from_numpy(IMG).permute(2, 0, 1).float()
    for seed in range(20):
        with torch_randomness(seed):
            expected = theirs(tensor).permute(1, 2, 0).numpy()
        assert np.array_equal(erased(seed, fill_color=BGR), expected)
        assert np.array_equal(erased(seed, fill_color=BGR, known={FROM_FILE: True}) > 200, expected > 200)
    assert IMG.max() < 100


def test_a_file_is_painted_in_its_own_order():
    found = erased(0, fill_color=BGR, known={FROM_FILE: True})
    assert (found[(found > 200).all(2)] == BGR[::-1]).all()


def test_areas_and_proportions_keep_to_their_ranges():
    areas, ratios = [], []
    for seed in range(300):
        box = (erased(seed, min_area_ratio=0.1, max_area_ratio=0.2, aspect_range=0.5) == 128).all(2)
        rows, columns = box.any(1).sum(), box.any(0).sum()
        assert box.sum() == rows * columns
        areas.append(rows * columns / box.size)
        ratios.append(rows / columns)
    assert 0.09 < min(areas) < 0.11
    assert 0.19 < max(areas) < 0.21
    assert 0.45 < min(ratios) < 0.56
    assert 1.8 < max(ratios) < 2.2


def test_it_happens_as_often_as_asked():
    step = RandomErasing(erase_prob=0.2)
    with torch_randomness(0):
        count = sum(not np.array_equal(step({"img": IMG})["img"], IMG) for _ in range(1000))
    assert 160 <= count <= 240


def test_noise_is_uniform_or_normal():
    big = np.zeros((200, 200, 3), np.uint8)
    range_ = {"min_area_ratio": 0.4, "max_area_ratio": 0.4, "aspect_range": 1.0, "mode": "rand"}
    uniform = erased(0, big, **range_)
    inside = uniform[(uniform > 0).any(2)]
    assert (inside.min(), inside.max()) == (0, 255)
    assert inside.mean() == pytest.approx(127.5, abs=1)
    assert inside.std() == pytest.approx(73.9, abs=1)
    normal = erased(0, big, fill_color=[100, 120, 140], fill_std=[10, 20, 30], **range_)
    inside = normal[(normal > 0).any(2)].astype(float)
    assert inside.mean(0) == pytest.approx([100, 120, 140], abs=1)
    assert inside.std(0) == pytest.approx([10, 20, 30], rel=0.05)


def test_where_no_box_fits_nothing_is_painted():
    thin = np.zeros((1, 50, 3), np.uint8)
    assert not erased(0, thin, min_area_ratio=0.9, max_area_ratio=0.99, aspect_range=1.0).any()


def test_floats_stay_floats():
    found = erased(0, IMG.astype(np.float32), fill_color=200.5)
    assert found.dtype == np.float32
    assert found.max() == 200.5


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"erase_prob": 2}, "erase_prob=2"),
        ({"min_area_ratio": 0.5, "max_area_ratio": 0.4}, "min_area_ratio=0.5 and max_area_ratio=0.4"),
        ({"aspect_range": (2, 1)}, "aspect_range="),
        ({"aspect_range": 0}, "aspect_range="),
        ({"mode": "pixel"}, "mode='pixel' is none of const, rand"),
        ({"fill_color": -1}, "fill_color=-1"),
    ],
)
def test_values_that_mean_nothing_are_named(arguments, reason):
    with pytest.raises(ConfigError, match=f"RandomErasing: {reason}"):
        RandomErasing(**arguments)
