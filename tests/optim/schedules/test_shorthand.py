"""easy-classification's strings: each value against the schedule it stands for there."""

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, LRScheduler, MultiStepLR, StepLR

from ding_cls.errors import ConfigError
from ding_cls.optim import LearningRate, ReduceLROnPlateau, short_schedule
from ding_cls.types import Position

BASE = 0.1


@pytest.mark.parametrize(
    ("text", "of_torch"),
    [
        ("step-4-0.8", lambda optimizer: StepLR(optimizer, 4, 0.8)),
        ("step-1-0.5", lambda optimizer: StepLR(optimizer, 1, 0.5)),
        ("multi-3,5-0.1", lambda optimizer: MultiStepLR(optimizer, [3, 5], 0.1)),
        ("multi-7-0.25", lambda optimizer: MultiStepLR(optimizer, [7], 0.25)),
        ("SGDR-5-2", lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 5, 2)),
    ],
)
def test_it_means_torchs_class(text: str, of_torch: type[LRScheduler]) -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=BASE)
    torchs, schedule = of_torch(optimizer), short_schedule(text)
    for epoch in range(20):
        found = [schedule(BASE, Position(4 * epoch + update, 4, 20)) for update in range(4)]
        assert found == pytest.approx([optimizer.param_groups[0]["lr"]] * 4, rel=1e-12)
        optimizer.step()
        torchs.step()


def test_default_is_a_plateau_of_the_accuracy() -> None:
    schedule = short_schedule("default-0.2-1")
    assert isinstance(schedule, ReduceLROnPlateau)
    expected = [0.1, 0.1, 0.02, 0.02, 0.004, 0.004, 8e-4, 8e-4, 1.6e-4, 1.6e-4, 3.2e-5, 3.2e-5, 6.4e-6]
    for lr in [*expected, 6.4e-6, 1.28e-6, 1.28e-6, 1e-6, 1e-6, 1e-6]:
        schedule.observe({"acc1": 50.0, "loss": 1.0})
        assert schedule(BASE, Position(0, 1, 1)) == pytest.approx(lr)


def test_warm_up_is_a_line_and_the_rest_the_schedules() -> None:
    schedule = LearningRate(short_schedule("step-4-0.5"), warmup_lr=0.02, warmup_epochs=2)
    found = [schedule(BASE, Position(number, 2, 20)) for number in range(10)]
    assert found == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
    none = LearningRate(short_schedule("step-4-0.5"), warmup_lr=0.02, warmup_epochs=0)
    assert none(BASE, Position(0, 2, 20)) == BASE


@pytest.mark.parametrize(
    "text", ["step-4", "step-a-0.1", "cosinus", "multi-3;4-0.1", "SGDR-5-0.5", "steps-4-0.1"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=rf"lr_schedule is '{text}'; the form is step-SIZE-GAMMA, multi"):
        short_schedule(text)
