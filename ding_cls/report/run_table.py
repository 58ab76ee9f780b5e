"""Runs as rows: how long each was, its best and last evaluation, the time of an epoch."""

import os
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ding_cls.report.curves import judged_names, read_rows


def print_runs(runs: Mapping[str, str | os.PathLike[str]]) -> None:
    """Print a table of runs; ``best`` is the highest value of the first result that is no loss, and of
    validation losses the lowest where there is none.

    Args:
        runs: the folder of each, by its name.

    Raises:
        DataError: a folder is no run's.
    """
    evaluations = {name: read_rows(folder, "eval") for name, folder in runs.items()}
    judged = next(iter(judged_names(evaluations.values())), "loss")
    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("run", overflow="fold", min_width=16)
    for title in ("epochs", f"best {judged}", "at", f"last {judged}", "train loss", "s/epoch"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, folder in runs.items():
        epochs = read_rows(folder, "epoch")
        trained = [row for row in evaluations[name] if row["train_iter"]]
        values = {row["train_iter"]: row[judged] for row in trained if row.get(judged) is not None}
        best = (min if judged == "loss" else max)(values, key=values.__getitem__, default=None)
        seconds = [row["seconds"] for row in epochs if row.get("seconds") is not None]
        losses = [row["train_loss"] for row in epochs if row.get("train_loss") is not None]
        table.add_row(
            escape(name),
            f"{len(epochs):,}",
            "-" if best is None else _number(values[best], judged),
            "-" if best is None else f"{best:,}",
            _number(trained[-1].get(judged), judged) if trained else "-",
            _number(losses[-1], "loss") if losses else "-",
            f"{sum(seconds) / len(seconds):.1f}" if seconds else "-",
        )
    Console(highlight=False).print(table)


def _number(value: float | None, name: str) -> str:
    if value is None:
        return "not finite"
    return f"{value:.2f}" if name.startswith("acc") else f"{value:.4f}"
