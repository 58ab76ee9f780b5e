"""What ``ding-cls eval`` prints: what was evaluated, the results, each class, the surest mistakes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from ding_cls.answers.evaluation.records import COLUMNS
from ding_cls.answers.evaluation.report import Evaluation
from ding_cls.answers.proportions import Interval
from ding_cls.answers.show import digits_of, fits_a_line, is_percentage, show_value
from ding_cls.common.screen import Screen, build_screen, in_a_line
from ding_cls.images import readable_names

MAX_CLASSES = 40
"""So many classes have a row each; of more those with images, or the worst."""

NUM_WORST = 20
_PERCENT = ("precision", "recall", "f1", "AP")


def print_evaluation(
    report: Evaluation, *, num_wrong: int = 0, out: str | os.PathLike[str] | None = None
) -> None:
    """Print an evaluation.

    Args:
        report: the evaluation.
        num_wrong: of so many mistakes, the surest, print path, class, prediction and score.
        out: the file that it was written to.
    """
    screen = build_screen()
    if report.note:
        screen.line(printable(report.note))
    for label, text in head_of(report):
        screen.line(f"{label + ':':12}{printable(text)}")
    screen.line()
    screen.grid(_results(report), right=1, has_dim_end=bool(report.intervals))
    if report.intervals:
        screen.line("in brackets: 95 % intervals, for other images of the same kind", is_dim=True)
    lists = [name for name, value in report.result.items() if not _is_shown(name, value, report)]
    if lists:
        screen.line(f"as lists, in --out FILE.json: {', '.join(lists)}")
    screen.line()
    _print_classes(screen, report)
    if num_wrong:
        screen.line()
        _print_mistakes(screen, report, num_wrong)
    if out is not None:
        screen.line(f"\nwritten to {printable(os.fspath(out))}")


def printable(text: str) -> str:
    """Return text that any terminal can show in one line: bytes that are no letters, and line breaks, as
    escapes."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    shown = text.encode(encoding, "backslashreplace").decode(encoding)
    return in_a_line(shown)


def head_of(report: Evaluation) -> list[tuple[str, str]]:
    """Return what was evaluated, in lines of two parts: what is said, and of what."""
    split = f", split {report.split}" if report.split else ""
    counts = f"{report.num_samples:,} images, {len(report.classes):,} classes"
    updates = f" after {report.train_iter:,} updates" if report.train_iter else ""
    scores = []
    if report.calibration is not None:
        values = ", ".join(f"{each:.4g}" for each in report.calibration.temperatures)
        scores = [("scores", f"calibrated, temperature {values}")]
    return [
        ("model" if report.checkpoint.suffix == ".onnx" else "checkpoint", f"{report.checkpoint}{updates}"),
        ("data", f"{report.source}{split}"),
        ("size", f"{counts}, {report.images_per_s:,.0f} images/s"),
        *scores,
        *([("tta", "mean probabilities of each image and its mirror image")] if report.tta else []),
    ]


def _results(report: Evaluation) -> list[list[str]]:
    """Return the results: name, value, its unit, and the 95 % interval where there is one."""
    rows = []
    for name, value in report.display(report.result).items():
        if fits_a_line(value):
            label, number = report.display.name(str(name)), show_value(value, digits_of(str(name)))
            cells = [printable(label), printable(number), "%" if is_percentage(str(name)) else ""]
            if report.intervals:
                cells.append(interval_text(str(name), report.intervals.get(name)))
            rows.append(cells)
    return rows


def interval_text(name: str, interval: Interval | None) -> str:
    """Return ``(86.2 to 93.8)``, with a digit less than the result itself has; empty without one."""
    if interval is None:
        return ""
    low, high = (show_value(each, digits_of(name) - 1) for each in interval)
    return f"({low} to {high})"


def _is_shown(name: str, value: Any, report: Evaluation) -> bool:
    """Return whether a result is in one of the two tables."""
    is_column = isinstance(value, list | tuple) and len(value) == len(report.classes)
    return fits_a_line(value) or (is_column and name.endswith("_per_class"))


def _print_classes(screen: Screen, report: Evaluation) -> None:
    rows, note = _shown_classes(report.per_class())
    names = [name for name in rows[0] if name not in ("name", "images")] if rows else []
    titles = [f"{name} %" if name in _PERCENT else name for name in names]
    cells = [
        # Of a class without an image nothing can be said.
        [
            printable(words),
            f"{row['images']:,}",
            *(_cell(row[name], name) if row["images"] else "-" for name in names),
        ]
        for words, row in zip(readable_names([row["name"] for row in rows]), rows, strict=True)
    ]
    screen.table(["class", "labels" if report.records.kind != "one" else "images", *titles], cells)
    if note:
        screen.line(note)


def _shown_classes(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """Return the rows to show, and what to say of the others."""
    if len(rows) <= MAX_CLASSES:
        return rows, ""
    there = [row for row in rows if row["images"]]
    if len(there) <= MAX_CLASSES:
        return there, f"no images: the other {len(rows) - len(there):,} of {len(rows):,} classes"
    worst = sorted(there, key=lambda row: float(row["f1"]))[:NUM_WORST]
    return worst, (
        f"the {NUM_WORST} classes with the lowest f1 of {len(rows):,}; all of them: --out FILE.json, under "
        "per_class"
    )


def _cell(value: Any, name: str) -> str:
    return "" if value is None else show_value(value, 1 if name in _PERCENT else 4)


def _print_mistakes(screen: Screen, report: Evaluation, num_wrong: int) -> None:
    """Print a line for each mistake: the path comes last, so that a long one stands in the way of nothing."""
    positions = report.records.mistakes()
    if not positions:
        screen.line("wrong: none")
        return
    shown = positions[:num_wrong]
    which = f"the {len(shown):,} surest" if len(shown) < len(positions) else "the surest first"
    screen.line(f"wrong: {len(positions):,} of {report.num_samples:,} images; {which}:")
    rows = list(report.records.rows(report.paths, report.classes))
    for position in shown:
        row = dict(zip(COLUMNS, rows[position], strict=True))
        score = "|".join(f"{each:.3f}" for each in _listed(row["score"]) if each is not None)
        words = f"{score or 'nan':5}  {_names(row['target_name'])} -> {_names(row['predicted_name'])}"
        screen.line(f"  {printable(words)}  {printable(row['path'])}")


def _names(names: Any) -> str:
    return "|".join(readable_names([each for each in _listed(names) if each is not None])) or "none"


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
