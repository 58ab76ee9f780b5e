"""A config as the tools look at it: what is written, what it comes to, and where each value came from.

It must not run anything that the config names: no import, no data, no network.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ding_cls.config.compile import checked_config
from ding_cls.config.defaults import ROOT, defaults
from ding_cls.config.merge import plain_copy
from ding_cls.config.normalize import merge_sections
from ding_cls.config.origins import DEFAULT, DERIVED, FileNotes, NativeConfig
from ding_cls.config.overrides import apply_overrides
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.config.recipe import resolve_run
from ding_cls.config.tree import MISSING, OriginTable, place_of, value_at
from ding_cls.errors import ConfigError


@dataclass(frozen=True)
class InspectedConfig:
    """One config under inspection.

    Attributes:
        name: the file or run folder, as the user gave it.
        written: the values as they are spelt after inheritance and overrides.
        origins: which line or override set what in ``written``.
        resolved: the same in the native spelling, with origins of its own, and what could not be taken over.
        notes: what reading the file has found beside its values.
    """

    name: str
    written: Mapping[str, Any]
    origins: Mapping[str, str]
    resolved: NativeConfig
    notes: FileNotes = field(default_factory=FileNotes)

    @cached_property
    def tree(self) -> dict[str, Any]:
        """The compiled config, as nested plain dicts.

        Raises:
            ConfigError: keys or values that cannot be used.
        """
        native = self.resolved
        checked = checked_config(native.cfg, origins=native.origins, problems=native.problems)
        tree: dict[str, Any] = plain_copy(checked)
        return tree

    @cached_property
    def tree_as_it_is(self) -> tuple[dict[str, Any], str]:
        """``tree``, and an empty string.

        Where the config cannot be used: its values over the defaults, and the reasons, a line each.
        """
        try:
            return self.tree, ""
        except ConfigError as error:
            return merge_sections(_DEFAULTS, self.resolved.cfg), str(error)

    @cached_property
    def _places_written(self) -> OriginTable:
        return OriginTable(self.origins)

    @cached_property
    def _places_resolved(self) -> OriginTable:
        return OriginTable(self.resolved.origins)

    def written_origin(self, path: str) -> str:
        """Return where a value of ``written`` was set."""
        return place_of(path, self._places_written) or ""

    def origin(self, path: str) -> str:
        """Return where a value of ``tree``, or else of ``written``, was set.

        ``DEFAULT`` where the config is silent, ``DERIVED`` where compiling computed it.
        """
        if value_at(self.resolved.cfg, path) is not MISSING:
            return place_of(path, self._places_resolved) or ""
        tree, _ = self.tree_as_it_is
        # What an override has set back is still written.
        written = value_at(self.written, path)
        if written is not MISSING and value_at(tree, path) in (written, MISSING):
            return self.written_origin(path)
        default = value_at(_DEFAULTS, path)
        is_complete = default is not MISSING and default != value_at(tree, path)
        return DERIVED if is_complete and not isinstance(default, dict) else DEFAULT


def inspect_config(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> InspectedConfig:
    """Read a config file, or the ``total_config.py`` of a run's folder, and apply ``key=value`` words.

    Raises:
        ConfigError: it cannot be read, or an override cannot be applied.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "total_config.py"
        if not file.is_file():
            raise ConfigError(f"'{path}' is no run's folder: there is no total_config.py in it")
    notes = FileNotes()
    values, places = read_config_with_origins(file, notes=notes)
    origins = dict(places)
    written = apply_overrides(values, overrides, origins=origins)
    resolved = resolve_run(values, overrides, places, notes=notes)
    return InspectedConfig(str(path), written, origins, resolved, notes)


_DEFAULTS = defaults(ROOT)
