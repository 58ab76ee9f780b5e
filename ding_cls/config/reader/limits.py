"""What a config may hold and compute, so that a file of unknown origin costs neither time nor memory."""

from typing import Any

# Of all files of a config together; Python's parser takes up to 3 us and 900 bytes of memory a byte.
MAX_BYTES = 200_000
MAX_NODES = 50_000
# Python 3.11 parses an f-string in time proportional to its length times its fields.
MAX_BRACES = 5_000
MAX_BASE_CHAIN = 20
MAX_DEPTH = 50
MAX_EXPRESSION_DEPTH = 100
# The table of origins repeats a key in the path of each value below it.
MAX_KEY = 200
MAX_INT_BITS = 2048
MAX_LENGTH = 50_000
MAX_WORK = 200_000
# To look up and open a base file takes as long as some thousand expressions.
BASE_WORK = 2000
_ELEMENTS_A_UNIT = 16


class Work:
    """Counts what reading a config and its bases computes: one unit a value, more for a long one."""

    def __init__(self) -> None:
        self._done = 0

    @property
    def is_exceeded(self) -> bool:
        """Whether nothing more may be computed."""
        return self._done > MAX_WORK

    def add(self, count: int = 1) -> None:
        """Count some units.

        Raises:
            ValueError: they exceed ``MAX_WORK``.
        """
        self._done += count
        if self._done > MAX_WORK:
            raise ValueError(_too_much())

    def add_value(self, value: Any) -> None:
        """Count a value that was computed, by its number of elements or characters."""
        is_sized = isinstance(value, (str, list, tuple, dict))
        self.add(1 + len(value) // _ELEMENTS_A_UNIT if is_sized else 1)


def check_length(length: int) -> None:
    """Raise ValueError where a list or string about to be built would be longer than ``MAX_LENGTH``."""
    if length > MAX_LENGTH:
        raise ValueError(_too_much())


def check_number(value: Any) -> Any:
    """Return the value; raise ValueError where it is complex, or a whole number beyond ``MAX_INT_BITS``."""
    if isinstance(value, complex) or (isinstance(value, int) and value.bit_length() > MAX_INT_BITS):
        raise ValueError(f"the number is complex or has more than {MAX_INT_BITS} bits")
    return value


def _too_much() -> str:
    return f"the file computes too much: more than {MAX_WORK} values, or a value longer than {MAX_LENGTH}"
