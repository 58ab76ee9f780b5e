"""A config as text: Python that ``read_config`` reads back, with the origin of each value in a comment.

It must not know which keys exist.
"""

import keyword
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

# An origin such as 'imagenet_bs256.py:12' then ends within 80 columns.
_MAX_TEXT = 56
_INDENT = 4

Origin: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    origin: str = ""


def show_config(cfg: Mapping[str, Any], origin: Origin) -> str:
    """Return ``cfg`` as assignments, one line a value, with its origin in a comment on the right.

    A dict or list whose values have one origin is put on one line where it fits.

    Args:
        cfg: nested plain data with string keys.
        origin: returns where the value at a dotted path was set; '' where that is not known.
    """
    lines: list[_Line] = []
    for key, value in cfg.items():
        lines += _lines(value, str(key), origin, before=f"{key} = ", after="", indent=0)
    column = min(max((len(line.text) for line in lines if line.origin), default=0), _MAX_TEXT) + 2
    return "\n".join(
        f"{line.text.ljust(column - 2)}  # {line.origin}" if line.origin else line.text for line in lines
    )


def literal(value: Any) -> str:
    """Return Python's spelling of plain data in one line, dicts as ``dict(key=value)``."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if isinstance(value, Mapping):
        if not _has_names(value):
            return "{" + ", ".join(f"{key!r}: {literal(item)}" for key, item in value.items()) + "}"
        return f"dict({', '.join(f'{key}={literal(item)}' for key, item in value.items())})"
    if isinstance(value, (list, tuple)):
        opening, closing = "()" if isinstance(value, tuple) else "[]"
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{opening}{', '.join(literal(item) for item in value)}{comma}{closing}"
    return repr(value)


def _lines(value: Any, path: str, origin: Origin, *, before: str, after: str, indent: int) -> Iterator[_Line]:
    """Yield the lines of one value, with ``before`` and ``after`` around it."""
    margin = " " * indent
    whole = f"{margin}{before}{literal(value)}{after}"
    origins = {origin(each) for each in _leaves(value, path)}
    if len(origins) == 1 and (len(whole) <= _MAX_TEXT or not _parts(value)):
        yield _Line(whole, origins.pop())
        return
    if isinstance(value, (list, tuple)) and not any(
        isinstance(item, (Mapping, list, tuple)) for item in value
    ):
        yield from _filled(value, origins.pop(), before=before, after=after, indent=indent)
        return
    opening, closing = _brackets(value)
    yield _Line(f"{margin}{before}{opening}")
    for key, item in _parts(value):
        name = "" if opening in "[(" else f"{key!r}: " if opening == "{" else f"{key}="
        yield from _lines(item, f"{path}.{key}", origin, before=name, after=",", indent=indent + _INDENT)
    yield _Line(f"{margin}{closing}{after}")


def _filled(values: Any, origin: str, *, before: str, after: str, indent: int) -> Iterator[_Line]:
    """Yield a long list of plain values with as many in a line as fit."""
    opening, closing = _brackets(values)
    yield _Line(f"{' ' * indent}{before}{opening}", origin)
    row = ""
    for item in values:
        word = f"{literal(item)},"
        if row and indent + _INDENT + len(row) + 1 + len(word) > _MAX_TEXT:
            yield _Line(f"{' ' * (indent + _INDENT)}{row}")
            row = ""
        row = f"{row} {word}".lstrip()
    yield _Line(f"{' ' * (indent + _INDENT)}{row}")
    yield _Line(f"{' ' * indent}{closing}{after}")


def _brackets(value: Any) -> tuple[str, str]:
    if isinstance(value, Mapping):
        return ("dict(", ")") if _has_names(value) else ("{", "}")
    return ("(", ")") if isinstance(value, tuple) else ("[", "]")


def _parts(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, (list, tuple)) else []


def _leaves(value: Any, path: str) -> Iterator[str]:
    """Yield the paths that have origins of their own: those of plain values and of lists of these."""
    parts = _parts(value)
    is_plain_list = not isinstance(value, Mapping) and not any(_parts(item) for _, item in parts)
    if not parts or is_plain_list:
        yield path
        return
    for key, item in parts:
        yield from _leaves(item, f"{path}.{key}")


def _has_names(value: Mapping[str, Any]) -> bool:
    """Return whether the keys can be keyword arguments of ``dict``."""
    return all(key.isidentifier() and not keyword.iskeyword(key) for key in value)
