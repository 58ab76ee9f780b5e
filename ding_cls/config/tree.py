"""Dotted paths such as ``policy.learn.batch_size``: into a nested dict, and into the table of origins.

It must not know which keys exist.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from itertools import islice
from typing import Any, Final

MISSING: Final = object()
"""What ``value_at`` returns for nothing; it equals no value."""


def at(tree: Any, path: str) -> Any:
    """Return the value at a dotted path; None where a section is missing or is no dict."""
    for name in path.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def value_at(tree: Any, path: str) -> Any:
    """Return the value at a dotted path, through lists by index; ``MISSING`` where there is none."""
    for name in path.split("."):
        if isinstance(tree, Mapping) and name in tree:
            tree = tree[name]
        elif isinstance(tree, (list, tuple)) and name.isdecimal() and int(name) < len(tree):
            tree = tree[int(name)]
        else:
            return MISSING
    return tree


def put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path in place; sections that are missing are made."""
    *sections, name = path.split(".")
    for each in sections:
        inner = tree.get(each)
        tree[each] = inner if isinstance(inner, dict) else {}
        tree = tree[each]
    tree[name] = value


def drop(tree: dict[str, Any], path: str) -> None:
    """Take out the value at a dotted path, in place, where there is one."""
    section = at(tree, section_of(path)) if "." in path else tree
    if isinstance(section, dict):
        section.pop(last_name(path), None)


def keep_items(
    tree: dict[str, Any], path: str, kept: Sequence[int], origins: MutableMapping[str, str]
) -> None:
    """Leave the items with these indices alone in a list, in place, and move their origins along."""
    items = at(tree, path)
    put(tree, path, [items[index] for index in kept])
    moved = {f"{path}.{old}": f"{path}.{new}" for new, old in enumerate(kept)}
    inside = {known: origins.pop(known) for known in [*origins] if known.startswith(f"{path}.")}
    for known, place in inside.items():
        item = f"{path}.{known.removeprefix(f'{path}.').partition('.')[0]}"
        if item in moved:
            origins[moved[item] + known.removeprefix(item)] = place


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is no dict, or an empty one, with its path; ``path`` is where ``tree`` is."""
    if not isinstance(tree, dict) or not tree:
        yield path, tree
        return
    for key, item in tree.items():
        yield from leaves(item, f"{path}.{key}" if path else str(key))


def comparable_leaves(tree: Any) -> dict[str, Any]:
    """Return ``leaves`` by their paths, tuples as lists: a saved config may have either."""
    return {path: list(value) if isinstance(value, tuple) else value for path, value in leaves(tree)}


def last_name(path: str) -> str:
    """Return the name behind the last dot of a path."""
    return path.rpartition(".")[2]


def section_of(path: str) -> str:
    """Return the path of the section that a value is in; empty at the top."""
    return path.rpartition(".")[0]


def sections_of(path: str) -> Iterator[str]:
    """Yield a path and the sections around it, the innermost first."""
    while path:
        yield path
        path = section_of(path)


def is_inside(path: str, section: str) -> bool:
    """Return whether a path is ``section`` or lies in it."""
    return f"{path}.".startswith(f"{section}.")


class OriginTable(dict[str, str]):
    """Which line set what, by path; it is not changed any more, so a section's values are found at once."""

    def __init__(self, origins: Mapping[str, str]) -> None:
        super().__init__(origins)
        self._inside: dict[str, list[str]] = {}
        for path in origins:
            for section in islice(sections_of(path), 1, None):
                self._inside.setdefault(section, []).append(path)

    def inside(self, path: str) -> Sequence[str]:
        """Return the paths of the values in a section, the first set first; without the section's own."""
        return self._inside.get(path, ())


def place_of(path: str, origins: Mapping[str, str]) -> str | None:
    """Return what set the value at a path, or something in it, or the section around it."""
    place = origins.get(path) or _place_inside(path, origins)
    return place or next((origins[each] for each in sections_of(path) if each in origins), None)


def _place_inside(path: str, origins: Mapping[str, str]) -> str | None:
    if isinstance(origins, OriginTable):
        inside = origins.inside(path)
        return origins[inside[0]] if inside else None
    return next((origin for known, origin in origins.items() if known.startswith(f"{path}.")), None)
