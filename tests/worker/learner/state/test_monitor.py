"""Averages over ten values, kept on the device until read."""

from typing import Any

import pytest
import torch

from ding_cls.worker.learner.state.monitor import WINDOW, Monitor


def test_the_average_is_that_of_the_last_ten() -> None:
    monitor = Monitor()
    for value in range(25):
        monitor.loss = value
        assert monitor.avg["loss"]() == sum(range(max(0, value - 9), value + 1)) / min(value + 1, WINDOW)
    assert WINDOW == 10


def test_all_kinds_of_numbers_mix() -> None:
    class Late:
        def __float__(self) -> float:
            return 4.0

    monitor = Monitor()
    for value in (1, 2.0, torch.tensor(3.0), Late(), torch.tensor(5, dtype=torch.int64)):
        setattr(monitor, "x", value)  # noqa: B010 as the contract's hooks write it
    assert getattr(monitor, "avg")["x"]() == 3.0  # noqa: B009
    assert monitor.names() == ["x"]
    assert (list(monitor.avg), len(monitor.avg)) == (["x"], 1)


def test_float32_values_are_averaged_in_float64() -> None:
    monitor = Monitor()
    values = [torch.tensor(0.1), torch.tensor(2.0**24), torch.tensor(0.2)]
    for each in values:
        monitor.x = each
    assert monitor.avg["x"]() == sum(float(each) for each in values) / 3


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Monitor().avg["nothing"]


def test_names_that_the_monitor_has_itself_are_series_too() -> None:
    monitor = Monitor()
    monitor.avg = 3.0  # type: ignore[misc, assignment]
    monitor.time.step()
    assert monitor.avg["avg"]() == 3.0
    assert monitor.time.value == 1


def test_state_continues_exactly_and_is_plain() -> None:
    monitor = Monitor()
    for value in range(13):
        monitor.loss = torch.tensor(value / 7)
        monitor.rate = value * 0.1
        monitor.time.step()
    state: dict[str, Any] = monitor.state_dict()
    assert all(type(value) is float for values in state["values"].values() for value in values)
    other = Monitor()
    other.gone = 1.0
    other.load_state_dict(state)
    assert other.names() == ["loss", "rate"]
    for value in (0.25, 0.5):
        monitor.loss = other.loss = value
        assert other.avg["loss"]() == monitor.avg["loss"]()
    assert other.time.value == 13
    assert state == state_after(state)


def state_after(state: dict[str, Any]) -> dict[str, Any]:
    monitor = Monitor()
    monitor.load_state_dict(state)
    return monitor.state_dict()
