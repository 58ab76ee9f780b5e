"""Nested dicts: copied, merged, overridden by ``a.b.c=value``, saved. It must not know which keys exist."""

import ast
import math
import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from easydict import EasyDict

from ding_cls.common.files import atomic_write
from ding_cls.errors import ConfigError

_HEADER = "# Every value of the run, defaults included. Plain data: read_config reads it back.\n"
_MAX_LINE = 100


def deep_merge_dicts(
    original: Mapping[str, Any] | None, new_dict: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return ``original`` with ``new_dict`` laid over it; both stay as they are.

    Where both hold a dict under a key the two are merged in the same way, anywhere else the new value wins.
    The result and all dicts in it are EasyDicts where either argument is one. None counts as empty.
    """
    merged: dict[str, Any] = _merged(plain_copy(original or {}), plain_copy(new_dict or {}))
    if isinstance(original, EasyDict) or isinstance(new_dict, EasyDict):
        merged = to_easydict(merged)
    return merged


def apply_overrides(
    cfg: Mapping[str, Any], overrides: Sequence[str], *, origins: MutableMapping[str, str] | None = None
) -> dict[str, Any]:
    """Return ``cfg`` with the values of ``a.b.c=value`` strings set, an EasyDict if ``cfg`` is one.

    A value is read as a Python literal; true, false and none in any case are True, False and None; anything
    else is the string as it stands. Elements of lists go by index: ``a.0.b=value``. Missing dicts are made.

    Args:
        cfg: stays as it is.
        overrides: applied in order; the last one wins.
        origins: which line set what (see ``read_config_with_origins``); brought up to date in place.

    Raises:
        ConfigError: an override without ``=`` or with an empty key, or one that leads through a plain value.
    """
    values: dict[str, Any] = plain_copy(cfg)
    for override in overrides:
        path, equals, text = override.partition("=")
        path = path.strip()
        keys = path.split(".")
        if not equals or not all(keys):
            raise ConfigError(f"override {override!r} is not of the form key.key=value")
        values = _replaced(values, keys, _parsed_value(text.strip()), override)
        if origins is not None:
            for stale in [known for known in origins if known.startswith(f"{path}.")]:
                del origins[stale]
            origins[path] = f"override {override}"
    return to_easydict(values) if isinstance(cfg, EasyDict) else values


def save_config(cfg: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Publish ``cfg`` as a Python file that ``read_config`` reads back as it is, to the last digit.

    Args:
        cfg: plain data: dicts with string keys, lists, tuples, strings, numbers (inf and nan too), booleans
            and None.
        path: the file to create or replace, ``total_config.py`` by custom.

    Raises:
        ConfigError: ``cfg`` holds something that is not plain data; it names the key.
        OSError: the file cannot be written.
    """
    values = plain_copy(cfg)
    for problem in not_plain(values, ""):
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


def not_plain(value: Any, path: str) -> Iterator[str]:
    """Yield a line for each part of ``value`` that is not data and cannot be saved; it lies at ``path``."""
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


def _replaced(node: Any, keys: Sequence[str], value: Any, override: str) -> Any:
    """Return ``node`` with the entry that ``keys`` lead to replaced."""
    key, inner = keys[0], keys[1:]
    if isinstance(node, dict):
        known = node.get(key)
        child = {} if known is None else known
        return {**node, key: _replaced(child, inner, value, override) if inner else value}
    if isinstance(node, (list, tuple)):
        if not key.isdecimal() or int(key) >= len(node):
            raise ConfigError(f"override {override!r}: {key!r} is no index of a list of {len(node)} elements")
        items = list(node)
        items[int(key)] = _replaced(items[int(key)], inner, value, override) if inner else value
        return type(node)(items)
    raise ConfigError(f"override {override!r}: {key!r} cannot be set in {node!r}, which has no keys")


def _parsed_value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return text if any(not_plain(value, "")) else value


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
