"""The curves of a run, drawn from the rows of its ``log/metrics.jsonl``.

matplotlib draws; it is imported when something is drawn, because training does not need it.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ding_cls.errors import ConfigError, DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'ding_cls[report]'"
TRAIN_COLOUR, VAL_COLOUR = "#1f77b4", "#d95f02"

Rows = Sequence[dict[str, Any]]


def read_rows(run_folder: str | os.PathLike[str], kind: str) -> list[dict[str, Any]]:
    """Return the rows of ``log/metrics.jsonl`` of one kind: 'train', 'epoch' or 'eval'.

    Raises:
        DataError: the folder has no such file.
    """
    path = Path(run_folder) / "log" / "metrics.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}; name the folder of a run") from error
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def draw_curves(run_folder: str | os.PathLike[str]) -> "Figure":
    """Return a figure of two panels: loss and top-1 accuracy of training and validation, against updates.

    ``draw_curves(folder).savefig("curves.png")`` writes it into a file; the ending chooses the format.

    Raises:
        ConfigError: matplotlib is not installed.
        DataError: the folder is no run's, or the run has no finished epoch yet.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise ConfigError(f"curves are drawn by matplotlib, which is not installed: {INSTALL}") from error
    epochs, evaluations = read_rows(run_folder, "epoch"), read_rows(run_folder, "eval")
    steps = read_rows(run_folder, "train")
    if not epochs:
        raise DataError(f"'{run_folder}' has no finished epoch in log/metrics.jsonl")
    figure = Figure(figsize=(9.0, 3.6), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, name in ((left, "loss"), (right, "acc1")):
        step_key = "total_loss_avg" if name == "loss" else f"{name}_avg"
        _line(axes, steps, step_key, TRAIN_COLOUR, alpha=0.35, label="training, last 10 updates")
        _line(axes, epochs, f"train_{name}", TRAIN_COLOUR, marker="o", label="training, epoch")
        _line(axes, evaluations, name, VAL_COLOUR, marker="s", label="validation")
        axes.set_xlabel("updates")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=True, alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    # One bad evaluation early in a run is a hundred times the last one; it must not flatten the rest.
    left.set_yscale("log")
    left.set_ylabel("cross-entropy loss (log scale)")
    right.set_ylim(0, 102)
    right.set_ylabel("top-1 accuracy, %")
    right.legend(loc="lower right", frameon=False)
    return figure


def _line(axes: "Axes", rows: Rows, key: str, colour: str, **style: Any) -> None:
    # A value that was not finite is null in the file, and a gap in the line.
    points = [
        (row["train_iter"], float("nan") if row[key] is None else row[key]) for row in rows if key in row
    ]
    if points:
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.6, markersize=5, **style)
