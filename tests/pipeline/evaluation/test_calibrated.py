"""Evaluation with the scores of a calibration; that it warns of its own samples is in ``confidence``."""

from typing import Any

import torch

from ding_cls.answers.calibration import Calibration
from ding_cls.pipeline.evaluation.calibrated import with_temperature
from ding_cls.policy.modes import EvalMode

FITTED_ON = {"split": "val", "digest": "0" * 64, "num_samples": 2}


def _forward(mode: EvalMode, temperatures: tuple[float, ...]) -> torch.Tensor:
    calibration = Calibration(temperatures=temperatures, fitted_on=FITTED_ON)
    logits: torch.Tensor = with_temperature(mode, calibration).forward(None)
    return logits


def _mode(logits: torch.Tensor) -> EvalMode:
    def nothing(*arguments: Any) -> None:
        return None

    return EvalMode(lambda batch: logits, nothing, nothing, nothing, dict, nothing)


def test_logits_are_divided_by_the_temperature_and_nothing_else_changes() -> None:
    logits = torch.tensor([[3.0, 1.0, -2.0], [0.5, 0.0, 0.25]])
    mode = _mode(logits)
    scaled = _forward(mode, (2.5,))
    assert torch.equal(scaled, logits.double() / 2.5)
    assert torch.equal(scaled.argmax(1), logits.argmax(1))
    assert mode.forward(None) is logits


def test_each_task_has_its_own_temperature() -> None:
    logits = torch.arange(12.0).reshape(2, 2, 3)
    scaled = _forward(_mode(logits), (2.0, 4.0))
    assert torch.equal(scaled[:, 0], logits[:, 0].double() / 2)
    assert torch.equal(scaled[:, 1], logits[:, 1].double() / 4)
