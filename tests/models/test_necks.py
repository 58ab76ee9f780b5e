"""The mean over the plane, over sequences and over volumes."""

import pytest
import torch

from ding_cls.errors import ConfigError
from ding_cls.models import GeneralizedMeanPooling, GlobalAveragePooling, GridAveragePooling


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


@pytest.mark.parametrize("p", [1.0, 3.0, 8.0])
@pytest.mark.parametrize("trains", [False, True])
def test_the_generalized_mean_is_the_papers(p: float, trains: bool) -> None:
    neck = GeneralizedMeanPooling(p=p, p_trainable=trains)
    maps = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    positive = maps.clamp(min=1e-6).double()
    expected = positive.pow(p).mean((2, 3)).pow(1 / p).float()
    torch.testing.assert_close(neck(maps), expected)
    assert [each.shape for each in neck((maps, maps))] == [(2, 4), (2, 4)]
    assert neck.p.requires_grad is trains
    neck(maps).sum().backward() if trains else None
    assert trains is (neck.p.grad is not None)


def test_one_power_is_the_mean_and_a_large_one_the_maximum() -> None:
    maps = torch.rand(2, 4, 3, 5) + 0.1
    torch.testing.assert_close(GeneralizedMeanPooling(p=1, clamp=False)(maps), maps.mean((2, 3)))
    torch.testing.assert_close(
        GeneralizedMeanPooling(p=200)(maps.double()), maps.amax((2, 3)), rtol=0.02, atol=0
    )


@pytest.mark.parametrize("p", [0.5, True, "3"])
def test_a_power_below_one_is_refused(p: object) -> None:
    with pytest.raises(ConfigError, match="GeneralizedMeanPooling has p="):
        GeneralizedMeanPooling(p=p)


def test_each_cell_of_a_grid_has_its_own_mean() -> None:
    maps = torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    cells = [
        maps[:, :, row : row + 2, column : column + 2].mean((2, 3)) for row in (0, 2) for column in (0, 2, 4)
    ]
    torch.testing.assert_close(GridAveragePooling((2, 3))(maps), torch.stack(cells, 2).flatten(1))
    whole = GridAveragePooling([1, 1])
    assert torch.equal(whole((maps, maps))[1], GlobalAveragePooling()(maps))


@pytest.mark.parametrize("grid", [4, [4], [1, 0], [1, True], [1, 2.0], "12"])
def test_a_grid_is_two_whole_numbers(grid: object) -> None:
    with pytest.raises(ConfigError, match="GridAveragePooling has grid="):
        GridAveragePooling(grid)
