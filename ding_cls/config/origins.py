"""A config together with the lines that set its values."""

from dataclasses import dataclass, field
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


@dataclass(slots=True)
class FileNotes:
    """What reading a config file finds beside its values; whoever reads it fills them in.

    Attributes:
        file: the file's name as it is in the origins; empty where the config is no file.
        is_openmmlab: it is in mmclassification's spelling.
        variables: top-level names that an expression has used.
        overridden: names that an inheriting file sets after its base has used its own value: the places of
            the two.
        unread: names that are no keys and that no expression has used, and their places.
        data: the folder that the command line names instead of the file's own data; empty without one.
        replaced: what of the file's own data that folder takes the place of, in words.
    """

    file: str = ""
    is_openmmlab: bool = False
    variables: set[str] = field(default_factory=set)
    overridden: dict[str, tuple[str, str]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    data: str = ""
    replaced: list[str] = field(default_factory=list)

    def is_inherited(self, place: str | None) -> bool:
        """Return whether a place is a line of a file that this one inherits from."""
        file = (place or "").rpartition(":")[0]
        return bool(self.file) and file not in ("", self.file) and not file.startswith("override ")
