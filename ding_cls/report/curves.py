"""The curves of one run, and of several beside each other, from the rows of their ``log/metrics.jsonl``.

matplotlib draws; it is imported when something is drawn, because training does not need it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ding_cls.common.logs.metrics_file import MetricsFile
from ding_cls.common.tables import published
from ding_cls.errors import ConfigError, DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'ding_cls[report]'"
TRAIN_COLOUR, VAL_COLOUR = "#1f77b4", "#d95f02"
MAX_RESULTS = 4
"""So many results of evaluations have a panel each where several runs are drawn."""

# Of more runs than there are colours each twenty have their own.
_DASHES = ("-", "--", ":", "-.")

Rows = Sequence[dict[str, Any]]


def read_rows(run_folder: str | os.PathLike[str], kind: str) -> list[dict[str, Any]]:
    """Return the whole rows of ``log/metrics.jsonl`` of one kind: 'train', 'epoch' or 'eval'.

    Raises:
        DataError: the folder has no such file.
    """
    path = Path(run_folder) / "log" / "metrics.jsonl"
    if not path.is_file():
        raise DataError(f"'{path}' does not exist; name the folder of a run")
    try:
        rows = MetricsFile(path).rows()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}") from error
    return [row for row in rows if row.get("kind") == kind and isinstance(row.get("train_iter"), int)]


def draw_curves(run_folder: str | os.PathLike[str]) -> "Figure":
    """Return a figure of three panels against updates: loss, accuracy and learning rate of a run.

    Where the run's results have no ``acc1``, the second panel shows the first of them that is no loss.
    ``draw_curves(folder).savefig("curves.png")`` writes it into a file; the ending chooses the format.

    Raises:
        ConfigError: matplotlib is not installed.
        DataError: the folder is no run's, or the run has no finished epoch yet.
    """
    figure = new_figure(width=12.6, what="curves are")
    epochs, evaluations = read_rows(run_folder, "epoch"), read_rows(run_folder, "eval")
    steps = read_rows(run_folder, "train")
    if not epochs:
        raise DataError(f"'{run_folder}' has no finished epoch in log/metrics.jsonl")
    left, right, rate = figure.subplots(1, 3)
    name = next(iter(judged_names([evaluations])), "acc1")
    for axes, result, step_key in ((left, "loss", "total_loss_avg"), (right, name, f"{name}_avg")):
        _line(axes, steps, step_key, color=TRAIN_COLOUR, alpha=0.35, label="training, between log lines")
        _line(axes, epochs, f"train_{result}", color=TRAIN_COLOUR, marker="o", label="training, epoch")
        _line(axes, evaluations, result, color=VAL_COLOUR, marker="s", label="validation")
        _finish(axes)
    _label_loss(left, "loss")
    _label_result(right, name)
    if right.lines:
        right.legend(loc="best", frameon=False)
    # The row of an epoch has the rate of its last update; a line in the log the mean since the one before.
    _line(rate, steps or epochs, "cur_lr_avg" if steps else "lr", color=TRAIN_COLOUR)
    rate.set_ylabel("learning rate")
    rate.set_ylim(bottom=0)
    _finish(rate)
    return figure


def draw_runs(runs: Mapping[str, str | os.PathLike[str]]) -> "Figure":
    """Return a figure of several runs, a colour for each: training loss, and what they were judged by.

    Args:
        runs: the folder of each, by the name that the legend has.

    Raises:
        ConfigError: as `draw_curves`.
        DataError: a folder is no run's, or none of the runs has a finished epoch.
    """
    epochs = {name: read_rows(folder, "epoch") for name, folder in runs.items()}
    evaluations = {name: read_rows(folder, "eval") for name, folder in runs.items()}
    if not any(epochs.values()):
        raise DataError(f"none of {', '.join(map(str, runs.values()))} has a finished epoch")
    names = judged_names(evaluations.values())[:MAX_RESULTS]
    figure = new_figure(width=4.2 * (2 + len(names)), what="curves are")
    from matplotlib import colormaps

    panels = figure.subplots(1, 2 + len(names), squeeze=False)[0]
    colours = colormaps["tab10" if len(runs) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    for number, run in enumerate(runs):
        cycle, place = divmod(number, len(colours))
        style = {"color": colours[place], "linestyle": _DASHES[cycle % len(_DASHES)]}
        style |= {"marker": "o", "markersize": 3, "label": run}
        _line(panels[0], epochs[run], "train_loss", **style)
        for axes, name in zip(panels[1:], ["loss", *names], strict=True):
            _line(axes, evaluations[run], name, **style)
    _label_loss(panels[0], "training loss")
    _label_loss(panels[1], "validation loss")
    for axes, name in zip(panels[2:], names, strict=True):
        _label_result(axes, name)
    for axes in panels:
        _finish(axes)
    handles = {
        text: handle
        for axes in panels
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=2, frameon=False)
    figure.set_figheight(3.6 + 0.22 * -(-len(handles) // 2))
    return figure


def judged_names(evaluations: Iterable[Rows]) -> list[str]:
    """Return the results of evaluations that are one number, no loss, and say something of their own.

    ``acc1`` leaves out ``acc5``; results of the weights in training, beside those of their average, are left
    out too.
    """
    rows = [row for each in evaluations for row in each]
    values = {
        name: value for row in rows for name, value in row.items() if name not in ("kind", "train_iter")
    }
    names = [
        name
        for name, value in values.items()
        if isinstance(value, int | float) and "loss" not in name and not name.startswith(("raw_", "n_"))
    ]
    return sorted((name for name in names if name != "acc5" or "acc1" not in names), key="acc1".__ne__)


def new_figure(*, what: str, width: float = 6.4, height: float = 3.6) -> "Figure":
    """Return an empty figure that no window shows.

    Args:
        what: what is drawn, with its verb, as the error says it.
        width: in inches.
        height: likewise.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(f"{what} drawn by matplotlib, which is not installed: {INSTALL}") from error
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def open_frame(axes: "Axes") -> None:
    """Give a panel a faint grid, and lines at its left and below alone."""
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def save_figure(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Publish a figure as its ending says: the file is there whole or not at all.

    Raises:
        DataError: it cannot be written.
        DiskError: the disk is full or fails.
    """
    kind = Path(path).suffix.removeprefix(".").lower()
    with published(path) as file:
        figure.savefig(file, format=kind)


def _label_loss(axes: "Axes", name: str) -> None:
    # One bad evaluation early in a run is a hundred times the last one; it must not flatten the rest.
    is_positive = all(not value <= 0 for value in _values(axes))
    if is_positive:
        axes.set_yscale("log")
    axes.set_ylabel(f"{name} (log scale)" if is_positive else name)


def _label_result(axes: "Axes", name: str) -> None:
    if name == "acc1":
        axes.set_ylabel("top-1 accuracy, %")
        # What is above 90 from the first epoch on would be a line at the frame.
        if min(_values(axes), default=0) < 50:
            axes.set_ylim(0, 102)
        return
    axes.set_ylabel(name)


def _values(axes: "Axes") -> list[float]:
    """Return all values that are drawn."""
    values = (float(value) for line in axes.lines for value in np.asarray(line.get_ydata()))
    return [value for value in values if value == value]


def _finish(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("updates")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    open_frame(axes)


def _line(axes: "Axes", rows: Rows, key: str, **style: Any) -> None:
    # A value that was not finite is null in the file, and a gap in the line.
    points = [
        (row["train_iter"], float("nan") if row[key] is None else row[key]) for row in rows if key in row
    ]
    if points:
        axes.plot(*zip(*points, strict=True), **{"linewidth": 1.6, "markersize": 5, **style})
