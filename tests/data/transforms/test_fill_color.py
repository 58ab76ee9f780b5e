import numpy as np
import pytest

from ding_cls.data.transforms import Compose
from ding_cls.data.transforms.array_ops import FROM_FILE
from ding_cls.data.transforms.fill_color import Fill
from ding_cls.errors import ConfigError, DataError


def test_three_numbers_are_backwards_for_files_as_in_mmclassifications_configs():
    fill = Fill([104, 116.4, 124], "Pad", "pad_val")
    assert fill.of({}) == [104.0, 116.4, 124.0]
    assert fill.of({FROM_FILE: True}) == [124.0, 116.4, 104.0]
    assert fill.rounded({FROM_FILE: True}) == (124, 116, 104)


@pytest.mark.parametrize("value", [7, [7], (7.0,)])
def test_one_number_is_grey(value):
    assert Fill(value, "Pad", "pad_val").of({FROM_FILE: True}) == [7.0, 7.0, 7.0]


@pytest.mark.parametrize("value", [-1, 256, [1, 2], "grey", [1, 2, "3"], None])
def test_what_is_no_colour_is_named(value):
    with pytest.raises(ConfigError, match=r"Pad: pad_val=.* must be a number from 0 to 255, or three"):
        Fill(value, "Pad", "pad_val")


NORMALIZE = {"type": "Normalize", "mean": [120, 120, 120], "std": [60, 60, 60]}
LIGHT = {"eigval": [55.0, 4.0, 1.0], "eigvec": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}


@pytest.mark.parametrize(
    "step",
    [
        {"type": "Pad", "size": 8},
        {"type": "LetterBox", "size": 8},
        {"type": "RandomErasing", "erase_prob": 1.0},
        {"type": "RandomErasing", "erase_prob": 1.0, "mode": "rand", "fill_color": 0},
        {"type": "Lighting", **LIGHT},
    ],
)
def test_numbers_from_0_to_255_are_not_laid_into_normalised_pictures(step):
    img = np.full((4, 6, 3), 100, np.uint8)
    with pytest.raises(DataError, match=f"{step['type']}.* is normalised already"):
        Compose([NORMALIZE, step])({"img": img})
    assert Compose([step, NORMALIZE])({"img": img.copy()})["img"].dtype == np.float32


def test_small_numbers_may_be_meant_for_normalised_pictures():
    white = {"type": "RandomErasing", "erase_prob": 1.0, "fill_color": 0, "fill_std": 1, "mode": "rand"}
    img = np.full((4, 6, 3), 100, np.uint8)
    for step in (white, {"type": "Pad", "size": 8, "pad_val": 0}):
        assert Compose([NORMALIZE, step])({"img": img})["img"].dtype == np.float32
