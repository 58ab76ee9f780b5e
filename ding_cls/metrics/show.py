"""Results as text: percentages, losses, and whatever else a metric returns."""

import re
from collections.abc import Mapping
from typing import Any

_MAX_LENGTH = 60
_PERCENTAGE = re.compile(
    r"(?:train_|val_)?(?:acc\d+(?:_thr[\d.e-]+)?|acc_(?:string|character)|exact_match|mAP|[CO](?:P|R|F1)"
    r"|(?:precision|recall|f1)_(?:macro|micro|weighted))"
)


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
