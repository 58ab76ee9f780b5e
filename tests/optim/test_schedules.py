"""Learning rates: hand-computed, against torch's schedulers, and exact at every boundary."""

import math
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR, StepLR

from ding_cls.optim import LearningRate

AWKWARD_LENGTHS = (1, 7, 23, 49, 391, 5004)


def build_optimizer(lr: float = 0.1) -> torch.optim.SGD:
    return torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=lr)


def step_lr(**changes: object) -> LearningRate:
    arguments = {"schedule": "step", "total_epochs": 200, "warmup_lr": 1e-4, "warmup_epochs": 3} | changes
    return LearningRate(0.01, **arguments)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (0, 0.0001),
        (0.5, 0.00175),
        (1, 0.0034),
        (2, 0.0067),
        (3, 0.01),
        (29.999, 0.01),
        (30, 0.001),
        (59.99, 0.001),
        (60, 0.0001),
        (90, 0.00001),
        (199, 1e-8),
    ],
)
def test_default_recipe_by_hand(position: float, expected: float) -> None:
    assert step_lr()(position) == pytest.approx(expected, rel=1e-14)


def test_cosine_by_hand() -> None:
    rate = LearningRate(0.4, schedule="cosine", total_epochs=12, min_lr=0.2, warmup_lr=0.0, warmup_epochs=4)
    values = [rate(position) for position in (0, 1, 3, 4, 6, 8, 12, 13)]
    expected = [0.0, 0.1, 0.3, 0.4, 0.3 + 0.1 * math.sqrt(0.5), 0.3, 0.2, 0.2]
    assert values == pytest.approx(expected, rel=1e-14)
    assert rate(4) == 0.4
    assert rate(12) == 0.2


def test_constant_and_no_warmup() -> None:
    rate = LearningRate(0.3, schedule="constant", total_epochs=5)
    assert [rate(position) for position in (0, 0.1, 4, 100)] == [0.3] * 4


def test_a_run_that_ends_within_its_warmup() -> None:
    rate = LearningRate(0.4, schedule="cosine", total_epochs=2, warmup_lr=0.0, warmup_epochs=4)
    assert [rate(position) for position in (0, 1, 2)] == [0.0, 0.1, 0.2]
    assert rate(4) == 0.0


def test_zero_epochs_are_allowed() -> None:
    assert LearningRate(0.4, schedule="cosine", total_epochs=0)(0) == 0.0
    assert LearningRate(0.4, schedule="step", total_epochs=0)(0) == 0.4


def torch_lrs(schedulers, optimizer: torch.optim.Optimizer, count: int) -> list[float]:
    lrs = []
    for _ in range(count):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return lrs


def test_warmup_and_steps_equal_torchs_composition() -> None:
    updates_per_epoch, epochs = 7, 12
    optimizer = build_optimizer(0.1)
    warmup = LinearLR(optimizer, start_factor=0.01, end_factor=1.0, total_iters=3 * updates_per_epoch)
    steps = StepLR(optimizer, step_size=4 * updates_per_epoch, gamma=0.5)
    expected = torch_lrs((warmup, steps), optimizer, epochs * updates_per_epoch)
    rate = LearningRate(
        0.1, schedule="step", total_epochs=12, decay_epoch=4, decay_rate=0.5, warmup_lr=0.001, warmup_epochs=3
    )
    found = [rate.at(train_iter, updates_per_epoch) for train_iter in range(epochs * updates_per_epoch)]
    assert found == pytest.approx(expected, rel=1e-12)
    assert len(set(expected)) > 20


def test_warmup_and_cosine_equal_torchs_composition() -> None:
    updates_per_epoch, epochs = 23, 5
    optimizer = build_optimizer(0.1)
    warmup = LinearLR(optimizer, start_factor=0.01, end_factor=1.0, total_iters=2 * updates_per_epoch)
    cosine = CosineAnnealingLR(optimizer, T_max=3 * updates_per_epoch, eta_min=0.002)
    sequence = SequentialLR(optimizer, [warmup, cosine], milestones=[2 * updates_per_epoch])
    expected = torch_lrs((sequence,), optimizer, epochs * updates_per_epoch)
    rate = LearningRate(
        0.1, schedule="cosine", total_epochs=5, min_lr=0.002, warmup_lr=0.001, warmup_epochs=2
    )
    found = [rate.at(train_iter, updates_per_epoch) for train_iter in range(epochs * updates_per_epoch)]
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("updates_per_epoch", AWKWARD_LENGTHS)
@pytest.mark.parametrize("decay_epoch", [1, 3, 30])
def test_decay_comes_with_the_first_update_of_its_epoch(updates_per_epoch: int, decay_epoch: int) -> None:
    rate = LearningRate(
        1.0, schedule="step", total_epochs=200, decay_epoch=decay_epoch, decay_rate=0.5, warmup_epochs=0
    )
    for epoch in range(1, 201):
        first = epoch * updates_per_epoch
        for train_iter in (first - 1, first, first + 1):
            expected = 0.5 ** (train_iter // (updates_per_epoch * decay_epoch))
            assert rate.at(train_iter, updates_per_epoch) == expected
            assert rate(train_iter / updates_per_epoch) == expected


@pytest.mark.parametrize("updates_per_epoch", AWKWARD_LENGTHS)
@pytest.mark.parametrize("decay_epoch", ["0.1", "0.3", "2.4", "7.7"])
def test_decay_within_an_epoch_is_exact(updates_per_epoch: int, decay_epoch: str) -> None:
    rate = LearningRate(
        1.0, schedule="step", total_epochs=30, decay_epoch=float(decay_epoch), decay_rate=0.5, warmup_epochs=0
    )
    for train_iter in range(min(30 * updates_per_epoch, 2000)):
        decays = Fraction(train_iter, updates_per_epoch) // Fraction(decay_epoch)
        assert rate.at(train_iter, updates_per_epoch) == 0.5**decays
        assert rate(train_iter / updates_per_epoch) == 0.5**decays


def test_a_decay_every_third_of_an_epoch() -> None:
    rate = LearningRate(1.0, schedule="step", total_epochs=3, decay_epoch=1 / 3, decay_rate=0.5)
    assert [rate.at(train_iter, 3) for train_iter in range(9)] == [1e-0 * 0.5**k for k in range(9)]


@pytest.mark.parametrize("updates_per_epoch", AWKWARD_LENGTHS)
@pytest.mark.parametrize("schedule", ["step", "cosine", "constant"])
def test_whole_epochs_have_the_rate_of_their_number(schedule: str, updates_per_epoch: int) -> None:
    rate = LearningRate(
        0.1, schedule=schedule, total_epochs=200, decay_epoch=7, decay_rate=0.9, warmup_epochs=5
    )
    for epoch in range(201):
        assert rate.at(epoch * updates_per_epoch, updates_per_epoch) == rate(epoch) == rate(float(epoch))


def test_warmup_ends_at_its_boundary() -> None:
    for updates_per_epoch in AWKWARD_LENGTHS:
        last = 3 * updates_per_epoch
        assert step_lr().at(last, updates_per_epoch) == 0.01
        assert step_lr().at(last - 1, updates_per_epoch) < 0.01


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schedule": "linear"}, "schedule 'linear' is not one of step, cosine, constant"),
        ({"decay_epoch": 0}, "decay_epoch=0 must be greater than 0"),
        ({"decay_rate": -0.1}, "decay_rate=-0.1 must be a finite number"),
        ({"warmup_lr": math.nan}, "warmup_lr=nan must be a finite number"),
        ({"total_epochs": math.inf}, "total_epochs=inf must be a finite number"),
    ],
)
def test_unusable_values_are_named(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        step_lr(**changes)


@pytest.mark.parametrize("position", [-0.1, math.nan, math.inf])
def test_positions_before_the_run_are_refused(position: float) -> None:
    with pytest.raises(ValueError, match="position="):
        step_lr()(position)


@pytest.mark.parametrize(("train_iter", "updates_per_epoch"), [(-1, 5), (1, 0), (1, -2)])
def test_impossible_iterations_are_refused(train_iter: int, updates_per_epoch: int) -> None:
    with pytest.raises(ValueError, match=f"train_iter={train_iter} .*updates_per_epoch={updates_per_epoch}"):
        step_lr().at(train_iter, updates_per_epoch)
