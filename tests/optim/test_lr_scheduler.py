"""LrScheduler sets an optimizer's learning rate from the position, and continues where it was."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.optim import LearningRate, LrScheduler, build_schedule
from ding_cls.types import Position, Schedule

BASE_LR, EPOCHS = 0.01, 200


def build_optimizer(lr: float = 0.1) -> torch.optim.SGD:
    return torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=lr)


def build(
    optimizer: torch.optim.Optimizer | None = None,
    updates_per_epoch: int | None = None,
    *,
    decay_epoch: float = 30,
    schedule: Schedule | None = None,
) -> LrScheduler:
    native = LearningRate("step", decay_epoch=decay_epoch, warmup_lr=1e-4, warmup_epochs=3)
    return LrScheduler(
        schedule or native,
        optimizer or build_optimizer(),
        base_lr=BASE_LR,
        max_epochs=EPOCHS,
        updates_per_epoch=updates_per_epoch,
    )


def rate(epochs: float) -> float:
    """Warm-up from 1e-4 to 0.01 over three epochs, then a tenth after every thirtieth epoch."""
    return 1e-4 + (BASE_LR - 1e-4) * epochs / 3 if epochs < 3 else BASE_LR * 0.1 ** math.floor(epochs / 30)


def test_told_the_length_of_an_epoch_step_only_marks() -> None:
    optimizer = build_optimizer()
    scheduler = build(optimizer, 10)
    assert scheduler.apply(5) == rate(0.5)
    before = scheduler.get_last_lr()
    scheduler.step()
    assert scheduler.epoch == 1
    assert scheduler.get_last_lr() == before
    assert scheduler.apply(5) == rate(0.5)
    assert scheduler.apply(305) == rate(30.5)
    assert optimizer.param_groups[0]["lr"] == rate(30.5)


def test_in_a_loop_not_ours_position_is_the_number_of_steps() -> None:
    optimizer = build_optimizer()
    scheduler = build(optimizer)
    seen = []
    for epoch in range(40):
        for train_iter in range(epoch * 4, epoch * 4 + 4):
            seen.append(scheduler.apply(train_iter))
            assert optimizer.param_groups[0]["lr"] == seen[-1]
        scheduler.step()
        assert scheduler.get_last_lr() == [rate(epoch + 1)]
    assert seen == [rate(epoch) for epoch in range(40) for _ in range(4)]


def test_the_length_of_an_epoch_can_be_told_later() -> None:
    scheduler = build()
    assert scheduler.apply(15) == rate(0)
    scheduler.updates_per_epoch = 10
    assert scheduler.apply(15) == rate(1.5)


def test_a_new_scheduler_sets_position_zero() -> None:
    optimizer = build_optimizer(lr=0.7)
    assert build(optimizer).get_last_lr() == [1e-4]
    assert optimizer.param_groups[0]["lr"] == 1e-4


def test_groups_have_their_own_factor() -> None:
    groups = [
        {"params": nn.Linear(1, 1).parameters()},
        {"params": nn.Linear(1, 1).parameters(), "lr_mult": 0.25},
    ]
    scheduler = build(torch.optim.SGD(groups, lr=0.1), 10)
    assert scheduler.apply(40) == 0.01
    assert scheduler.get_last_lr() == [0.01, 0.0025]
    assert scheduler.apply(40) == 0.01
    assert scheduler.get_last_lr() == [0.01, 0.0025]


def test_a_schedule_gets_the_base_rate_and_the_position() -> None:
    seen = []

    def schedule(base_lr: float, position: Position) -> float:
        seen.append((base_lr, position))
        return 0.5

    scheduler = build(schedule=schedule)
    scheduler.apply(7)
    scheduler.step()
    scheduler.updates_per_epoch = 10
    assert scheduler.apply(7) == 0.5
    scheduler.step()
    expected = [Position(0, 1, EPOCHS)] * 2 + [Position(1, 1, EPOCHS), Position(7, 10, EPOCHS)]
    assert seen == [(BASE_LR, each) for each in expected]


def test_in_a_loop_not_ours_updates_are_counted_as_steps() -> None:
    cfg = {"type": "Exp", "gamma": 0.5, "by_epoch": False, "warmup": "constant", "warmup_iters": 2}
    scheduler = build(schedule=build_schedule(cfg))
    found = []
    for train_iter in range(8):
        found.append(scheduler.apply(train_iter))
        if train_iter % 2:
            scheduler.step()
    assert found == pytest.approx([0.001, 0.001, 0.0005, 0.0005, 0.0025, 0.0025, 0.00125, 0.00125])


@pytest.mark.parametrize("lr", [math.nan, math.inf, -0.1])
def test_a_schedule_that_returns_no_rate_is_named(lr: float) -> None:
    def broken(base_lr: float, position: Position) -> float:
        return lr if position.train_iter == 3 else base_lr

    optimizer = build_optimizer()
    scheduler = build(optimizer, 10, schedule=broken)
    with pytest.raises(
        ConfigError, match=rf"broken.* returned the learning rate {lr} at Position\(train_iter=3,"
    ):
        scheduler.apply(3)
    assert optimizer.param_groups[0]["lr"] == BASE_LR


SCHEDULES: list[dict[str, Any] | None] = [
    None,
    {"type": "Step", "step": [3, 5], "warmup": "linear", "warmup_iters": 7},
    {"type": "CosineAnnealing", "min_lr": 0, "by_epoch": False, "warmup": "exp", "warmup_iters": 12},
    {"type": "CosineRestart", "periods": [3, 4, 9], "restart_weights": [1, 0.5, 2], "min_lr_ratio": 0.1},
]


@pytest.mark.parametrize("updates_per_epoch", [None, 5])
@pytest.mark.parametrize("cfg", SCHEDULES)
def test_resume_continues_with_the_same_rates(
    updates_per_epoch: int | None, cfg: dict[str, Any] | None
) -> None:
    def run(scheduler: LrScheduler, first: int, last: int) -> list[float]:
        lrs = []
        for train_iter in range(first, last):
            lrs.append(scheduler.apply(train_iter))
            if (train_iter + 1) % 5 == 0:
                scheduler.step()
        return lrs

    def fresh() -> LrScheduler:
        schedule = None if cfg is None else build_schedule(cfg)
        return build(updates_per_epoch=updates_per_epoch, decay_epoch=4, schedule=schedule)

    whole = run(fresh(), 0, 50)
    assert len(set(whole)) > 4
    for stop in range(1, 50):
        first = fresh()
        before = run(first, 0, stop)
        second = fresh()
        second.load_state_dict(first.state_dict())
        assert before + run(second, stop, 50) == whole
        assert second.epoch == 10


@pytest.mark.parametrize("state", [{}, {"epoch": -1}, {"epoch": 1.5}, {"last_epoch": 3}, {"epoch": True}])
def test_a_state_that_is_none_is_refused(state: dict[str, object]) -> None:
    scheduler = build()
    with pytest.raises(CheckpointError, match="lr scheduler's state has epoch="):
        scheduler.load_state_dict(state)
    assert scheduler.epoch == 0


def test_it_is_not_torchs_scheduler() -> None:
    assert not issubclass(LrScheduler, torch.optim.lr_scheduler.LRScheduler)


@pytest.mark.parametrize(
    ("described", "follows"),
    [
        ({"type": "ReduceLROnPlateau", "warmup": "linear", "warmup_iters": 3}, True),
        ({"type": "Step", "step": 1}, False),
    ],
)
def test_it_says_whether_results_move_the_rate(described: dict[str, Any], follows: bool) -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    scheduler = LrScheduler(build_schedule(described), optimizer, base_lr=0.1, max_epochs=2)
    assert scheduler.follows_results == follows
