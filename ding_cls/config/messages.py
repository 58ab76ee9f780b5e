"""Lines about values: what is wrong with one, what is accepted, and where it was set."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ding_cls.config.defaults import NONE
from ding_cls.config.merge import plain_copy
from ding_cls.config.tree import place_of
from ding_cls.errors import PartError

_TYPE_NAMES = {
    bool: "True or False",
    str: "a string",
    int: "a whole number",
    float: "a number",
    list: "a list",
    tuple: "a tuple",
    dict: "a dict",
    NONE: "None",
}


def type_error_text(value: Any, types: Sequence[type], choices: Sequence[Any] = ()) -> str:
    """Return what to say of a value of none of the types; with choices, of none of these and no dict."""
    kinds = [kind for kind in types if kind is dict or not choices]
    kinds = [kind for kind in kinds if kind is not int or float not in kinds]
    wanted = [*map(repr, choices), *map(_type_name, kinds)]
    return f"is {shown(value)}; it must be {'one of ' if choices else ''}{_either(wanted)}"


def for_example(path: str, example: str) -> str:
    """Return how a message goes on that shows what to type for a key; empty without an example."""
    first, *others = example.split(" or ")
    return f"; for example {' or '.join([shlex.quote(path + first), *others])}" if example else ""


def location_suffix(place: str | None) -> str:
    """Return what a line about a value ends with."""
    return f" ({place})" if place else ""


def with_location(error: PartError, cfg: Any, origins: Mapping[str, str]) -> str:
    """Return the line of a wrong part, with its path and place where only one part has that name."""
    paths = list(_parts_named(error.name, plain_copy(cfg)))
    if len(paths) != 1:
        return str(error)
    path = "" if str(error).startswith(paths[0]) else f"{paths[0]}: "
    chosen = place_of(f"{paths[0]}.type", origins)
    given = origins.get(f"{paths[0]}.{error.argument}", chosen)
    if chosen is None or given == chosen or given is None or given.startswith("override "):
        return f"{path}{error}{location_suffix(given)}"
    # The usual reason: a file names another type, and its base's arguments are still there.
    return f"{path}{error}; '{error.argument}' comes from {given}: put _delete_=True beside type ({chosen})"


def _parts_named(name: str, tree: Any, path: str = "") -> Iterator[str]:
    if isinstance(tree, (list, tuple)):
        tree = {str(index): each for index, each in enumerate(tree)}
    if not isinstance(tree, dict):
        return
    if tree.get("type") == name:
        yield path
    for key, value in tree.items():
        yield from _parts_named(name, value, f"{path}.{key}" if path else str(key))


def _type_name(kind: type) -> str:
    return _TYPE_NAMES.get(kind, f"a {kind.__name__}")


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def shown(value: Any) -> str:
    """Return a value, shortened, with its type."""
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"
