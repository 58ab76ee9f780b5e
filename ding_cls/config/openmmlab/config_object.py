"""mmcv's ``Config``: a config by attribute or by key, in the spelling that its file has."""

from __future__ import annotations

import os
import pprint
from collections.abc import Iterator, Mapping
from typing import Any

from easydict import EasyDict

from ding_cls.config.merge import plain_copy
from ding_cls.config.reader.reader import read_config
from ding_cls.config.tree import put


class Config(Mapping[str, Any]):
    """A config as nested dicts; nothing in a file is executed.

    Args:
        cfg_dict: what it holds; None: nothing yet.
    """

    def __init__(self, cfg_dict: Mapping[str, Any] | None = None) -> None:
        object.__setattr__(self, "_cfg_dict", EasyDict(plain_copy(dict(cfg_dict or {}))))

    @classmethod
    def fromfile(cls, filename: str | os.PathLike[str]) -> Config:
        """Return the config of a file, with what it inherits.

        Raises:
            ConfigError: it cannot be read, or holds anything but data.
        """
        return cls(read_config(filename))

    def merge_from_dict(self, options: Mapping[str, Any]) -> None:
        """Set values by dotted path: ``{'model.head.num_classes': 10}``.

        Raises:
            ConfigError: a path leads through a value that is no dict.
        """
        plain = plain_copy(self._cfg_dict)
        for path, value in options.items():
            put(plain, path, value)
        object.__setattr__(self, "_cfg_dict", EasyDict(plain))

    @property
    def pretty_text(self) -> str:
        """The config as text that a file may hold."""
        return "".join(f"{key} = {pprint.pformat(value)}\n" for key, value in plain_copy(dict(self)).items())

    def dump(self, file: str | os.PathLike[str]) -> None:
        """Write the config to a Python file."""
        with open(file, "w", encoding="utf-8") as target:
            target.write(self.pretty_text)

    def __getitem__(self, key: str) -> Any:
        return self._cfg_dict[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._cfg_dict[key] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._cfg_dict)

    def __len__(self) -> int:
        return len(self._cfg_dict)

    # A key is an attribute there.
    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "_cfg_dict")[name]
        except KeyError as error:
            raise AttributeError(f"the config has no key '{name}'") from error

    def __setattr__(self, name: str, value: Any) -> None:
        self._cfg_dict[name] = value
