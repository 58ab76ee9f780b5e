"""Optimizers by name: torch's own classes, a user's, and that each of them trains and resumes."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.optim import OPTIMIZERS, build_optimizer
from ding_cls.optim.optimizers import takes_argument
from ding_cls.policy.base import load_optimizer

# LBFGS needs a closure, SparseAdam gradients that are sparse.
UNUSABLE = {"LBFGS", "SparseAdam"}
# Muon takes weights of linear layers only.
ONLY_MATRICES = {"Muon"}
OF_TORCH = {name for name in OPTIMIZERS.names() if hasattr(torch.optim, name)}
TRAINABLE = sorted(OF_TORCH - UNUSABLE - ONLY_MATRICES)


def build_network(*, bias: bool = True) -> nn.Module:
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(4, affine=bias)
    return nn.Sequential(nn.Linear(3, 4, bias=bias), norm, nn.Linear(4, 2, bias=bias))


def train(model: nn.Module, optimizer: torch.optim.Optimizer, seeds: Iterable[int]) -> None:
    for seed in seeds:
        inputs = torch.randn(6, 3, generator=torch.Generator().manual_seed(seed))
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()


def assert_same_weights(found: nn.Module, expected: nn.Module) -> None:
    for key, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[key], value), key


def test_every_class_of_torch_is_found_and_is_torchs() -> None:
    classes = {
        name
        for name, each in vars(torch.optim).items()
        if inspect.isclass(each) and issubclass(each, torch.optim.Optimizer) and each.__name__ != "Optimizer"
    }
    assert classes == OF_TORCH
    assert classes <= {*OPTIMIZERS.names()}
    assert len(classes) >= 15
    assert all(OPTIMIZERS.get(name) is getattr(torch.optim, name) for name in classes)


@pytest.mark.parametrize("name", ["Optimizer", "lr_scheduler", "optimizer", "swa_utils", "__name__"])
def test_what_is_no_optimizer_of_torch_is_none_here(name: str) -> None:
    assert name not in OPTIMIZERS


def test_nearly_every_one_of_them_trains() -> None:
    assert {*TRAINABLE, *ONLY_MATRICES, *UNUSABLE} == OF_TORCH
    assert len(TRAINABLE) >= 12


@pytest.mark.parametrize("name", TRAINABLE)
@pytest.mark.parametrize("paramwise", [None, {"norm_decay_mult": 0.0, "bias_lr_mult": 2.0}])
def test_steps_equal_a_plain_loops_bits_and_resume(name: str, paramwise: dict[str, Any] | None) -> None:
    # Rprop has no weight decay.
    decays = takes_argument(OPTIMIZERS.get(name), "weight_decay")
    if paramwise and not decays:
        paramwise = {"bias_lr_mult": 2.0}
    arguments = {"lr": 0.01, **({"weight_decay": 0.1} if decays else {})}
    cfg = {"type": name, **arguments, "paramwise_cfg": paramwise}
    models = whole, stopped, resumed, plain = [build_network() for _ in range(4)]
    optimizers = [build_optimizer(model, cfg) for model in models[:3]]
    train(whole, optimizers[0], range(4))
    assert all(type(each) is getattr(torch.optim, name) for each in optimizers)
    assert not torch.equal(whole[0].weight, plain[0].weight)

    train(stopped, optimizers[1], range(2))
    assert not torch.equal(whole[0].weight, stopped[0].weight)
    resumed.load_state_dict(stopped.state_dict())
    load_optimizer(optimizers[2], optimizers[1].state_dict())
    train(resumed, optimizers[2], range(2, 4))
    assert_same_weights(resumed, whole)

    if paramwise is None:
        train(plain, getattr(torch.optim, name)(plain.parameters(), **arguments), range(4))
        assert_same_weights(whole, plain)


@pytest.mark.parametrize("name", sorted(ONLY_MATRICES))
def test_what_takes_matrices_only_is_refused_others_and_trains_them(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"'{name}' is for matrices alone, and 4 of 6 .*; 'timm/Muon' "):
        build_optimizer(build_network(), {"type": name, "lr": 0.01})
    model, plain = build_network(bias=False), build_network(bias=False)
    train(model, build_optimizer(model, {"type": name, "lr": 0.01}), range(2))
    train(plain, getattr(torch.optim, name)(plain.parameters(), lr=0.01), range(2))
    assert_same_weights(model, plain)


def test_sparse_adam_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'SparseAdam' takes sparse gradients, .*: choose another"):
        build_optimizer(build_network(), {"type": "SparseAdam", "lr": 0.1})


def test_lbfgs_is_refused() -> None:
    for kind in ("LBFGS", torch.optim.LBFGS):
        with pytest.raises(ConfigError, match=r"'LBFGS' needs a closure .* choose another"):
            build_optimizer(build_network(), {"type": kind, "lr": 0.1})


def test_torchs_own_error_comes_through_with_a_short_note() -> None:
    with pytest.raises(ValueError, match=r"^Invalid learning rate: -1\n") as caught:
        build_optimizer(build_network(), {"type": "SGD", "lr": -1})
    (note,) = caught.value.__notes__
    assert note == "while building the optimizer 'SGD' with {'lr': -1, 'params': <6 parameters>}"


@pytest.mark.parametrize(
    ("cfg", "expected"),
    [
        ({"type": "AdmaW"}, "there is no optimizer named 'AdmaW'; did you mean AdamW"),
        ({"type": "SGD", "momentun": 0.9}, "optimizer 'SGD' has no argument 'momentun'; did you mean 'mom"),
        ({"lr": 0.1}, "'type' is missing"),
        ({"type": "SGD", "constructor": "Default"}, "there is no optimizer_builder named 'Default'"),
    ],
)
def test_a_wrong_name_is_told(cfg: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        build_optimizer(build_network(), cfg)


def test_second_step_of_sgd_is_what_the_formula_says() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(2.0)
    optimizer = build_optimizer(model, {"type": "SGD", "lr": 0.5, "momentum": 0.5, "weight_decay": 0.25})
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(1, 1)).sum().backward()
        optimizer.step()
    # Gradient 1, penalty 0.25 w. First: v = 1.5, w = 2 - 0.75 = 1.25. Second: v = 0.75 + 1.3125, w = 0.21875.
    assert model.weight.item() == 0.21875


def test_all_else_is_torchs_default() -> None:
    cfg = {"type": "SGD", "lr": 0.1, "momentum": 0.8, "weight_decay": 0.0, "nesterov": False}
    groups = build_optimizer(build_network(), cfg).param_groups
    expected = torch.optim.SGD(build_network().parameters(), lr=0.1, momentum=0.8).param_groups[0]
    assert [{k: v for k, v in group.items() if k != "params"} for group in groups] == [
        {k: v for k, v in expected.items() if k != "params"}
    ]


def test_a_users_optimizer_is_found_by_its_decorator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIMIZERS, "_parts", {})

    @OPTIMIZERS.register_module()
    class SignSgd(torch.optim.Optimizer):
        def __init__(self, params: Any, lr: float = 0.1, floor: float = 0.0) -> None:
            super().__init__(params, {"lr": lr, "floor": floor})

        @torch.no_grad()
        def step(self, closure: Callable[[], float] | None = None) -> None:
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.sub_(parameter.grad.sign(), alpha=group["lr"])

    model, before = build_network(), build_network()
    optimizer = build_optimizer(model, {"type": "SignSgd", "lr": 0.5, "floor": 1.0})
    assert type(optimizer) is SignSgd
    assert optimizer.defaults == {"lr": 0.5, "floor": 1.0}
    train(model, optimizer, [0])
    assert (model[2].weight - before[2].weight).abs().tolist() == [[0.5] * 4] * 2


def test_whatever_is_no_optimizer_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"made by Default.*, is a list; it must be a torch.optim.Optimizer"
    ):
        build_optimizer(build_network(), {"type": lambda params: list(params)})


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (torch.optim.SGD, True),
        (torch.optim.Rprop, False),
        (lambda params, **others: None, True),
        (lambda params, lr: None, False),
        (lambda params, *, weight_decay: None, True),
        (dict, True),
    ],
)
def test_it_is_known_whether_an_argument_is_taken(part: Any, expected: bool) -> None:
    assert takes_argument(part, "weight_decay") is expected
