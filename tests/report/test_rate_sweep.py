"""What the picture of a range test shows."""

import pytest

from ding_cls.report.rate_sweep import draw_rate_sweep

pytest.importorskip("matplotlib")
RATES, LOSSES = [1e-4, 1e-3, 1e-2], [2.0, 1.5, 1.0]


def test_both_rates_are_marked() -> None:
    (axes,) = draw_rate_sweep(RATES, LOSSES, LOSSES, suggested=1e-3, configured=5e-3).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "loss of an update",
        "smoothed",
        "steepest: 1.0e-03",
        "the config's: 5.0e-03",
    ]
    assert axes.lines[1].get_ydata().tolist() == LOSSES


def test_a_rate_outside_of_the_sweep_is_not() -> None:
    (axes,) = draw_rate_sweep(RATES, LOSSES, LOSSES, suggested=None, configured=1.0).axes
    assert len(axes.lines) == 2
