"""What a config file has defined so far: its names, its imports, and the place that set each entry of a dict.

It must not know syntax trees, nor what the values mean.
"""

import re
from collections.abc import Mapping
from typing import Any

from ding_cls.config.reader.safe_ops import SCALARS, Budget, shown
from ding_cls.errors import ConfigError

BASE = "_base_"
MAX_CONFIG_DEPTH = 50
# The table of origins repeats a key in the path of each value below it.
MAX_KEY = 200
# Looking through text is this much cheaper than computing a value.
CHARACTERS_A_UNIT = 64

_TEMPLATE = re.compile(r"\{\{\s*(?:_base_\.([\w.]+)|(file\w+))\s*\}\}")
_ENVIRONMENT = re.compile(r"\{\{\s*+['\"]?\s*+\$")
# What is left of {{ fileBasename }} in an f-string, where Python reads two braces as one.
_IN_F_STRING = re.compile(r"\{\s*(file\w+)\s*\}")


class UnknownValueError(ConfigError):
    """The value hangs on a statement that was refused before; it is no problem of its own."""


class Places:
    """Which place, ``file:line``, set which entry of which dict; the dicts are told apart by identity."""

    def __init__(self) -> None:
        # The dict is held beside its places: an id is free for another object once its owner is gone.
        self._of: dict[int, tuple[dict[Any, Any], dict[Any, str]]] = {}

    def set(self, owner: dict[Any, Any], key: Any, place: str) -> None:
        """Note the place of an entry."""
        self._of.setdefault(id(owner), (owner, {}))[1][key] = place

    def get(self, owner: dict[Any, Any], key: Any, default: str = "") -> str:
        """Return the place of an entry."""
        return self._of[id(owner)][1].get(key, default) if id(owner) in self._of else default


class Scope:
    """The state of one config file being read; its methods raise plain ValueError and TypeError.

    Args:
        file: the file's name, for messages.
        budget: what reading may cost; shared by a file and its bases.
        places: which place set what; shared likewise.
        templates: the values of ``{{ fileDirname }}`` and its sisters.

    Attributes:
        read: the file's own names that an expression has used, and
        read_of_base: the names of the base files that one has.
        loop_names: names that the comprehensions around the current expression have bound.
    """

    def __init__(
        self,
        file: str,
        *,
        budget: Budget | None = None,
        places: Places | None = None,
        templates: Mapping[str, str] | None = None,
    ) -> None:
        self.file = file
        self.names: dict[str, Any] = {}
        self.imports: dict[str, str] = {}
        self.lost: set[str] = set()
        self.read: set[str] = set()
        self.read_of_base: set[str] = set()
        self.loop_names: set[str] | None = None
        self.budget = budget or Budget()
        self.places = places or Places()
        self.templates = dict(templates or {})

    def place(self, line: int) -> str:
        """Return how a message and a table of origins name a line of this file."""
        return f"{self.file}:{line}"

    def named(self, name: str) -> Any:
        """Return the value of an earlier name."""
        value = self._known(name)
        if name == BASE:
            self.budget.spend(len(value))
            self.read_of_base.update(value)
        return value

    def of_base(self, key: Any) -> Any:
        """Return ``_base_[key]``."""
        value = self.entry(self._known(BASE), key)
        self.read_of_base.add(key)
        return value

    def _known(self, name: str) -> Any:
        if name != BASE and name not in (self.loop_names or ()):
            self.read.add(name)
        self.check_not_lost(name)
        if name == BASE and name not in self.names:
            raise ValueError("_base_ stands for the merged base files, and this file has none")
        if name not in self.names:
            raise ValueError(f"{name} is not the name of a value that stands further up")
        return self.names[name]

    def check_not_lost(self, name: str) -> None:
        """Raise UnknownValueError where the statement that sets a name was refused."""
        if name in self.lost:
            raise UnknownValueError(f"{name} is not known")

    def bind(self, name: str, value: Any, line: int) -> None:
        """Give a name a value."""
        self.imports.pop(name, None)
        self.lost.discard(name)
        self.put(self.names, name, value, line)
        if self.loop_names is not None:
            self.loop_names.add(name)

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
            self.budget.spend(len(owner) if isinstance(key, slice) else 1)
            return owner[key]
        if isinstance(owner, dict) and isinstance(key, SCALARS) and key in owner:
            return owner[key]
        raise ValueError(f"{type(owner).__name__} has no entry {shown(key)}")

    def set_entry(self, owner: Any, key: Any, value: Any, line: int) -> None:
        """Do ``owner[key] = value``."""
        if isinstance(owner, dict):
            self.put(owner, key, value, line)
        elif isinstance(owner, list) and isinstance(key, int) and -len(owner) <= key < len(owner):
            owner[key] = value
        else:
            raise ValueError(f"{type(owner).__name__} has no entry {shown(key)} to assign to")

    def put(self, owner: dict[Any, Any], key: Any, value: Any, line: int | str) -> None:
        """Set an entry of a dict and note its line in this file, or its place in any."""
        # Only plain keys: the hash of a tuple of shared tuples takes exponential time.
        if not isinstance(key, SCALARS):
            raise TypeError(f"a key is a string, not {type(key).__name__}")
        if isinstance(key, str) and len(key) > MAX_KEY:
            raise ValueError(f"a key has at most {MAX_KEY} characters, not {len(key)}: {shown(key)}")
        owner[key] = value
        self.places.set(owner, key, self.place(line) if isinstance(line, int) else line)

    def unpack(self, owner: dict[Any, Any], source: Any) -> None:
        """Set all entries of another dict, which keep their places."""
        if not isinstance(source, dict):
            raise TypeError(f"** needs a dict, not {type(source).__name__}")
        self.budget.spend(len(source))
        for key, value in source.items():
            self.put(owner, key, value, self.places.get(source, key))

    def copied(self, value: Any, depth: int = 0) -> Any:
        """Return a copy with containers of its own all the way down, so that nothing is shared in it.

        Raises:
            ValueError: it is nested too deeply, or contains itself.
        """
        return self._copied(value, depth, is_template=False)

    def filled(self, value: Any) -> Any:
        """Return a copy in which the templates in strings, ``{{ _base_.x }}`` and the like, are filled in."""
        return self._copied(value, 0, is_template=True)

    def text(self, text: str) -> Any:
        """Return a string with its templates filled in, or the value of the one that is the whole string."""
        self.budget.spend(len(text) // CHARACTERS_A_UNIT)
        if "{{" not in text:
            return text
        self.budget.spend(len(text))
        if _ENVIRONMENT.search(text):
            raise ValueError(f"{shown(text)}: environment variables are not read in a config file")
        whole = _TEMPLATE.fullmatch(text)
        if whole and whole[1]:
            return self.base_value(whole[1])
        return _TEMPLATE.sub(self._inserted, text)

    def f_string_text(self, text: str) -> str:
        """Return the literal part of an f-string with ``{{ fileDirname }}`` and its sisters filled in."""
        self.budget.spend(len(text))
        return _IN_F_STRING.sub(lambda found: self._paid(self.templates.get(found[1], found[0])), text)

    def base_value(self, path: str) -> Any:
        """Return the value that ``_base_.a.b`` stands for."""
        first, *others = path.split(".")
        value = self.of_base(first)
        for key in others:
            value = self.entry(value, key)
        return value

    def _inserted(self, found: re.Match[str]) -> str:
        if not found[1]:
            return self._paid(self.templates.get(found[2], found[0]))
        value = self.base_value(found[1])
        if not isinstance(value, SCALARS):
            raise TypeError(f"{found[0]} is a {type(value).__name__}, which cannot be part of a string")
        return self._paid(str(value))

    def _paid(self, text: str) -> str:
        self.budget.spend(len(text))
        return text

    def _copied(self, value: Any, depth: int, *, is_template: bool) -> Any:
        self.budget.spend()
        if isinstance(value, str):
            return self.text(value) if is_template else value
        if not isinstance(value, (list, tuple, dict)):
            return value
        if depth > MAX_CONFIG_DEPTH:
            raise ValueError(f"the config is nested more than {MAX_CONFIG_DEPTH} deep, or contains itself")
        if isinstance(value, (list, tuple)):
            return type(value)(self._copied(item, depth + 1, is_template=is_template) for item in value)
        # An entry and its place take five times as long as an element of a list.
        self.budget.spend(3 * len(value))
        copy: dict[Any, Any] = {}
        for key, item in value.items():
            inner = self._copied(item, depth + 1, is_template=is_template)
            self.put(copy, key, inner, self.places.get(value, key))
        return copy
