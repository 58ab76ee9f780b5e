"""What an expression of a config file may compute: a short list of functions and operators on data.

None runs code of the file, and each is quick and small: what could be huge is refused before it is built.
"""

import ast
import operator
import os.path
import re
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any

from ding_cls.config.reader.limits import MAX_INT_BITS, Work, check_length

SCALARS = (str, int, float, bool, type(None))
_MAX_ROUND_DIGITS = 100
# A width of three digits or more fills memory, not a line.
_WIDE = re.compile(r"\d{3}")
# `strip` and `replace` take time in proportion to the text times the argument.
_MAX_ARGUMENT = 1000


def elements(value: Any) -> list[Any]:
    """Return what iterating over ``value`` yields: of a list, tuple, string, or the keys of a dict."""
    if not isinstance(value, (list, tuple, str, dict)):
        raise TypeError(f"{kind(value)} is not a list, tuple, string or dict")
    return list(value)


def arithmetic(symbol: ast.operator, left: Any, right: Any) -> Any:
    """Return ``left symbol right`` of numbers, ``+`` of two sequences alike, or a sequence ``*`` a count."""
    if isinstance(left, (int, float)) and isinstance(right, (int, float)) and type(symbol) in _NUMERIC:
        if isinstance(symbol, ast.Pow) and isinstance(left, int) and left.bit_length() * right > MAX_INT_BITS:
            raise ValueError(f"the result of ** is too large: more than {MAX_INT_BITS} bits")
        return _NUMERIC[type(symbol)](left, right)
    if isinstance(symbol, ast.Add) and type(left) is type(right) and isinstance(left, (str, list, tuple)):
        return left + right
    if isinstance(symbol, ast.Mult):
        if isinstance(left, int):
            left, right = right, left
        if isinstance(left, (str, list, tuple)) and isinstance(right, int):
            check_length(len(left) * right)
            return left * right
    kinds = f"{kind(left)} and {kind(right)}"
    raise TypeError(
        f"operator {type(symbol).__name__} is not for {kinds}; numbers, and + of two lists, are computed"
    )


def compare(symbol: ast.cmpop, left: Any, right: Any, *, work: Work) -> Any:
    """Return ``left symbol right`` of numbers, strings, and lists of these."""
    is_lookup = isinstance(symbol, (ast.In, ast.NotIn)) and isinstance(right, dict)
    for side in (left,) if is_lookup else (left, right):
        for item in side if isinstance(side, (list, tuple)) else [side]:
            work.add_value(item)
            # Lists that share their parts would take exponential time.
            if not isinstance(item, SCALARS):
                raise TypeError("only numbers, strings and lists of these are compared in a config file")
    return _COMPARISONS[type(symbol)](left, right)


def call_method(name: str, text: str, arguments: Sequence[Any]) -> Any:
    """Return the result of one of ``TEXT_METHODS`` on a string."""
    if any(isinstance(each, str) and len(each) > _MAX_ARGUMENT for each in arguments):
        raise ValueError(f"{name}() takes strings of up to {_MAX_ARGUMENT} characters")
    return TEXT_METHODS[name](text, *arguments)


def formatted(value: Any, conversion: str, spec: str) -> str:
    """Return a number or a string as a replacement field of a format string shows it."""
    if not isinstance(value, SCALARS):
        raise TypeError(f"a format string holds numbers and strings, not {kind(value)}")
    if _WIDE.search(spec):
        raise ValueError("widths and precisions go up to 99 in a format string")
    converters: dict[str, Callable[[Any], str]] = {"s": str, "r": repr, "a": ascii}
    return format(converters[conversion](value) if conversion else value, spec)


def format_text(template: str, arguments: Sequence[Any], names: Mapping[str, Any], *, work: Work) -> str:
    """Return ``template.format(*arguments, **names)``; a field is a name or a number and no more."""
    return _Formatter(work).vformat(template, arguments, names)


def kind(value: object) -> str:
    """Return what a message calls the type of a value."""
    return "dict" if isinstance(value, dict) else type(value).__name__


def shown(value: object) -> str:
    """Return a value as a message shows it: its ``repr``, cut short, or its kind."""
    # The repr of a list of shared lists takes exponential time.
    return shortened(repr(value)) if isinstance(value, SCALARS) else f"a {kind(value)}"


def shortened(text: str) -> str:
    """Return a text that fits into a message."""
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Formatter(Formatter):
    def __init__(self, work: Work) -> None:
        self._work = work

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if field_name.isidentifier():
            if field_name in kwargs:
                return kwargs[field_name], field_name
            remedy = f"write .format({shortened(field_name)}=...)"
        elif field_name.isdecimal():
            if int(field_name) < len(args):
                return args[int(field_name)], field_name
            remedy = f"it gets {len(args)} without a name"
        else:
            raise ValueError(
                f"field {shown(field_name)} of format(): only a name or a number is allowed in braces"
            )
        raise ValueError(f"field {{{shortened(field_name)}}} of format() has no value; {remedy}")

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return formatted(value, conversion, "") if conversion else value

    def format_field(self, value: Any, format_spec: str) -> Any:
        text = formatted(value, "", format_spec)
        self._work.add_value(text)
        return text


def _join(text: str, parts: Any) -> str:
    strings = elements(parts)
    check_length(sum(len(text) + len(part) for part in strings))
    return text.join(strings)


def _range(*bounds: int) -> list[int]:
    check_length(len(range(*bounds)))
    return list(range(*bounds))


def _round(value: float, digits: int | None = None) -> float:
    # round(1, -10**9) would compute 10**10**9.
    if digits is not None and abs(digits) > _MAX_ROUND_DIGITS:
        raise ValueError(f"round() takes at most {_MAX_ROUND_DIGITS} digits")
    return round(value, digits)


def _scalar(value: Any) -> Any:
    if not isinstance(value, SCALARS):
        raise TypeError(f"{kind(value)} is not a number or a string")
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "list": lambda values=(): elements(values),
    "tuple": lambda values=(): tuple(elements(values)),
    "range": _range,
    "int": lambda value=0, *base: int(_scalar(value), *base),
    "float": lambda value=0.0: float(_scalar(value)),
    "str": lambda value="": str(_scalar(value)),
    "bool": bool,
    "len": len,
    "round": _round,
    "os.path.join": os.path.join,
}

TEXT_METHODS: dict[str, Callable[..., Any]] = {
    "endswith": str.endswith,
    "join": _join,
    "lower": str.lower,
    "replace": str.replace,
    "split": str.split,
    "startswith": str.startswith,
    "strip": str.strip,
    "upper": str.upper,
}

MAPPINGS: Sequence[str] = ("dict", "easydict.EasyDict")
IMPORTABLE: Sequence[str] = ("os", "os.path", "os.path.join", "easydict", "easydict.EasyDict")
CALLABLE_TEXT = (
    "dict, EasyDict, list, tuple, range, int, float, str, bool, len, round, os.path.join, "
    f"and {', '.join(sorted(['format', *TEXT_METHODS]))} of a string"
)

_NUMERIC: dict[type[ast.operator], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}

_COMPARISONS: dict[type[ast.cmpop], Callable[..., Any]] = {
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
