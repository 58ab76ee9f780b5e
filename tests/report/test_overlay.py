"""A heat map over an image: its colours, its size, and what is refused."""

import numpy as np
import pytest

from ding_cls.errors import DataError
from ding_cls.report.overlay import colours, lay_over


def test_the_colours_are_viridis() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    values = np.linspace(0, 1, 256)
    expected = 255 * matplotlib.colormaps["viridis"](values)[:, :3]
    assert np.abs(colours(values) - expected).max() < 8


def test_a_higher_value_is_lighter() -> None:
    lightness = colours(np.linspace(0, 1, 100)) @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness) > 0).all()


def test_image_and_colours_are_mixed_by_the_strength() -> None:
    image = np.full((2, 3, 3), (255, 0, 0), np.uint8)
    heat = np.array([[0, 1, 0], [0, 0, 0]], np.float32)
    grey = 255 * 0.299
    mixed = lay_over(image, heat, strength=0.25)
    assert mixed.dtype == np.uint8
    assert mixed[0, 1].tolist() == np.rint(0.75 * grey + 0.25 * np.array([253, 231, 37])).tolist()
    assert mixed[1, 1].tolist() == np.rint(0.75 * grey + 0.25 * np.array([68, 1, 84])).tolist()
    assert np.array_equal(lay_over(image, heat, strength=0), np.full((2, 3, 3), round(grey), np.uint8))


def test_a_map_of_another_size_is_scaled_to_the_image() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    heat = np.array([[0, 0, 1]] * 2, np.float32)
    mixed = lay_over(image, heat, strength=1)
    assert mixed.shape == image.shape
    assert mixed[20, 59].tolist() == [253, 231, 37]
    assert mixed[20, 0].tolist() == [68, 1, 84]


@pytest.mark.parametrize(
    ("image", "heat"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4))),
        (np.zeros((4, 4, 3), np.float32), np.zeros((4, 4))),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4))),
    ],
)
def test_arrays_of_other_shapes_are_refused(image: np.ndarray, heat: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"they are uint8 \(H, W, 3\) and \(h, w\)"):
        lay_over(image, heat)
