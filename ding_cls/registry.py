"""Parts by name."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from ding_cls.errors import ConfigError

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """A table from names to parts of one kind.

    Args:
        kind: what the parts are, in the singular; it stands in error messages.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, Part] = {}

    def register(self, name: str) -> Callable[[Part], Part]:
        """Return a decorator that enters a part under ``name``.

        Raises:
            ConfigError: another part has that name already.
        """

        def enter(part: Part) -> Part:
            if self._parts.setdefault(name, part) is not part:
                raise ConfigError(f"a {self.kind} named '{name}' is registered already: {self._parts[name]}")
            return part

        return enter

    def get(self, name: str) -> Part:
        """Return the part of that name.

        Raises:
            ConfigError: there is none; the message names the nearest.
        """
        if name in self._parts:
            return self._parts[name]
        near = get_close_matches(name, self._parts, n=3)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(self._parts))}"
        )
        raise ConfigError(f"there is no {self.kind} named '{name}'; {hint}")

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)
