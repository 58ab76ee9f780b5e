"""What a config file has defined so far: its names, its imports, and the place that set each entry of a dict.

It must not know syntax trees, nor what the values mean.
"""

import re
from collections.abc import Mapping
from typing import Any

from ding_cls.config.reader.errors import UnknownValueError
from ding_cls.config.reader.limits import MAX_DEPTH, MAX_KEY, Work
from ding_cls.config.reader.safe_ops import SCALARS, kind, shown

BASE = "_base_"

_TEMPLATE = re.compile(r"\{\{\s*(?:_base_\.([\w.]+)|(file\w+))\s*\}\}")
_ENVIRONMENT = re.compile(r"\{\{\s*+['\"]?\s*+\$")
# What is left of {{ fileBasename }} in an f-string, where Python reads two braces as one.
_IN_F_STRING = re.compile(r"\{\s*(file\w+)\s*\}")
# All multiples of 2**61 - 1 share one hash, and so would make a dict slow.
_MAX_KEY_BITS = 60


class LocatedDict(dict[Any, Any]):
    """A dict that knows which place, ``file:line``, set each of its entries."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[Any, str] = {}

    def put(self, key: Any, value: Any, place: str) -> None:
        """Set an entry and note its place."""
        check_key(key)
        self[key] = value
        self.places[key] = place

    def unpack(self, source: Any) -> None:
        """Set all entries of another dict, which keep their places."""
        if not isinstance(source, LocatedDict):
            raise TypeError(f"** needs a dict, not {kind(source)}")
        self.update(source)
        self.places.update(source.places)

    def copied(self) -> "LocatedDict":
        """Return a dict of its own with the same values."""
        copy = LocatedDict()
        copy.unpack(self)
        return copy


class Scope:
    """The state of one config file being read; its methods raise plain ValueError and TypeError.

    Args:
        file: the file's name, for messages.
        work: what reading has computed; shared by a file and its bases.
        templates: the values of ``{{ fileDirname }}`` and its sisters.

    Attributes:
        read: the file's own names that an expression has used, and
        read_of_base: the names of the base files that one has.
        loop_names: the values of the names that the comprehensions around the current expression bind.
    """

    def __init__(self, file: str, *, work: Work, templates: Mapping[str, str]) -> None:
        self.file = file
        self.names = LocatedDict()
        self.imports: dict[str, str] = {}
        self.lost: set[str] = set()
        self.read: set[str] = set()
        self.read_of_base: set[str] = set()
        self.loop_names: dict[str, Any] = {}
        self.work = work
        self.templates = templates

    def place(self, line: int) -> str:
        """Return how a message and a table of origins name a line of this file."""
        return f"{self.file}:{line}"

    def named(self, name: str) -> Any:
        """Return the value of an earlier name."""
        if name in self.loop_names:
            return self.loop_names[name]
        if name == BASE:
            self.read_of_base.update(self._base())
            return self._base()
        self.read.add(name)
        self.check_not_lost(name)
        if name not in self.names:
            raise ValueError(f"{name} is not the name of a value that stands further up")
        return self.names[name]

    def has(self, name: str) -> bool:
        """Whether a name stands for a value."""
        return name in self.loop_names or name in self.names

    def of_base(self, key: Any) -> Any:
        """Return ``_base_[key]``."""
        value = self.entry(self._base(), key)
        self.read_of_base.add(key)
        return value

    def _base(self) -> LocatedDict:
        self.check_not_lost(BASE)
        if BASE not in self.names:
            raise ValueError("_base_ stands for the merged base files, and this file has none")
        base: LocatedDict = self.names[BASE]
        return base

    def check_not_lost(self, name: str) -> None:
        """Raise UnknownValueError where the statement that sets a name was refused."""
        if name in self.lost:
            raise UnknownValueError(f"{name} is not known")

    def bind(self, name: str, value: Any, place: str) -> None:
        """Give a name a value."""
        self.names.put(name, value, place)
        self.imports.pop(name, None)
        self.lost.discard(name)

    def bind_import(self, name: str, module: str) -> None:
        """Note that a name stands for something imported."""
        self.names.pop(name, None)
        self.lost.discard(name)
        self.imports[name] = module

    def lose(self, names: set[str]) -> None:
        """Note that the statement which would have set these names was refused."""
        for name in names:
            self.names.pop(name, None)
        self.lost |= names

    def entry(self, owner: Any, key: Any) -> Any:
        """Return ``owner[key]``."""
        if isinstance(owner, (list, tuple, str)) and isinstance(key, (int, slice)):
            return owner[key]
        if isinstance(owner, dict) and isinstance(key, SCALARS) and key in owner:
            return owner[key]
        raise ValueError(f"{kind(owner)} has no entry {shown(key)}")

    def set_entry(self, owner: Any, key: Any, value: Any, place: str) -> None:
        """Do ``owner[key] = value``."""
        if isinstance(owner, LocatedDict):
            owner.put(key, value, place)
        elif isinstance(owner, list) and isinstance(key, int) and -len(owner) <= key < len(owner):
            owner[key] = value
        else:
            raise ValueError(f"{kind(owner)} has no entry {shown(key)} to assign to")

    def text(self, text: str) -> Any:
        """Return a string with its templates filled in, or the value of the one that is the whole string."""
        if "{{" not in text:
            return text
        if _ENVIRONMENT.search(text):
            raise ValueError(f"{shown(text)}: environment variables are not read in a config file")
        whole = _TEMPLATE.fullmatch(text)
        if whole and whole[1]:
            return self._base_value(whole[1])
        return _TEMPLATE.sub(self._inserted, text)

    def f_string_text(self, text: str) -> str:
        """Return the literal part of an f-string with ``{{ fileDirname }}`` and its sisters filled in."""
        return _IN_F_STRING.sub(lambda found: self._file_text(found[1], found[0]), text)

    def _base_value(self, path: str) -> Any:
        first, *others = path.split(".")
        value = self.of_base(first)
        for key in others:
            value = self.entry(value, key)
        return value

    def _inserted(self, found: re.Match[str]) -> str:
        if not found[1]:
            return self._file_text(found[2], found[0])
        value = self._base_value(found[1])
        if not isinstance(value, SCALARS):
            raise TypeError(f"{found[0]} is a {kind(value)}, which cannot be part of a string")
        self.work.add_value(value)
        return str(value)

    def _file_text(self, name: str, default: str) -> str:
        text = self.templates.get(name, default)
        self.work.add_value(text)
        return text

    def copied(self, value: Any, depth: int = 0, *, is_template: bool = False) -> Any:
        """Return a copy with containers of its own all the way down, so that nothing is shared in it.

        Args:
            value: the data.
            depth: how deep in the config it is.
            is_template: whether to fill in the templates in strings, ``{{ _base_.x }}`` and the like.

        Raises:
            ValueError: it is nested too deeply, or contains itself.
        """
        if isinstance(value, str):
            self.work.add_value(value)
            return self.text(value) if is_template else value
        self.work.add()
        if not isinstance(value, (list, tuple, LocatedDict)):
            return value
        if depth > MAX_DEPTH:
            raise ValueError(f"the config is nested more than {MAX_DEPTH} deep, or contains itself")
        if isinstance(value, (list, tuple)):
            return type(value)(self.copied(item, depth + 1, is_template=is_template) for item in value)
        copy = LocatedDict()
        for key, item in value.items():
            copy.put(key, self.copied(item, depth + 1, is_template=is_template), value.places[key])
        return copy


def check_key(key: Any) -> None:
    """Raise TypeError or ValueError where a dict should not have this key."""
    # Only plain keys: the hash of a tuple of shared tuples takes exponential time.
    if not isinstance(key, SCALARS):
        raise TypeError(f"a key is a string, not {kind(key)}")
    if isinstance(key, int) and key.bit_length() > _MAX_KEY_BITS:
        raise ValueError(f"a key is a string, not a number of more than {_MAX_KEY_BITS} bits")
    if isinstance(key, str) and len(key) > MAX_KEY:
        raise ValueError(f"a key has at most {MAX_KEY} characters, not {len(key)}: {shown(key)}")
