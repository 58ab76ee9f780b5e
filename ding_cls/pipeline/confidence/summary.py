"""What ``ding-cls calibrate`` prints, and writes to a JSON file."""

import os
from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ding_cls.answers.evaluation.summary import MAX_CLASSES, head_of, printable
from ding_cls.answers.proportions import wilson
from ding_cls.answers.risk_curve import RiskCurve
from ding_cls.common.counting import first_few
from ding_cls.common.tables import write_json
from ding_cls.images import readable_names
from ding_cls.pipeline.confidence.calibrate import CalibrationReport

_COVERAGES = (100, 95, 90, 80, 70, 60, 50, 40, 30, 20, 10)
_FEW = 5


def print_calibration(
    report: CalibrationReport,
    *,
    checkpoint: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
) -> None:
    """Print a calibration.

    Args:
        report: what was found.
        checkpoint: as it was named.
        out: the file that it was written to.
    """
    console = Console(highlight=False, soft_wrap=True)
    for label, text in head_of(report.evaluation):
        console.print(f"{label + ':':12}{printable(text)}", markup=False)
    console.print()
    for line in _temperatures(report):
        console.print(line, markup=False)
    console.print(_errors(report))
    if report.calibration.curve is not None:
        console.print()
        console.print(_risks(report.calibration.curve))
    if report.calibration.precision is not None:
        console.print()
        _print_classes(console, report)
    if out is not None:
        console.print(f"\nwritten to {printable(os.fspath(out))}", markup=False)
    command = f"ding-cls predict {quote(os.fspath(checkpoint))} IMAGES --calibrated"
    console.print(f"\nkept in the checkpoint; to use it: {printable(command)}", markup=False)


def write_calibration(out: str | os.PathLike[str], report: CalibrationReport) -> None:
    """Publish a calibration as a JSON file: what the checkpoint holds, with percentages and class names.

    Raises:
        DataError: it cannot be written.
    """
    calibration, evaluation = report.calibration, report.evaluation
    curve = calibration.curve
    points = [] if curve is None else [_point(curve, coverage) for coverage in range(1, 101)]
    classes = _classes(report)
    value = {
        "checkpoint": str(evaluation.checkpoint),
        "folder": evaluation.folder,
        **calibration.entry(),
        "temperature_best": [each.value for each in report.temperatures],
        "temperature_interval": [each.interval for each in report.temperatures],
        "curve": points,
    }
    write_json(out, {**value, "precision": {**value["precision"], "classes": classes} if classes else {}})


def _point(curve: RiskCurve, coverage: float) -> dict[str, Any]:
    point = curve.at_coverage(coverage)
    return {name: getattr(point, name) for name in type(point).__slots__}


def _temperatures(report: CalibrationReport) -> Iterator[str]:
    has_tasks = len(report.temperatures) > 1
    for number, each in enumerate(report.temperatures, 1):
        title = f"temperature{f' of task {number}' if has_tasks else ''} {each.useful:.4g}"
        if each.interval is None:
            yield f"{title}: {each.note}"
            continue
        low, high = each.interval
        interval = f"95 % interval {low:.3g} to {high:.3g}"
        if each.useful == each.value:
            yield f"{title}, {interval}"
            continue
        yield (
            f"{title}: the best one of these images, {each.value:.4g} ({interval}), is not expected to be "
            "better on others"
        )


def _errors(report: CalibrationReport) -> Table:
    """Return calibration error and loss before and after."""
    found = report.calibration
    rows: list[tuple[str, Mapping[str, float]]] = [("as they are", found.before), ("calibrated", found.after)]
    if found.held_out:
        rows.append(("calibrated, on held-out halves", found.held_out))
    table = Table.grid(padding=(0, 2))
    for name in ("scores", "ece", "nll"):
        table.add_column(justify="left" if name == "scores" else "right")
    table.add_row("scores", "ece", "nll")
    for name, values in rows:
        table.add_row(name, *(f"{values[each]:.4f}" for each in ("ece", "nll")))
    return table


def _risks(curve: RiskCurve) -> Table:
    table = Table()
    for title in ("coverage %", "score from", "wrong %", "95 % interval"):
        table.add_column(title, justify="right", no_wrap=True)
    shown = []
    for coverage in _COVERAGES:
        point = curve.at_coverage(coverage)
        if point.threshold not in shown:
            shown.append(point.threshold)
            low, high = point.risk_interval
            cells = (f"{point.coverage:.1f}", f"{point.threshold:.4f}", f"{point.risk:.2f}")
            table.add_row(*cells, f"{low:.2f} to {high:.2f}")
    return table


def _classes(report: CalibrationReport) -> list[dict[str, Any]]:
    """Return of each class its name and, for the wanted precision, threshold, predictions and right ones."""
    found = report.calibration.precision
    if found is None:
        return []
    columns = (report.evaluation.classes, found.thresholds, found.kept, found.right)
    names = ("name", "threshold", "kept", "right")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _print_classes(console: Console, report: CalibrationReport) -> None:
    found, rows = report.calibration.precision, _classes(report)
    if found is None:
        return
    shown = dict(zip(report.evaluation.classes, readable_names(report.evaluation.classes), strict=True))
    if len(rows) <= MAX_CLASSES:
        table = Table()
        table.add_column("class", overflow="fold")
        for title in ("score from", "predictions", "right %"):
            table.add_column(title, justify="right", no_wrap=True)
        for row in rows:
            cells = ["-"] * 3
            if row["threshold"] is not None:
                cells = [
                    f"{row['threshold']:.4f}",
                    f"{row['kept']:,}",
                    f"{100 * row['right'] / row['kept']:.1f}",
                ]
            table.add_row(escape(printable(shown[row["name"]])), *cells)
        console.print(table)
    never = [printable(shown[row["name"]]) for row in rows if row["threshold"] is None]
    line = f"precision {found.wanted:g} %: {len(rows) - len(never):,} of {len(rows):,} classes reach it"
    if never:
        line += f"; never named: {first_few(never, _FEW)}"
    console.print(line, markup=False)
    counts = report.calibration.precision_held_out
    if counts.get("kept"):
        low, high = wilson(counts["right"], counts["kept"])
        console.print(
            f"on held-out halves {100 * counts['right'] / counts['kept']:.1f} % ({low:.1f} to {high:.1f}) of "
            f"{counts['kept']:,} named are right",
            markup=False,
        )
