"""A config together with the lines that set its values."""

from typing import Any, NamedTuple

DEFAULT = "default"
"""The origin of a value that no file and no word sets."""
DERIVED = "derived"
"""The origin of a value that compiling computes from others."""


class NativeConfig(NamedTuple):
    """A config in our own spelling, less the defaults.

    Attributes:
        cfg: nested plain dicts.
        origins: which line or override set what in ``cfg``, by dotted path.
        problems: what could not be taken over, a line each; ``cfg`` lacks it.
    """

    cfg: dict[str, Any]
    origins: dict[str, str]
    problems: list[str]
