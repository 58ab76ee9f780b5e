"""Values set from the command line, ``a.b.c=value``: what a value's text means, and where it goes.

It must not know which keys exist.
"""

import ast
import re
import warnings
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from easydict import EasyDict

from ding_cls.config.merge import (
    is_shadowing,
    key_problem,
    not_plain,
    plain_copy,
    shadowing_keys,
    to_easydict,
)
from ding_cls.config.reader.inherit import DELETE
from ding_cls.config.reader.limits import MAX_DEPTH, MAX_INT_BITS
from ding_cls.errors import ConfigError

MAX_OVERRIDE = 50_000

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_WORDS = {"true": True, "false": False, "none": None}
_NAMED_FLOAT = re.compile(r"[-+]?(?:inf|infinity|nan)", re.IGNORECASE)
_NUMBER = re.compile(
    r"[-+]?(?:0[xob]\w+|(?:\d[\d_]*+(?:\.[\d_]*+)?|\.\d[\d_]*+)(?:e[-+]?\d+)?)", re.IGNORECASE
)
_STRING = re.compile(r"'(?:[^'\\]++|\\.)*+'|\"(?:[^\"\\]++|\\.)*+\"", re.DOTALL)
_MARK = re.compile(rf"(?<!\w)(?:{_STRING.pattern})|[\[\](){{}},]", re.DOTALL)
_ENTRY = re.compile(rf"\s*({_STRING.pattern}|[\w.\-]+)\s*([:=])(.*)", re.DOTALL)


def apply_overrides(
    cfg: Mapping[str, Any], overrides: Sequence[str], *, origins: MutableMapping[str, str] | None = None
) -> dict[str, Any]:
    """Return ``cfg`` with the values of ``a.b.c=value`` strings set, an EasyDict if ``cfg`` is one.

    A value is a number, a quoted string, true, false or none in any case; a list ``[a, b]``, a tuple
    ``(a, b)``, a dict ``{a: b}`` or ``dict(a=b)`` of such values, as deep as you like; or, without quotes,
    the string as it stands. ``a,b`` with no brackets is a list, so a string with a comma needs its quotes.
    Elements of lists go by index: ``a.0.b=value``. Missing dicts are made.

    A dict is merged into a dict that is there, unless it holds ``_delete_=True``; anything else replaces what
    is there.

    Args:
        cfg: stays as it is.
        overrides: applied in order; the last one wins.
        origins: which line set what (see ``read_config_with_origins``); brought up to date in place.

    Raises:
        ConfigError: an override without ``=`` or with an empty key, or one that leads through a plain value.
    """
    values: dict[str, Any] = plain_copy(cfg)
    for override in overrides:
        values = _Override(override, origins).applied(values)
    return to_easydict(values) if isinstance(cfg, EasyDict) else values


def parsed_value(text: str) -> Any:
    """Return the value that an override's text stands for (see ``apply_overrides``)."""
    text = text.strip()
    try:
        parts = _split(text)
        return _value(text) if parts in ([], [text]) else [_value(part) for part in parts]
    except ValueError:
        return text


class _Override:
    """One ``a.b.c=value``.

    Args:
        text: the whole.
        origins: the table to bring up to date, or None.
    """

    def __init__(self, text: str, origins: MutableMapping[str, str] | None) -> None:
        self._text = text
        self._origins: MutableMapping[str, str] = {} if origins is None else origins

    def applied(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values with this one set."""
        path, equals, text = self._text.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise ConfigError(f"override {self._text!r} is not of the form key.key=value")
        if len(self._text) > MAX_OVERRIDE or len(keys) > MAX_DEPTH:
            raise ConfigError(
                f"override {self._text[:60]!r}... is longer than {MAX_OVERRIDE} characters, or too deep"
            )
        result: dict[str, Any] = self._set(values, keys, parsed_value(text), "")
        return result

    def _set(self, node: Any, keys: Sequence[str], value: Any, prefix: str) -> Any:
        """Return ``node``, which is at ``prefix``, with the entry that ``keys`` lead to set."""
        key, inner = keys[0], keys[1:]
        path = f"{prefix}{key}"
        if isinstance(node, dict):
            if not inner:
                return self._merged(node, key, value, path)
            known = node.get(key)
            changed = {**node, key: self._set({} if known is None else known, inner, value, f"{path}.")}
            return self._checked(changed, key)
        if isinstance(node, (list, tuple)):
            if not key.isdecimal() or int(key) >= len(node):
                raise self._refused(f"{key!r} is no index of a list of {len(node)} elements")
            items = {str(index): item for index, item in enumerate(node)}
            return type(node)(self._set(items, [str(int(key)), *inner], value, prefix).values())
        whole = f"; set the whole: {prefix[:-1]}={{{key}: ...}}" if isinstance(node, str) else ""
        raise self._refused(f"{key!r} cannot be set in {node!r}, which has no keys{whole}")

    def _merged(self, node: dict[str, Any], key: str, value: Any, path: str) -> dict[str, Any]:
        """Return ``node`` with ``value`` merged into its entry ``key``, or put there."""
        known = node.get(key)
        if not isinstance(value, dict):
            return self._checked({**node, key: self._new(value, path)}, key)
        own = dict(value)
        is_alone = own.pop(DELETE, False) or not isinstance(known, dict)
        if is_alone:
            self._forget(path)
        merged: dict[str, Any] = {} if is_alone else dict(known or {})
        for inner, item in own.items():
            merged = self._merged(merged, inner, item, f"{path}.{inner}")
        if not merged:
            self._origins[path] = f"override {self._text}"
        else:
            self._origins.pop(path, None)
        return self._checked({**node, key: merged}, key)

    def _new(self, value: Any, path: str) -> Any:
        for problem in [*not_plain(value, path), *shadowing_keys(value, path)]:
            raise self._refused(problem)
        self._forget(path)
        self._note(value, path)
        return value

    def _forget(self, path: str) -> None:
        for stale in [known for known in self._origins if known == path or known.startswith(f"{path}.")]:
            del self._origins[stale]

    def _note(self, value: Any, path: str) -> None:
        if not (isinstance(value, dict) and value):
            self._origins[path] = f"override {self._text}"
        if isinstance(value, (dict, list, tuple)):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                if isinstance(value, dict) or isinstance(item, (dict, list, tuple)):
                    self._note(item, f"{path}.{key}")

    def _checked(self, node: dict[str, Any], key: str) -> dict[str, Any]:
        if problem := key_problem(key):
            raise self._refused(problem)
        if is_shadowing(key, node):
            raise self._refused(f"a key named {key!r} hides the dict method of that name; rename it")
        return node

    def _refused(self, reason: str) -> ConfigError:
        return ConfigError(f"override {self._text!r}: {reason}")


def _value(text: str, depth: int = 0) -> Any:
    """Return the value of a text; ValueError where it is no more than a string."""
    text = text.strip()
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if text.startswith("dict(") and text.endswith(")"):
        return _dict(text[5:-1], "=", depth + 1)
    if text[:1] + text[-1:] == "{}":
        return _dict(text[1:-1], ":", depth + 1)
    if text[:1] + text[-1:] in ("[]", "()"):
        items = [_value(part, depth + 1) for part in _split(text[1:-1])]
        return items if text[0] == "[" else tuple(items)
    return _literal(text) if _STRING.fullmatch(text) else _scalar(text)


def _dict(text: str, separator: str, depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for part in _split(text):
        entry = _ENTRY.fullmatch(part)
        if not entry or entry[2] != separator:
            raise ValueError("a key is missing")
        key = _literal(entry[1]) if _STRING.fullmatch(entry[1]) else entry[1]
        result[key] = _value(entry[3], depth)
    return result


def _split(text: str) -> list[str]:
    """Split at the commas that are in neither brackets nor quotes; the last part is not blank."""
    parts, start, closing = [], 0, ""
    for mark in _MARK.finditer(text):
        if mark[0] in _CLOSING:
            closing += _CLOSING[mark[0]]
        elif mark[0] in _CLOSING.values():
            if closing[-1:] != mark[0]:
                raise ValueError("brackets do not match")
            closing = closing[:-1]
        elif mark[0] == "," and not closing:
            parts.append(text[start : mark.start()])
            start = mark.end()
    if closing:
        raise ValueError("a bracket is not closed")
    return [*parts, text[start:]] if text[start:].strip() else parts


def _scalar(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _NAMED_FLOAT.fullmatch(text):
        return float(text)
    if not _NUMBER.fullmatch(text):
        return text
    try:
        return _literal(text)
    except ValueError:
        return text


def _literal(text: str) -> Any:
    """Return the value of a number or a quoted string."""
    try:
        with warnings.catch_warnings():
            # A backslash that starts no escape, as in 'C:\\data', stands for itself.
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text)
    except (SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(str(error)) from error
    if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
        raise ValueError("the number is too large")
    return value
