"""The last thing a run prints: what it did, where it lies, what to type next."""

import os
import shutil
import sys
from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ding_cls.metrics import fits_a_line, is_percentage, show_value, where_lists_are
from ding_cls.pipeline.run import TrainResult


def print_summary(result: TrainResult) -> None:
    """Print a table of the run's results, its files, and three commands that continue from here."""
    console = Console(highlight=False, soft_wrap=True)
    if result.was_complete:
        console.print("This run was already complete; nothing was left to train.")
    console.print(_results(result))
    if lists := where_lists_are({**result.final, **result.best}):
        console.print(lists, markup=False)
    if not result.was_complete:
        console.print(
            f"{result.images_per_s:.0f} images/s in training, {result.minutes:.1f} minutes in all\n"
        )
    folder = result.run_folder
    for name, path in (
        ("best checkpoint", result.best_checkpoint),
        ("log", folder / "log" / "learner" / "learner.txt"),
        ("TensorBoard", folder / "log" / "serial"),
    ):
        console.print(f"{name + ':':17}{path}", markup=False)
    console.print(f"\nTo type next, in {Path.cwd()}:", markup=False)
    split, logs = " --split test" if result.has_test_split else "", quote(str(folder / "log"))
    code = " --allow-code" if result.needs_code else ""
    for line in (
        f"{_command('ding-cls')} eval {quote(str(result.best_checkpoint))}{split}{code}",
        f"{_command('ding-cls')} train --data YOUR_FOLDER --model resnet50 --epochs 30",
        f"{_command('pip')} install tensorboard && {_command('tensorboard')} --logdir {logs}",
    ):
        console.print(f"  {line}", markup=False)


def _results(result: TrainResult) -> Table:
    """Return a table of the final and the best results, one column for each that the metric gives."""
    names = [name for name, value in {**result.final, **result.best}.items() if fits_a_line(value)]
    table = Table("", *(f"{name} %" if is_percentage(name) else escape(str(name)) for name in names))
    best = "best, untrained" if result.best_epoch is None else f"best, epoch {result.best_epoch}"
    for label, values in (("final", result.final), (best, result.best)):
        if values:
            cells = (show_value(values.get(name, ""), 2 if is_percentage(name) else 4) for name in names)
            table.add_row(label, *map(escape, cells))
    return table


def _command(name: str) -> str:
    """Return how a program of this environment is called from the user's own shell."""
    beside = Path(sys.executable).parent / name
    found = shutil.which("ding-cls")
    is_active = found is not None and Path(found).parent == beside.parent
    return name if is_active else quote(os.path.relpath(beside))
