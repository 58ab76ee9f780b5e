"""What an expression of a config file may compute: a short list of functions, each with a price.

Every operation is paid for before it runs, so a hostile file is refused long before it costs time or memory.
It must not know syntax trees beyond the operators' names.
"""

import ast
import operator
import os.path
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from string import Formatter
from typing import Any, TypeAlias

SCALARS = (str, int, float, bool, type(None))
MAX_INT_BITS = 2048
MAX_COST = 200_000
MAX_ROUND_DIGITS = 100
MAX_FORMAT_WIDTH = 100


class Budget:
    """What a file and its bases may spend: one unit for each expression, element and character computed."""

    def __init__(self) -> None:
        self._left = MAX_COST

    @property
    def is_spent(self) -> bool:
        """Whether there is nothing left to read with."""
        return self._left < 0

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


def call_method(name: str, text: str, arguments: list[Any], *, budget: Budget) -> Any:
    """Return the result of one of ``TEXT_METHODS`` on a string."""
    return TEXT_METHODS[name](budget, text, *arguments)


def formatted(value: Any, conversion: str, spec: str, *, budget: Budget) -> str:
    """Return a number or a string as a replacement field of a format string shows it."""
    if not isinstance(value, SCALARS):
        raise TypeError(f"a format string holds numbers and strings, not {type(value).__name__}")
    budget.spend(len(value) if isinstance(value, str) else 1)
    if any(int(number) > MAX_FORMAT_WIDTH for number in re.findall(r"\d+", spec)):
        raise ValueError(f"widths and precisions go up to {MAX_FORMAT_WIDTH} in a format string")
    converters: dict[str, Callable[[Any], str]] = {"s": str, "r": repr, "a": ascii}
    return format(converters[conversion](value) if conversion in converters else value, spec)


def format_text(template: str, arguments: Sequence[Any], names: Mapping[str, Any], *, budget: Budget) -> str:
    """Return ``template.format(*arguments, **names)``; a field is a name or a number and no more."""
    return _format(template, arguments, names, count(), budget)


def shown(value: object) -> str:
    """Return a value as a message shows it: its ``repr``, cut short, or its kind."""
    # The repr of a list of shared lists takes exponential time.
    return shortened(repr(value)) if isinstance(value, SCALARS) else f"a {type(value).__name__}"


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


def _format(
    template: str, arguments: Sequence[Any], names: Mapping[str, Any], numbers: Iterator[int], budget: Budget
) -> str:
    pieces = []
    for literal, field, spec, conversion in Formatter().parse(template):
        budget.spend(len(literal) + 1)
        pieces.append(literal)
        if field is None:
            continue
        if field and not field.isidentifier() and not field.isdecimal():
            raise ValueError(
                f"field {shown(field)} of format(): only a name or a number is allowed in braces"
            )
        value = _field_value(field or str(next(numbers)), arguments, names)
        inner = _format(spec, arguments, names, numbers, budget) if spec else ""
        pieces.append(formatted(value, conversion or "", inner, budget=budget))
    return "".join(pieces)


def _field_value(field: str, arguments: Sequence[Any], names: Mapping[str, Any]) -> Any:
    if field.isidentifier():
        if field in names:
            return names[field]
        remedy = f"write .format({shortened(field)}=...)"
    else:
        if int(field) < len(arguments):
            return arguments[int(field)]
        remedy = f"it gets {len(arguments)} without a name"
    raise ValueError(f"field {{{shortened(field)}}} of format() has no value; {remedy}")


def _replace(budget: Budget, text: str, old: str, new: str) -> str:
    budget.spend(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _join_text(budget: Budget, text: str, parts: Any) -> str:
    strings = elements(parts, budget)
    budget.spend(sum(len(part) for part in strings) + len(text) * len(strings))
    return text.join(strings)


def _split(budget: Budget, text: str, separator: str | None = None) -> list[str]:
    budget.spend(len(text))
    return text.split(separator)


def _plain_method(method: Callable[..., Any]) -> "Function":
    def paid(budget: Budget, text: str, *arguments: str) -> Any:
        budget.spend(len(text) + sum(len(each) for each in arguments))
        return method(text, *arguments)

    return paid


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

TEXT_METHODS: dict[str, Function] = {
    "endswith": _plain_method(str.endswith),
    "join": _join_text,
    "lower": _plain_method(str.lower),
    "replace": _replace,
    "split": _split,
    "startswith": _plain_method(str.startswith),
    "strip": _plain_method(str.strip),
    "upper": _plain_method(str.upper),
}

MAPPINGS: Sequence[str] = ("dict", "easydict.EasyDict")
IMPORTABLE: Sequence[str] = ("os", "os.path", "os.path.join", "easydict", "easydict.EasyDict")
CALLABLE_TEXT = (
    "dict, EasyDict, list, tuple, range, int, float, str, bool, len, round, os.path.join, "
    f"and {', '.join(sorted(['format', *TEXT_METHODS]))} of a string"
)

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
