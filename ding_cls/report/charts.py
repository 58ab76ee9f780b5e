"""Charts as numbers that a template draws: points, bars and ticks in the units of a picture.

Colours and fonts are the style sheet's, so a chart is light or dark like the page around it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ding_cls.report.records import Reliability

WIDTH, HEIGHT = 440, 270
LEFT, RIGHT, TOP, BOTTOM = 58, WIDTH - 14, 12, HEIGHT - 46
_MOST_POINTS, _MOST_MARKERS = 600, 25
# From this ratio of the largest to the smallest loss on, one early value would flatten the rest.
_LOG_FROM = 20

Point = tuple[float, float | None]
Ticks = Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its words, the class of its colour, the path and the markers (x, y)."""

    label: str
    style: str
    path: str
    markers: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one x-axis and one y-axis; positions of ticks are those of the picture."""

    title: str
    x_label: str
    y_label: str
    x_ticks: Ticks
    y_ticks: Ticks
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Bin:
    """A bin of a reliability diagram: the bar of its accuracy, its gap to the confidence, and its count."""

    x: float
    width: float
    bar_y: float
    gap_y: float
    gap_height: float
    count_height: float
    words: str


def training_charts(rows: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """Return the charts of loss, accuracy and learning rate that the rows of ``metrics.jsonl`` allow.

    Where the evaluation has no ``acc1`` its first four other metrics stand in the second chart.
    """
    first = next((row for row in rows if row.get("kind") == "eval"), {})
    others = [key for key in first if key not in ("kind", "train_iter", "loss") and _is_number(first[key])]
    metrics = ["acc1"] if "acc1" in others or not others else others[:4]
    loss = [
        ("training, running mean", "faint", _points(rows, "train", "total_loss_avg")),
        ("training, epoch", "c0", _points(rows, "epoch", "train_loss")),
        ("validation", "c1", _points(rows, "eval", "loss")),
    ]
    accuracy = [(key, f"c{index + 1}", _points(rows, "eval", key)) for index, key in enumerate(metrics)]
    if metrics == ["acc1"]:
        accuracy = [
            ("training, running mean", "faint", _points(rows, "train", "acc1_avg")),
            ("training, epoch", "c0", _points(rows, "epoch", "train_acc1")),
            ("validation", "c1", accuracy[0][2]),
        ]
    rate = _points(rows, "train", "cur_lr_avg") or _points(rows, "epoch", "lr")
    charts = (
        line_chart("Loss", "", loss, may_be_log=True),
        line_chart("Accuracy", "top-1, %", accuracy)
        if metrics == ["acc1"]
        else line_chart("Metrics of the evaluation", "", accuracy),
        line_chart("Learning rate", "", [("learning rate", "c0", rate)]),
    )
    return [chart for chart in charts if chart is not None]


def line_chart(
    title: str,
    y_label: str,
    series: Sequence[tuple[str, str, Sequence[Point]]],
    *,
    x_label: str = "updates",
    may_be_log: bool = False,
) -> Chart | None:
    """Return a chart, or None where no series has a finite value.

    Args:
        title: above it.
        y_label: what the y-axis means beyond the title; may be empty.
        series: words, class of the colour ('faint', 'c0' to 'c4') and points; a value of None is a gap.
        x_label: of the x-axis.
        may_be_log: take a logarithmic y-axis where the values need one.
    """
    kept = [(label, style, _thinned(points)) for label, style, points in series]
    x = [x for *_, points in kept for x, y in points if y is not None]
    y = [y for *_, points in kept for _, y in points if y is not None]
    if not y:
        return None
    is_log = may_be_log and min(y) > 0 and max(y) > _LOG_FROM * min(y)
    of_y = math.log10 if is_log else float
    low, high = _range([of_y(each) for each in y])
    first, last = (min(x), max(x)) if min(x) < max(x) else (min(x) - 1, max(x) + 1)

    def placed_x(value: float) -> float:
        return round(LEFT + (value - first) / (last - first) * (RIGHT - LEFT), 1)

    def placed_y(value: float) -> float:
        return round(BOTTOM - (of_y(value) - low) / (high - low) * (BOTTOM - TOP), 1)

    values = _log_ticks(low, high) if is_log else nice_ticks(low, high)
    lines = []
    for label, style, points in kept:
        placed = [(placed_x(x), None if y is None else placed_y(y)) for x, y in points]
        finite = [(x, y) for x, y in placed if y is not None]
        if finite:
            markers = finite if len(finite) <= _MOST_MARKERS and style != "faint" else []
            lines.append(Line(label, style, _path(placed), markers))
    return Chart(
        title,
        x_label,
        ", ".join(filter(None, (y_label, "log scale" if is_log else ""))),
        [(placed_x(each), f"{each:,.0f}") for each in nice_ticks(first, last) if each == round(each)],
        [(placed_y(each), f"{each:g}") for each in values],
        lines,
    )


def reliability_bins(reliability: Reliability) -> list[Bin]:
    """Return the bins that hold an image; both axes of the diagram go from 0 to 1."""
    side, most = RIGHT - LEFT, max(1, int(reliability.count.max(initial=0)))
    bins = []
    for index, count in enumerate(reliability.count):
        if not count:
            continue
        start, end = (float(each) for each in reliability.edges[index : index + 2])
        accuracy, confidence = float(reliability.accuracy[index]), float(reliability.confidence[index])
        bar_y, mean_y = (BOTTOM - value * (BOTTOM - TOP) for value in (accuracy, confidence))
        bins.append(
            Bin(
                x=round(LEFT + start * side, 1),
                width=round((end - start) * side, 1),
                bar_y=round(bar_y, 1),
                gap_y=round(min(bar_y, mean_y), 1),
                gap_height=round(abs(bar_y - mean_y), 1),
                count_height=round(40 * float(count) / most, 1),
                words=f"scores {start:.2f} to {end:.2f}: {count:,} images, {100 * accuracy:.1f} % right, "
                f"mean score {confidence:.3f}",
            )
        )
    return bins


def nice_ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Return at most ``most`` multiples of 1, 2 or 5 times a power of ten in [low, high]."""
    unit = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(unit * each for each in (1, 2, 5, 10, 20) if (high - low) / (unit * each) < most)
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    # Of 3 * 0.1 the text shall be 0.3.
    return [float(f"{number * step:.12g}") for number in numbers]


def _log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten between two logarithms; of many only the powers."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = [float(f"{each}e{decade}") for decade in decades for each in (1, 2, 5)]
    inside = [each for each in ticks if low <= math.log10(each) <= high]
    powers = [each for each in inside if math.log10(each).is_integer()]
    return inside if len(inside) <= 7 else powers[:: math.ceil(len(powers) / 7)]


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def _points(rows: Iterable[Mapping[str, Any]], kind: str, key: str) -> list[Point]:
    """Return (update, value) of the rows of a kind that have the key; None where a value is not finite."""
    return [
        (float(row["train_iter"]), float(row[key]) if _is_number(row[key]) else None)
        for row in rows
        if row.get("kind") == kind and key in row
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Return at most 600 points: of each stretch the lowest and the highest, so that no spike is lost."""
    if len(points) <= _MOST_POINTS:
        return points
    kept: list[Point] = []
    for stretch in np.array_split(np.arange(len(points)), _MOST_POINTS // 2):
        finite = [index for index in stretch if points[index][1] is not None]
        ends = {pick(finite, key=lambda index: points[index][1]) for pick in (min, max)} if finite else ()
        kept += [points[index] for index in sorted(ends)] or [points[stretch[0]]]
    return kept


def _path(points: Iterable[tuple[float, float | None]]) -> str:
    """Return the path of an SVG; the pen is lifted over gaps."""
    commands, is_down = [], False
    for x, y in points:
        if y is not None:
            commands.append(f"{'L' if is_down else 'M'}{x} {y}")
        is_down = y is not None
    return "".join(commands)
