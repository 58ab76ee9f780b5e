"""The two records of callables: what is in them, and that nothing gets in or out by another way."""

from dataclasses import FrozenInstanceError, fields

import pytest
import torch

from ding_cls.policy import EvalMode, ImageClassificationPolicy, LearnMode
from tests.conftest import TinyNet

LEARN = [
    "forward",
    "reset",
    "info",
    "monitor_vars",
    "get_attribute",
    "set_attribute",
    "state_dict",
    "load_state_dict",
]


def test_the_names_are_the_contracts() -> None:
    assert [each.name for each in fields(LearnMode)] == LEARN
    assert [each.name for each in fields(EvalMode)] == [
        name for name in LEARN if name not in ("info", "monitor_vars")
    ]


@pytest.mark.parametrize("name", ["learn_mode", "eval_mode"])
def test_a_mode_is_built_once_and_frozen(name: str) -> None:
    policy = ImageClassificationPolicy({"cuda": False}, model=TinyNet())
    mode = getattr(policy, name)
    assert getattr(policy, name) is mode
    with pytest.raises(FrozenInstanceError):
        mode.forward = print
    # Slots and a frozen dataclass together raise one or the other, by version of Python.
    with pytest.raises((AttributeError, TypeError)):
        mode.anything = 1
    with pytest.raises(AttributeError):
        setattr(policy, name, mode)
    assert all(callable(getattr(mode, each.name)) for each in fields(mode))


def test_both_modes_show_one_network() -> None:
    policy = ImageClassificationPolicy({"cuda": False}, model=TinyNet())
    weights = {name: torch.zeros_like(each) for name, each in TinyNet().state_dict().items()}
    policy.eval_mode.load_state_dict({"model": weights})
    learned = policy.learn_mode.state_dict()["model"]
    assert all(not each.any() for each in learned.values())
