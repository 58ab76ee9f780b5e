"""The user's own modules, named by a config and imported only with leave.

A config is data and safe to read; this is the one place where it can make code run.
"""

import importlib
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from ding_cls.errors import ConfigError

FORM = "custom_imports=dict(imports=['my_package.my_module'])"


def import_user_code(
    cfg: Mapping[str, Any], *, is_allowed: bool, folder: str | os.PathLike[str] | None = None
) -> tuple[str, ...]:
    """Import the modules that ``cfg.custom_imports`` names, so that they enter their parts in the registries.

    While they are imported, modules are looked for in the current folder and in the config's too.

    Args:
        cfg: a config, as read or compiled.
        is_allowed: whether ``--allow-code`` is given.
        folder: the config file's; ``custom_imports.folder``, which a run notes for its checkpoints, is
            searched too.

    Returns:
        The names of the modules that were imported.

    Raises:
        ConfigError: imports are asked for and not allowed, the section has another form, or an import fails
            (with ``allow_failed_imports=True`` that is a warning).
    """
    section = cfg.get("custom_imports") or {}
    names, may_fail = _requested(section)
    if not names:
        return ()
    if not is_allowed:
        raise ConfigError(
            f"custom_imports wants to import {', '.join(names)}: code runs only with --allow-code "
            "(in Python: allow_code=True); look at it first, then add the flag"
        )
    imported = []
    folders = [os.path.abspath(each) for each in (os.getcwd(), folder, section.get("folder")) if each]
    with _searching(*folders):
        for name in names:
            try:
                _check_is_own(importlib.import_module(name), folders)
            except Exception as error:
                message = f"custom_imports: '{name}' cannot be imported: {_reported(error)}"
                if not may_fail:
                    raise ConfigError(message) from error
                warnings.warn(message, stacklevel=2)
            else:
                imported.append(name)
    return tuple(imported)


def _requested(section: Any) -> tuple[list[str], bool]:
    """Return the modules to import, and whether one may be missing."""
    if not isinstance(section, Mapping):
        raise ConfigError(f"custom_imports is {section!r}; the form is {FORM}")
    if unknown := sorted(section.keys() - {"imports", "allow_failed_imports", "folder"}):
        raise ConfigError(
            f"custom_imports.{unknown[0]} is not a known key; there are imports and allow_failed_imports"
        )
    imports = section.get("imports") or []
    names = [imports] if isinstance(imports, str) else imports
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"custom_imports.imports is {imports!r}; the form is {FORM}")
    return list(names), section.get("allow_failed_imports") is True


@contextmanager
def _searching(*folders: str) -> Iterator[None]:
    """Look for modules in these folders first; leave ``sys.path`` as it was."""
    before = list(sys.path)
    sys.path[:0] = [each for each in dict.fromkeys(folders) if each not in before]
    # A module written a moment ago, beside one that was looked for before, is not seen otherwise.
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def _check_is_own(module: ModuleType, folders: Sequence[str]) -> None:
    """Refuse a module of Python's or of a library's where the user's file of that name was meant."""
    file = module.__file__
    if file is None:
        return
    name = module.__name__.partition(".")[0]
    for folder in map(Path, folders):
        meant = next((each for each in (folder / f"{name}.py", folder / name) if each.exists()), None)
        if meant is not None and not Path(file).resolve().is_relative_to(folder.resolve()):
            raise ImportError(f"'{name}' is {file}, not {meant.name} of {folder}; give yours another name")
        if meant is not None:
            return


def _reported(error: Exception) -> str:
    """Return an import's own error in one line, with the line of the user's code that led to it."""
    lines = str(error).splitlines() or [""]
    text = f"{type(error).__name__}: {lines[0]}" if lines[0] else type(error).__name__
    frames = [
        (Path(frame.filename), frame.lineno)
        for frame in extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
    ]
    own = [(file, line) for file, line in frames if not any(file.is_relative_to(each) for each in _OTHERS)]
    return f"{text} ({own[-1][0].name}:{own[-1][1]})" if own else text


# Folders without code of the user's.
_OTHERS = (Path(__file__).parents[1], *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")))
