"""LrScheduler sets an optimizer's learning rate from the position, and continues where it was."""

import pytest
import torch
from torch import nn

from ding_cls.errors import CheckpointError
from ding_cls.optim import LearningRate, LrScheduler


def build_optimizer(lr: float = 0.1) -> torch.optim.SGD:
    return torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=lr)


def step_lr(decay_epoch: float = 30) -> LearningRate:
    return LearningRate(
        0.01, schedule="step", total_epochs=200, decay_epoch=decay_epoch, warmup_lr=1e-4, warmup_epochs=3
    )


def test_told_the_length_of_an_epoch_step_only_marks() -> None:
    optimizer = build_optimizer()
    scheduler = LrScheduler(step_lr(), optimizer, updates_per_epoch=10)
    assert scheduler.apply(5) == step_lr()(0.5)
    before = scheduler.get_last_lr()
    scheduler.step()
    assert scheduler.epoch == 1
    assert scheduler.get_last_lr() == before
    assert scheduler.apply(5) == step_lr()(0.5)
    assert scheduler.apply(305) == step_lr()(30.5)
    assert optimizer.param_groups[0]["lr"] == step_lr()(30.5)


def test_in_a_loop_not_ours_position_is_the_number_of_steps() -> None:
    optimizer = build_optimizer()
    scheduler = LrScheduler(step_lr(), optimizer)
    seen = []
    for epoch in range(40):
        for train_iter in range(epoch * 4, epoch * 4 + 4):
            seen.append(scheduler.apply(train_iter))
            assert optimizer.param_groups[0]["lr"] == seen[-1]
        scheduler.step()
        assert scheduler.get_last_lr() == [step_lr()(epoch + 1)]
    assert seen == [step_lr()(epoch) for epoch in range(40) for _ in range(4)]


def test_the_length_of_an_epoch_can_be_told_later() -> None:
    scheduler = LrScheduler(step_lr(), build_optimizer())
    assert scheduler.apply(15) == step_lr()(0)
    scheduler.updates_per_epoch = 10
    assert scheduler.apply(15) == step_lr()(1.5)


def test_a_new_scheduler_sets_position_zero() -> None:
    optimizer = build_optimizer(lr=0.7)
    assert LrScheduler(step_lr(), optimizer).get_last_lr() == [1e-4]
    assert optimizer.param_groups[0]["lr"] == 1e-4


def test_groups_have_their_own_factor() -> None:
    groups = [
        {"params": nn.Linear(1, 1).parameters()},
        {"params": nn.Linear(1, 1).parameters(), "lr_mult": 0.25},
    ]
    scheduler = LrScheduler(step_lr(), torch.optim.SGD(groups, lr=0.1), updates_per_epoch=10)
    assert scheduler.apply(40) == 0.01
    assert scheduler.get_last_lr() == [0.01, 0.0025]
    assert scheduler.apply(40) == 0.01
    assert scheduler.get_last_lr() == [0.01, 0.0025]


@pytest.mark.parametrize("updates_per_epoch", [None, 5])
def test_resume_continues_with_the_same_rates(updates_per_epoch: int | None) -> None:
    def run(scheduler: LrScheduler, first: int, last: int) -> list[float]:
        lrs = []
        for train_iter in range(first, last):
            lrs.append(scheduler.apply(train_iter))
            if (train_iter + 1) % 5 == 0:
                scheduler.step()
        return lrs

    def build() -> LrScheduler:
        return LrScheduler(step_lr(decay_epoch=4), build_optimizer(), updates_per_epoch=updates_per_epoch)

    whole = run(build(), 0, 50)
    for stop in range(1, 50):
        first = build()
        before = run(first, 0, stop)
        second = build()
        second.load_state_dict(first.state_dict())
        assert before + run(second, stop, 50) == whole
        assert second.epoch == 10


@pytest.mark.parametrize("state", [{}, {"epoch": -1}, {"epoch": 1.5}, {"last_epoch": 3}, {"epoch": True}])
def test_a_state_that_is_none_is_refused(state: dict[str, object]) -> None:
    scheduler = LrScheduler(step_lr(), build_optimizer())
    with pytest.raises(CheckpointError, match="lr scheduler's state has epoch="):
        scheduler.load_state_dict(state)
    assert scheduler.epoch == 0


def test_it_is_not_torchs_scheduler() -> None:
    assert not issubclass(LrScheduler, torch.optim.lr_scheduler.LRScheduler)
