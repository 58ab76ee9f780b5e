"""Learning rate, momentum and weight decay over a run: a table of where they turn, and a picture."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ding_cls.common.columns import in_columns
from ding_cls.common.counting import counted
from ding_cls.report.curves import TRAIN_COLOUR, VAL_COLOUR, new_figure, open_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ROWS = 12
_MAX_NAMED = 4
# A value holds until the next update.
_STEPS = "steps-post"
_COLOURS = (TRAIN_COLOUR, VAL_COLOUR, "#1b9e77", "#7570b3")
# Below this share of the largest value a difference is rounding.
_ROUNDING = 1e-9

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class ParamGroup:
    """Parameters that share their settings.

    Attributes:
        first: name of the first of them.
        num_tensors: how many there are.
        lr_mult: their factor of the learning rate.
        momenta: at each position; None where the optimizer has none.
        weight_decays: likewise.
    """

    first: str
    num_tensors: int
    lr_mult: float
    momenta: tuple[float | None, ...]
    weight_decays: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ScheduleForecast:
    """What a run sets at each of its updates.

    Attributes:
        updates_per_epoch: updates in an epoch.
        num_updates: updates in all.
        positions: finished updates before each of those that were asked for.
        rates: learning rate at each position, of a group with the factor 1: what a run logs as ``cur_lr``.
        groups: the optimizer's parameter groups.
        remarks: what deserves a word.
    """

    updates_per_epoch: int
    num_updates: int
    positions: tuple[int, ...]
    rates: tuple[float, ...]
    groups: tuple[ParamGroup, ...]
    remarks: tuple[str, ...]


def schedule_lines(forecast: ScheduleForecast) -> list[str]:
    """Return the length of the run, a row for each turn, and the groups with settings of their own."""
    epochs = forecast.num_updates / forecast.updates_per_epoch
    head = f"{counted(forecast.num_updates, 'update')} in {counted(round(epochs, 2), 'epoch')}"
    columns: dict[str, Values] = {"learning rate": forecast.rates}
    for name, values in _settings(forecast).items():
        if _varies(values):
            columns[name] = values
        elif values[0] is not None:
            head += f", {name} {values[0]:g}"
    top = forecast.rates.index(max(forecast.rates))
    places = {0, top, len(forecast.positions) - 1}
    turns = sorted({each for values in columns.values() for each in turning_points(values)} - places)
    kept = turns
    if len(turns) > MAX_ROWS - len(places):
        kept = turns[:: -(-len(turns) // (MAX_ROWS - len(places)))]
    rows = [["update", "epoch", *columns, ""]]
    for place in sorted({*places, *kept}):
        update = forecast.positions[place]
        cells = [f"{update:,}", f"{update / forecast.updates_per_epoch:.2f}"]
        cells += [f"{values[place]:.6g}" for values in columns.values()]
        rows.append([*cells, "highest" if place == top and _varies(forecast.rates) else ""])
    lines = [head, *in_columns(rows).splitlines()]
    if len(kept) < len(turns):
        lines.append(f"and {len(turns) - len(kept)} more turns")
    return [*lines, *_group_lines(forecast), *forecast.remarks]


def turning_points(values: Values) -> list[int]:
    """Return the places where values begin or cease to rise, fall or stay; of a jump the place after it."""
    numbers = [each or 0.0 for each in values]
    limit = _ROUNDING * max(map(abs, numbers))
    slopes = [
        0 if abs(after - before) <= limit else 1 if after > before else -1
        for before, after in itertools.pairwise(numbers)
    ]
    found = []
    for place in range(1, len(slopes)):
        before, after = slopes[place - 1], slopes[place]
        is_jump = before == 0 and place + 1 < len(slopes) and slopes[place + 1] == 0
        if before != after and not is_jump:
            found.append(place)
    return found


def draw_schedule(forecast: ScheduleForecast) -> "Figure":
    """Return a figure: the learning rate, and below it momentum and weight decay, against updates.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    names = [name for name, values in _settings(forecast).items() if values[0] is not None]
    figure = new_figure(width=9.0, height=3.4 + 1.5 * len(names), what="schedules are")
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    panels = figure.subplots(
        1 + len(names), 1, sharex=True, squeeze=False, height_ratios=[2.2, *[1.0] * len(names)]
    )[:, 0]
    _draw_rates(panels[0], forecast)
    for axes, name in zip(panels[1:], names, strict=True):
        attribute = "momenta" if name == "momentum" else "weight_decays"
        curves = dict.fromkeys(getattr(each, attribute) for each in forecast.groups)
        for curve, colour in zip(curves, itertools.cycle(_COLOURS)):
            axes.plot(forecast.positions, curve, color=colour, linewidth=1.6, drawstyle=_STEPS)
        axes.set_ylabel(name)
    for axes in panels:
        open_frame(axes)
        axes.set_ylim(bottom=0)
    panels[-1].set_xlabel("updates")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    length = forecast.updates_per_epoch
    above = panels[0].secondary_xaxis(
        "top", functions=(lambda update: update / length, lambda epoch: epoch * length)
    )
    above.set_xlabel("epochs")
    return figure


def _draw_rates(axes: "Axes", forecast: ScheduleForecast) -> None:
    """Draw the rate of each factor, or where there are many the band between the lowest and the highest."""
    factors = _factors(forecast)
    if len(factors) > _MAX_NAMED:
        low, high = ([rate * each for rate in forecast.rates] for each in (min(factors), max(factors)))
        label = f"{len(factors)} rates, x{min(factors):.3g} to x{max(factors):.3g}"
        axes.fill_between(
            forecast.positions, low, high, color=TRAIN_COLOUR, alpha=0.2, step="post", label=label
        )
        axes.plot(forecast.positions, low, color=TRAIN_COLOUR, linewidth=0.8, drawstyle=_STEPS)
        factors = {1.0: 0}
    for factor, colour in zip(factors, itertools.cycle(_COLOURS)):
        rates = [rate * factor for rate in forecast.rates]
        axes.plot(
            forecast.positions, rates, color=colour, linewidth=1.6, drawstyle=_STEPS, label=f"x{factor:.3g}"
        )
    axes.set_ylabel("learning rate")
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(frameon=False)


def _settings(forecast: ScheduleForecast) -> dict[str, Values]:
    """Return momentum and weight decay of the group that has most of the latter."""
    most = max(forecast.groups, key=lambda each: each.weight_decays[0] or 0.0)
    return {"momentum": most.momenta, "weight decay": most.weight_decays}


def _factors(forecast: ScheduleForecast) -> dict[float, int]:
    """Return how many tensors have each factor of the learning rate, the largest first."""
    counts: dict[float, int] = {}
    for each in forecast.groups:
        counts[each.lr_mult] = counts.get(each.lr_mult, 0) + each.num_tensors
    return dict(sorted(counts.items(), reverse=True))


def _group_lines(forecast: ScheduleForecast) -> Iterator[str]:
    """Yield what the groups differ in: factors of the rate, and weight decays."""
    factors = _factors(forecast)
    if len(factors) > _MAX_NAMED:
        names = {each.lr_mult: each.first for each in reversed(forecast.groups)}
        low, high = min(factors), max(factors)
        yield (
            f"{len(factors)} learning rates: from x{low:.3g} ({names[low]} ...) "
            f"to x{high:.3g} ({names[high]} ...)"
        )
    elif factors.keys() != {1.0}:
        for factor, count in factors.items():
            first = next(each.first for each in forecast.groups if each.lr_mult == factor)
            yield f"learning rate x{factor:g}: {counted(count, 'tensor')} ({first} ...)"
    decays: dict[float | None, int] = {}
    for each in forecast.groups:
        decays[each.weight_decays[0]] = decays.get(each.weight_decays[0], 0) + each.num_tensors
    if len(decays) > 1:
        texts = [f"{value:g} for {counted(count, 'tensor')}" for value, count in decays.items()]
        yield f"weight decay at the begin: {', '.join(texts)}"


def _varies(values: Values) -> bool:
    return len(set(values)) > 1
