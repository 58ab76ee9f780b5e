"""A config of mmclassification's as a file in our own spelling."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ding_cls.config.compile import checked_config, resolve
from ding_cls.config.defaults import ROOT
from ding_cls.config.origins import FileNotes
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.config.tools.show import show_config


def native_text(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> str:
    """Return a config file, with what it inherits and ``key=value`` words, as the text of a native one.

    Raises:
        ConfigError: it cannot be read, or holds what cannot be used; all problems, one line each.
    """
    notes = FileNotes()
    values, origins = read_config_with_origins(path, notes=notes)
    native = resolve(values, overrides, origins, notes=notes)
    checked_config(native.cfg, origins=native.origins, problems=native.problems)
    return show_config(_in_order(native.cfg, ROOT), lambda _: "")


def _in_order(tree: Any, schema: Mapping[str, Any]) -> Any:
    """Return a copy with its keys in the order of the schema, those that it lacks behind."""
    if not isinstance(tree, dict):
        return tree
    names = [*(name for name in schema if name in tree), *(name for name in tree if name not in schema)]
    sections = {name: entry for name, entry in schema.items() if isinstance(entry, dict)}
    return {name: _in_order(tree[name], sections.get(name, {})) for name in names}
