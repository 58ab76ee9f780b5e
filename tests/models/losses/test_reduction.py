"""Values to a loss: every way of weighting and reducing against the sums written out."""

import inspect

import pytest
import torch

from ding_cls.errors import ConfigError
from ding_cls.models import reduce_loss, weight_reduce_loss, weighted_loss

VALUES = torch.tensor([1.0, 2.0, 3.0, 6.0])
WEIGHTS = torch.tensor([1.0, 0.0, 2.0, 0.5])


@pytest.mark.parametrize(("reduction", "expected"), [("mean", 3.0), ("sum", 12.0)])
def test_a_reduction_is_the_mean_or_the_sum(reduction: str, expected: float) -> None:
    assert reduce_loss(VALUES, reduction).item() == expected


def test_no_reduction_returns_the_values_themselves() -> None:
    assert reduce_loss(VALUES, "none") is VALUES


@pytest.mark.parametrize(
    ("reduction", "avg_factor", "expected"),
    [
        ("none", None, [1.0, 0.0, 6.0, 3.0]),
        ("none", 5, [1.0, 0.0, 6.0, 3.0]),
        ("sum", None, 10.0),
        ("mean", None, 2.5),
        ("mean", 5, 2.0),
        ("mean", torch.tensor(3.5), 10.0 / 3.5),
    ],
)
def test_weights_come_before_the_reduction(
    reduction: str, avg_factor: float | None, expected: float | list[float]
) -> None:
    found = weight_reduce_loss(VALUES, WEIGHTS, reduction, avg_factor)
    assert found.tolist() == pytest.approx(expected)


def test_a_weight_of_a_sample_holds_for_all_its_elements() -> None:
    values = torch.arange(8.0).reshape(4, 2)
    expected = [[0.0, 1.0], [0.0, 0.0], [8.0, 10.0], [3.0, 3.5]]
    assert weight_reduce_loss(values, WEIGHTS, "none").tolist() == expected
    each = torch.tensor([[1.0, 0.0]] * 4)
    assert weight_reduce_loss(values, each, "sum").item() == 0 + 2 + 4 + 6


def test_a_sum_is_not_divided() -> None:
    with pytest.raises(ConfigError, match=r"reduction='sum' cannot be averaged over samples; use .*'mean'"):
        weight_reduce_loss(VALUES, None, "sum", 4)


@pytest.mark.parametrize("reduction", ["avg", "", "Mean"])
def test_another_word_is_refused(reduction: str) -> None:
    with pytest.raises(ConfigError, match="must be one of none, mean, sum"):
        reduce_loss(VALUES, reduction)


@weighted_loss
def distance(pred: torch.Tensor, target: torch.Tensor, power: float = 1.0) -> torch.Tensor:
    """Say how far apart they are."""
    return (pred - target).abs() ** power


def test_weighted_loss_adds_weights_factor_and_reduction() -> None:
    zeros = torch.zeros(4)
    assert distance(VALUES, zeros).item() == 3.0
    assert distance(VALUES, zeros, WEIGHTS).item() == 2.5
    assert distance(VALUES, zeros, WEIGHTS, reduction="sum").item() == 10.0
    assert distance(VALUES, zeros, WEIGHTS, "mean", 5).item() == 2.0
    assert distance(VALUES, zeros, power=2.0, reduction="none").tolist() == [1.0, 4.0, 9.0, 36.0]


def test_weighted_loss_keeps_name_and_docstring_and_shows_how_it_is_called() -> None:
    assert (distance.__name__, distance.__doc__) == ("distance", "Say how far apart they are.")
    names = list(inspect.signature(distance).parameters)
    assert names == ["pred", "target", "weight", "reduction", "avg_factor", "arguments"]
