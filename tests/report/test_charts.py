"""Charts place the rows of a run where they belong."""

from typing import Any

import numpy as np
import pytest

from ding_cls.report import Reliability
from ding_cls.report.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    line_chart,
    nice_ticks,
    reliability_bins,
    training_charts,
)
from tests.report.example import training_rows


def test_ticks_are_round_numbers_inside() -> None:
    assert nice_ticks(0, 1) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks(-0.04, 0.34) == [0.0, 0.1, 0.2, 0.3]
    assert nice_ticks(9_999, 40_001) == [10_000, 20_000, 30_000, 40_000]
    for low, high in ((1e-7, 3e-7), (99.2, 99.3), (-5, 1e6)):
        assert 2 <= len(nice_ticks(low, high)) <= 7


def test_points_lie_between_the_axes_and_a_gap_lifts_the_pen() -> None:
    points = [(0.0, 1.0), (10.0, 3.0), (20.0, None), (30.0, 2.0), (40.0, 1.0)]
    chart = line_chart("Loss", "", [("training", "c0", points)])
    assert chart is not None
    (line,) = chart.lines
    # Four in a hundred of the height are left below and above.
    unit = (BOTTOM - TOP) / (2 * 1.08)
    heights = [round(BOTTOM - 0.08 * unit - unit * above, 1) for above in (0, 2, 1, 0)]
    width = (RIGHT - LEFT) / 4
    assert line.markers == [
        (round(LEFT + width * x, 1), y) for x, y in zip((0, 1, 3, 4), heights, strict=True)
    ]
    assert line.path.count("M") == 2
    assert line.path.startswith(f"M{float(LEFT)} {heights[0]}L")


def test_a_loss_that_falls_far_has_a_logarithmic_axis() -> None:
    falling = [("training", "c0", [(0.0, 100.0), (1.0, 1.0)])]
    chart = line_chart("Loss", "", falling, may_be_log=True)
    assert chart is not None
    assert chart.y_label == "log scale"
    ticks = [position for position, text in chart.y_ticks if text in ("1", "10", "100")]
    assert ticks[1] - ticks[0] == pytest.approx(ticks[2] - ticks[1], abs=0.2)
    with_zero = line_chart("Loss", "", [("training", "c0", [(0.0, 100.0), (1.0, 0.0)])], may_be_log=True)
    assert with_zero is not None
    assert with_zero.y_label == ""


def test_a_long_run_keeps_its_spikes() -> None:
    points = [(float(each), 1.0) for each in range(100_000)]
    points[54_321] = (54_321.0, 50.0)
    chart = line_chart("Loss", "", [("training", "faint", points)])
    assert chart is not None
    heights = [float(each.split()[1]) for each in chart.lines[0].path.replace("L", "M").split("M")[1:]]
    assert len(heights) <= 600
    assert min(heights) < TOP + 0.1 * (BOTTOM - TOP)


def test_a_run_has_loss_accuracy_and_rate() -> None:
    charts = training_charts(training_rows())
    assert [chart.title for chart in charts] == ["Loss", "Accuracy", "Learning rate"]
    assert [line.label for line in charts[0].lines] == [
        "training, running mean",
        "training, epoch",
        "validation",
    ]
    assert training_charts([]) == []


def test_without_top_1_accuracy_the_other_metrics_are_drawn() -> None:
    rows: list[dict[str, Any]] = [
        {"kind": "eval", "train_iter": each, "loss": 1.0, "mAP": 50.0 + each, "cf1": None, "by_class": [1.0]}
        for each in (0, 5)
    ]
    loss, metrics = training_charts(rows)
    assert [line.label for line in loss.lines] == ["validation"]
    assert metrics.title == "Metrics of the evaluation"
    assert [line.label for line in metrics.lines] == ["mAP"]


def test_a_bar_is_as_high_as_the_accuracy_of_its_bin() -> None:
    nan = float("nan")
    bins = reliability_bins(
        Reliability(
            edges=np.array([0.0, 0.5, 1.0]),
            confidence=np.array([nan, 0.75]),
            accuracy=np.array([nan, 0.25]),
            count=np.array([0, 4]),
            ece=0.5,
        )
    )
    (bar,) = bins
    side, height = RIGHT - LEFT, BOTTOM - TOP
    assert (bar.x, bar.width) == (LEFT + side / 2, side / 2)
    assert bar.bar_y == pytest.approx(BOTTOM - height / 4, abs=0.1)
    assert bar.gap_y == pytest.approx(BOTTOM - 3 * height / 4, abs=0.1)
    assert bar.gap_height == pytest.approx(height / 2, abs=0.1)
    assert "4 images, 25.0 % right, mean score 0.750" in bar.words
