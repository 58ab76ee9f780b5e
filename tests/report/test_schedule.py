"""Schedules as a table and as a picture."""

import math
import sys
from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.report.schedule import (
    ParamGroup,
    ScheduleForecast,
    draw_schedule,
    schedule_lines,
    turning_points,
)


def forecast(rates: Any, *factors: float, momenta: Any = None, decay: float | None = 0.1) -> ScheduleForecast:
    rates = tuple(rates)
    momenta = tuple(momenta or [0.9] * len(rates))
    groups = tuple(
        ParamGroup(f"layer{number}.weight", 2, factor, momenta, (decay,) * len(rates))
        for number, factor in enumerate(factors or (1.0,))
    )
    return ScheduleForecast(4, len(rates), tuple(range(len(rates))), rates, groups, ("a remark",))


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([1.0] * 9, []),
        ([1.0, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01], [3, 6]),
        ([0.1, 0.2, 0.3, 0.3, 0.3, 0.2, 0.1], [2, 4]),
        ([3.0, 2, 1, 3, 2, 1], [2, 3]),
        ([1.0, 1 + 1e-15, 1], []),
        ([None, None], []),
        ([0.5], []),
    ],
)
def test_turns_are_found(values: Any, places: list[int]) -> None:
    assert turning_points(values) == places


def test_the_table_has_begin_turns_top_and_end() -> None:
    rates = [0.01, 0.05, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]
    assert schedule_lines(forecast(rates)) == [
        "8 updates in 2 epochs, momentum 0.9, weight decay 0.1",
        "update  epoch  learning rate",
        "0       0.00   0.01",
        "2       0.50   0.1            highest",
        "5       1.25   0.01",
        "7       1.75   0.01",
        "a remark",
    ]


def test_many_turns_are_counted() -> None:
    lines = schedule_lines(forecast([1 + math.sin(each) for each in range(400)], momenta=None, decay=None))
    assert len(lines) <= 16
    assert any(line.endswith("more turns") for line in lines)
    assert lines[0].endswith("momentum 0.9")


def test_what_moves_has_a_column() -> None:
    lines = schedule_lines(forecast([1.0, 1.0, 1.0], momenta=(0.9, 0.85, 0.95)))
    assert [line.split() for line in lines[1:5]] == [
        ["update", "epoch", "learning", "rate", "momentum"],
        ["0", "0.00", "1", "0.9"],
        ["1", "0.25", "1", "0.85"],
        ["2", "0.50", "1", "0.95"],
    ]


def test_groups_are_named_or_summed_up() -> None:
    lines = schedule_lines(forecast([1.0], 1.0, 0.1, 0.1))
    assert "learning rate x0.1: 4 tensors (layer1.weight ...)" in lines
    lines = schedule_lines(forecast([1.0], *[0.5**each for each in range(9)]))
    assert "9 learning rates: from x0.00391 (layer8.weight ...) to x1 (layer0.weight ...)" in lines


@pytest.mark.parametrize("factors", [(1.0,), (1.0, 10.0), tuple(0.5**each for each in range(9))])
def test_the_lines_are_the_values(factors: tuple[float, ...]) -> None:
    pytest.importorskip("matplotlib")
    rates = [0.1, 0.2, 0.3]
    figure = draw_schedule(forecast(rates, *factors))
    assert [axes.get_ylabel() for axes in figure.axes] == ["learning rate", "momentum", "weight decay"]
    drawn = [[*line.get_ydata()] for line in figure.axes[0].lines]
    for factor in (1.0, max(factors), min(factors)):
        assert [rate * factor for rate in rates] in drawn
    figure.savefig("/dev/null", format="png")


def test_without_matplotlib_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"pip install 'ding_cls\[report\]'"):
        draw_schedule(forecast([1.0]))
