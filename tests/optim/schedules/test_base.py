"""The native schedules and warm-up: hand-computed, against torch's schedulers, exact at every boundary."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR, StepLR

from ding_cls.errors import ConfigError
from ding_cls.optim import SCHEDULES, LearningRate, Step, Warmup, build_schedule
from ding_cls.types import Position, Schedule

AWKWARD_LENGTHS = (1, 7, 23, 49, 391, 5004)


def build_optimizer(lr: float = 0.1) -> torch.optim.SGD:
    return torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=lr)


def at(schedule: Schedule, base_lr: float, epochs: int, updates_per_epoch: int) -> Callable[[int], float]:
    """Return the learning rate as a function of ``train_iter``."""
    return lambda train_iter: schedule(base_lr, Position(train_iter, updates_per_epoch, epochs))


def after(schedule: Schedule, base_lr: float, epochs: int) -> Callable[[float], float]:
    """Return the learning rate as a function of finished epochs, down to a thousandth."""
    return lambda done: schedule(base_lr, Position(round(done * 1000), 1000, epochs))


def step_lr(**changes: Any) -> LearningRate:
    return LearningRate(**({"schedule": "step", "warmup_lr": 1e-4, "warmup_epochs": 3} | changes))


@pytest.mark.parametrize(
    ("epochs", "expected"),
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
def test_default_recipe_by_hand(epochs: float, expected: float) -> None:
    assert after(step_lr(), 0.01, 200)(epochs) == pytest.approx(expected, rel=1e-14)


def test_cosine_by_hand() -> None:
    schedule = LearningRate("cosine", min_lr=0.2, warmup_lr=0.0, warmup_epochs=4)
    rate = after(schedule, 0.4, 12)
    values = [rate(epochs) for epochs in (0, 1, 3, 4, 6, 8, 12, 13)]
    expected = [0.0, 0.1, 0.3, 0.4, 0.3 + 0.1 * math.sqrt(0.5), 0.3, 0.2, 0.2]
    assert values == pytest.approx(expected, rel=1e-14)
    assert rate(4) == 0.4
    assert rate(12) == 0.2


def test_constant_and_no_warmup() -> None:
    rate = after(LearningRate("constant"), 0.3, 5)
    assert [rate(epochs) for epochs in (0, 0.1, 4, 100)] == [0.3] * 4


def test_a_run_that_ends_within_its_warmup() -> None:
    rate = after(LearningRate("cosine", warmup_lr=0.0, warmup_epochs=4), 0.4, 2)
    assert [rate(epochs) for epochs in (0, 1, 2)] == [0.0, 0.1, 0.2]
    assert rate(4) == 0.0


def test_zero_epochs_are_allowed() -> None:
    assert after(LearningRate("cosine"), 0.4, 0)(0) == 0.0
    assert after(LearningRate("step"), 0.4, 0)(0) == 0.4


def torch_lrs(schedulers: Any, optimizer: torch.optim.Optimizer, count: int) -> list[float]:
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
    schedule = LearningRate("step", decay_epoch=4, decay_rate=0.5, warmup_lr=0.001, warmup_epochs=3)
    rate = at(schedule, 0.1, epochs, updates_per_epoch)
    found = [rate(train_iter) for train_iter in range(epochs * updates_per_epoch)]
    assert found == pytest.approx(expected, rel=1e-12)
    assert len(set(expected)) > 20


def test_warmup_and_cosine_equal_torchs_composition() -> None:
    updates_per_epoch, epochs = 23, 5
    optimizer = build_optimizer(0.1)
    warmup = LinearLR(optimizer, start_factor=0.01, end_factor=1.0, total_iters=2 * updates_per_epoch)
    cosine = CosineAnnealingLR(optimizer, T_max=3 * updates_per_epoch, eta_min=0.002)
    sequence = SequentialLR(optimizer, [warmup, cosine], milestones=[2 * updates_per_epoch])
    expected = torch_lrs((sequence,), optimizer, epochs * updates_per_epoch)
    schedule = LearningRate("cosine", min_lr=0.002, warmup_lr=0.001, warmup_epochs=2)
    rate = at(schedule, 0.1, epochs, updates_per_epoch)
    found = [rate(train_iter) for train_iter in range(epochs * updates_per_epoch)]
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("updates_per_epoch", AWKWARD_LENGTHS)
@pytest.mark.parametrize("decay_epoch", [1, 3, 30])
def test_decay_comes_with_the_first_update_of_its_epoch(updates_per_epoch: int, decay_epoch: int) -> None:
    rate = at(LearningRate("step", decay_epoch=decay_epoch, decay_rate=0.5), 1.0, 200, updates_per_epoch)
    for epoch in range(1, 201):
        first = epoch * updates_per_epoch
        for train_iter in (first - 1, first, first + 1):
            assert rate(train_iter) == 0.5 ** (train_iter // (updates_per_epoch * decay_epoch))


@pytest.mark.parametrize("updates_per_epoch", AWKWARD_LENGTHS)
@pytest.mark.parametrize("decay_epoch", ["0.1", "0.3", "2.4", "7.7"])
def test_decay_within_an_epoch_is_exact(updates_per_epoch: int, decay_epoch: str) -> None:
    schedule = LearningRate("step", decay_epoch=float(decay_epoch), decay_rate=0.5)
    rate = at(schedule, 1.0, 30, updates_per_epoch)
    for train_iter in range(min(30 * updates_per_epoch, 2000)):
        decays = Fraction(train_iter, updates_per_epoch) // Fraction(decay_epoch)
        assert rate(train_iter) == 0.5**decays


def test_a_decay_every_third_of_an_epoch() -> None:
    rate = at(LearningRate("step", decay_epoch=1 / 3, decay_rate=0.5), 1.0, 3, 3)
    assert [rate(train_iter) for train_iter in range(9)] == [0.5**k for k in range(9)]


@pytest.mark.parametrize("updates_per_epoch", AWKWARD_LENGTHS)
@pytest.mark.parametrize("kind", ["step", "cosine", "constant"])
def test_whole_epochs_have_the_rate_of_their_number(kind: Any, updates_per_epoch: int) -> None:
    schedule = LearningRate(kind, decay_epoch=7, decay_rate=0.9, warmup_epochs=5)
    for epoch in range(201):
        expected = at(schedule, 0.1, 200, 1)(epoch)
        assert at(schedule, 0.1, 200, updates_per_epoch)(epoch * updates_per_epoch) == expected


def test_warmup_ends_at_its_boundary() -> None:
    for updates_per_epoch in AWKWARD_LENGTHS:
        last = 3 * updates_per_epoch
        rate = at(step_lr(), 0.01, 200, updates_per_epoch)
        assert rate(last) == 0.01
        assert rate(last - 1) < 0.01


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schedule": "linear"}, "schedule 'linear' is not one of step, cosine, constant"),
        ({"decay_epoch": 0}, "decay_epoch=0 must be greater than 0"),
        ({"decay_rate": -0.1}, "decay_rate=-0.1 must be a finite number"),
        ({"warmup_lr": math.nan}, "warmup_lr=nan must be a finite number"),
        ({"min_lr": math.inf}, "min_lr=inf must be a finite number"),
    ],
)
def test_unusable_values_are_named(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        step_lr(**changes)


# Positions


@pytest.mark.parametrize("numbers", [(-1, 5, 3), (1, 0, 3), (1, -2, 3), (1, 5, -1)])
def test_impossible_positions_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(
        ValueError, match=rf"train_iter={numbers[0]}, updates_per_epoch={numbers[1]}, max_epo"
    ):
        Position(*numbers)


def test_a_position_knows_its_epoch_and_the_end() -> None:
    positions = [Position(train_iter, 4, 3) for train_iter in (0, 3, 4, 11, 12)]
    assert [position.epoch for position in positions] == [0, 0, 1, 2, 3]
    assert {position.max_iter for position in positions} == {12}


# Warm-up before any schedule

RAMPS = {
    "constant": [0.125] * 4,
    # 0.125 + 0.875 k / 4, and 0.125 ** (1 - k / 4).
    "linear": [0.125, 0.34375, 0.5625, 0.78125],
    "exp": [0.125, 2**-2.25, 2**-1.5, 2**-0.75],
}


@pytest.mark.parametrize("by_epoch", [False, True])
@pytest.mark.parametrize("ramp", RAMPS)
def test_warmup_by_hand(ramp: str, by_epoch: bool) -> None:
    cfg = {"type": "Fixed", "warmup": ramp, "warmup_iters": 4, "warmup_ratio": 0.125}
    if by_epoch:
        cfg |= {"warmup_iters": 2, "warmup_by_epoch": True}
    rate = at(build_schedule(cfg), 0.5, 5, 2)
    expected = [0.5 * factor for factor in RAMPS[ramp]] + [0.5] * 6
    assert [rate(train_iter) for train_iter in range(10)] == pytest.approx(expected, rel=1e-15)
    assert rate(4) == 0.5


def test_warmup_multiplies_what_the_schedule_says_at_that_position() -> None:
    cfg = {
        "type": "Step",
        "step": 1,
        "gamma": 0.5,
        "warmup": "constant",
        "warmup_iters": 3,
        "warmup_ratio": 0.25,
    }
    rate = at(build_schedule(cfg), 1.0, 4, 2)
    assert [rate(train_iter) for train_iter in range(8)] == [0.25, 0.25, 0.125, 0.5, 0.25, 0.25, 0.125, 0.125]


def test_linear_warmup_equals_torchs() -> None:
    optimizer = build_optimizer(0.3)
    warmup = LinearLR(optimizer, start_factor=0.1, end_factor=1.0, total_iters=9)
    expected = torch_lrs((warmup,), optimizer, 12)
    rate = at(build_schedule({"type": "Fixed", "warmup": "linear", "warmup_iters": 9}), 0.3, 4, 3)
    assert [rate(train_iter) for train_iter in range(12)] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("others", [{}, {"warmup_iters": 5}, {"warmup_iters": 0, "warmup_ratio": 0.5}])
def test_without_warmup_the_schedule_stays_bare(others: dict[str, Any]) -> None:
    cfg = {"type": "Step", "step": [3, 5], "warmup": None, **others}
    assert build_schedule(cfg) == Step(step=[3, 5])
    assert list(cfg) == ["type", "step", "warmup", *others]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"warmup": "cosine"}, "Warmup: warmup='cosine' is not allowed; it must be one of constant, linear"),
        ({"warmup_iters": 0}, "Warmup: warmup_iters=0 is not allowed; it must be greater than 0"),
        (
            {"warmup_ratio": 0},
            "Warmup: warmup_ratio=0 is not allowed; it must be greater than 0, and 1 at most",
        ),
        ({"warmup_ratio": 1.5}, "Warmup: warmup_ratio=1.5 is not allowed"),
        ({"warmup_itres": 5}, "schedule 'Fixed' has no argument 'warmup_itres'"),
        ({"type": "Fixd"}, "there is no schedule named 'Fixd'; did you mean Fixed"),
        ({"type": 3}, "the type of a schedule is a name or a class, not 3"),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        build_schedule({"type": "Fixed", "warmup": "linear", "warmup_iters": 5, **changes})


def test_a_schedule_without_a_type_is_an_error() -> None:
    with pytest.raises(ConfigError, match="'type' is missing"):
        build_schedule({"step": 3})


# A user's schedule


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SCHEDULES, "_parts", dict(SCHEDULES._parts))

    @SCHEDULES.register_module()
    class Halving:
        def __init__(self, every: int = 1) -> None:
            self.every = every

        def __call__(self, base_lr: float, position: Position) -> float:
            return base_lr * 0.5 ** (position.train_iter // self.every)

    @SCHEDULES.register_module()
    class OwnWarmup:
        def __init__(self, warmup: str | None = None, **others: Any) -> None:
            self.given = {"warmup": warmup, **others}

        def __call__(self, base_lr: float, position: Position) -> float:
            return base_lr


@pytest.mark.usefixtures("registered")
def test_a_users_schedule_needs_to_know_nothing_of_warmup() -> None:
    rate = at(build_schedule({"type": "Halving", "every": 2}), 1.0, 4, 2)
    assert [rate(train_iter) for train_iter in range(5)] == [1.0, 1.0, 0.5, 0.5, 0.25]
    warm = {"warmup": "linear", "warmup_iters": 2, "warmup_ratio": 0.5}
    schedule = build_schedule({"type": "Halving", "every": 2, **warm})
    assert type(schedule) is Warmup
    rate = at(schedule, 1.0, 4, 2)
    assert [rate(train_iter) for train_iter in range(5)] == [0.5, 0.75, 0.5, 0.5, 0.25]


@pytest.mark.usefixtures("registered")
def test_a_users_schedule_may_see_to_its_warmup_itself() -> None:
    schedule = build_schedule({"type": "OwnWarmup", "warmup": "odd", "warmup_iters": -1})
    assert vars(schedule) == {"given": {"warmup": "odd", "warmup_iters": -1}}


def test_a_class_can_stand_for_its_name() -> None:
    assert build_schedule({"type": Step, "step": 3}) == Step(step=3)
