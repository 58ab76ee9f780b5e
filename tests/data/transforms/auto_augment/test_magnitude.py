"""Chances and magnitudes, seen by an operation that notes what it is called with."""

import math

import numpy as np
import pytest
import torch

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms.auto_augment.magnitude import Operation, check_levels
from ding_cls.errors import ConfigError, PartError

IMG = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def magnitudes(count=2000, **chance):
    """Return the magnitudes that an operation with these arguments changes a picture by."""
    seen = []

    class Seen(Operation):
        def changed(self, picture, value, results):
            seen.append(value)
            return picture

    with torch_randomness(0):
        step = Seen(prob=1.0, **chance)
        for _ in range(count):
            step({"img": IMG})
    return np.array(seen)


def test_a_level_is_a_point_between_the_ends():
    for level, value in ((0, 0.1), (5, 0.5), (10, 0.9)):
        found = magnitudes(3, magnitude_range=(0.1, 0.9), magnitude_level=level)
        assert found == pytest.approx([value] * 3)
    assert magnitudes(1, magnitude_range=(256, 0), magnitude_level=3, total_level=12)[0] == 192


def test_levels_are_drawn_around_or_below_the_one_given():
    normal = magnitudes(magnitude_range=(0, 10), magnitude_level=6, magnitude_std=0.5)
    assert normal.mean() == pytest.approx(6, abs=0.05)
    assert normal.std() == pytest.approx(0.5, rel=0.1)
    clipped = magnitudes(magnitude_range=(0, 10), magnitude_level=10, magnitude_std=5)
    assert (clipped.min(), clipped.max()) == (0, 10)
    assert (clipped == 10).mean() == pytest.approx(0.5, abs=0.04)
    uniform = magnitudes(magnitude_range=(0, 10), magnitude_level=6, magnitude_std="inf")
    assert (uniform.min(), uniform.max()) == pytest.approx((0, 6), abs=0.05)
    assert uniform.std() == pytest.approx(6 / math.sqrt(12), rel=0.05)


def test_arguments_are_the_operations_own_and_those_of_all():
    class Paint(Operation):
        key = "ink"

        def __init__(self, ink=None, **chance):
            super().__init__(ink, **chance)

        def changed(self, picture, value, results):
            return picture

    shared = {"prob", "random_negative_prob", "total_level"}
    shared |= {"magnitude_level", "magnitude_range", "magnitude_std"}
    assert Paint.arguments() == {"ink", *shared}
    with pytest.raises(PartError, match="'Paint' has no argument 'probe'; did you mean 'prob'"):
        Paint(1.0, probe=0.5)
    with pytest.raises(ConfigError, match="Paint: set ink or magnitude_range, one of them"):
        Paint()


def test_a_probability_of_0_changes_nothing_and_draws_once():
    class Black(Operation):
        def changed(self, picture, value, results):
            return picture.point(lambda level: 0)

    with torch_randomness(0):
        assert Black(1.0, prob=0.0)({"img": IMG})["img"] is IMG
        after_one = torch.rand(())
    with torch_randomness(0):
        torch.rand(())
        assert torch.equal(torch.rand(()), after_one)
    assert not Black(1.0, prob=1.0)({"img": IMG})["img"].any()


@pytest.mark.parametrize(
    ("level", "total", "std", "key"),
    [(-1, 10, 0, "magnitude_level=-1"), (5, 0, 0, "total_level=0"), (5, 10, "much", "magnitude_std='much'")],
)
def test_levels_that_mean_nothing_are_named_with_their_owner(level, total, std, key):
    with pytest.raises(ConfigError, match=f"^Rotate: .*{key}"):
        check_levels("Rotate", level, total, std)
    check_levels("Rotate", 0, 0.5, "inf")
