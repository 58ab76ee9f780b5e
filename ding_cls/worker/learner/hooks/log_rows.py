"""What a run shows while it trains, 80 columns wide: a row every few updates, a row of a table an epoch."""

import math
from collections.abc import Mapping
from typing import Any

from ding_cls.answers.show import Display, digits_of, fits_a_line, show_value

WIDTH = 80
_GAP = "  "
_TRAINING = ("train_loss", "train_acc1", "train_skipped")
_BEST = " best"
_ALL = Display()


def log_row(
    *,
    epoch: int,
    step: int,
    length: int,
    means: Mapping[str, float],
    lr: float,
    rate: float,
    left: float | None,
) -> str:
    """Return ``Epoch 3 12/44  loss 0.531  acc1 80.1  lr 1.0e-03  188 img/s  eta 0:28``.

    Args:
        epoch: the epoch at hand, from 0.
        step: its updates that are finished.
        length: updates in an epoch.
        means: ``total_loss`` and, in percent, ``acc1``, where there is one.
        lr: the learning rate of the last update.
        rate: images per second.
        left: seconds until the run ends; None where that is not known.
    """
    fields = [f"Epoch {epoch} {step}/{length}"]
    if "total_loss" in means:
        fields.append(f"loss {_short_loss(means['total_loss'])}")
    if "acc1" in means:
        fields.append(f"acc1 {means['acc1']:.1f}")
    fields += [f"lr {lr:.1e}", f"{rate:.0f} img/s"]
    if left is not None:
        fields.append(f"eta {short_clock(left)}")
    line = _GAP.join(fields)
    return line if len(line) <= WIDTH else " ".join(fields)


def result_line(head: str, results: Mapping[str, Any], *, is_best: bool, display: Display = _ALL) -> str:
    """Return the line of an evaluation that no epoch's row holds: ``Untrained  loss 2.3711  acc1 9.43``."""
    line = _GAP.join(filter(None, [head, display.line(results, _GAP)]))
    line += _BEST if is_best else ""
    return line if len(line) <= WIDTH else _cut(line)


class EpochTable:
    """Rows of epochs under a header, which comes once, and again where a further column has come up.

    Args:
        display: which results have a column.
    """

    def __init__(self, display: Display = _ALL) -> None:
        self._display = display
        self._widths: dict[str, int] = {}
        self._left_out: list[str] = []

    def lines(self, row: Mapping[str, Any], *, is_best: bool) -> list[str]:
        """Return the lines of an epoch, each at most 80 columns wide.

        Args:
            row: as `History` closes it.
            is_best: whether its evaluation is the best so far.
        """
        names = [name for name in row if name.startswith("val_") or name in _TRAINING]
        shown = [name for name in self._display(dict.fromkeys(names)) if fits_a_line(row[name])]
        lines = [] if self._has_all(shown) else self._header(row, shown)
        cells = (_fitted(name, row, width).rjust(width) for name, width in self._widths.items())
        return [*lines, _GAP.join(cells) + (_BEST if is_best else "")]

    def _has_all(self, names: list[str]) -> bool:
        return bool(self._widths) and {*names} <= {*self._widths, *self._left_out}

    def _header(self, row: Mapping[str, Any], names: list[str]) -> list[str]:
        earlier = [
            name for name in (*self._widths, *self._left_out) if name not in ("epoch", "lr", "seconds")
        ]
        names = [*earlier, *(name for name in names if name not in earlier)]
        widths = {name: max(len(self._title(name)), len(_cell(name, row)), 6) for name in names}
        ends = {"lr": 7, "seconds": 5}
        kept: dict[str, int] = {"epoch": 5}
        room = WIDTH - len(_BEST) - sum(len(_GAP) + width for width in ends.values()) - kept["epoch"]
        for name, width in widths.items():
            if len(_GAP) + width <= room:
                kept[name] = width
                room -= len(_GAP) + width
        self._widths = {**kept, **ends}
        self._left_out = [name for name in names if name not in kept]
        header = _GAP.join(self._title(name).rjust(width) for name, width in self._widths.items())
        if not self._left_out:
            return [header]
        return [_cut(f"in log/metrics.jsonl too: {', '.join(self._left_out)}"), header]

    def _title(self, name: str) -> str:
        # Beside loss and accuracies there is room for no more than this.
        name = (
            "time" if name == "seconds" else name.replace("n_bad", "bad").replace("train_skipped", "skipped")
        )
        return self._display.name(name)


def clock(seconds: float) -> str:
    """Return seconds as H:MM:SS."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def short_clock(seconds: float) -> str:
    """Return seconds in at most five characters where they can be: 0:28, 12:05, 1h02, 5d04h."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes}:{rest:02d}"
    days, hours_left = divmod(hours, 24)
    if hours < 100:
        return f"{hours}h{minutes:02d}"
    return f"{days}d{hours_left:02d}h" if days < 10 else f"{days}d"


def _cell(name: str, row: Mapping[str, Any]) -> str:
    value = row.get(name)
    if value is None:
        return "-"
    if name == "lr":
        return f"{value:.1e}"
    if name == "seconds":
        return short_clock(value)
    if isinstance(value, float) and abs(value) >= 1e5:
        return f"{value:.2e}"
    return show_value(value, digits_of(name))


def _fitted(name: str, row: Mapping[str, Any], width: int) -> str:
    """Return a cell, shortened where its column is too narrow: a number keeps its size."""
    text, value = _cell(name, row), row.get(name)
    if len(text) <= width:
        return text
    return f"{value:.0e}" if isinstance(value, int | float) else text[:width]


def _short_loss(loss: float) -> str:
    return f"{loss:.3f}" if not math.isfinite(loss) or abs(loss) < 1000 else f"{loss:.2e}"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."
