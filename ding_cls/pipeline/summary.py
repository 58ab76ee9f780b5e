"""The last thing a run prints: what it did, where it lies, what to type next."""

import os
import shutil
import sys
from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ding_cls.answers.show import digits_of, fits_a_line, is_percentage, show_value, where_lists_are
from ding_cls.common.command import resume_command
from ding_cls.common.logs.log import append_lines, learner_log
from ding_cls.common.process import launched_world_size
from ding_cls.pipeline.result import TrainResult


def print_summary(result: TrainResult) -> None:
    """Print a table of the run's results, its files, and five commands that continue from here.

    The run's log file gets the same lines.
    """
    console = Console(highlight=False, soft_wrap=True, record=True)
    if result.was_complete:
        console.print("This run was already complete; nothing was left to train.")
    was_evaluated = bool(result.final or result.best)
    if was_evaluated:
        console.print(_results(result))
    if lists := where_lists_are({**result.final, **result.best}):
        console.print(lists, markup=False)
    if not result.was_complete:
        console.print(
            f"{result.images_per_s:.0f} images/s in training, {result.minutes:.1f} minutes in all\n"
        )
    folder = result.run_folder
    log = learner_log(folder)
    for name, path in (
        ("best checkpoint" if was_evaluated else "checkpoint", result.best_checkpoint),
        ("log", folder / "log" / "learner" / "learner.txt"),
        ("TensorBoard", folder / "log" / "serial"),
    ):
        console.print(f"{name + ':':17}{path}", markup=False)
    console.print(f"\nTo type next, in {Path.cwd()}:", markup=False)
    for line in _commands(result):
        console.print(f"  {line}", markup=False)
    if log.is_file():
        append_lines(log, console.export_text())


def _commands(result: TrainResult) -> list[str]:
    """Return what one may want to do with a trained network: predict, judge it, train on, look at curves."""
    run, logs = quote(str(result.run_folder)), quote(str(result.run_folder / "log"))
    split = " --split test" if result.has_test_split else ""
    code = " --allow-code" if result.needs_code else ""
    ours = _command("ding-cls")
    # As many processes as there were share the batch.
    is_several = launched_world_size() > 1
    several = resume_command(str(result.run_folder), result.go_on) if is_several else None
    can_evaluate = bool(split or result.final or result.best)
    return [
        f"{ours} predict {run} IMAGE{code}",
        *([f"{ours} {verb} {run}{split}{code}" for verb in ("eval", "report")] if can_evaluate else []),
        several or f"{ours} train --resume {run}{code} {result.go_on}",
        f"{_command('pip')} install tensorboard && {_command('tensorboard')} --logdir {logs}",
    ]


def _results(result: TrainResult) -> Table:
    """Return a table of the final and the best results, one column for each that the metric gives."""
    shown = result.display({**result.final, **result.best})
    names = [name for name, value in shown.items() if fits_a_line(value)]
    titles = (result.display.name(str(name)) for name in names)
    table = Table("", *(f"{title} %" if is_percentage(title) else escape(title) for title in titles))
    for label, values in (("final", result.final), (result.best_name, result.best)):
        if values:
            cells = (show_value(values.get(name, ""), digits_of(name)) for name in names)
            table.add_row(label, *map(escape, cells))
    return table


def _command(name: str) -> str:
    """Return how a program of this environment is called from the user's own shell."""
    beside = Path(sys.executable).parent / name
    found = shutil.which("ding-cls")
    is_active = found is not None and Path(found).parent == beside.parent
    return name if is_active else quote(os.path.relpath(beside))
