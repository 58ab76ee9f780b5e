"""What a config file has defined so far: its names, its imports, and the line that set each entry of a dict.

It must not know syntax trees, nor what the values mean.
"""

from typing import Any

from ding_cls.config.operations import SCALARS, Budget, shown


class Lines:
    """Which line set which entry of which dict; the dicts are told apart by identity."""

    def __init__(self) -> None:
        # The dict is held beside its lines: an id is free for another object once its owner is gone.
        self._of: dict[int, tuple[dict[Any, Any], dict[Any, int]]] = {}

    def set(self, owner: dict[Any, Any], key: Any, line: int) -> None:
        """Note the line of an entry."""
        self._of.setdefault(id(owner), (owner, {}))[1][key] = line

    def get(self, owner: dict[Any, Any], key: Any, default: int = 1) -> int:
        """Return the line of an entry."""
        return self._of[id(owner)][1].get(key, default) if id(owner) in self._of else default


class Scope:
    """The state of one config file being read; its methods raise plain ValueError and TypeError.

    Args:
        file: the file's name, for messages.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.names: dict[str, Any] = {}
        self.imports: dict[str, str] = {}
        self.lines = Lines()
        self.budget = Budget()

    def named(self, name: str) -> Any:
        """Return the value of an earlier name."""
        if name not in self.names:
            raise ValueError(f"{name} is not the name of a value that stands further up")
        return self.names[name]

    def bind(self, name: str, value: Any, line: int) -> None:
        """Give a name a value."""
        self.imports.pop(name, None)
        self.put(self.names, name, value, line)

    def bind_import(self, name: str, module: str) -> None:
        """Note that a name stands for something imported."""
        self.names.pop(name, None)
        self.imports[name] = module

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

    def put(self, owner: dict[Any, Any], key: Any, value: Any, line: int) -> None:
        """Set an entry of a dict and note its line."""
        # Only plain keys: the hash of a tuple of shared tuples takes exponential time.
        if not isinstance(key, SCALARS):
            raise TypeError(f"a key is a string, not {type(key).__name__}")
        owner[key] = value
        self.lines.set(owner, key, line)

    def unpack(self, owner: dict[Any, Any], source: Any) -> None:
        """Set all entries of another dict, which keep their lines."""
        if not isinstance(source, dict):
            raise TypeError(f"** needs a dict, not {type(source).__name__}")
        self.budget.spend(len(source))
        for key, value in source.items():
            self.put(owner, key, value, self.lines.get(source, key))

    def copied(self, value: Any) -> Any:
        """Return what EasyDict makes of a value: containers of its own all the way down."""
        self.budget.spend()
        if isinstance(value, (list, tuple)):
            return type(value)(self.copied(item) for item in value)
        if not isinstance(value, dict):
            return value
        copy: dict[Any, Any] = {}
        for key, item in value.items():
            self.put(copy, key, self.copied(item), self.lines.get(value, key))
        return copy
