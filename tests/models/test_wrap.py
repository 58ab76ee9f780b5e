"""A wrapper changes neither outputs nor names; unwrap finds the network in any nesting."""

import copy
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ding_cls.errors import ModelError
from ding_cls.models import BaseModelWrapper, build_model, model_wrap, unwrap


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))


@pytest.fixture
def process_group(tmp_path: Path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_forward_passes_through(network: nn.Module) -> None:
    wrapped = model_wrap(network.eval())
    inputs = torch.randn(5, 3)
    assert isinstance(wrapped, BaseModelWrapper)
    assert torch.equal(wrapped(inputs), network(inputs))
    assert torch.equal(wrapped.forward(input=inputs), network(inputs))
    assert wrapped.reset() is None
    assert wrapped.reset([0, 1]) is None


def test_parameters_are_the_models_own(network: nn.Module) -> None:
    wrapped = model_wrap(network, wrapper_name="base")
    assert [id(each) for each in wrapped.parameters()] == [id(each) for each in network.parameters()]
    assert [id(each) for each in wrapped.buffers()] == [id(each) for each in network.buffers()]


def test_mode_is_taken_over_and_passed_on(network: nn.Module) -> None:
    wrapped = model_wrap(network.eval())
    assert not wrapped.training
    wrapped.train()
    assert network.training
    assert network[2].training
    wrapped.eval()
    assert not network[2].training


@pytest.mark.parametrize("outer", [model_wrap, lambda inner: model_wrap(DataParallel(model_wrap(inner)))])
def test_state_has_the_bare_networks_keys(network: nn.Module, outer) -> None:
    wrapped = outer(network)
    state = wrapped.state_dict()
    assert list(state) == list(network.state_dict())
    other = copy.deepcopy(wrapped)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict(state)
    restored = unwrap(other).state_dict()
    assert all(torch.equal(restored[key], value) for key, value in state.items())
    with pytest.raises(RuntimeError, match=r'Missing key.*"3.bias"'):
        other.load_state_dict({key: value for key, value in state.items() if key != "3.bias"})
    assert not other.load_state_dict(state, strict=False).missing_keys


def test_a_wrapper_inside_another_module_saves_and_loads_the_same_names(network: nn.Module) -> None:
    outer = DataParallel(model_wrap(DataParallel(network)))
    state = {key: value.clone() for key, value in outer.state_dict().items()}
    assert list(state) == [f"module.{key}" for key in network.state_dict()]
    with torch.no_grad():
        network[0].weight.zero_()
    outer.load_state_dict(state)
    assert torch.equal(network[0].weight, state["module.0.weight"])
    assert network[0].weight.abs().sum() > 0


def test_versions_of_modules_survive(network: nn.Module) -> None:
    # MNASNet refuses a state without them.
    wrapped = model_wrap(build_model("mnasnet0_5", num_classes=3))
    wrapped.load_state_dict(wrapped.state_dict())


def test_unwrap_finds_the_network_in_any_nesting(network: nn.Module, process_group: None) -> None:
    parallel = DistributedDataParallel(network)
    assert unwrap(network) is network
    assert unwrap(model_wrap(network)) is network
    assert unwrap(DataParallel(network)) is network
    assert unwrap(parallel) is network
    assert unwrap(model_wrap(parallel)) is network
    assert unwrap(model_wrap(DataParallel(model_wrap(parallel)))) is network
    assert list(model_wrap(parallel).state_dict()) == list(network.state_dict())


def test_attributes_are_not_forwarded() -> None:
    network = build_model("resnet18", num_classes=2)
    with pytest.raises(AttributeError):
        _ = model_wrap(network).fc


def test_unknown_wrapper_is_named_with_what_there_is(network: nn.Module) -> None:
    with pytest.raises(ModelError, match=r"unknown model wrapper 'argmax_sample'; there is: 'base'"):
        model_wrap(network, "argmax_sample")
