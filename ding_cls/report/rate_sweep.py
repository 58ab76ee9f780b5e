"""The picture of a learning rate range test."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ding_cls.report.curves import TRAIN_COLOUR, VAL_COLOUR, new_figure, open_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_rate_sweep(
    rates: Sequence[float],
    losses: Sequence[float],
    smooth: Sequence[float],
    *,
    suggested: float | None,
    configured: float,
) -> "Figure":
    """Return a figure of the loss against the learning rate.

    Args:
        rates: the learning rate of each update.
        losses: its loss.
        smooth: the losses, smoothed.
        suggested: the rate to mark; None: none.
        configured: the config's own.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    figure = new_figure(width=6.4, what="the learning rates are")
    axes = figure.subplots()
    axes.plot(rates, losses, color=TRAIN_COLOUR, alpha=0.35, linewidth=1.2, label="loss of an update")
    axes.plot(rates, smooth, color=TRAIN_COLOUR, linewidth=2.0, label="smoothed")
    if suggested is not None:
        axes.axvline(suggested, color=VAL_COLOUR, linewidth=1.4, label=f"steepest: {suggested:.1e}")
    if rates[0] <= configured <= rates[-1]:
        label = f"the config's: {configured:.1e}"
        axes.axvline(configured, color="#555555", linewidth=1.2, linestyle="--", label=label)
    axes.set_xscale("log")
    # What the loss grows to at last would flatten the rest.
    low, first = min(smooth), smooth[0]
    axes.set_ylim(low - 0.15 * (first - low) - 0.05, first + 0.8 * (first - low) + 0.05)
    axes.set_xlabel("learning rate (log scale)")
    axes.set_ylabel("training loss")
    open_frame(axes)
    axes.legend(frameon=False, loc="lower left")
    return figure
