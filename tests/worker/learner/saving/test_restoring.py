"""A checkpoint is taken up as a whole, or not at all."""

from collections.abc import Mapping
from typing import Any

import pytest

from ding_cls.errors import ChangedRunError, CheckpointError
from ding_cls.policy.modes import LearnMode
from ding_cls.worker.learner.saving.restoring import load_part, name_file_on_error, restore
from tests.worker.learner.parts import Counting


class Part:
    """Keeps a number, and refuses a negative one."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def state_dict(self) -> dict[str, Any]:
        return {"number": self.number}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.number = state["number"]
        if self.number < 0:
            raise ValueError("below 0\nand more")


def mode() -> LearnMode:
    return Counting().mode


def test_every_part_gets_its_own_and_what_nobody_wants_is_returned() -> None:
    parts = {"history": Part(), "hook.a": Part()}
    saved = {"history": {"number": 1}, "hook.a": {"number": 2}, "hook.gone": {"number": 3}}
    policy = Counting()
    assert restore(policy.mode, parts, {"count": 7, "parts": saved}) == {"hook.gone": {"number": 3}}
    assert (parts["history"].number, parts["hook.a"].number, policy.count) == (1, 2, 7)


def test_a_part_that_refuses_leaves_all_as_they_were() -> None:
    parts = {"history": Part(5), "hook.a": Part(6), "hook.b": Part(7)}
    saved = {name: {"number": 1} for name in parts} | {"hook.b": {"number": -1}}
    policy = Counting()
    with pytest.raises(ChangedRunError, match=r"parts\.hook\.b is no state of this run's Part"):
        restore(policy.mode, parts, {"count": 9, "parts": saved})
    assert [each.number for each in parts.values()] == [5, 6, 7]
    assert policy.count == 0


def test_a_policy_that_refuses_leaves_the_parts_as_they_were() -> None:
    parts = {"history": Part(5), "hook.a": Part(6)}
    with pytest.raises(KeyError, match="count"):
        restore(mode(), parts, {"parts": {name: {"number": 1} for name in parts}})
    assert [each.number for each in parts.values()] == [5, 6]


def test_a_state_without_parts_loads_the_policy_alone() -> None:
    policy = Counting()
    assert restore(policy.mode, {"hook.a": Part()}, {"count": 3}) == {}
    assert policy.count == 3


def test_the_first_line_of_a_users_error_is_in_the_message() -> None:
    with pytest.raises(ChangedRunError, match=r"\(ValueError: below 0\)"):
        load_part("hook.a", Part(), {"number": -1})


def test_an_error_of_ours_stays_what_it_is() -> None:
    class Ours(Part):
        def load_state_dict(self, state: Mapping[str, Any]) -> None:
            raise CheckpointError("as it is")

    with pytest.raises(CheckpointError, match=r"^as it is$"):
        load_part("hook.a", Ours(), {})


@pytest.mark.parametrize(
    ("source", "remedy", "expected"),
    [
        ("a.pth", None, "begin a new run with these weights: policy.model.pretrained=a.pth"),
        ("a.pth", "do this", "do this"),
        ({"model": {}}, None, None),
    ],
)
def test_the_file_is_named_where_there_is_one_and_no_other_remedy(
    source: Any, remedy: str | None, expected: str | None
) -> None:
    with pytest.raises(ChangedRunError) as caught, name_file_on_error(source):
        raise ChangedRunError("it differs", remedy)
    assert (caught.value.what, caught.value.remedy) == ("it differs", expected)
