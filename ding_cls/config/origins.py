"""Tables of origins: what was set in a section is found without reading the whole table.

It must not know what the values are.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice


class OriginTable(dict[str, str]):
    """Which line set what, as it stands now: it is not changed any more."""

    def __init__(self, origins: Mapping[str, str]) -> None:
        super().__init__(origins)
        self._inside: dict[str, list[str]] = {}
        for path in origins:
            for section in islice(sections_of(path), 1, None):
                self._inside.setdefault(section, []).append(path)

    def inside(self, path: str) -> Sequence[str]:
        """Return the paths of the values in a section, the first set first; without the section's own."""
        return self._inside.get(path, ())


class GrowingOrigins(dict[str, str]):
    """Which line set what, while values still move; it changes by these two methods alone."""

    def __init__(self) -> None:
        super().__init__()
        self._sorted: list[str] = []

    def note(self, path: str, place: str) -> None:
        """Set the origin of one value."""
        if path not in self:
            insort(self._sorted, path)
        self[path] = place

    def drop(self, path: str) -> None:
        """Take out the origins of a value and of all that is in it."""
        if path in self:
            del self._sorted[bisect_left(self._sorted, path)], self[path]
        # In the order of characters "/" comes right after ".".
        first, end = bisect_left(self._sorted, f"{path}."), bisect_left(self._sorted, f"{path}/")
        for each in self._sorted[first:end]:
            del self[each]
        del self._sorted[first:end]


def sections_of(path: str) -> Iterator[str]:
    """Yield a path and the sections around it, the innermost first."""
    yield path
    while "." in path:
        path = path.rpartition(".")[0]
        yield path
