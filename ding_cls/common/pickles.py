"""How deep the values in a pickle are nested: asked before it is opened, since opening may take for ever.

It builds nothing of what the pickle describes.
"""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, BinaryIO

MAX_DEPTH = 100
_TOO_DEEP = f"its values are nested more than {MAX_DEPTH} deep, which no checkpoint is"
_TOO_MANY = "its values refer to each other more often than any checkpoint's do"

# What torch's weights_only reader takes: arguments that are read, values that are taken from the stack.
_ARGUMENT_BYTES = {
    pickle.BININT: 4,
    pickle.BININT1: 1,
    pickle.BININT2: 2,
    pickle.BINFLOAT: 8,
    pickle.PROTO: 1,
    **dict.fromkeys((pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE), 0),
    **dict.fromkeys((pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.EMPTY_TUPLE, pickle.EMPTY_SET), 0),
}
_FIXED_TUPLES = {pickle.TUPLE1: 1, pickle.TUPLE2: 2, pickle.TUPLE3: 3}
_SCALAR = (1, 1)


def check_pickle(file: BinaryIO, *, num_bytes: int) -> bool:
    """Read one pickle, to its end or to what torch's safe reader refuses, and refuse deep nesting.

    Args:
        file: stands at the pickle's first byte.
        num_bytes: length of the pickle. Written out, no tuple that does not hold itself is longer.

    Returns:
        Whether it was read to its end.

    Raises:
        ValueError: it says why.
    """
    # Of each value its depth and how many values it holds; of what can change later, as it is now.
    stack: list[tuple[int, int]] = []
    outer: list[list[tuple[int, int]]] = []
    memo: dict[int, tuple[int, int]] = {}

    wrap = partial(_wrapped, num_bytes=num_bytes)

    def taken(count: int) -> list[tuple[int, int]]:
        values = stack[-count:]
        del stack[-count:]
        return values

    read = file.read
    try:
        while code := read(1):
            if code in _ARGUMENT_BYTES:
                if length := _ARGUMENT_BYTES[code]:
                    read(length)
                if code != pickle.PROTO:
                    stack.append(_SCALAR)
            elif code in (pickle.BINPUT, pickle.LONG_BINPUT):
                memo[int.from_bytes(read(1 if code == pickle.BINPUT else 4), "little")] = stack[-1]
            elif code in (pickle.BINGET, pickle.LONG_BINGET):
                stack.append(memo[int.from_bytes(read(1 if code == pickle.BINGET else 4), "little")])
            elif code == pickle.MARK:
                outer.append(stack)
                stack = []
                if len(outer) > MAX_DEPTH:
                    raise ValueError(_TOO_DEEP)
            elif code in (pickle.TUPLE, pickle.APPENDS, pickle.SETITEMS):
                values, stack = stack, outer.pop()
                stack.append(wrap(values) if code == pickle.TUPLE else wrap([*values, stack.pop()]))
            elif code in _FIXED_TUPLES:
                stack.append(wrap(taken(_FIXED_TUPLES[code])))
            elif code in (pickle.APPEND, pickle.SETITEM):
                stack.append(wrap(taken(3 if code == pickle.SETITEM else 2)))
            elif code in (pickle.BUILD, pickle.REDUCE, pickle.NEWOBJ):
                # A tensor, say: nothing looks into it, however often it is there.
                stack.append((wrap(taken(2))[0], 1))
            elif _skipped_text(file, code):
                stack.append(_SCALAR)
            elif code != pickle.BINPERSID:
                return code == pickle.STOP
    except (IndexError, KeyError):
        # Not a pickle: the reader says so in its own words.
        return False
    return False


def _wrapped(values: list[tuple[int, int]], *, num_bytes: int) -> tuple[int, int]:
    """Return the depth and the number of values of a container of these."""
    depth = 1 + max((each[0] for each in values), default=0)
    size = 1 + sum(each[1] for each in values)
    if depth > MAX_DEPTH:
        raise ValueError(_TOO_DEEP)
    if size > num_bytes + MAX_DEPTH:
        raise ValueError(_TOO_MANY)
    return depth, size


def _skipped_text(file: BinaryIO, code: bytes) -> bool:
    """Read past a text, a long integer or a global; return whether the code is one of these."""
    if code == pickle.BINUNICODE:
        file.read(int.from_bytes(file.read(4), "little"))
    elif code in (pickle.SHORT_BINSTRING, pickle.LONG1):
        file.read(file.read(1)[0])
    elif code == pickle.GLOBAL:
        file.readline()
        file.readline()
    else:
        return False
    return True


def check_archive(path: str | os.PathLike[str]) -> int:
    """Do so with the description in a file of ``torch.save``; return its length in bytes.

    Raises:
        ValueError: as `check_pickle`.
    """
    num_bytes = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.filename.rpartition("/")[2] == "data.pkl":
                if member.CRC == 0:
                    # torch was told to compute none: there is nothing to compare.
                    del member.CRC
                content = archive.read(member)
                check_pickle(io.BytesIO(content), num_bytes=len(content))
                num_bytes = max(num_bytes, len(content))
    return num_bytes


def check_nesting(value: Any, *, num_bytes: int) -> None:
    """Refuse values that are nested too deep, or hold one another so often that a walk would not end.

    Args:
        value: what was read.
        num_bytes: length of the pickle, as in `check_pickle`.

    Raises:
        ValueError: it says why.
    """
    left, layer = num_bytes + MAX_DEPTH, [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in layer:
            inner = _INNER.get(type(each))
            if inner is not None:
                below.extend(inner(each))
            if len(below) > left:
                raise ValueError(_TOO_MANY)
        if not below:
            return
        left -= len(below)
        layer = below
    raise ValueError(_TOO_DEEP)


def _in_mapping(value: Mapping[Any, Any]) -> list[Any]:
    return [*value.keys(), *value.values()]


_INNER: dict[type, Callable[[Any], list[Any]]] = {
    **dict.fromkeys((list, tuple, set), list),
    **dict.fromkeys((dict, OrderedDict), _in_mapping),
}
