"""Tables of origins: what was set in a section is found without reading the whole table.

It must not know what the values are.
"""

from bisect import bisect_left, insort


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
