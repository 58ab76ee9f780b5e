"""Runs as rows: how long each was, its best and last evaluation, the time of an epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True)
class RunRow:
    """What a table says of a run.

    Attributes:
        name: of the run.
        num_epochs: finished ones.
        judged: name of the result that decides which evaluation is the best.
        best: its best value; None: no evaluation could be the best, or nothing says which is better.
        best_iter: the update of that.
        last: its last value; NaN: not finite; None: no evaluation.
        train_loss: that of the last epoch.
        epoch_s: mean time of an epoch, in seconds.
    """

    name: str
    num_epochs: int
    judged: str
    best: float | None
    best_iter: int | None
    last: float | None
    train_loss: float | None
    epoch_s: float | None


def print_runs(rows: Sequence[RunRow]) -> None:
    """Print a table of runs; where they were judged by different results, each value says by which."""
    judged = {row.judged for row in rows}
    title = f" {next(iter(judged))}" if len(judged) == 1 else ""
    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("run", overflow="fold", min_width=16)
    for head in ("epochs", f"best{title}", "at", f"last{title}", "train loss", "s/epoch"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        of = "" if title else f" {row.judged}"
        table.add_row(
            escape(row.name),
            f"{row.num_epochs:,}",
            _number(row.best, row.judged, of),
            "-" if row.best_iter is None else f"{row.best_iter:,}",
            _number(row.last, row.judged, of),
            _number(row.train_loss, "loss"),
            "-" if row.epoch_s is None else f"{row.epoch_s:.1f}",
        )
    Console(highlight=False).print(table)


def _number(value: float | None, name: str, of: str = "") -> str:
    if value is None:
        return "-"
    if value != value:
        return "not finite"
    is_percentage = name.startswith("acc") or name.endswith("_acc1")
    return f"{value:.2f}{of}" if is_percentage else f"{value:.4f}{of}"
