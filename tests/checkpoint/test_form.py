"""An entry of another type or outside its range is named by its path; unknown entries pass."""

import math
from typing import Any

import pytest
import torch

from ding_cls.checkpoint.form import FORMAT, check_form, dict_of, list_of, optional, record, whole
from ding_cls.errors import CheckpointError

FORM = record(
    {"last_iter": whole()},
    epoch=optional(whole(0, 9)),
    names=list_of(whole(1), at_least=1),
    groups=dict_of(record(lr=whole())),
)


def refusal(state: Any) -> str:
    with pytest.raises(CheckpointError) as error:
        check_form(state, FORM, "'a.pth'")
    return str(error.value)


@pytest.mark.parametrize(
    "more", [{}, {"epoch": None}, {"epoch": 9}, {"names": [1, 2]}, {"groups": {}}, {"unknown": object()}]
)
def test_what_fits_passes(more: dict[str, Any]) -> None:
    check_form({"last_iter": 0, **more}, FORM)


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ({}, "last_iter is missing"),
        ({"last_iter": -1}, "last_iter is -1"),
        ({"last_iter": True}, "last_iter is True"),
        ({"last_iter": 1.0}, "last_iter is 1.0"),
        ({"last_iter": 10**12 + 1}, "last_iter is 1000000000001"),
        ({"last_iter": 1, "epoch": 10}, "epoch is 10"),
        ({"last_iter": 1, "names": []}, "names is a list of 0"),
        ({"last_iter": 1, "names": {0: 1}}, "names is "),
        ({"last_iter": 1, "names": [1, "x"]}, "names[1] is 'x'"),
        ({"last_iter": 1, "groups": [1]}, "groups is "),
        ({"last_iter": 1, "groups": {"a": {"lr": None}}}, "groups.a.lr is None"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(state: dict[str, Any], path: str) -> None:
    message = refusal(state)
    assert message.startswith("'a.pth' is malformed: ")
    assert path in message
    assert "\n" not in message


def test_a_tensor_in_a_numbers_place_is_named_in_one_short_line() -> None:
    message = refusal({"last_iter": torch.zeros(100, 100)})
    assert "last_iter is " in message
    assert len(message) < 200
    assert "\n" not in message


def test_a_later_format_asks_for_an_update() -> None:
    assert "update ding_cls" in refusal({"last_iter": 1, "format": FORMAT + 1})
    check_form({"last_iter": 1, "format": FORMAT}, FORM)


@pytest.mark.parametrize("number", [math.nan, math.inf, "1"])
def test_a_count_is_no_float_and_no_text(number: Any) -> None:
    assert refusal({"last_iter": number}).startswith("'a.pth' is malformed: last_iter is ")
