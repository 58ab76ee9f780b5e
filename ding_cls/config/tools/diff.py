"""Where two configs differ: only the leaves, each with both values and both origins.

It must not know which keys exist.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from ding_cls.config.tools.show import Origin, literal

ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two trees differ.

    Attributes:
        left_path: the place in the left tree; where that has nothing there, in the right one.
        right_path: the place in the right tree, likewise. The two differ inside lists of another length.
        left: the value there, or ``ABSENT``.
        right: the value there, or ``ABSENT``.
    """

    left_path: str
    right_path: str
    left: Any
    right: Any


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Difference]:
    """Return all differences in the order of the left tree; keys that only the right one has come last.

    A tuple and a list of the same values are equal, so are 1 and 1.0, and nan and nan; True and 1 are not.
    Lists of dicts are compared element by element, around those that were inserted or removed.
    """
    return list(_compared(left, right, "", ""))


def show_differences(found: Sequence[Difference], *, left_origin: Origin, right_origin: Origin) -> str:
    """Return the differences as text: the path, then ``-`` and ``+`` lines with a value and its origin."""
    rows = []
    for each in found:
        # Inserted elements of lists shift those behind them: then the two places have two names.
        is_paired = ABSENT not in (each.left, each.right)
        moved = f" -> {each.right_path}" if is_paired and each.left_path != each.right_path else ""
        rows.append((f"{each.left_path}{moved}", ""))
        if each.left is not ABSENT:
            rows.append((f"  - {literal(each.left)}", left_origin(each.left_path)))
        if each.right is not ABSENT:
            rows.append((f"  + {literal(each.right)}", right_origin(each.right_path)))
    column = min(max((len(text) for text, origin in rows if origin), default=0), 56)
    return "\n".join(f"{text.ljust(column)}  # {origin}" if origin else text for text, origin in rows)


def _compared(left: Any, right: Any, left_path: str, right_path: str) -> Iterator[Difference]:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in [*left, *(key for key in right if key not in left)]:
            yield from _compared(
                left.get(key, ABSENT),
                right.get(key, ABSENT),
                _joined(left_path, key),
                _joined(right_path, key),
            )
    elif _is_list_of_parts(left) and _is_list_of_parts(right):
        yield from _elements_compared(left, right, left_path, right_path)
    elif _comparable(left) != _comparable(right):
        yield Difference(left_path, right_path, left, right)


def _elements_compared(
    left: Sequence[Any], right: Sequence[Any], left_path: str, right_path: str
) -> Iterator[Difference]:
    old_keys, new_keys = ([repr(_comparable(item)) for item in side] for side in (left, right))
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old_keys, new_keys, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for offset in range(max(i2 - i1, j2 - j1)):
            i, j = i1 + offset, j1 + offset
            old = left[i] if i < i2 else ABSENT
            new = right[j] if j < j2 else ABSENT
            here, there = _joined(left_path, str(i)), _joined(right_path, str(j))
            if not _is_same_kind(old, new):
                # Two parts of different types share no keys worth comparing.
                yield Difference(here if old is not ABSENT else there, there, old, new)
            else:
                yield from _compared(old, new, here, there)


def _is_same_kind(old: Any, new: Any) -> bool:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.get("type") == new.get("type")
    return old is not ABSENT and new is not ABSENT


def _is_list_of_parts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value)


def _comparable(value: Any) -> Any:
    """Return what is compared instead of a value: equal for values that mean the same."""
    if isinstance(value, Mapping):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_comparable(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return (int, repr(int(value)))
    return (type(value), repr(value))


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
