"""Schedules of momentum and weight decay: each value against the formula or torch, on the optimizer."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from ding_cls.errors import ConfigError
from ding_cls.optim import (
    MOMENTUM_SCHEDULES,
    WEIGHT_DECAY_SCHEDULES,
    LrScheduler,
    MomentumWarmup,
    SettingScheduler,
    build_schedule,
)
from ding_cls.types import Position

EPOCHS, LENGTH = 6, 5
UPDATES = EPOCHS * LENGTH


def positions() -> list[Position]:
    return [Position(number, LENGTH, EPOCHS) for number in range(UPDATES)]


def cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def name_of(value: object) -> str | None:
    """Name a case by its config: a function's own text holds an address."""
    return str(value) if isinstance(value, dict) else None


@pytest.mark.parametrize(
    ("cfg", "expected"),
    [
        ({"type": "Step", "step": [2, 4]}, lambda t, e: 0.9 * 0.5 ** ((e >= 2) + (e >= 4))),
        (
            {"type": "Step", "step": 2, "gamma": 0.9, "min_momentum": 0.75},
            lambda t, e: max(0.9 * 0.9 ** (e // 2), 0.75),
        ),
        ({"type": "CosineAnnealing", "min_momentum": 0.5}, lambda t, e: cosine(0.9, 0.5, e / 6)),
        (
            {"type": "CosineAnnealing", "min_momentum_ratio": 0.5, "by_epoch": False},
            lambda t, e: cosine(0.9, 0.45, t / 30),
        ),
        (
            {"type": "LinearAnnealing", "min_momentum": 0.6, "by_epoch": False},
            lambda t, e: 0.9 - 0.3 * t / 30,
        ),
        (
            {"type": "Cyclic"},
            lambda t, e: (
                cosine(0.9, 0.9 * 0.85 / 0.95, t / 12)
                if t < 12
                else cosine(0.9 * 0.85 / 0.95, 0.9, (t - 12) / 18)
            ),
        ),
        (
            {"type": "Step", "step": 9, "warmup": "linear", "warmup_iters": 10, "warmup_ratio": 0.95},
            lambda t, e: 0.9 / (0.95 + 0.005 * t if t < 10 else 1),
        ),
        (
            {"type": "Step", "step": 9, "warmup": "exp", "warmup_iters": 10, "warmup_ratio": 0.95},
            lambda t, e: 0.9 / 0.95 ** max(1 - t / 10, 0),
        ),
        (
            {"type": "LinearAnnealing", "min_momentum": 0.6, "warmup": "constant", "warmup_iters": 7},
            lambda t, e: (0.9 - 0.05 * e) / (0.9 if t < 7 else 1),
        ),
    ],
    ids=name_of,
)
def test_momentum_is_the_formulas(cfg: dict[str, Any], expected: Any) -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0, momentum=0.9)
    schedule = build_schedule(cfg, MOMENTUM_SCHEDULES, warmup=MomentumWarmup)
    scheduler = SettingScheduler(schedule, optimizer, "momentum")
    for position in positions():
        scheduler.apply(position)
        value = optimizer.param_groups[0]["momentum"]
        assert value == pytest.approx(expected(position.train_iter, position.epoch), rel=1e-12)
    assert {*MOMENTUM_SCHEDULES} == {"Step", "CosineAnnealing", "LinearAnnealing", "Cyclic", "OneCycle"}


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_one_cycle_is_torchs(kind: Any, strategy: str, three_phase: bool) -> None:
    settings = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    expected, ours = (kind(nn.Linear(1, 1).parameters(), lr=1.0, **settings) for _ in range(2))
    torchs = OneCycleLR(
        expected, 0.5, total_steps=UPDATES, pct_start=0.4, anneal_strategy=strategy, three_phase=three_phase
    )
    cfg = {"type": "OneCycle", "pct_start": 0.4, "anneal_strategy": strategy, "three_phase": three_phase}
    scheduler = SettingScheduler(build_schedule(cfg, MOMENTUM_SCHEDULES), ours, "momentum")
    seen, name = set(), "momentum" if kind is torch.optim.SGD else "betas"
    for position in positions():
        scheduler.apply(position)
        found = ours.param_groups[0][name]
        assert found == pytest.approx(expected.param_groups[0][name], rel=1e-9)
        seen.add(found)
        expected.step()
        if position.train_iter < UPDATES - 1:
            torchs.step()
    assert len(seen) > 10


@pytest.mark.parametrize(
    ("cfg", "expected"),
    [
        ({"type": "CosineAnnealing", "eta_min": 0.4}, lambda t, e: cosine(0.04, 0.4, e / 6)),
        (
            {"type": "CosineAnnealingWeightDecay", "eta_min_ratio": 0.1, "by_epoch": False},
            lambda t, e: cosine(0.04, 0.004, t / 30),
        ),
        ({"type": "LinearAnnealing", "eta_min": 0.0}, lambda t, e: 0.04 * (1 - e / 6)),
        ({"type": "Step", "step": [3]}, lambda t, e: 0.04 if e < 3 else 0.004),
    ],
    ids=name_of,
)
def test_weight_decay_is_the_formulas_and_none_stays_none(cfg: dict[str, Any], expected: Any) -> None:
    first, second = nn.Linear(1, 1).parameters()
    groups = [{"params": [first]}, {"params": [second], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1.0, weight_decay=0.04)
    scheduler = SettingScheduler(build_schedule(cfg, WEIGHT_DECAY_SCHEDULES), optimizer, "weight_decay")
    for position in positions():
        scheduler.apply(position)
        values = [group["weight_decay"] for group in optimizer.param_groups]
        assert values == [pytest.approx(expected(position.train_iter, position.epoch), rel=1e-12), 0.0]


def test_they_move_with_the_learning_rate() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0, momentum=0.8, weight_decay=0.1)
    others = [
        SettingScheduler(
            build_schedule({"type": "LinearAnnealing", "min_momentum": 0.0}, MOMENTUM_SCHEDULES),
            optimizer,
            "momentum",
        ),
        SettingScheduler(
            build_schedule({"type": "LinearAnnealing", "eta_min": 0.2}, WEIGHT_DECAY_SCHEDULES),
            optimizer,
            "weight_decay",
        ),
    ]
    scheduler = LrScheduler(
        build_schedule({"type": "Fixed"}),
        optimizer,
        base_lr=1.0,
        max_epochs=4,
        updates_per_epoch=2,
        others=others,
    )
    assert scheduler.scheduled == {"lr", "momentum", "weight_decay"}
    scheduler.apply(2)
    (group,) = optimizer.param_groups
    assert (group["momentum"], group["weight_decay"]) == (pytest.approx(0.6), pytest.approx(0.125))


def test_an_optimizer_without_the_setting_is_refused() -> None:
    parameters = list(nn.Linear(1, 1).parameters())
    schedule = build_schedule({"type": "Step", "step": 1}, MOMENTUM_SCHEDULES)
    with pytest.raises(
        ConfigError, match=r"Adagrad has no momentum; leave policy\.learn\.momentum_schedule out"
    ):
        SettingScheduler(schedule, torch.optim.Adagrad(parameters), "momentum")
    with pytest.raises(ConfigError, match="Rprop has no weight_decay; leave"):
        SettingScheduler(schedule, torch.optim.Rprop(parameters), "weight_decay")
    with pytest.raises(ConfigError, match="there is no momentum schedule named 'Exp'"):
        build_schedule({"type": "Exp"}, MOMENTUM_SCHEDULES)
    with pytest.raises(ConfigError, match="pct_start=2 is not allowed"):
        build_schedule({"type": "OneCycle", "pct_start": 2}, MOMENTUM_SCHEDULES)


def test_a_momentum_above_1_is_refused() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0, momentum=0.9)
    ramp = {"type": "Step", "step": 9, "warmup": "constant", "warmup_iters": 7, "warmup_ratio": 0.5}
    schedule = build_schedule(ramp, MOMENTUM_SCHEDULES, warmup=MomentumWarmup)
    with pytest.raises(ConfigError, match=r"returned momentum 1\.8 at"):
        SettingScheduler(schedule, optimizer, "momentum").apply(Position(0, LENGTH, EPOCHS))


def test_a_schedule_of_no_weight_decay_is_refused() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0, weight_decay=0.0)
    schedule = build_schedule({"type": "CosineAnnealing", "eta_min": 0.1}, WEIGHT_DECAY_SCHEDULES)
    with pytest.raises(ConfigError, match="weight_decay_schedule has no effect"):
        SettingScheduler(schedule, optimizer, "weight_decay")
