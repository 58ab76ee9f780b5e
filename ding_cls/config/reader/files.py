"""The files that a config is read from: which may be opened, and how much of them. It must not know syntax.

A config is a stranger's until it is read: a base file is a config file in the same tree of folders, and
neither a device nor a pipe is ever opened.
"""

import os
from pathlib import Path, PureWindowsPath

from ding_cls.config.reader.limits import MAX_BYTES
from ding_cls.config.reader.safe_ops import shown
from ding_cls.errors import ConfigError

SUFFIXES = (".py", ".yaml", ".yml", ".json")
MAX_PATH = 1000

# What ships: `_base_ = "ding_cls::fine_tune.py"` names a file of this folder; the package has no other.
RECIPES = Path(__file__).resolve().parents[2] / "recipes"
PACKAGE = "ding_cls::"

_SUFFIX_TEXT = f"its name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


class Sources:
    """Opens the files of one config and counts what they hold, together."""

    def __init__(self) -> None:
        self._bytes_left = MAX_BYTES

    def text(self, file: Path) -> str:
        """Return the text of a config file.

        Raises:
            ConfigError: it cannot be read, is no config file, or is too large; it does not say who named it.
        """
        content = _content(file, self._bytes_left)
        if len(content) > self._bytes_left:
            size = "has" if self._bytes_left == MAX_BYTES else "brings the config to"
            raise ConfigError(f"config file {file} {size} more than {MAX_BYTES} bytes; no more are read")
        self._bytes_left -= len(content)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise ConfigError(f"config file {file} is not UTF-8 in line {line}") from error
        return text


def base_file(given: object, child: Path) -> Path:
    """Return the path of the base file that a config file names.

    Args:
        given: relative to the folder of ``child``; or a recipe that ships, ``ding_cls::NAME.py``.
        child: the file that inherits, absolute.

    Raises:
        ValueError: it is neither the path of a config file in the same tree of folders nor such a recipe.
    """
    if not isinstance(given, str) or not given or "\0" in given:
        raise ValueError(f"_base_ is the path of a file or a list of paths, not of {shown(given)}")
    if len(given) > MAX_PATH:
        raise ValueError(f"base file {shown(given)} has a path of more than {MAX_PATH} characters")
    if given.startswith(PACKAGE):
        return _recipe(given)
    windows = PureWindowsPath(given)
    if "::" in given or "://" in given or given.startswith("~") or windows.drive or windows.root:
        raise ValueError(f"base file {given!r} must be a path relative to the file that names it")
    if not given.endswith(SUFFIXES):
        raise ValueError(f"base file {given!r} is not a config file: {_SUFFIX_TEXT}")
    path = Path(os.path.normpath(child.parent / given))
    folder, target = os.path.realpath(child.parent), os.path.realpath(path)
    if not target.endswith(SUFFIXES):
        raise ValueError(f"base file {given!r} is a link to what is not a config file")
    shared = Path(os.path.commonpath([folder, target]))
    # A stranger's config must not show the reader's own settings: ~/.docker/config.json ends in .json too.
    if any(part.startswith(".") for part in Path(target).relative_to(shared).parts):
        raise ValueError(f"base file {given!r} is hidden, or lies in a hidden folder")
    if shared == Path(shared.anchor) != Path(folder):
        raise ValueError(f"base file {given!r} lies outside the tree of config files that {child.name} is in")
    return path


def recipe_names() -> list[str]:
    """Return the recipes that ship, as ``_base_`` names them."""
    return sorted(PACKAGE + file.name for file in RECIPES.glob("*.py"))


def recipe_name(file: Path) -> str | None:
    """Return how ``_base_`` names a file, where it is a recipe that ships."""
    return PACKAGE + file.name if file.parent == RECIPES else None


def _recipe(given: str) -> Path:
    # The names are compared, never joined to a path that comes from a config.
    known = recipe_names()
    if given not in known:
        raise ValueError(f"base file {given!r} does not ship with ding_cls; these do: {', '.join(known)}")
    return RECIPES / given.removeprefix(PACKAGE)


def _content(file: Path, bytes_left: int) -> bytes:
    if not file.name.endswith(SUFFIXES):
        raise ConfigError(f"{file} is not a config file: {_SUFFIX_TEXT}")
    try:
        if file.exists() and not file.is_file():
            raise ConfigError(f"config file {file} cannot be read: it is a folder, a device or a pipe")
        with open(file, "rb") as opened:
            return opened.read(bytes_left + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"config file {file} cannot be read: {reason}") from error
