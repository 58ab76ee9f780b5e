"""What a checkpoint holds of its scores comes back as it was; what fits no longer is refused."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.answers.calibration import NEVER, Calibration
from ding_cls.answers.class_thresholds import ClassThresholds
from ding_cls.answers.risk_curve import RiskCurve
from ding_cls.checkpoint.form import EVALUATED, check_form
from ding_cls.errors import CheckpointError, ConfigError

FITTED_ON = {"split": "val", "digest": "0" * 64, "num_samples": 200}
ERRORS = {"ece": 0.1, "nll": 0.5}
FULL = Calibration(
    temperatures=(1.5,),
    fitted_on=FITTED_ON,
    before=ERRORS,
    after=ERRORS,
    held_out=ERRORS,
    curve=RiskCurve(200, (0.9, 0.6, 0.0), (50, 150, 200), (0, 6, 40)),
    precision=ClassThresholds(95.0, (0.8, None, 0.0), (60, 0, 40), (59, 0, 40)),
    precision_held_out={"kept": 90, "right": 86, "num_answers": 200},
)
SMALL = Calibration(temperatures=(0.5, 2.0), fitted_on={**FITTED_ON, "split": None})


def state_of(entry: dict[str, Any]) -> dict[str, Any]:
    return {"model": {"weight": torch.zeros(1)}, "calibration": entry}


def read(entry: dict[str, Any], num_tasks: int | None = None) -> Calibration:
    check_form(state_of(entry), EVALUATED, "'a.pth'")
    return Calibration.of(state_of(entry), "a.pth", num_classes=3, num_tasks=num_tasks)


def test_what_is_written_is_read() -> None:
    assert read(FULL.entry()) == FULL
    assert read(SMALL.entry(), num_tasks=2) == SMALL


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((("temperature", 0), each) for each in (-1.0, 0, float("nan"), float("inf"), "1", True)),
        *((("fitted_on", "num_samples"), each) for each in (0, "200")),
        *((("curve", "thresholds", 0), each) for each in ("0.9", 2)),
        *((("curve", "kept", 0), each) for each in (0, 300, 1.5)),
        (("curve", "wrong", 2), 201),
        *((("precision", "thresholds", 0), each) for each in ("0.8", -1)),
        (("precision", "wanted"), "95"),
    ],
)
def test_a_value_that_cannot_be_is_named(place: tuple[Any, ...], value: Any) -> None:
    entry = deepcopy(FULL.entry())
    inner: Any = entry
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    state = state_of(entry)
    found = Calibration.of(state, "a.onnx", num_classes=3, num_tasks=None)
    assert found.problem().startswith(place[0])
    assert FULL.problem() == SMALL.problem() == ""


def test_thresholds_and_points_are_those_of_the_entry() -> None:
    assert FULL.thresholds().tolist() == [0.8, NEVER, 0.0]
    assert SMALL.thresholds() is None
    point = FULL.at_risk(5)
    assert (point.threshold, point.coverage, point.risk) == (0.6, 75.0, 4.0)
    for risk, message in (
        (0, "above 0"),
        (101, "at most 100"),
        (1, r"the least that 200 images show is 1\.9"),
    ):
        with pytest.raises(ConfigError, match=message):
            FULL.at_risk(risk)
    with pytest.raises(ConfigError, match="a risk is for images with one label"):
        SMALL.at_risk(5)


def test_logits_are_divided_in_float64_and_none_becomes_another_ones_equal() -> None:
    logits = np.array([[1.0, 1.0 + 2**-23, 0.5]], np.float32)
    scaled = FULL.scaled(logits)
    assert np.array_equal(scaled, logits.astype(np.float64) / 1.5)
    assert scaled[0, 1] > scaled[0, 0]
    tasks = np.random.default_rng(0).normal(size=(5, 2, 3))
    assert np.array_equal(SMALL.scaled(tasks)[:, 1], tasks[:, 1] / 2)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("temperature", 0), 0.0, r"temperature\[0\] is 0\.0, not a number above 0"),
        (("temperature", 0), float("nan"), r"temperature\[0\] is nan"),
        (("curve", "thresholds"), [2.0], r"curve\.thresholds\[0\] is 2\.0, not a score from 0 to 1"),
        (("precision", "kept", 0), "x", r"precision\.kept\[0\] is 'x'"),
        (("fitted_on", "num_samples"), 0, r"fitted_on\.num_samples is 0"),
        (("curve", "kept"), [50, 150], "the calibration in 'a.pth' is not of its 3 classes; make it again"),
        (("precision", "right"), [1], "is not of its 3 classes"),
        (("temperature",), [1.0, 2.0], "is not of its 3 classes"),
    ],
)
def test_another_entry_is_refused(path: tuple[Any, ...], value: Any, message: str) -> None:
    entry = deepcopy(FULL.entry())
    inner: Any = entry
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(CheckpointError, match=message):
        read(entry)


def test_without_one_the_command_that_makes_it_is_named() -> None:
    with pytest.raises(CheckpointError) as error:
        Calibration.of({}, "runs/a b.pth", num_classes=3, num_tasks=None)
    assert str(error.value).endswith("has no calibration yet; make one: ding-cls calibrate 'runs/a b.pth'")
