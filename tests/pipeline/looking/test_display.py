"""Normalised numbers become the pixels that they were made of, and what does not fit is counted."""

import numpy as np
import pytest
import torch

from ding_cls.data import Normalization
from ding_cls.pipeline.looking.display import displayed, displayed_tensor, value_line

NUMBERS = Normalization((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
BYTES = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize("is_swapped", [False, True])
def test_normalising_is_undone_to_the_last_pixel(is_swapped: bool) -> None:
    numbers = NUMBERS._replace(is_swapped=is_swapped)
    network = numbers(torch.from_numpy(BYTES)[None])[0]
    shown = displayed_tensor(network, numbers)
    assert shown == (shown.image, 0.0, "")
    assert np.array_equal(shown.image, BYTES[..., ::-1] if is_swapped else BYTES)


def test_what_lies_outside_is_clipped_and_counted() -> None:
    image = np.zeros((1, 4, 3), np.float32)
    image[0, 0], image[0, 1] = 9.0, np.nan
    shown = displayed(image, NUMBERS)
    assert shown.clipped == 0.5
    assert shown.image[0, 0].tolist() == [255, 255, 255]
    assert shown.image[0, 2].tolist() == [128, 102, 76]


@pytest.mark.parametrize(
    ("image", "first", "note"),
    [
        (np.full((1, 2, 3), 0.5, np.float32), 128, ""),
        (np.full((1, 2, 3), 77.0, np.float32), 77, ""),
        (np.full((1, 2, 3), 65_535, np.uint16), 255, ""),
        (np.full((1, 2, 3), 40, np.int64), 40, ""),
        (np.array([[[True], [False]]]), 255, ""),
        (np.array([[[3.0], [-1.0]]]), 255, "-1 to 3 shown as 0 to 255"),
    ],
)
def test_without_numbers_the_range_decides(image: np.ndarray, first: int, note: str) -> None:
    shown = displayed(image, None)
    assert (shown.image[0, 0, 0], shown.note) == (first, note)
    assert shown.image.shape == (1, 2, 3)


def test_views_lie_side_by_side_and_channels_are_three() -> None:
    assert displayed_tensor(torch.zeros(4, 3, 5, 6), NUMBERS).image.shape == (5, 24, 3)
    assert displayed_tensor(torch.zeros(1, 5, 6), None).image.shape == (5, 6, 3)
    assert displayed_tensor(torch.zeros(2, 5, 6), None).image.shape == (5, 6, 3)
    assert displayed_tensor(torch.zeros(7, 5, 6), NUMBERS).image.shape == (5, 6, 3)


def test_the_line_of_values() -> None:
    images = [torch.zeros(3, 2, 2), torch.ones(3, 2, 2) * torch.tensor([1.0, 2.0, -3.0])[:, None, None]]
    assert value_line(images) == (
        "float32 (3, 2, 2), -3.00 to 2.00; channels: mean 0.50 1.00 -1.50, std 0.53 1.07 1.60"
    )
