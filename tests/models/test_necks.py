"""The mean over the plane, over sequences and over volumes."""

import pytest
import torch

from ding_cls.errors import ConfigError
from ding_cls.models import GlobalAveragePooling


@pytest.mark.parametrize(("dim", "plane"), [(1, (5,)), (2, (3, 5)), (3, (2, 3, 5))])
def test_each_channel_becomes_its_mean(dim: int, plane: tuple[int, ...]) -> None:
    neck = GlobalAveragePooling(dim)
    maps = tuple(
        torch.arange(2.0 * width).reshape(2, width, *[1] * dim).expand(2, width, *plane) for width in (4, 7)
    )
    found = neck(maps)
    assert isinstance(found, tuple)
    for each, width in zip(found, (4, 7), strict=True):
        assert torch.allclose(each, torch.arange(2.0 * width).reshape(2, width))
    assert torch.equal(neck(maps[0]), found[0])


def test_the_bits_are_those_of_a_whole_network() -> None:
    maps = torch.randn(3, 8, 7, 5)
    expected = torch.flatten(torch.nn.AdaptiveAvgPool2d((1, 1))(maps), 1)
    assert torch.equal(GlobalAveragePooling()(maps), expected)


def test_a_map_may_be_one_pixel_and_a_batch_one_sample() -> None:
    assert GlobalAveragePooling()((torch.full((1, 3, 1, 1), 2.0),))[0].tolist() == [[2.0, 2.0, 2.0]]


def test_another_number_of_axes_is_refused() -> None:
    with pytest.raises(ConfigError, match="dim=4; it must be 1, 2 or 3"):
        GlobalAveragePooling(4)
