"""Nested dicts: copied, merged, saved. It must not know which keys exist."""

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from easydict import EasyDict

from ding_cls.common.files import atomic_write
from ding_cls.errors import ConfigError

_HEADER = "# Every value of the run, defaults included. Plain data: read_config reads it back.\n"
_MAX_LINE = 100
_METHODS = frozenset(name for name in dir(EasyDict) if not name.startswith("_"))


def deep_merge_dicts(
    original: Mapping[str, Any] | None, new_dict: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return ``new_dict`` merged into ``original``; both stay as they are.

    Where both hold a dict under a key the two are merged in the same way, anywhere else the new value wins.
    The result and all dicts in it are EasyDicts where either argument is one. None counts as empty.
    """
    merged: dict[str, Any] = _merged(plain_copy(original or {}), plain_copy(new_dict or {}))
    if isinstance(original, EasyDict) or isinstance(new_dict, EasyDict):
        merged = to_easydict(merged)
    return merged


def save_config(cfg: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Publish ``cfg`` as a Python file that ``read_config`` reads back as it is, to the last digit.

    Args:
        cfg: plain data: dicts with string keys, lists, tuples, strings, numbers (inf and nan too), booleans
            and None.
        path: the file to create or replace, ``total_config.py`` by custom.

    Raises:
        ConfigError: ``cfg`` holds something that is not plain data, or that could not be read back; it names
            the key.
        OSError: the file cannot be written.
    """
    values = plain_copy(cfg)
    for problem in [*not_plain(values, ""), *shadowing_keys(values, "")]:
        raise ConfigError(problem)
    with atomic_write(path) as file:
        file.write(f"{_HEADER}main_config = {_literal(values, indent=0)}\n".encode())


def plain_copy(value: Any) -> Any:
    """Return a copy made of plain dicts, lists, tuples and numbers; paths become strings.

    EasyDict, NumPy's float64 and enums of strings or integers lose their class; other objects are kept.
    """
    if isinstance(value, Mapping):
        # A key named 'items' or 'keys' hides that method of an EasyDict.
        pairs = dict.items(value) if isinstance(value, dict) else value.items()
        return {key: plain_copy(item) for key, item in pairs}
    if isinstance(value, (list, tuple)):
        items = [plain_copy(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value) if isinstance(value, int) else float(value)
    return value


def to_easydict(value: Any) -> Any:
    """Return a copy in which every dict, inside lists of lists too, is an EasyDict.

    Raises:
        ConfigError: a key that cannot be an attribute.
    """
    if isinstance(value, (list, tuple)):
        return type(value)(to_easydict(item) for item in value)
    if not isinstance(value, dict):
        return value
    factory: Any = EasyDict
    result = factory()
    for key, item in dict.items(value):
        if problem := key_problem(key):
            raise ConfigError(problem)
        result[key] = to_easydict(item)
    return result


def key_problem(key: object) -> str | None:
    """Return what is wrong with a key, or None. EasyDict makes attributes of keys; Python's own are taken."""
    if not isinstance(key, str):
        return f"key {key!r} is not a string"
    if key.startswith("__") and key.endswith("__"):
        return f"key {key!r} is reserved by Python"
    return None


def is_shadowing(key: object, owner: Mapping[Any, Any]) -> bool:
    """Whether a key of a config hides a method of the dict it is in: ``cfg.items`` would no longer be one.

    The arguments of a part (a dict with a ``type``) are handed over by name, not read off a dict: there
    ``keys=['img']`` is no method.
    """
    return key in _METHODS and "type" not in owner


def shadowing_problem(key: str, path: str) -> str:
    """Return the line about a key that hides a method, at ``path``."""
    return f"{path}: a key named {key!r} hides the dict method of that name; rename it"


def shadowing_keys(value: Any, path: str) -> Iterator[str]:
    """Yield a line for each key in ``value``, whose path is ``path``, that hides a dict's method."""
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if is_shadowing(key, value):
                yield shadowing_problem(key, inner)
            yield from shadowing_keys(item, inner)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from shadowing_keys(item, f"{path}.{index}")


def not_plain(value: Any, path: str) -> Iterator[str]:
    """Yield a line for each part of ``value`` that is not data and cannot be saved; its path is ``path``."""
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if problem := key_problem(key):
                yield f"{inner}: {problem}"
            yield from not_plain(item, inner)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from not_plain(item, f"{path}.{index}")
    elif not isinstance(value, (str, int, float, type(None))):
        kinds = "strings, numbers, booleans, None, lists and dicts"
        yield f"{path} is a {type(value).__name__}; a config holds {kinds}"


def _merged(original: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    for key, value in new.items():
        known = original.get(key)
        original[key] = (
            _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
        )
    return original


def _literal(value: Any, *, indent: int) -> str:
    """Return Python's spelling of plain data, one line where it fits."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if not isinstance(value, (dict, list, tuple)):
        return repr(value)
    if isinstance(value, dict):
        opening, closing = "{}"
        parts = [f"{key!r}: {_literal(item, indent=indent + 4)}" for key, item in value.items()]
    else:
        opening, closing = "()" if isinstance(value, tuple) else "[]"
        parts = [_literal(item, indent=indent + 4) for item in value]
    is_short = indent + sum(len(part) + 2 for part in parts) <= _MAX_LINE and not any(
        "\n" in part for part in parts
    )
    if not parts or (is_short and not isinstance(value, dict)):
        trailing = "," if isinstance(value, tuple) and len(parts) == 1 else ""
        return f"{opening}{', '.join(parts)}{trailing}{closing}"
    margin = " " * (indent + 4)
    return "\n".join([opening, *(f"{margin}{part}," for part in parts), " " * indent + closing])
