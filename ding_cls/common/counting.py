"""Counts: one that is handed around, and how two of them are shown."""

from collections.abc import Sequence


class CountVar:
    """A counter that several objects share.

    Args:
        init_val: where it begins.
    """

    def __init__(self, init_val: int = 0) -> None:
        self._val = init_val

    @property
    def val(self) -> int:
        """The count."""
        return self._val

    def update(self, val: int) -> None:
        """Set the count."""
        self._val = val

    def add(self, add_num: int) -> None:
        """Raise the count."""
        self._val += add_num


def either(numbers: tuple[int, int]) -> str:
    """Return '29 or 30' for 29 and 30, and one number where both are the same."""
    return " or ".join(f"{each:,}" for each in sorted({*numbers}))


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: '1 epoch', '1,200 images', '2 batches' for ``plural='batches'``."""
    figure = f"{number:g}" if number % 1 else f"{int(number):,}"
    return f"{figure} {noun if number == 1 else plural or noun + 's'}"


def first_few(names: Sequence[str], count: int) -> str:
    """Return the first of many names, and how many more there are: 'a, b and 7 more'."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
