"""The state of an optimizer in a checkpoint: whose it is, whether it fits, how it is loaded."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from ding_cls.errors import ChangedRunError, CheckpointError
from ding_cls.policy.optimizer_state import LAYOUT, check_optimizer, layout_of, load_optimizer


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def stepped(optimizer: Optimizer, model: nn.Module) -> dict[str, Any]:
    """Return the checkpoint of an optimizer after an update."""
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {"optimizer": deepcopy(optimizer.state_dict()), LAYOUT: layout_of(optimizer, model)}


def groups(model: nn.Module) -> list[dict[str, Any]]:
    first, second = model.children()
    return [{"params": list(first.parameters())}, {"params": list(second.parameters()), "lr": 0.5}]


def test_the_layout_names_class_and_parameters() -> None:
    model = network()
    assert layout_of(SGD(groups(model), lr=0.1), model) == {
        "type": "SGD",
        "groups": [["0.weight", "0.bias"], ["1.weight", "1.bias"]],
    }


@pytest.mark.parametrize(
    ("state_of", "own", "message"),
    [
        (lambda m: Adam(m.parameters()), lambda m: SGD(m.parameters(), lr=0.1), "is Adam, this run's is SGD"),
        (
            lambda m: SGD(groups(m), lr=0.1),
            lambda m: SGD(m.parameters(), lr=0.1),
            r"of 2 \+ 2 .* of 4",
        ),
        (
            lambda m: SGD(m.parameters(), lr=0.1),
            lambda m: SGD(list(m.parameters())[::-1], lr=0.1),
            "has '0.weight' in its groups where this run's has '1.bias'",
        ),
    ],
)
def test_another_optimizers_state_is_refused(state_of: Any, own: Any, message: str) -> None:
    model = network()
    checkpoint = stepped(state_of(model), model)
    with pytest.raises(ChangedRunError, match=message):
        check_optimizer(own(model), model, checkpoint, scheduled=("lr",))


def test_without_a_layout_the_settings_tell_adam_from_adamw() -> None:
    model = network()
    checkpoint = stepped(Adam(model.parameters()), model)
    del checkpoint[LAYOUT]
    check_optimizer(Adam(model.parameters()), model, checkpoint, scheduled=("lr",))
    with pytest.raises(ChangedRunError, match=r"no AdamW, .* differ in decoupled_weight_decay"):
        check_optimizer(AdamW(model.parameters()), model, checkpoint, scheduled=("lr",))
    with pytest.raises(ChangedRunError, match=r"no SGD, .* differ in betas, dampening, momentum, nesterov"):
        check_optimizer(SGD(model.parameters(), lr=0.1), model, checkpoint, scheduled=("lr",))


def damage(**values: Any) -> Any:
    return lambda state: state["state"][0].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damage(exp_avg=torch.zeros(2, 2)), r"state\[0\]\.exp_avg is torch\.float32 \(2, 2\), .* \(3, 2\)"),
        (damage(exp_avg=1.0), r"state\[0\]\.exp_avg is a float, not a tensor"),
        (damage(step=torch.tensor(float("nan"))), r"state\[0\]\.step is no finite number from 0 on"),
        (lambda state: state["state"][1].pop("exp_avg_sq"), r"state\[1\] has no exp_avg_sq"),
        (lambda state: state["param_groups"][0].update(lr=float("inf")), r"param_groups\[0\]\.lr is inf"),
        (lambda state: state.update(state=3), "optimizer.state is no dict"),
    ],
)
def test_a_malformed_state_is_named_by_its_place(change: Any, message: str) -> None:
    model = network()
    optimizer = Adam(model.parameters())
    checkpoint = stepped(optimizer, model)
    check_optimizer(optimizer, model, checkpoint, scheduled=("lr",))
    change(checkpoint["optimizer"])
    with pytest.raises(CheckpointError, match=f"malformed: optimizer.*{message.removeprefix('optimizer.')}"):
        check_optimizer(optimizer, model, checkpoint, scheduled=("lr",))


def test_what_is_remembered_is_loaded_and_settings_stay_the_configs() -> None:
    model = network()
    saved = stepped(Adam(model.parameters(), lr=0.25, betas=(0.5, 0.5)), model)
    optimizer = Adam(model.parameters(), lr=0.125, betas=(0.75, 0.75))
    load_optimizer(optimizer, saved["optimizer"])
    (group,) = optimizer.param_groups
    assert (group["lr"], group["betas"]) == (0.25, (0.75, 0.75))
    load_optimizer(optimizer, saved["optimizer"], scheduled=("lr", "betas"))
    assert tuple(optimizer.param_groups[0]["betas"]) == (0.5, 0.5)
    for number, parameter in enumerate(model.parameters()):
        for name, value in saved["optimizer"]["state"][number].items():
            assert torch.equal(optimizer.state[parameter][name], value)


def test_an_optimizer_that_takes_no_state_is_one_line() -> None:
    class Own(SGD):
        def load_state_dict(self, state_dict: Any) -> None:
            raise KeyError("first\nsecond")

    with pytest.raises(CheckpointError, match="cannot be loaded by Own: KeyError") as refused:
        load_optimizer(Own(network().parameters(), lr=0.1), {})
    assert len(str(refused.value).splitlines()) == 1
