"""Inheritance between configs: a child laid over its base, the way mmengine does it.

It must not know files: what came from where stands in the table of places.
"""

from typing import Any

from ding_cls.config.reader.errors import Problems
from ding_cls.config.reader.namespace import Scope

DELETE = "_delete_"


def laid_over(
    base: dict[str, Any], child: dict[str, Any], *, scope: Scope, problems: Problems, path: str = ""
) -> dict[str, Any]:
    """Return ``base`` with ``child`` laid over it; each entry keeps the place that set it last.

    Where both hold a dict under a key the two are merged in the same way, unless the child's says
    ``_delete_=True``, which is then taken out. Anywhere else the child's value wins. Where there is nothing
    to delete ``_delete_`` stays, as in mmengine.

    Args:
        base: a tree of its own.
        child: likewise.
        scope: the child's; its table of places is read and brought up to date.
        problems: takes a line for each dict that is laid over something else; there the child's wins.
        path: where both lie.
    """
    result: dict[str, Any] = {}
    scope.unpack(result, base)
    scope.budget.spend(len(child))
    for key, value in child.items():
        place = scope.places.get(child, key)
        if isinstance(value, dict) and key in base:
            value = _inherited(base, key, value, f"{path}{key}", place, scope=scope, problems=problems)
        scope.put(result, key, value, place)
    return result


def _inherited(
    base: dict[str, Any],
    key: str,
    value: dict[str, Any],
    path: str,
    place: str,
    *,
    scope: Scope,
    problems: Problems,
) -> dict[str, Any]:
    own: dict[str, Any] = {}
    scope.unpack(own, value)
    is_alone = own.pop(DELETE, False)
    if is_alone:
        return own
    known = base[key]
    if not isinstance(known, dict):
        origin = scope.places.get(base, key)
        problems.add(
            f"{path} is a dict, but {type(known).__name__} in the base file ({origin}); "
            f"put {DELETE}=True into the dict to replace it ({place})"
        )
        return own
    return laid_over(known, own, scope=scope, problems=problems, path=f"{path}.")
