"""A comparison in words, as tables and as a file."""

import os
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ding_cls.answers.evaluation.summary import interval_text, printable
from ding_cls.answers.proportions import Interval
from ding_cls.common.tables import write_json
from ding_cls.config.tools.diff import ABSENT
from ding_cls.config.tools.show import literal
from ding_cls.pipeline.comparison.compare import Comparison, Pair

_MANY = 10_000


def sentence(comparison: Comparison, pair: Pair) -> str:
    """Return whether one of two is better, in one plain sentence."""
    first, other = comparison.letter(0), comparison.letter(pair.number)
    sign = -1.0 if pair.difference < 0 else 1.0
    ahead, behind = (first, other) if sign < 0 else (other, first)
    digits = 1 if len(comparison.results[0]) < _MANY else 2
    p_value = f"McNemar {_p_text(pair.p)}"
    if len(comparison.pairs) > 1:
        p_value += f", {_p_text(pair.corrected_p)} after Holm for {len(comparison.pairs)} pairs"
    if pair.only_first == pair.only_other == 0:
        return f"no difference shown: {first} and {other} are right on the same images"
    points = f"{abs(pair.difference):.{digits}f} points"
    if pair.interval is not None:
        low, high = sorted(sign * each for each in pair.interval)
        points += f", 95 % interval {low + 0.0:.{digits}f} to {high + 0.0:.{digits}f}"
    if pair.is_shown:
        return f"{ahead} is better than {behind} by {points} ({p_value})"
    if pair.difference == 0:
        return f"no difference shown: {first} and {other} are right equally often, {points[12:]} ({p_value})"
    return f"no difference shown: {ahead} is ahead of {behind} by {points} ({p_value})"


def print_comparison(
    comparison: Comparison, *, num_changed: int = 0, out: str | os.PathLike[str] | None = None
) -> None:
    """Print a comparison.

    Args:
        comparison: what was found.
        num_changed: list so many of the images that changed sides, of each pair.
        out: the file that it was written to.
    """
    console = Console(highlight=False, soft_wrap=True)
    for number, each in enumerate(comparison.results):
        console.print(f"{comparison.letter(number)}  {printable(each.name)}", markup=False)
    ways = list(dict.fromkeys(pair.matched_by for pair in comparison.pairs))
    console.print(
        f"{len(comparison.results[0]):,} images, matched {printable('; '.join(ways))}\n", markup=False
    )
    console.print(_numbers(comparison))
    for pair in comparison.pairs:
        console.print()
        for line in _of_pair(comparison, pair, num_changed):
            console.print(printable(line), markup=False)
    if sum(each.config is not None for each in comparison.results) > 1:
        console.print()
        _print_settings(console, comparison)
    if out is not None:
        console.print(f"\nwritten to {printable(os.fspath(out))}", markup=False)


def write_comparison(out: str | os.PathLike[str], comparison: Comparison) -> None:
    """Publish a comparison as JSON; the images that changed sides are all in it.

    Raises:
        DataError: it cannot be written.
    """
    results = []
    for number, each in enumerate(comparison.results):
        accuracy, interval = comparison.accuracy(number)
        results.append(
            {
                "letter": comparison.letter(number),
                "name": each.name,
                "num_samples": len(each),
                "accuracy": accuracy,
                "accuracy_interval": list(interval),
                "loss": comparison.loss(number),
            }
        )
    settings = [
        {"key": key, "values": [None if value is ABSENT else literal(value) for value in values]}
        for key, values in comparison.settings.items()
    ]
    pairs = [_pair_as_data(comparison, pair) for pair in comparison.pairs]
    write_json(out, {"results": results, "comparisons": pairs, "settings": settings})


def _pair_as_data(comparison: Comparison, pair: Pair) -> dict[str, Any]:
    first, other = comparison.results[0], comparison.results[pair.number]
    changed = [
        {
            "path": first.image(index),
            "target": first.label(index),
            "predicted_first": first.predicted[index],
            "predicted_second": other.predicted[pair.places[index]],
            "right": comparison.letter(0 if first.is_right[index] else pair.number),
        }
        for index in comparison.changed(pair)
    ]
    return {
        "first": comparison.letter(0),
        "second": comparison.letter(pair.number),
        "sentence": sentence(comparison, pair),
        "is_difference_shown": pair.is_shown,
        "matched_by": pair.matched_by,
        "accuracy_difference": pair.difference,
        "accuracy_difference_interval": _as_list(pair.interval),
        "only_first": pair.only_first,
        "only_second": pair.only_other,
        "mcnemar_p": pair.p,
        "holm_p": pair.corrected_p,
        "loss_difference": pair.loss_difference,
        "loss_difference_interval": _as_list(pair.loss_interval),
        "changed": changed,
    }


def _numbers(comparison: Comparison) -> Table:
    table = Table.grid(padding=(0, 2))
    for number in range(len(comparison.results)):
        accuracy, interval = comparison.accuracy(number)
        loss = comparison.loss(number)
        table.add_row(
            comparison.letter(number),
            f"accuracy {accuracy:6.2f} %  {interval_text('acc1', interval)}",
            "" if loss is None else f"loss {loss:.4f}",
        )
    return table


def _of_pair(comparison: Comparison, pair: Pair, num_changed: int) -> list[str]:
    first, other = comparison.results[0], comparison.results[pair.number]
    names = comparison.letter(0), comparison.letter(pair.number)
    both = int((first.is_right & other.is_right[pair.places]).sum())
    neither = len(first) - both - pair.only_first - pair.only_other
    lines = [
        sentence(comparison, pair),
        f"right: {names[0]} alone {pair.only_first:,}, {names[1]} alone {pair.only_other:,}, both {both:,}, "
        f"neither {neither:,}",
    ]
    if pair.loss_difference is not None:
        interval = pair.loss_interval
        words = "" if interval is None else f", 95 % interval {interval[0]:+.4f} to {interval[1]:+.4f}"
        lines.append(f"loss: {names[1]} minus {names[0]} {pair.loss_difference:+.4f}{words}")
    changed = comparison.changed(pair)
    if not num_changed or not changed:
        return lines
    lines.append(
        f"changed sides: {len(changed):,} images"
        + (f"; {num_changed:,} of them:" if num_changed < len(changed) else ":")
    )
    for index in _of_both_sides(changed, pair.only_first, num_changed):
        guesses = first.predicted[index] or "none", other.predicted[pair.places[index]] or "none"
        lines.append(
            f"  {names[0] if first.is_right[index] else names[1]} right  {first.label(index) or 'none'}: "
            f"{names[0]} {guesses[0]}, {names[1]} {guesses[1]}  {first.image(index)}"
        )
    return lines


def _of_both_sides(changed: Sequence[int], only_first: int, number: int) -> list[int]:
    """Return so many of the images that changed sides, half of them of each side where there are enough."""
    num_other = len(changed) - only_first
    num_first = min(only_first, max(number - number // 2, number - num_other))
    return [*changed[:num_first], *changed[only_first : only_first + number - num_first]]


def _print_settings(console: Console, comparison: Comparison) -> None:
    if not comparison.settings:
        console.print("settings: none differ", markup=False)
        return
    table = Table()
    table.add_column("setting", overflow="fold")
    known = [number for number, each in enumerate(comparison.results) if each.config is not None]
    for number in known:
        table.add_column(comparison.letter(number), overflow="fold")
    for key, values in comparison.settings.items():
        cells = ("-" if values[number] is ABSENT else literal(values[number]) for number in known)
        table.add_row(escape(printable(key)), *(escape(printable(each)) for each in cells))
    console.print(table)


def _p_text(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def _as_list(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
