"""What a policy's checkpoint holds beside network and optimizer is checked before anything is changed."""

from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.errors import ChangedRunError, CheckpointError
from ding_cls.policy.learn_state import check_learn_state
from tests.policy.test_losses import build, plain


class Schedule:
    """A schedule that notes what it was asked to go on with."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def check_state(self, state: Any) -> None:
        self.seen.append(state)


class Teacher:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def load_state_dict(self, state: Any) -> None:
        self.seen.append(state)


class Loss:
    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"counts": torch.zeros(3)}


def check(state: dict[str, Any], *, loss: Any = None, teacher: Any = None) -> list[Any]:
    schedule: Any = Schedule()
    check_learn_state(state, nn.Linear(2, 3), schedule, loss, teacher)
    return schedule.seen


def test_a_policys_own_state_fits() -> None:
    policy = build(plain(), ema={"decay": 0.5})
    state = policy.learn_mode.state_dict()
    check_learn_state(state, policy._model, policy._lr_scheduler, policy._loss, None)


def test_schedule_and_teacher_are_asked_and_may_be_new() -> None:
    assert check({"lr_scheduler": {"epoch": 3}}) == [{"epoch": 3}]
    assert check({}) == [{"epoch": 0}]
    teacher = Teacher()
    check({"distill": {"teacher": "a", "sha256": "b"}}, teacher=teacher)
    check({}, teacher=teacher)
    assert teacher.seen == [{"teacher": "a", "sha256": "b"}, {}]


def test_another_losss_memory_is_refused() -> None:
    check({"loss": {"counts": torch.ones(3)}}, loss=Loss())
    check({"loss": {}}, loss=Loss())
    check({"loss": {"counts": torch.ones(4)}})
    with pytest.raises(ChangedRunError, match=r"of a run with another loss: .*counts"):
        check({"loss": {"counts": torch.ones(4)}}, loss=Loss())


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"train_iter": -1}, "train_iter"),
        ({"train_iter": 1.5}, "train_iter"),
        ({"scaler": {"scale": float("nan"), "_growth_tracker": 0}}, r"scaler\.scale"),
        ({"lr_scheduler": 3}, "lr_scheduler"),
        ({"loss": {"counts": 3}}, "loss"),
        ({"distill": {"teacher": 3, "sha256": "x"}}, r"distill\.teacher"),
    ],
)
def test_a_malformed_entry_is_named(state: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        check(state)


def test_an_average_must_have_the_networks_shapes() -> None:
    model = nn.Linear(2, 3).state_dict()
    average = {"num_averaged": 1, "kept": model, "model": model, "rule": "x"}
    check({"averaged": average})
    other = {**model, "weight": torch.zeros(3, 4)}
    with pytest.raises(CheckpointError, match="weight"):
        check({"averaged": {**average, "model": other}})
