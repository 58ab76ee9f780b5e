"""What every policy has: defaults from its bases, a device, attributes, and points to override."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.policy import ImageClassificationPolicy, Policy
from tests.conftest import TinyNet


class Least(Policy):
    """Fills only what must be filled."""

    config: ClassVar[Mapping[str, Any]] = {"cuda": False, "learn": {"rate": 0.5, "steps": [1, 2]}}

    def _init_learn(self) -> None:
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=self._cfg.learn.rate)

    def _forward_learn(self, data: Any, scale: float = 1.0) -> dict[str, Any]:
        self._optimizer.zero_grad()
        loss = self._model(data).square().mean() * scale
        loss.backward()
        self.sync_gradients(self._model)
        self._optimizer.step()
        return {"total_loss": loss.detach(), "cur_lr": self._cfg.learn.rate}

    def _init_eval(self) -> None:
        self._is_ready_to_judge = True

    def _forward_eval(self, data: Any) -> Any:
        return self._model(data)


class Child(Least):
    config: ClassVar[Mapping[str, Any]] = {"learn": {"rate": 0.25, "more": None}}

    # The old name, which a user's subclass may still have.
    def _init_collect(self) -> None:
        raise AssertionError("nothing collects")


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_defaults_are_merged_over_the_bases_and_handed_out_as_copies() -> None:
    first = Child.default_config()
    assert first == {"cuda": False, "learn": {"rate": 0.25, "steps": [1, 2], "more": None}}
    assert first.learn.rate == 0.25
    first.learn.steps.append(3)
    first.learn.rate = 9
    assert Child.default_config().learn == {"rate": 0.25, "steps": [1, 2], "more": None}
    assert Least.default_config().learn.rate == 0.5


def test_a_config_fills_in_from_the_defaults_and_is_not_changed() -> None:
    given = {"learn": {"rate": 0.125}}
    policy = Child(given, model=linear())
    assert policy._cfg.learn == {"rate": 0.125, "steps": [1, 2], "more": None}
    assert given == {"learn": {"rate": 0.125}}


def test_the_least_policy_trains_saves_and_loads() -> None:
    policy, images = Least({}, model=linear()), torch.ones(4, 3)
    weight = policy._model.weight.detach().clone()
    out = policy._model(images)
    gradient = torch.autograd.grad(out.square().mean() * 2, policy._model.weight)[0]
    found = policy.learn_mode.forward(images, scale=2.0)
    assert torch.equal(policy._model.weight, weight - 0.5 * gradient)
    assert found["cur_lr"] == 0.5
    assert policy.learn_mode.monitor_vars() == ["cur_lr", "total_loss"]
    assert policy.learn_mode.info() == "Linear, 8 parameters (8 trainable), on cpu"
    assert policy.learn_mode.reset() is None
    assert policy.eval_mode.reset() is None
    state = policy.learn_mode.state_dict()
    assert list(state) == ["model", "optimizer", "optimizer_layout"]
    assert list(policy.eval_mode.state_dict()) == ["model"]
    other = Least({}, model=nn.Linear(3, 2))
    other.learn_mode.load_state_dict(state)
    assert torch.equal(other._model.weight, policy._model.weight)


@pytest.mark.parametrize(
    ("fields", "has_optimizer", "judges"), [(["learn"], True, False), (["eval"], False, True)]
)
def test_only_the_enabled_fields_are_set_up(fields: list[str], has_optimizer: bool, judges: bool) -> None:
    policy = Least({}, model=linear(), enable_field=fields)
    assert hasattr(policy, "_optimizer") == has_optimizer
    assert hasattr(policy, "_is_ready_to_judge") == judges
    # A policy that only judges reads a training checkpoint all the same.
    policy.learn_mode.load_state_dict(Least({}, model=linear()).learn_mode.state_dict())


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"policy\.cuda is True, but torch finds no CUDA"):
        Least({"cuda": True}, model=linear())
    for choice in (False, "auto"):
        assert Least({"cuda": choice}, model=linear())._device == torch.device("cpu")


def test_a_policy_without_a_network_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match=r"Least has no default model; hand one in: Least\(cfg, model=...\)"
    ):
        Least({})


def test_the_named_network_is_the_default() -> None:
    policy = ImageClassificationPolicy({"cuda": False, "model": {"name": "squeezenet1_1", "num_classes": 3}})
    assert type(policy._model).__name__ == "SqueezeNet"
    assert policy._model.classifier[1].out_channels == 3


def test_a_parallel_wrapper_is_taken_off() -> None:
    inner = linear()
    assert Least({}, model=nn.DataParallel(inner))._model is inner


def test_attributes_are_read_and_set_through_the_modes() -> None:
    policy = Least({}, model=linear())
    assert policy.learn_mode.get_attribute("model") is policy._model
    policy.learn_mode.set_attribute("note", 5)
    assert policy.eval_mode.get_attribute("note") == 5
    assert policy.eval_mode.get_attribute("class_names") is None
    with pytest.raises(AttributeError, match="Least has no attribute 'nothing'"):
        policy.learn_mode.get_attribute("nothing")


class Bent(ImageClassificationPolicy):
    """Overrides each point, as a user's subclass does."""

    def _init_learn(self) -> None:
        super()._init_learn()
        self._num_calls = 0

    def _forward_learn(self, data: Any, **kwargs: Any) -> dict[str, Any]:
        self._num_calls += 1
        return {**super()._forward_learn(data), "calls": self._num_calls, "extra": kwargs.get("extra", 0.0)}

    def _monitor_vars_learn(self) -> list[str]:
        return [*super()._monitor_vars_learn(), "calls"]

    def _state_dict_learn(self) -> dict[str, Any]:
        return {**super()._state_dict_learn(), "num_calls": self._num_calls}

    def _load_state_dict_learn(self, state: Mapping[str, Any]) -> None:
        super()._load_state_dict_learn(state)
        self._num_calls = state["num_calls"]

    def _reset_learn(self, **kwargs: Any) -> None:
        self._num_calls = kwargs.get("to", 0)

    def _get_calls(self) -> str:
        return f"{self._num_calls} calls"

    def _set_calls(self, value: str) -> None:
        self._num_calls = int(value)


def test_every_override_point_reaches_the_modes() -> None:
    policy = Bent({"cuda": False}, model=TinyNet())
    data = [torch.zeros(2, 3, 8, 8), torch.tensor([0, 1])]
    assert policy.learn_mode.forward(data)["calls"] == 1
    assert policy.learn_mode.forward(data, extra=2.5)["extra"] == 2.5
    assert policy.learn_mode.monitor_vars()[-2:] == ["acc1", "calls"]
    state = policy.learn_mode.state_dict()
    assert (state["num_calls"], state["train_iter"]) == (2, 2)
    other = Bent({"cuda": False}, model=TinyNet())
    other.learn_mode.load_state_dict(state)
    assert other.learn_mode.get_attribute("calls") == "2 calls"
    other.learn_mode.set_attribute("calls", "7")
    assert other._num_calls == 7
    other.learn_mode.reset(to=3)
    assert other._num_calls == 3


def test_only_five_differing_keys_are_listed_and_all_are_counted() -> None:
    policy = Least({}, model=nn.Sequential(*(nn.Linear(2, 2) for _ in range(4))))
    wrong = nn.Sequential(*(nn.Linear(3, 3) for _ in range(4))).state_dict()
    before = [each.clone() for each in policy._model.parameters()]
    with pytest.raises(CheckpointError, match="this Sequential: 8 keys differ: ") as caught:
        policy.eval_mode.load_state_dict({"model": wrong})
    assert str(caught.value).count(";") == 4
    assert all(torch.equal(*pair) for pair in zip(before, policy._model.parameters(), strict=True))
