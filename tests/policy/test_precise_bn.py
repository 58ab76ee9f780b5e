"""BatchNorm's statistics anew: torch's own function is the reference."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from ding_cls.policy.precise_bn import recompute_statistics
from tests.policy.test_classification import assert_equal, batch, build, network


def test_they_are_torchs() -> None:
    ours, torchs = network(), network()
    images = [batch(number, 8 - number).images for number in range(3)]
    recompute_statistics(ours, ours, images)
    update_bn(images, torchs)
    assert_equal(ours, torchs)
    assert not torch.equal(ours.norm.running_mean, network().norm.running_mean)
    assert ours.norm.momentum == 0.1


def test_they_are_those_of_the_batches_together() -> None:
    norm, inputs = nn.BatchNorm1d(3), torch.randn(4, 10, 3)
    recompute_statistics(norm, norm, inputs)
    torch.testing.assert_close(norm.running_mean, inputs.mean((0, 1)))
    torch.testing.assert_close(norm.running_var, inputs.var(1).mean(0))


def test_a_frozen_layer_keeps_its_statistics_and_the_mode_comes_back() -> None:
    class Frozen(nn.Sequential):
        def train(self, mode: bool = True) -> nn.Module:
            super().train(mode)
            self[0].eval()
            return self

    model = Frozen(nn.BatchNorm1d(3), nn.BatchNorm1d(3))
    model.eval()
    recompute_statistics(model, model, [torch.randn(5, 3)])
    assert torch.equal(model[0].running_mean, torch.zeros(3))
    assert not torch.equal(model[1].running_mean, torch.zeros(3))
    assert not model.training


def test_without_such_a_layer_no_batch_is_read() -> None:
    def unread() -> Any:
        raise AssertionError
        yield

    model = nn.Linear(2, 2)
    recompute_statistics(model, model, unread())


@pytest.mark.parametrize("ema", [None, {"decay": 0.5, "warm_up": 0}])
def test_a_policy_computes_those_of_what_it_evaluates(ema: Any) -> None:
    policy = build(network(), ema=ema)
    for step in range(3):
        policy.learn_mode.forward(batch(step))
    before = {name: value.clone() for name, value in policy._model.state_dict().items()}
    judged = policy.learn_mode.get_attribute("eval_model")
    expected = network()
    expected.load_state_dict(judged.state_dict())
    update_bn([batch(number).images for number in range(2)], expected)
    policy.learn_mode.get_attribute("recompute_statistics")(batch(number) for number in range(2))
    assert_equal(judged, expected)
    if ema is not None:
        assert_equal(policy._model, before)


def test_it_draws_nothing_from_the_runs_generator() -> None:
    policy = build(network())
    state = torch.get_rng_state()
    policy.learn_mode.get_attribute("recompute_statistics")(itertools.repeat(batch(0), 2))
    assert torch.equal(torch.get_rng_state(), state)
