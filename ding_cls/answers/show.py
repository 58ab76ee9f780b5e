"""Results as text: percentages, losses, and whatever else a metric returns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX_LENGTH = 60
# Before a name: which data it is of, which weights, which of several datasets.
_BEFORE = r"(?:(?:train|val|raw|\d+)_)*"
_PERCENTAGE = re.compile(
    rf"{_BEFORE}(?:acc\d+(?:_thr[\d.e-]+)?|acc_(?:string|character)|exact_match|mAP|[CO](?:P|R|F1)"
    r"|(?:precision|recall|f1)_(?:macro|micro|weighted))"
)
_TOP_K = re.compile(rf"{_BEFORE}acc(\d+)(?:_thr[\d.e-]+)?")
_LOSS = re.compile(r"((?:(?:val|raw|\d+)_)*)loss")


def is_percentage(name: str) -> bool:
    """Return whether a result of this name is a percentage: ``acc1``, ``val_acc1``, ``f1_macro``, ``mAP``."""
    return _PERCENTAGE.fullmatch(name) is not None


def show_value(value: Any, digits: int = 4) -> str:
    """Return a result in one short line of text.

    Args:
        value: a number, with ``digits`` after the point, more where they would all be 0; or anything else.
        digits: of numbers that are not whole by their type.
    """
    if isinstance(value, float):
        is_tiny = 0 < abs(value) < 0.5 * 10**-digits
        return f"{value:.2e}" if is_tiny else f"{value:.{digits}f}"
    text = " ".join(str(value).split())
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}..."


def fits_a_line(value: Any) -> bool:
    """Return whether a result is one value: a list, as of each class, fits no line and no table."""
    return not isinstance(value, list | tuple | Mapping) and getattr(value, "ndim", 0) == 0


def show_results(results: Mapping[str, Any], separator: str = ", ") -> str:
    """Return results in one line: ``loss 0.5310, acc1 80.10``; percentages have two digits, others four."""
    shown = {name: value for name, value in results.items() if fits_a_line(value)}
    return separator.join(f"{name} {show_value(shown[name], digits_of(name))}" for name in shown)


def digits_of(name: str) -> int:
    """Return how many digits a result of this name is shown with."""
    return 2 if is_percentage(name) else 4


def where_lists_are(results: Mapping[str, Any]) -> str:
    """Return where the results are that fit no line; empty where there are none."""
    lists = [str(name) for name, value in results.items() if not fits_a_line(value)]
    return f"in log/metrics.jsonl: {', '.join(lists)}" if lists else ""


def shown_results(
    results: Mapping[str, Any], num_classes: int | None, *, has_one_label: bool = True
) -> dict[str, Any]:
    """Return the results that are informative, for tables, log lines and summaries; nothing is renamed.

    ``acc5`` of five classes or fewer is 100 whatever the network does, as is any ``acc{k}`` above ``acc1`` of
    k classes or fewer. Where a sample has several labels there is no one class that could be right: no
    ``acc{k}`` is informative.

    Args:
        results: by name, also with ``train_`` or ``val_`` in front.
        num_classes: classes in the data; None: unknown, nothing is left out for it.
        has_one_label: each sample has one class number, or one for each task.
    """
    found = {}
    for name, value in results.items():
        match = _TOP_K.fullmatch(str(name))
        places = int(match[1]) if match else 0
        is_certain = places > 1 and num_classes is not None and places >= num_classes
        if not is_certain and (has_one_label or not match):
            found[name] = value
    return found


def shown_name(name: str, *, is_other_loss: bool = False) -> str:
    """Return what a result is called in tables, log lines and summaries: ``val acc1``, ``val cross-entropy``.

    Args:
        name: its key, such as ``loss``, ``val_loss`` or ``train_loss``; this stays what programs read.
        is_other_loss: training minimises another function than the cross-entropy that evaluation calls
            ``loss`` (a policy's attribute ``minimises_cross_entropy``): the latter is
            called by its name then.
    """
    match = _LOSS.fullmatch(name)
    if match and is_other_loss:
        name = f"{match[1]}cross-entropy"
    return re.sub(r"^(train|val)_", r"\1 ", name)


@dataclass(frozen=True, slots=True)
class Display:
    """Which of a run's results are shown, and what they are called there.

    Attributes:
        num_classes: as in `shown_results`, like the next.
        has_one_label: as there.
        is_other_loss: as in `shown_name`.
    """

    num_classes: int | None = None
    has_one_label: bool = True
    is_other_loss: bool = False

    def __call__(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Return the results to show, by the names in the data."""
        return shown_results(results, self.num_classes, has_one_label=self.has_one_label)

    def name(self, name: str) -> str:
        """Return what a result is called."""
        return shown_name(name, is_other_loss=self.is_other_loss)

    def line(self, results: Mapping[str, Any], separator: str = ", ") -> str:
        """Return the results to show in one line, as `show_results`."""
        return show_results({self.name(name): value for name, value in self(results).items()}, separator)
