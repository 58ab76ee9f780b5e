"""What an expression of a config file may compute: a short list of functions, each with a price.

Every operation is paid for before it runs, so a hostile file is refused long before it costs time or memory.
It must not know syntax trees beyond the operators' names.
"""

import ast
import operator
import os.path
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

SCALARS = (str, int, float, bool, type(None))
MAX_INT_BITS = 2048
MAX_COST = 200_000
MAX_ROUND_DIGITS = 100


class Budget:
    """What one file may spend: one unit for each expression, list element and character computed."""

    def __init__(self) -> None:
        self._left = MAX_COST

    def spend(self, amount: int = 1) -> None:
        """Pay before the work is done.

        Raises:
            ValueError: the file has used up what it may compute.
        """
        self._left -= amount
        if self._left < 0:
            raise ValueError(f"the file computes too much: more than {MAX_COST} values and characters in all")


def elements(value: Any, budget: Budget) -> list[Any]:
    """Return what iterating over ``value`` yields: of a list, tuple, string, or the keys of a dict."""
    if not isinstance(value, (list, tuple, str, dict)):
        raise TypeError(f"{type(value).__name__} is not a list, tuple, string or dict")
    budget.spend(len(value))
    return list(value)


def arithmetic(symbol: ast.operator, left: Any, right: Any, *, budget: Budget) -> Any:
    """Return ``left symbol right`` of numbers, ``+`` of two sequences alike, or a sequence ``*`` a count."""
    if isinstance(left, (int, float)) and isinstance(right, (int, float)) and type(symbol) in _NUMERIC:
        if isinstance(symbol, ast.Pow) and isinstance(left, int) and isinstance(right, int):
            _refuse_huge_power(left, right)
        return _NUMERIC[type(symbol)](left, right)
    if isinstance(symbol, ast.Add) and type(left) is type(right) and isinstance(left, (str, list, tuple)):
        budget.spend(len(left) + len(right))
        return left + right
    if isinstance(symbol, ast.Mult):
        if isinstance(left, int):
            left, right = right, left
        if isinstance(left, (str, list, tuple)) and isinstance(right, int):
            budget.spend(len(left) * max(right, 0))
            return left * right
    kinds = f"{type(left).__name__} and {type(right).__name__}"
    raise TypeError(
        f"operator {type(symbol).__name__} is not for {kinds}; numbers, and + of two lists, are computed"
    )


def compare(symbol: ast.cmpop, left: Any, right: Any, *, budget: Budget) -> Any:
    """Return ``left symbol right``; both are paid for first, as shared parts make equality exponential."""
    _pay_for_walk(left, budget)
    _pay_for_walk(right, budget)
    return _COMPARISONS[type(symbol)](left, right)


def call(name: str, arguments: list[Any], *, budget: Budget) -> Any:
    """Return the result of one of ``FUNCTIONS`` on data."""
    return FUNCTIONS[name](budget, *arguments)


def shown(value: object) -> str:
    """Return a value as a message shows it: its ``repr``, cut short."""
    return shortened(repr(value))


def shortened(text: str) -> str:
    """Return a text that fits into a message."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refuse_huge_power(base: int, exponent: int) -> None:
    if exponent > 0 and base.bit_length() * exponent > MAX_INT_BITS:
        raise ValueError(f"the result of ** is too large: more than {MAX_INT_BITS} bits")


def _pay_for_walk(value: Any, budget: Budget) -> None:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        budget.spend(len(node) if isinstance(node, str) else 1)
        if isinstance(node, (list, tuple)):
            waiting.extend(elements(node, budget))
        elif isinstance(node, dict):
            waiting.extend(elements(list(node.values()), budget))


def _range(budget: Budget, *bounds: int) -> list[int]:
    numbers = range(*bounds)
    budget.spend(len(numbers))
    return list(numbers)


def _list(budget: Budget, values: Any = ()) -> list[Any]:
    return elements(values, budget)


def _tuple(budget: Budget, values: Any = ()) -> tuple[Any, ...]:
    return tuple(elements(values, budget))


def _str(budget: Budget, value: Any = "") -> str:
    return str(_scalar(value, budget))


def _int(budget: Budget, value: Any = 0, *base: int) -> int:
    return int(_scalar(value, budget), *base)


def _float(budget: Budget, value: Any = 0.0) -> float:
    return float(_scalar(value, budget))


def _bool(budget: Budget, value: Any = False) -> bool:
    return bool(value)


def _len(budget: Budget, value: Any) -> int:
    return len(value)


def _round(budget: Budget, value: float, digits: int | None = None) -> float:
    # round(1, -10**9) would compute 10**10**9.
    if digits is not None and abs(digits) > MAX_ROUND_DIGITS:
        raise ValueError(f"round() takes at most {MAX_ROUND_DIGITS} digits")
    return round(value, digits)


def _join(budget: Budget, *parts: str) -> str:
    budget.spend(sum(len(part) for part in parts))
    return os.path.join(*parts)


def _scalar(value: Any, budget: Budget) -> Any:
    if not isinstance(value, SCALARS):
        raise TypeError(f"{type(value).__name__} is not a number or a string")
    budget.spend(len(value) if isinstance(value, str) else 1)
    return value


Function: TypeAlias = Callable[..., Any]

FUNCTIONS: dict[str, Function] = {
    "list": _list,
    "tuple": _tuple,
    "range": _range,
    "int": _int,
    "float": _float,
    "str": _str,
    "bool": _bool,
    "len": _len,
    "round": _round,
    "os.path.join": _join,
}

MAPPINGS: Sequence[str] = ("dict", "easydict.EasyDict")
IMPORTABLE: Sequence[str] = ("os", "os.path", "os.path.join", "easydict", "easydict.EasyDict")
CALLABLE_TEXT = "dict, EasyDict, list, tuple, range, int, float, str, bool, len, round, os.path.join"

_NUMERIC: dict[type[ast.operator], Function] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}

_COMPARISONS: dict[type[ast.cmpop], Function] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,  # codespell:ignore notin
}
