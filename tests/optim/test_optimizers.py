"""build_sgd is torch's SGD and nothing else."""

import pytest
import torch
from torch import nn

from ding_cls.optim import build_sgd


def build_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_equal_a_plain_loops_bits(nesterov: bool) -> None:
    ours, plain = build_network(), build_network()
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-3, "nesterov": nesterov}
    optimizers = build_sgd(ours, **options), torch.optim.SGD(plain.parameters(), **options)
    for seed in range(5):
        inputs = torch.randn(6, 3, generator=torch.Generator().manual_seed(seed))
        for model, optimizer in zip((ours, plain), optimizers, strict=True):
            optimizer.zero_grad()
            model(inputs).square().mean().backward()
            optimizer.step()
    for key, value in plain.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    assert not torch.equal(ours[0].weight, build_network()[0].weight)


def test_second_step_is_what_the_formula_says() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(2.0)
    optimizer = build_sgd(model, lr=0.5, momentum=0.5, weight_decay=0.25)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(1, 1)).sum().backward()
        optimizer.step()
    # Gradient 1, penalty 0.25 w. First: v = 1.5, w = 2 - 0.75 = 1.25. Second: v = 0.75 + 1.3125, w = 0.21875.
    assert model.weight.item() == 0.21875


def test_all_else_is_torchs_default() -> None:
    group = build_sgd(build_network(), lr=0.1, momentum=0.8, weight_decay=0.0).param_groups[0]
    expected = torch.optim.SGD(build_network().parameters(), lr=0.1, momentum=0.8).param_groups[0]
    assert {k: v for k, v in group.items() if k != "params"} == {
        k: v for k, v in expected.items() if k != "params"
    }


def test_frozen_parameters_are_left_out() -> None:
    model = build_network()
    model[0].requires_grad_(False)
    parameters = build_sgd(model, lr=0.1).param_groups[0]["params"]
    assert [id(each) for each in parameters] == [id(each) for each in model[1:].parameters()]


@pytest.mark.parametrize("model", [nn.ReLU(), nn.Linear(2, 2).requires_grad_(False)])
def test_nothing_to_train_is_an_error(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="has no trainable parameters"):
        build_sgd(model, lr=0.1)
