"""Restarts and SWA's constant rate: each value against torch's."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts as TorchsRestarts
from torch.optim.lr_scheduler import ExponentialLR
from torch.optim.swa_utils import SWALR

from ding_cls.errors import ConfigError
from ding_cls.optim import Exp, SwaAnnealing, build_schedule
from ding_cls.types import Position

EPOCHS, LENGTH = 40, 3


def build_optimizer() -> torch.optim.SGD:
    return torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.3)


@pytest.mark.parametrize("by_epoch", [True, False])
@pytest.mark.parametrize(
    "arguments", [{"T_0": 5}, {"T_0": 1, "T_mult": 2}, {"T_0": 3, "T_mult": 2, "eta_min": 0.01}], ids=str
)
def test_restarts_are_torchs(arguments: dict[str, Any], by_epoch: bool) -> None:
    optimizer = build_optimizer()
    torchs = TorchsRestarts(optimizer, **arguments)
    schedule = build_schedule({"type": "CosineAnnealingWarmRestarts", "by_epoch": by_epoch, **arguments})
    for number in range(EPOCHS):
        position = Position(number * LENGTH + 1 if by_epoch else number, LENGTH, EPOCHS)
        assert schedule(0.3, position) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        torchs.step()


@pytest.mark.parametrize(
    "arguments",
    [{"anneal_epochs": 10}, {"anneal_epochs": 4, "anneal_strategy": "linear"}, {"anneal_epochs": 1}],
    ids=str,
)
def test_swas_rate_is_torchs(arguments: dict[str, Any]) -> None:
    optimizer, start = build_optimizer(), 12
    before = ExponentialLR(optimizer, 0.9)
    schedule = SwaAnnealing(schedule=Exp(gamma=0.9), start_epoch=start, lr=0.05, **arguments)
    swa = None
    for epoch in range(EPOCHS):
        position = Position(epoch * LENGTH + 2, LENGTH, EPOCHS)
        assert schedule(0.3, position) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        if epoch < start:
            before.step()
            continue
        if swa is None:
            swa = SWALR(
                optimizer,
                swa_lr=0.05,
                **{**arguments, "anneal_strategy": arguments.get("anneal_strategy", "cos")},
            )
        swa.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


def test_no_annealing_is_at_once() -> None:
    schedule = SwaAnnealing(schedule=Exp(gamma=0.9), start_epoch=1, lr=0.05, anneal_epochs=0)
    assert [schedule(1.0, Position(number, 1, 3)) for number in range(3)] == [1.0, 0.05, 0.05]


def test_what_cannot_be_used_is_named() -> None:
    with pytest.raises(ConfigError, match="T_mult=0 is not allowed"):
        build_schedule({"type": "CosineAnnealingWarmRestarts", "T_0": 1, "T_mult": 0})
    with pytest.raises(ConfigError, match="T_0=0 is not allowed"):
        build_schedule({"type": "CosineAnnealingWarmRestarts", "T_0": 0})
    with pytest.raises(ConfigError, match="anneal_strategy='x' is not allowed"):
        SwaAnnealing(schedule=Exp(gamma=0.9), start_epoch=1, lr=0.05, anneal_strategy="x")
