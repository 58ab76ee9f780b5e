"""``ding-cls curves`` and ``ding-cls logs``: what runs have written down, as a picture."""

import argparse
import os
import shlex
from pathlib import Path

from ding_cls.cli.arguments import Verbs, add_debug
from ding_cls.errors import ConfigError, DataError

PICTURES = (".png", ".svg", ".pdf")


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    curves = verbs.add_parser(
        "curves",
        help="loss, accuracy and learning rate of a run, as a picture",
        description="Draw loss, accuracy and learning rate of a run, finished or not, against its updates.",
        epilog="Example: ding-cls curves runs/flowers",
    )
    curves.set_defaults(verb=_curves)
    curves.add_argument("run", nargs="+", metavar="RUN", help="a run's folder")
    add_out(curves, "RUN/curves.png")
    add_debug(curves)

    logs = verbs.add_parser(
        "logs",
        help="several runs beside each other: a table and a picture",
        description="Print a row for each run: its length, its best and last evaluation, the time of an "
        "epoch; and draw training loss, validation loss and what they were judged by, a colour for each run.",
        epilog="Example: ding-cls logs runs/a runs/b --out both.png",
    )
    logs.set_defaults(verb=_logs)
    logs.add_argument("runs", nargs="+", metavar="RUN", help="runs' folders, or one folder with runs in it")
    add_out(logs, "logs.png in the current folder")
    add_debug(logs)


def add_out(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the option that names the picture."""
    parser.add_argument(
        "--out", metavar="FILE", help=f"the picture, a .png, .svg or .pdf file; by default {default}"
    )


def _curves(arguments: argparse.Namespace) -> None:
    if len(arguments.run) > 1:
        raise ConfigError(
            f"curves are those of one run; of several: ding-cls logs {shlex.join(arguments.run)}"
        )

    from ding_cls.report import draw_curves, save_figure

    run = arguments.run[0]
    out = picture(arguments.out, Path(run, "curves.png"))
    save_figure(draw_curves(run), out)
    print(f"written to {out}")


def _logs(arguments: argparse.Namespace) -> None:
    from ding_cls.pipeline.looking.runs import run_rows
    from ding_cls.report import draw_runs, save_figure
    from ding_cls.report.run_table import print_runs

    folders = [folder for word in arguments.runs for folder in _runs_in(word)]
    runs = dict(zip(_names(folders), folders, strict=True))
    out = picture(arguments.out, Path("logs.png"))
    print_runs(run_rows(runs))
    save_figure(draw_runs(runs), out)
    print(f"\nwritten to {out}")


def picture(given: str | None, default: str | Path) -> Path:
    """Return the picture's file, checked before the work.

    Raises:
        ConfigError: its ending is none of ``PICTURES``.
        DataError: it cannot be written.
    """
    from ding_cls.common.tables import checked_ending

    out = Path(default if given is None else given)
    checked_ending(out, PICTURES)
    return out


def _runs_in(word: str) -> list[str]:
    """Return the run that a word names, or those that lie in the folder it names."""
    if Path(word, "log", "metrics.jsonl").is_file():
        return [word]
    inside = sorted(str(path.parent.parent) for path in Path(word).glob("*/log/metrics.jsonl"))
    if not inside:
        problem = "is no run's folder, and there is none in it" if os.path.isdir(word) else "does not exist"
        raise DataError(f"'{word}' {problem}; a run's folder holds log/metrics.jsonl")
    return inside


def _names(folders: list[str]) -> list[str]:
    """Return how runs are called: by their folders, less what all of them begin with."""
    paths = [os.path.normpath(folder) for folder in folders]
    if len(set(paths)) < len(paths):
        raise ConfigError(f"a run is named twice: {next(each for each in paths if paths.count(each) > 1)}")
    above = os.path.commonpath([os.path.dirname(os.path.abspath(each)) for each in paths])
    return [os.path.relpath(each, above) for each in paths]
