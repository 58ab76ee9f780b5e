"""Parameters without a gradient are named, once."""

import logging

import pytest
import torch
from torch import nn

from ding_cls.policy.unused_parameters import UnusedParameterReporter
from tests.policy.test_classification import Normless, batch, build


class Forked(Normless):
    """A network with layers that its loss never sees."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.side = nn.ModuleList(nn.Linear(2, 2, bias=False) for _ in range(count))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, ["1 parameters take no part in the loss: side.0.weight"]),
        (0, []),
        (
            12,
            [
                "12 parameters take no part in the loss: "
                f"{', '.join(f'side.{n}.weight' for n in range(10))} and 2 more"
            ],
        ),
    ],
)
def test_they_are_named_once(count: int, expected: list[str], caplog: pytest.LogCaptureFixture) -> None:
    policy = build(Forked(count), detect_anomalous_params=True)
    with caplog.at_level(logging.WARNING):
        for step in range(3):
            policy.learn_mode.forward(batch(step))
    assert caplog.messages == expected


def test_without_the_switch_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        build(Forked(1)).learn_mode.forward(batch(0))
    assert caplog.messages == []


def test_frozen_ones_are_meant_to_be_so(caplog: pytest.LogCaptureFixture) -> None:
    layer, detect = nn.Linear(2, 2), UnusedParameterReporter()
    layer.bias.requires_grad_(False)
    layer(torch.ones(2)).sum().backward()
    with caplog.at_level(logging.WARNING):
        detect(layer)
    assert caplog.messages == []
