"""The plateau against torch's, evaluation by evaluation; its state; its place in a run's scheduler."""

import math
import random
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.optim import LrScheduler, ReduceLROnPlateau, build_schedule, observes_evaluations
from ding_cls.types import Position

NOWHERE = Position(0, 1, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        {"mode": "max"},
        {"mode": "min", "patience": 0},
        {"mode": "max", "patience": 2, "cooldown": 3, "factor": 0.5},
        {"mode": "min", "patience": 1, "threshold": 0.1},
        {"mode": "max", "patience": 1, "threshold": 0.05, "threshold_mode": "abs"},
        {"mode": "min", "patience": 0, "min_lr": 0.02, "factor": 0.7},
    ],
    ids=str,
)
@pytest.mark.parametrize("sign", [1, -1])
def test_every_value_is_torchs(arguments: dict[str, Any], sign: int) -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.3)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, eps=0.0, **arguments)
    ours = ReduceLROnPlateau(monitor="figure", **arguments)
    draw = random.Random(0)
    falls = set()
    for number in range(60):
        value = sign * (1 + draw.random() + (number if number < 8 else 8) * 0.1)
        torchs.step(value)
        ours.observe({"figure": value})
        # The counter starts with evaluations; so does the rate.
        assert ours(0.3, NOWHERE) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        falls.add(ours(0.3, NOWHERE))
        again = ReduceLROnPlateau(monitor="figure", **arguments)
        again.load_state_dict(ours.state_dict())
        ours = again
    assert len(falls) > 1


def test_the_direction_follows_from_what_is_watched() -> None:
    for monitor, values, expected in (
        ("loss", [3, 2, 1], 0.3),
        ("loss", [1, 2, 3], 0.003),
        ("acc1", [3, 2, 1], 0.003),
        ("acc1", [1, 2, 3], 0.3),
        ("acc1", [math.nan, math.nan, math.nan], 0.0003),
    ):
        schedule = ReduceLROnPlateau(monitor=monitor, patience=0)
        for value in values:
            schedule.observe({"loss": value, "acc1": value})
        assert schedule(0.3, NOWHERE) == pytest.approx(expected)


def test_warm_up_needs_no_evaluation_and_the_scheduler_keeps_the_state() -> None:
    cfg = {
        "type": "ReduceLROnPlateau",
        "patience": 0,
        "warmup": "linear",
        "warmup_iters": 2,
        "warmup_ratio": 0.5,
    }
    schedulers = [
        LrScheduler(
            build_schedule(cfg),
            torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0),
            base_lr=1.0,
            max_epochs=9,
            updates_per_epoch=1,
        )
        for _ in range(2)
    ]
    first, second = schedulers
    assert [first.apply(number) for number in range(3)] == [0.5, 0.75, 1.0]
    for value in (5.0, 4.0):
        first.observe({"acc1": value})
    assert first.apply(3) == pytest.approx(0.1)
    assert second.apply(3) == 1.0
    second.load_state_dict(first.state_dict())
    assert second.apply(3) == first.apply(3)
    assert second.state_dict() == first.state_dict()
    assert first.state_dict()["schedule"]["num_falls"] == 1


def test_others_have_no_use_for_evaluations() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    scheduler = LrScheduler(build_schedule({"type": "Fixed"}), optimizer, base_lr=1.0, max_epochs=1)
    scheduler.observe({"acc1": 1.0})
    assert scheduler.state_dict() == {"epoch": 0}
    assert not observes_evaluations("step")
    assert not observes_evaluations({"type": "Step"})
    assert observes_evaluations("default-0.1-3")
    assert observes_evaluations({"type": "ReduceLROnPlateau"})
    assert observes_evaluations({"type": ReduceLROnPlateau})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"factor": 1.0}, "factor=1.0 is not allowed; it must be at least 0, and less than 1"),
        ({"mode": "up"}, "mode='up' is not allowed; it must be min or max"),
        ({"threshold_mode": "x"}, "it must be rel or abs"),
        ({"patience": -1}, "patience=-1"),
    ],
)
def test_what_cannot_be_used_is_named(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        ReduceLROnPlateau(**arguments)


def test_a_result_without_it_is_told() -> None:
    with pytest.raises(ConfigError, match="watches 'auc'; the evaluation gives loss, acc1: set monitor= to"):
        ReduceLROnPlateau(monitor="auc").observe({"loss": 1.0, "acc1": 2.0})
