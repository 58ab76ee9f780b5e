"""mmcv's policies: each value against its formula written out, and against torch where torch has the same."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    StepLR,
)

from ding_cls.errors import ConfigError
from ding_cls.optim import SCHEDULES, build_schedule
from ding_cls.types import Position

BASE, EPOCHS, LENGTH = 0.3, 12, 5
UPDATES = EPOCHS * LENGTH
FORMULAS: dict[str, tuple[dict[str, Any], Callable[[int, int], float]]] = {}


def values(cfg: dict[str, Any], *, base_lr: float = BASE, past: int = 0) -> list[float]:
    """Return the learning rates of all updates of a run."""
    schedule = build_schedule(cfg)
    return [schedule(base_lr, Position(number, LENGTH, EPOCHS)) for number in range(UPDATES + past)]


def formula(
    name: str, **arguments: Any
) -> Callable[[Callable[[int, int], float]], Callable[[int, int], float]]:
    """Enter a function of (finished, length of the run), both counted in epochs or in updates."""

    def enter(function: Callable[[int, int], float]) -> Callable[[int, int], float]:
        FORMULAS[f"{name} {arguments}"] = ({"type": name, **arguments}, function)
        return function

    return enter


@formula("Fixed")
def fixed(t: int, end: int) -> float:
    return 0.3


@formula("Step", step=4)
def step_each(t: int, end: int) -> float:
    return 0.3 * 0.1 ** (t // 4)


@formula("Step", step=[3, 7, 7, 11], gamma=0.5, min_lr=0.02)
def step_list(t: int, end: int) -> float:
    decays = (t >= 3) + 2 * (t >= 7) + (t >= 11)
    return max(0.3 * 0.5**decays, 0.02)


@formula("Exp", gamma=0.9)
def exp(t: int, end: int) -> float:
    return 0.3 * 0.9**t


@formula("Poly")
def poly(t: int, end: int) -> float:
    return 0.3 * (1 - t / end)


@formula("Poly", power=0.9, min_lr=0.05)
def poly_power(t: int, end: int) -> float:
    return 0.25 * (1 - t / end) ** 0.9 + 0.05


@formula("Inv", gamma=0.2)
def inv(t: int, end: int) -> float:
    return 0.3 / (1 + 0.2 * t)


@formula("Inv", gamma=0.2, power=2.5)
def inv_power(t: int, end: int) -> float:
    return 0.3 / (1 + 0.2 * t) ** 2.5


@formula("CosineAnnealing", min_lr=0.02)
def cosine(t: int, end: int) -> float:
    return 0.02 + 0.28 * (1 + math.cos(math.pi * t / end)) / 2


@formula("CosineAnnealing", min_lr_ratio=0.1)
def cosine_ratio(t: int, end: int) -> float:
    return 0.03 + 0.27 * (1 + math.cos(math.pi * t / end)) / 2


@formula("LinearAnnealing", min_lr=0)
def linear(t: int, end: int) -> float:
    return 0.3 - 0.3 * t / end


@formula("LinearAnnealing", min_lr_ratio=0.5)
def linear_ratio(t: int, end: int) -> float:
    return 0.3 - 0.15 * t / end


@formula("CosineAnnealingCooldown", min_lr=0.02, cool_down_time=4)
def cooldown(t: int, end: int) -> float:
    if t > end - 4:
        return 0.002
    return 0.02 + 0.28 * (1 + math.cos(math.pi * t / (end - 4))) / 2


@formula("CosineAnnealingCooldown", min_lr_ratio=0.1, cool_down_ratio=0.5)
def cooldown_ratio(t: int, end: int) -> float:
    if t > end - 10:
        return 0.015
    return 0.03 + 0.27 * (1 + math.cos(math.pi * t / (end - 10))) / 2


@formula("FlatCosineAnnealing", min_lr=0.02)
def flat_cosine(t: int, end: int) -> float:
    begin = 3 * end // 4
    if t < begin:
        return 0.3
    return 0.02 + 0.28 * (1 + math.cos(math.pi * (t - begin) / (end - begin))) / 2


@formula("FlatCosineAnnealing", start_percent=0.5, min_lr_ratio=0)
def flat_cosine_ratio(t: int, end: int) -> float:
    begin = end // 2
    return 0.3 if t < begin else 0.15 * (1 + math.cos(math.pi * (t - begin) / (end - begin)))


@formula("CosineRestart", periods=[3, 9, 48], restart_weights=[1, 0.5, 2], min_lr=0.02)
def restart(t: int, end: int) -> float:
    for begin, period, weight in ((0, 3, 1), (3, 9, 0.5), (12, 48, 2)):
        if t < begin + period:
            return 0.02 + weight * 0.28 * (1 + math.cos(math.pi * (t - begin) / period)) / 2
    raise AssertionError


@formula("Cyclic", by_epoch=False)
def cyclic(t: int, end: int) -> float:
    # 24 of 60 updates up to 3.0, 36 down to 3e-5.
    if t < 24:
        return 3 + (0.3 - 3) * (1 + math.cos(math.pi * t / 24)) / 2
    return 3e-5 + (3 - 3e-5) * (1 + math.cos(math.pi * (t - 24) / 36)) / 2


@formula(
    "Cyclic",
    by_epoch=False,
    target_ratio=[5.0, 0.5],
    cyclic_times=3,
    step_ratio_up=0.25,
    anneal_strategy="linear",
    gamma=0.5,
)
def cyclic_thrice(t: int, end: int) -> float:
    # Tops of 5, 3 and 2 times the base: their height above it halves.
    top = (1.5, 0.9, 0.6)[t // 20]
    inside = t % 20
    return 0.3 + (top - 0.3) * inside / 5 if inside < 5 else top + (0.15 - top) * (inside - 5) / 15


@formula("OneCycle", by_epoch=False, max_lr=2.0)
def one_cycle(t: int, end: int) -> float:
    # 0.3 * 60 - 1 = 17 updates up from 2 / 25, 42 down to that / 10,000.
    if t <= 17:
        return 2 + (0.08 - 2) * (1 + math.cos(math.pi * t / 17)) / 2
    return 8e-6 + (2 - 8e-6) * (1 + math.cos(math.pi * (t - 17) / 42)) / 2


@formula(
    "OneCycle",
    by_epoch=False,
    max_lr=2.0,
    total_steps=80,
    pct_start=0.25,
    anneal_strategy="linear",
    div_factor=4,
    final_div_factor=10,
    three_phase=True,
)
def one_cycle_three(t: int, end: int) -> float:
    if t <= 19:
        return 0.5 + 1.5 * t / 19
    if t <= 38:
        return 2 - 1.5 * (t - 19) / 19
    return 0.5 - 0.45 * (t - 38) / 41


def test_every_policy_has_a_formula_here() -> None:
    # Those that are not mmcv's have tests of their own.
    others = {"CosineAnnealingWarmRestarts", "ReduceLROnPlateau"}
    assert {cfg["type"] for cfg, _ in FORMULAS.values()} == {*SCHEDULES.names()} - others
    assert len(SCHEDULES) == 14
    assert len(FORMULAS) == 21


@pytest.mark.parametrize("case", FORMULAS)
def test_every_value_is_the_formulas(case: str) -> None:
    cfg, function = FORMULAS[case]
    by_update = [function(number, UPDATES) for number in range(UPDATES)]
    assert values(cfg | {"by_epoch": False}) == pytest.approx(by_update, rel=1e-12)
    if "by_epoch" not in cfg:
        by_epoch = [function(number // LENGTH, EPOCHS) for number in range(UPDATES)]
        assert values(cfg) == pytest.approx(by_epoch, rel=1e-12)


TORCH: list[tuple[dict[str, Any], Callable[[torch.optim.Optimizer], LRScheduler]]] = [
    ({"type": "Step", "step": 7, "gamma": 0.5}, lambda o: StepLR(o, 7, 0.5)),
    ({"type": "Step", "step": [5, 20, 21]}, lambda o: MultiStepLR(o, [5, 20, 21])),
    ({"type": "Exp", "gamma": 0.95}, lambda o: ExponentialLR(o, 0.95)),
    ({"type": "Poly", "power": 2.0}, lambda o: PolynomialLR(o, UPDATES, 2.0)),
    ({"type": "Inv", "gamma": 0.1, "power": 0.75}, lambda o: LambdaLR(o, lambda t: (1 + 0.1 * t) ** -0.75)),
    ({"type": "CosineAnnealing", "min_lr": 0.01}, lambda o: CosineAnnealingLR(o, UPDATES, 0.01)),
    ({"type": "LinearAnnealing", "min_lr_ratio": 0.2}, lambda o: LinearLR(o, 1.0, 0.2, UPDATES)),
    (
        {"type": "CosineRestart", "periods": [15] * 4, "restart_weights": [1] * 4, "min_lr": 0.01},
        lambda o: CosineAnnealingWarmRestarts(o, 15, eta_min=0.01),
    ),
    (
        {
            "type": "Cyclic",
            "target_ratio": (4.0, 1.0),
            "cyclic_times": 3,
            "step_ratio_up": 0.25,
            "anneal_strategy": "linear",
        },
        lambda o: CyclicLR(o, BASE, 4 * BASE, 5, 15, cycle_momentum=False),
    ),
    ({"type": "OneCycle", "max_lr": 1.5}, lambda o: OneCycleLR(o, 1.5, UPDATES, cycle_momentum=False)),
    (
        {
            "type": "OneCycle",
            "max_lr": 1.5,
            "anneal_strategy": "linear",
            "total_steps": 71,
            "three_phase": True,
        },
        lambda o: OneCycleLR(o, 1.5, 71, anneal_strategy="linear", three_phase=True, cycle_momentum=False),
    ),
]


@pytest.mark.parametrize(
    ("cfg", "build"), TORCH, ids=[f"{cfg['type']}{k}" for k, (cfg, _) in enumerate(TORCH)]
)
def test_every_value_is_torchs(
    cfg: dict[str, Any], build: Callable[[torch.optim.Optimizer], LRScheduler]
) -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=BASE)
    scheduler, expected = build(optimizer), []
    for _ in range(UPDATES):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert values(cfg | {"by_epoch": False}) == pytest.approx(expected, rel=1e-9)
    assert len(set(expected)) > 3


@pytest.mark.parametrize(
    ("cfg", "last"),
    [
        ({"type": "Poly", "power": 0.9, "min_lr": 0.05}, 0.05),
        ({"type": "CosineAnnealing", "min_lr": 0.02}, 0.02),
        ({"type": "LinearAnnealing", "min_lr": 0.02}, 0.02),
        ({"type": "FlatCosineAnnealing", "min_lr": 0.02}, 0.02),
        ({"type": "CosineAnnealingCooldown", "min_lr": 0.02}, 0.002),
        ({"type": "CosineRestart", "periods": [60], "min_lr": 0.02}, 0.02),
        ({"type": "OneCycle", "max_lr": 2.0}, 8e-6),
    ],
)
def test_past_the_end_they_stay_at_their_last_value(cfg: dict[str, Any], last: float) -> None:
    found = values(cfg | {"by_epoch": False}, past=25)
    assert found[UPDATES:] == pytest.approx([last] * 25, rel=1e-12)
    assert all(each > last for each in found[: UPDATES - 11])


@pytest.mark.parametrize("case", FORMULAS)
@pytest.mark.parametrize("by_epoch", [False, True])
@pytest.mark.parametrize("epochs", [0, 1, 3, 4])
def test_runs_as_short_as_can_be_have_rates(case: str, by_epoch: bool, epochs: int) -> None:
    cfg = FORMULAS[case][0]
    schedule = build_schedule(cfg if "by_epoch" in cfg else cfg | {"by_epoch": by_epoch})
    lrs = [schedule(BASE, Position(number, 1, epochs)) for number in range(epochs + 1)]
    assert all(0 <= lr < math.inf for lr in lrs)


def test_a_target_ratio_of_one_number_goes_down_to_a_hundred_thousandth() -> None:
    pairs = [values({"type": "Cyclic", "target_ratio": given}) for given in (4.0, (4.0,), (4.0, 4e-5))]
    assert pairs[0] == pairs[1] == pairs[2]


@pytest.mark.parametrize(
    ("cfg", "expected"),
    [
        ({"type": "Step"}, "schedule 'Step' lacks the argument 'step'"),
        ({"type": "Step", "step": 0}, "Step: step=0 is not allowed; it must be a whole number from 1 on"),
        ({"type": "Step", "step": [3, 2]}, r"Step: step=\[3, 2\] is not allowed; .* ascending"),
        ({"type": "Step", "step": [0.5]}, r"Step: step=\[0.5\] is not allowed"),
        ({"type": "Step", "step": True}, "Step: step=True is not allowed"),
        ({"type": "Step", "step": "30"}, "Step: step='30' is not allowed"),
        ({"type": "CosineAnnealing"}, "min_lr=None and min_lr_ratio=None; exactly one of them must be given"),
        (
            {"type": "LinearAnnealing", "min_lr": 0, "min_lr_ratio": 0},
            "LinearAnnealing: .*exactly one of them",
        ),
        (
            {"type": "FlatCosineAnnealing", "min_lr": 0, "start_percent": 1.5},
            "start_percent=1.5 is not allowed",
        ),
        ({"type": "FlatCosineAnnealing"}, "FlatCosineAnnealing: .*exactly one"),
        ({"type": "CosineRestart", "periods": [1, 2], "min_lr": 0}, "restart_weights=.* as long as periods"),
        ({"type": "CosineRestart", "periods": [0], "min_lr": 0}, r"periods=\[0\] is not allowed"),
        ({"type": "Cyclic", "by_epoch": True}, "Cyclic: by_epoch=True is not allowed; it must be False"),
        ({"type": "Cyclic", "target_ratio": (1.0, 2.0, 3.0)}, "target_ratio=.* one number or two"),
        ({"type": "Cyclic", "cyclic_times": 0}, "cyclic_times=0 is not allowed"),
        ({"type": "Cyclic", "step_ratio_up": 1.0}, "step_ratio_up=1.0 is not allowed"),
        ({"type": "Cyclic", "anneal_strategy": "exp"}, "anneal_strategy='exp' .* must be cos or linear"),
        ({"type": "Cyclic", "gamma": 0.0}, "gamma=0.0 is not allowed"),
        ({"type": "OneCycle"}, "schedule 'OneCycle' lacks the argument 'max_lr'"),
        ({"type": "OneCycle", "max_lr": [0.1]}, r"max_lr=\[0.1\] is not allowed; it must be one number"),
        ({"type": "OneCycle", "max_lr": 1, "by_epoch": True}, "OneCycle: by_epoch=True is not allowed"),
        ({"type": "OneCycle", "max_lr": 1, "pct_start": 2}, "pct_start=2 is not allowed"),
    ],
)
def test_unusable_values_are_named(cfg: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        build_schedule(cfg)


def test_a_cycle_shorter_than_the_run_is_refused_at_its_first_update() -> None:
    schedule = build_schedule({"type": "OneCycle", "max_lr": 1.0, "total_steps": UPDATES - 1})
    with pytest.raises(
        ConfigError, match="total_steps=59 is not allowed; it must be at least 60, as in the run"
    ):
        schedule(BASE, Position(0, LENGTH, EPOCHS))
