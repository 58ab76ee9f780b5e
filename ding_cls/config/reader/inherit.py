"""Inheritance between configs: a child merged into its base, the way mmengine does it.

It must not know files: which file set what is in the places of each dict.
"""

from typing import Any

from ding_cls.config.reader.errors import Problems
from ding_cls.config.reader.namespace import LocatedDict
from ding_cls.config.reader.safe_ops import kind

DELETE = "_delete_"


def inherit(base: LocatedDict, child: LocatedDict, *, problems: Problems, path: str = "") -> LocatedDict:
    """Return ``base`` with ``child`` merged into it; each entry keeps the place that set it last.

    Where both hold a dict under a key the two are merged in the same way, unless the child's says
    ``_delete_=True``, which is then taken out. Anywhere else the child's value wins. Where there is nothing
    to delete ``_delete_`` stays, as in mmengine.

    Args:
        base: a tree, in which nothing is shared.
        child: what inherits from it.
        problems: takes a line for each dict that replaces something else; there the child's wins.
        path: where both are in the config.
    """
    result = base.copied()
    for key, value in child.items():
        if isinstance(value, LocatedDict) and key in base:
            value = _inherited(base, key, value, f"{path}{key}", child.places[key], problems=problems)
        result.put(key, value, child.places[key])
    return result


def _inherited(
    base: LocatedDict, key: str, value: LocatedDict, path: str, place: str, *, problems: Problems
) -> Any:
    own = value.copied()
    if own.pop(DELETE, False):
        return own
    known = base[key]
    if isinstance(known, LocatedDict):
        return inherit(known, own, problems=problems, path=f"{path}.")
    problems.add(
        f"{path} is a dict, but {kind(known)} in the base file ({base.places[key]}); "
        f"put {DELETE}=True into the dict to replace it ({place})"
    )
    return own
