"""Config files: read as data and never executed, each laid over the base files that it names.

A file in Python's syntax is parsed into a syntax tree; assignments, recognised imports and expressions over
data are interpreted, everything else is refused with its file and line. So a stranger's config is safe to
load, and every value knows the line that set it. YAML and JSON are read too. It must not know which keys a
config may have.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from easydict import EasyDict

from ding_cls.config.merge import is_shadowing, key_problem, shadowing_problem, to_easydict
from ding_cls.config.reader.errors import Problems, TooManyProblemsError
from ding_cls.config.reader.expressions import Expressions
from ding_cls.config.reader.files import MAX_FILES, Sources, base_file, recipe_name
from ding_cls.config.reader.inherit import laid_over
from ding_cls.config.reader.namespace import BASE, CHARACTERS_A_UNIT, Places, Scope
from ding_cls.config.reader.safe_ops import Budget
from ding_cls.config.reader.statements import base_statement, interpret, parsed
from ding_cls.config.reader.yaml_json import json_values, yaml_values
from ding_cls.errors import ConfigError

Origins: TypeAlias = dict[str, str]

MAX_CHAIN = 20
# A hundred files that name a hundred each are looked up 10,000 times, at 0.1 ms.
BASE_COST = 200
MAIN = "main_config"
SUFFIXES = ("_config", "_cfg")

# Top-level names of the second spelling that would else pass for the one variable that is the whole config:
# by their ending, or because the file is called model.py.
SECTIONS = frozenset(
    [
        "model",
        "data",
        "dataset",
        "optimizer",
        "runner",
        "evaluation",
        "workflow",
        "fp16",
        "schedule",
        "policy",
    ]
    + [f"{name}_config" for name in ("optimizer", "lr", "momentum", "checkpoint", "log")]
    + [
        f"{name}_cfg"
        for name in ("train", "val", "test", "tta", "env", "init", "norm", "img_norm", "act", "conv")
    ]
    + ["paramwise_cfg"]
)


def read_config(path: str | os.PathLike[str]) -> EasyDict:
    """Return the config that a file holds, laid over its base files, without executing anything.

    ``_base_``, a path or a list of paths relative to the file, names the files it inherits from: ``.py``,
    ``.yaml``, ``.yml`` or ``.json``, or a recipe that ships, ``ding_cls::NAME.py``. Dicts are merged key by
    key; ``_delete_=True`` in a dict drops the base's; two bases of one list share no key. A base's value is
    ``_base_.a.b``, or ``{{ _base_.a.b }}``.

    In a ``.py`` file the config is the variable ``main_config``; else the one named like the file; else the
    only one whose name ends in ``_config`` or ``_cfg``, when it is a dict and the last new name of the file;
    else the file's own top-level names are the keys (those that start with an underscore are not). A name
    that is itself a known section (``lr_config``, ``model``) is never the whole config. A file that inherits,
    or is inherited from, is mostly written as top-level names: there only ``main_config`` counts, and a name
    like the file's that ends in ``_config`` or ``_cfg``, unless a base is written as top-level names.

    Args:
        path: the file.

    Raises:
        ConfigError: a file cannot be read, or holds anything but data; all problems, one line each, with
            file and line.
    """
    config: EasyDict = to_easydict(read_config_with_origins(path)[0])
    return config


def read_config_with_origins(
    path: str | os.PathLike[str], *, problems: list[str] | None = None, variables: set[str] | None = None
) -> tuple[dict[str, Any], Origins]:
    """Return the config that a file holds as plain dicts, and which line set what.

    The second maps the dotted path of each value to ``file.py:LINE``, the file relative to the folder of
    ``path``. A list of plain values is one value; in a list of dicts the paths go on by index, ``a.0.b``.

    Args:
        path: the file.
        problems: takes a line for each problem that leaves something to go on with: what was refused is
            missing from the config, a key that hides a dict's method is still in it, of two bases that clash
            the later one wins. So a caller can check what there is and report everything at once. Without a
            list they are all raised.
        variables: takes those top-level names of the config that an expression has used: one further down in
            the same file, or one of an inheriting file by ``_base_.name``.

    Raises:
        ConfigError: as ``read_config``; with ``problems`` only where there is nothing to go on with.
    """
    reader = _Reader(Path(path))
    origins: Origins = {}
    try:
        values = reader.published(reader.leaf_config(), origins)
    except TooManyProblemsError:
        raise ConfigError("\n".join(reader.problems.lines)) from None
    except ConfigError as error:
        raise ConfigError("\n".join([*reader.problems.lines, str(error)])) from error
    except MemoryError as error:
        last = f"the config takes more memory than there is ({reader.leaf.name}:1)"
        raise ConfigError("\n".join([*reader.problems.lines, last])) from error
    except ValueError as error:
        # The budget is spent on laying files over each other, where no line is to blame.
        last = f"{error} ({reader.leaf.name}:1)"
        raise ConfigError("\n".join([*reader.problems.lines, last])) from error
    if reader.problems.lines and problems is None:
        raise ConfigError("\n".join(reader.problems.lines))
    if problems is not None:
        problems.extend(reader.problems.lines)
    if variables is not None:
        variables |= reader.variables & values.keys()
    return values, origins


@dataclass(frozen=True, slots=True)
class _FileConfig:
    """What a file holds, its bases included.

    Attributes:
        values: a tree: nothing in it is shared.
        is_named: whether it is one variable of the file; None where the question makes no sense.
        private: keys that only inheriting files see.
        is_whole: whether there were no problems in it.
    """

    values: dict[str, Any]
    is_named: bool | None
    private: frozenset[str]
    is_whole: bool


@dataclass(slots=True)
class _Bases:
    """What the base files of one file hold together."""

    values: dict[str, Any] = field(default_factory=dict)
    private: frozenset[str] = frozenset()
    are_named: bool = True
    are_whole: bool = True


class _Reader:
    """Reads one config: a file, its bases, and theirs; each file once."""

    def __init__(self, path: Path) -> None:
        self.leaf = Path(os.path.abspath(path))
        self._given = path
        self._budget = Budget()
        self._places = Places()
        self.problems = Problems(self._budget)
        self.variables: set[str] = set()
        self._sources = Sources()
        self._read: dict[str, _FileConfig] = {}

    def leaf_config(self) -> _FileConfig:
        """Return what the file holds that inherits from all the others.

        Raises:
            ConfigError: it cannot be read at all.
        """
        try:
            text = self._sources.text(self._given)
        except ConfigError as error:
            if not os.path.lexists(self._given):
                raise
            raise ConfigError(f"{error} ({self._scope(self.leaf).place(1)})") from error
        return self._file(text, self.leaf, ())

    def _file(self, text: str, file: Path, chain: Sequence[Path]) -> _FileConfig:
        num_problems = len(self.problems.lines)
        scope = self._scope(file)
        if file.suffix == ".py":
            bases, own, is_named = self._python(text, scope, file, [*chain, file])
        else:
            bases, own = self._plain(text, scope, file, [*chain, file])
            is_named = None
        self.variables |= scope.read_of_base if is_named else scope.read_of_base | scope.read
        private = frozenset() if is_named else frozenset(filter(_is_private, own))
        return _FileConfig(
            laid_over(bases.values, own, scope=scope, problems=self.problems),
            is_named,
            bases.private | private,
            len(self.problems.lines) == num_problems,
        )

    def published(self, config: _FileConfig, origins: Origins) -> dict[str, Any]:
        """Return the values without the private ones, and note the origin of each."""
        leaf = self._scope(self.leaf)
        values: dict[str, Any] = {}
        for key, value in config.values.items():
            if key not in config.private:
                leaf.put(values, key, value, self._places.get(config.values, key))
        result: dict[str, Any] = self._published(values, "", leaf.place(1), origins)
        return result

    def _scope(self, file: Path) -> Scope:
        templates = {
            "fileDirname": file.parent.as_posix(),
            "fileBasename": file.name,
            "fileBasenameNoExtension": file.stem,
            "fileExtname": file.suffix,
        }
        label = recipe_name(file) or Path(os.path.relpath(file, self.leaf.parent)).as_posix()
        return Scope(label, budget=self._budget, places=self._places, templates=templates)

    def _python(
        self, text: str, scope: Scope, file: Path, chain: Sequence[Path]
    ) -> tuple[_Bases, dict[str, Any], bool]:
        module = parsed(text, scope.file)
        expressions = Expressions(scope)
        bases = _Bases()
        if (found := base_statement(module)) is not None:
            node, line = found
            with self.problems.gathered(lambda: scope.lose({BASE})):
                named = expressions.value(node)
                elements = getattr(node, "elts", [])
                lines = [element.lineno for element in elements] or [line]
                bases = self._bases(named, lines, scope, file, chain)
        interpret(module, expressions, self.problems)
        name = _chosen_name(
            scope, file.stem, is_alone=found is None and len(chain) == 1, are_bases_named=bases.are_named
        )
        if name is None:
            return bases, self._tree(_own_names(scope), scope), False
        config = scope.names.get(name, {})
        if not isinstance(config, dict):
            place = scope.places.get(scope.names, name)
            raise ConfigError(f"{name} must be a dict, not {type(config).__name__} ({place})")
        return bases, self._tree(config, scope), True

    def _plain(
        self, text: str, scope: Scope, file: Path, chain: Sequence[Path]
    ) -> tuple[_Bases, dict[str, Any]]:
        values = json_values(text, scope) if file.suffix == ".json" else yaml_values(text, scope)
        bases = _Bases()
        if BASE in values:
            line = int(scope.places.get(values, BASE).rpartition(":")[2])
            bases = self._bases(values.pop(BASE), [line], scope, file, chain)
        return bases, self._tree(values, scope, is_template=True)

    def _bases(
        self, named: Any, lines: Sequence[int], scope: Scope, file: Path, chain: Sequence[Path]
    ) -> _Bases:
        """Read the files that ``_base_`` names, and bind the name to what they hold together."""
        bases = _Bases()
        paths = named if isinstance(named, (list, tuple)) else [named]
        if len(paths) > MAX_FILES:
            raise ConfigError(f"_base_ names more than {MAX_FILES} files ({scope.place(lines[0])})")
        if len(lines) != len(paths):
            lines = [*lines[:1]] * len(paths)

        def lost() -> None:
            bases.are_whole = False

        for given, line in zip(paths, lines, strict=True):
            with self.problems.gathered(lost):
                config = self._base(given, scope.place(line), file, chain)
                bases.private |= config.private
                bases.are_named &= config.is_named is not False
                bases.are_whole &= config.is_whole
                self._add_base(bases.values, config.values, scope, line)
        scope.put(scope.names, BASE, bases.values, lines[0] if lines else 1)
        if not bases.are_whole:
            scope.lose({BASE})
        return bases

    def _base(self, given: Any, place: str, file: Path, chain: Sequence[Path]) -> _FileConfig:
        """Return what one base file holds; ``chain`` are the files that lead to it, the leaf first."""
        try:
            self._budget.spend(BASE_COST)
            path = base_file(given, file)
        except ValueError as error:
            raise ConfigError(f"{error} ({place})") from error
        identity = os.path.realpath(path)
        if identity in map(os.path.realpath, chain):
            circle = " > ".join(self._scope(each).file for each in [*chain, path])
            raise ConfigError(f"base files inherit in a circle: {circle} ({place})")
        if len(chain) >= MAX_CHAIN:
            raise ConfigError(f"base files inherit over more than {MAX_CHAIN} levels ({place})")
        if identity not in self._read:
            try:
                text = self._sources.text(path)
            except ConfigError as error:
                raise ConfigError(f"{error} ({place})") from error
            self._read[identity] = self._file(text, path, chain)
        return self._read[identity]

    def _add_base(self, values: dict[str, Any], more: dict[str, Any], scope: Scope, line: int) -> None:
        for key, value in more.items():
            place = self._places.get(more, key)
            if key in values:
                other = self._places.get(values, key)
                self.problems.add(
                    f"{key} is set by two files of one _base_ list, {other} and {place}; "
                    f"let one of them inherit from the other, or take it out of one ({scope.place(line)})"
                )
            # A file can be the base of several, and each may assign to parts of it.
            scope.put(values, key, scope.copied(value, 1), place)

    def _tree(self, values: dict[Any, Any], scope: Scope, *, is_template: bool = False) -> dict[str, Any]:
        """Return a copy in which nothing is shared; an entry that contains itself is left out."""
        tree: dict[str, Any] = {}
        for key, value in values.items():
            place = self._places.get(values, key)
            with self.problems.gathered():
                try:
                    copy = scope.filled(value) if is_template else scope.copied(value, 1)
                    scope.put(tree, key, copy, place)
                except (LookupError, TypeError, ValueError) as error:
                    raise ConfigError(f"{error} ({place})") from error
        return tree

    def _published(self, value: Any, path: str, place: str, origins: Origins) -> Any:
        self._budget.spend(1 + len(path) // CHARACTERS_A_UNIT)
        if path and not (isinstance(value, dict) and value):
            origins[path] = place
        if isinstance(value, (list, tuple)):
            return type(value)(
                self._published(item, f"{path}.{index}", place, origins)
                if isinstance(item, (dict, list, tuple))
                else item
                for index, item in enumerate(value)
            )
        if not isinstance(value, dict):
            return value
        copy: dict[str, Any] = {}
        for key, item in value.items():
            key_place = self._places.get(value, key, place)
            inner = f"{path}.{key}" if path else str(key)
            if problem := key_problem(key):
                self.problems.add(f"{problem} ({key_place})")
                continue
            if is_shadowing(key, value):
                self.problems.add(f"{shadowing_problem(key, inner)} ({key_place})")
            copy[key] = self._published(item, inner, key_place, origins)
        return copy


def _is_private(key: object) -> bool:
    return isinstance(key, str) and key.startswith("_") and key_problem(key) is None


def _own_names(scope: Scope) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for name, value in scope.names.items():
        if name != BASE and not name.startswith("__"):
            scope.put(names, name, value, scope.places.get(scope.names, name))
    return names


def _chosen_name(scope: Scope, stem: str, *, is_alone: bool, are_bases_named: bool) -> str | None:
    """Return the name of the variable that is the config; None where the top-level names are its keys.

    It has no value where the statement that sets it was refused.
    """
    if MAIN in scope.names or MAIN in scope.lost:
        return MAIN
    dicts = {name for name, value in scope.names.items() if isinstance(value, dict)} | scope.lost
    candidates = dicts - SECTIONS
    if stem in candidates and are_bases_named and (is_alone or stem.endswith(SUFFIXES)):
        return stem
    public = [name for name in [*scope.lost, *scope.names] if not name.startswith("_")]
    suffixed = [name for name in public if name.endswith(SUFFIXES)]
    is_last = suffixed == public[-1:] or suffixed == [*scope.lost]
    if is_alone and is_last and len(suffixed) == 1 and suffixed[0] in candidates:
        return suffixed[0]
    return None
