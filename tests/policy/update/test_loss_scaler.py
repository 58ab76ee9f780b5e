"""The loss scale of fp16: constant, by its own settings, resumed."""

from typing import Any

import pytest
import torch

from ding_cls.errors import ConfigError
from ding_cls.policy.update.loss_scaler import LossScaler


def scaler(scale: Any, precision: str = "fp16") -> LossScaler:
    return LossScaler("cpu", {"loss_scale": scale, "precision": precision})


def scales(judged: LossScaler, gradients: list[float]) -> list[float]:
    """Return the scale after each update with one of these gradients."""
    parameter = torch.nn.Parameter(torch.zeros(()))
    optimizer, found = torch.optim.SGD([parameter], lr=1.0), []
    for gradient in gradients:
        judged.scale(torch.zeros(()))
        parameter.grad = torch.tensor(gradient)
        judged.step(optimizer)
        judged.update()
        found.append(judged.get_scale())
    return found


def test_a_number_stays_as_it_is() -> None:
    assert scales(scaler(512), [1.0, float("inf"), 1.0]) == [512.0] * 3


def test_a_dict_has_torchs_arguments() -> None:
    given = {"init_scale": 8.0, "growth_factor": 3.0, "backoff_factor": 0.25, "growth_interval": 2}
    assert scales(scaler(given), [1.0, 1.0, float("inf"), 1.0]) == [8.0, 24.0, 6.0, 6.0]
    assert scales(scaler("dynamic"), [1.0]) == [2.0**16]
    assert scales(scaler({"init_scale": 8.0, "mode": "dynamic"}), [float("inf")]) == [4.0]
    assert scales(scaler({"init_scale": 8.0, "mode": "static"}), [float("inf")]) == [8.0]


def test_a_resumed_run_has_its_configs_settings() -> None:
    before = scaler({"init_scale": 8.0})
    scales(before, [float("inf")])
    after = scaler({"init_scale": 64.0, "growth_interval": 5})
    after.load_state_dict(before.state_dict())
    assert (after.get_scale(), after.get_growth_interval()) == (4.0, 5)
    constant = scaler(512.0)
    constant.load_state_dict(before.state_dict())
    assert scales(constant, [1.0]) == [512.0]


@pytest.mark.parametrize(
    ("scale", "precision", "expected"),
    [
        (512.0, "fp32", "only fp16 scales its loss"),
        (0.0, "fp16", "init_scale above 0"),
        ({"growth_factor": 1.0}, "fp16", "growth_factor above 1"),
        ({"mode": "fixed"}, "fp16", "mode 'dynamic' or 'static'"),
        ({"initial": 1.0}, "fp16", "initial"),
    ],
)
def test_what_cannot_be_used_is_told(scale: Any, precision: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        scaler(scale, precision)
