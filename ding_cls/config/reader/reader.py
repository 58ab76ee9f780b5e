"""Config files: read as data and never executed, each merged into the base files that it names.

A file in Python's syntax is parsed into a syntax tree; assignments, recognised imports and expressions over
data are interpreted, everything else is refused with its file and line. So a stranger's config is safe to
load, and every value knows the line that set it. YAML and JSON are read too. It must not know which keys a
config may have.
"""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from easydict import EasyDict

from ding_cls.config.merge import is_shadowing, key_problem, shadowing_problem, to_easydict
from ding_cls.config.origins import FileNotes
from ding_cls.config.reader.errors import Problems, TooManyProblemsError, located
from ding_cls.config.reader.expressions import Expressions
from ding_cls.config.reader.files import Sources, base_file, recipe_name
from ding_cls.config.reader.inherit import inherit
from ding_cls.config.reader.limits import BASE_WORK, MAX_BASE_CHAIN, MAX_DEPTH, Work
from ding_cls.config.reader.namespace import BASE, LocatedDict, Scope
from ding_cls.config.reader.safe_ops import kind
from ding_cls.config.reader.statements import base_statement, interpret, parsed
from ding_cls.errors import ConfigError

Origins: TypeAlias = dict[str, str]

MAIN = "main_config"
SUFFIXES = ("_config", "_cfg")

# Top-level names of the second spelling that would else pass for the one variable that is the whole config:
# by their ending, or because the file is called model.py.
SECTIONS = frozenset(
    {"model", "data", "dataset", "optimizer", "runner", "evaluation", "workflow", "fp16", "schedule"}
    | {"policy", "train_cfg", "val_cfg", "test_cfg", "tta_cfg", "env_cfg", "init_cfg", "norm_cfg"}
    | {"img_norm_cfg", "act_cfg", "conv_cfg", "paramwise_cfg", "optimizer_config", "lr_config"}
    | {"momentum_config", "checkpoint_config", "log_config"}
)


def read_config(path: str | os.PathLike[str]) -> EasyDict:
    """Return the config that a file holds, merged into its base files, without executing anything.

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
    path: str | os.PathLike[str],
    *,
    problems: list[str] | None = None,
    variables: set[str] | None = None,
    notes: FileNotes | None = None,
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
        notes: takes these too, the names that come too late, and the file's name.

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
    if reader.problems.lines and problems is None:
        raise ConfigError("\n".join(reader.problems.lines))
    if problems is not None:
        problems.extend(reader.problems.lines)
    used = reader.variables & values.keys()
    if variables is not None:
        variables |= used
    if notes is not None:
        notes.file = reader.leaf.name
        notes.variables |= used
        notes.overridden.update(reader.overridden)
    return values, origins


@dataclass(slots=True)
class _Layer:
    """What a file holds with its bases, or the bases of one file together.

    Attributes:
        values: by key.
        is_named: whether each Python file among them is one variable.
        private: keys that only inheriting files see.
        used: names that an expression in the file that sets them has used, and the place that set them.
        is_whole: whether there were no problems.
    """

    values: LocatedDict = field(default_factory=LocatedDict)
    is_named: bool = True
    private: frozenset[str] = frozenset()
    used: dict[str, str] = field(default_factory=dict)
    is_whole: bool = True


class _Reader:
    """Reads one config: a file, its bases, and theirs."""

    def __init__(self, path: Path) -> None:
        self.leaf = Path(os.path.abspath(path))
        self._given = path
        self._work = Work()
        self.problems = Problems(self._work)
        self.variables: set[str] = set()
        self.overridden: dict[str, tuple[str, str]] = {}
        self._sources = Sources()

    def leaf_config(self) -> _Layer:
        """Return what the file holds that inherits from all the others.

        Raises:
            ConfigError: it cannot be read at all.
        """
        try:
            text = self._sources.text(self._given)
        except ConfigError as error:
            if not os.path.lexists(self._given):
                raise
            raise ConfigError(f"{error} ({self._label(self.leaf)}:1)") from error
        return self._file(text, (self.leaf,))

    def published(self, config: _Layer, origins: Origins) -> dict[str, Any]:
        """Return the values without the private ones as plain data, and note the origin of each."""
        values: dict[str, Any] = {}
        for key, value in config.values.items():
            if key in config.private:
                continue
            place = config.values.places[key]
            entry = LocatedDict()
            entry.put(key, value, place)
            found: Origins = {}
            with self.problems.collect(), located(place):
                values |= self._plain(entry, "", place, origins=found, depth=0)
                origins.update(found)
        return values

    def _plain(self, value: Any, path: str, place: str, *, origins: Origins, depth: int) -> Any:
        """Return a value, which is at ``path`` and was set at ``place``, as plain data."""
        self._work.add_value(path)
        if depth > MAX_DEPTH:
            raise ValueError(f"the config is nested more than {MAX_DEPTH} deep, or contains itself")
        if not (isinstance(value, LocatedDict) and value):
            origins[path] = place
        if isinstance(value, (list, tuple)):
            self._work.add(len(value))
            return type(value)(
                self._plain(item, f"{path}.{index}", place, origins=origins, depth=depth + 1)
                if isinstance(item, (dict, list, tuple))
                else item
                for index, item in enumerate(value)
            )
        if not isinstance(value, LocatedDict):
            return value
        copy: dict[str, Any] = {}
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            key_place = value.places[key]
            if problem := key_problem(key):
                self.problems.add(f"{problem} ({key_place})")
                continue
            if is_shadowing(key, value):
                self.problems.add(f"{shadowing_problem(key, inner)} ({key_place})")
            copy[key] = self._plain(item, inner, key_place, origins=origins, depth=depth + 1)
        return copy

    def _label(self, file: Path) -> str:
        return recipe_name(file) or Path(os.path.relpath(file, self.leaf.parent)).as_posix()

    def _file(self, text: str, chain: Sequence[Path]) -> _Layer:
        """Return what the last file of a chain holds with its bases; each file of it names the next."""
        num_problems = len(self.problems.lines)
        file = chain[-1]
        templates = {
            "fileDirname": file.parent.as_posix(),
            "fileBasename": file.name,
            "fileBasenameNoExtension": file.stem,
            "fileExtname": file.suffix,
        }
        scope = Scope(self._label(file), work=self._work, templates=templates)
        if file.suffix == ".py":
            bases, own, is_named = self._python(text, scope, chain)
        else:
            bases, own = self._yaml_or_json(text, scope, chain)
            is_named = False
        self.variables |= scope.read_of_base if is_named else scope.read_of_base | scope.read
        private = frozenset() if is_named else frozenset(filter(_is_private, own))
        values = inherit(bases.values, own, problems=self.problems)
        read = set() if is_named else scope.read
        self._note_overridden(values, bases, own, read | scope.read_of_base)
        return _Layer(
            values,
            is_named or file.suffix != ".py",
            bases.private | private,
            {**bases.used, **{name: own.places[name] for name in read & own.keys()}},
            len(self.problems.lines) == num_problems,
        )

    def _note_overridden(
        self, values: LocatedDict, bases: _Layer, own: LocatedDict, read: Collection[str]
    ) -> None:
        """Note the names that a file sets too late: its bases have used theirs, and nothing reads the new.

        Args:
            values: the file with its bases.
            bases: those.
            own: what the file itself sets.
            read: the names that its expressions use.
        """
        for name in read:
            self.overridden.pop(name, None)
        for name in own.keys() & bases.used.keys() - set(read):
            if values[name] != bases.values.get(name):
                self.overridden[name] = (own.places[name], bases.used[name])

    def _python(self, text: str, scope: Scope, chain: Sequence[Path]) -> tuple[_Layer, LocatedDict, bool]:
        """Return the bases of a Python file, its own values, and whether these are one variable."""
        module = parsed(text, scope.file)
        expressions = Expressions(scope)
        bases = _Layer()
        if (node := base_statement(module)) is not None:
            with self.problems.collect(lambda: scope.lose({BASE})):
                named = expressions.value(node)
                nodes = getattr(node, "elts", None) or [node]
                bases = self._bases(named, list(map(expressions.place, nodes)), scope, chain)
        interpret(module, expressions, self.problems)
        name = _chosen_name(
            scope, chain[-1].stem, is_alone=node is None and len(chain) == 1, are_bases_named=bases.is_named
        )
        if name is None:
            return bases, _own_names(scope), False
        config = scope.names.get(name, LocatedDict())
        if not isinstance(config, LocatedDict):
            raise ConfigError(f"{name} must be a dict, not {kind(config)} ({scope.names.places[name]})")
        return bases, config, True

    def _yaml_or_json(self, text: str, scope: Scope, chain: Sequence[Path]) -> tuple[_Layer, LocatedDict]:
        # PyYAML takes 20 ms to import; most configs do without.
        from ding_cls.config.reader.yaml_json import json_values, yaml_values

        values = json_values(text, scope) if chain[-1].suffix == ".json" else yaml_values(text, scope)
        bases = _Layer()
        if BASE in values:
            bases = self._bases(values.pop(BASE), [values.places[BASE]], scope, chain)
        filled = LocatedDict()
        for key, value in values.items():
            with self.problems.collect(), located(values.places[key]):
                filled.put(key, scope.copied(value, 1, is_template=True), values.places[key])
        return bases, filled

    def _bases(self, named: Any, places: Sequence[str], scope: Scope, chain: Sequence[Path]) -> _Layer:
        """Read the files that ``_base_`` names, and bind the name to what they hold together."""
        bases = _Layer()
        paths = named if isinstance(named, (list, tuple)) else [named]

        def lose() -> None:
            bases.is_whole = False

        for number, given in enumerate(paths):
            place = places[number] if len(places) == len(paths) else places[0]
            with self.problems.collect(lose):
                config = self._base(given, place, chain)
                bases.private |= config.private
                bases.used |= config.used
                bases.is_named &= config.is_named
                bases.is_whole &= config.is_whole
                self._add_base(bases.values, config.values, scope, place)
        scope.bind(BASE, bases.values, places[0])
        if not bases.is_whole:
            scope.lose({BASE})
        return bases

    def _base(self, given: Any, place: str, chain: Sequence[Path]) -> _Layer:
        """Return what one base file holds; ``chain`` are the files that lead to it, the leaf first."""
        with located(place):
            self._work.add(BASE_WORK)
            path = base_file(given, chain[-1])
        if os.path.realpath(path) in map(os.path.realpath, chain):
            circle = " > ".join(map(self._label, [*chain, path]))
            raise ConfigError(f"base files inherit in a circle: {circle} ({place})")
        if len(chain) >= MAX_BASE_CHAIN:
            raise ConfigError(f"base files inherit over more than {MAX_BASE_CHAIN} levels ({place})")
        try:
            text = self._sources.text(path)
        except ConfigError as error:
            raise ConfigError(f"{error} ({place})") from error
        return self._file(text, [*chain, path])

    def _add_base(self, values: LocatedDict, more: LocatedDict, scope: Scope, place: str) -> None:
        for key, value in more.items():
            if key in values:
                self.problems.add(
                    f"{key} is set by two files of one _base_ list, {values.places[key]} and "
                    f"{more.places[key]}; let one of them inherit from the other, or take it out of one "
                    f"({place})"
                )
            # What inherits may assign to parts of it.
            with located(more.places[key]):
                values.put(key, scope.copied(value, 1), more.places[key])


def _is_private(key: object) -> bool:
    return isinstance(key, str) and key.startswith("_") and key_problem(key) is None


def _own_names(scope: Scope) -> LocatedDict:
    names = LocatedDict()
    for name, value in scope.names.items():
        if name != BASE and not name.startswith("__"):
            names.put(name, value, scope.names.places[name])
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
    public: list[str] = [name for name in [*scope.lost, *scope.names] if not name.startswith("_")]
    suffixed = [name for name in public if name.endswith(SUFFIXES)]
    is_last = suffixed == public[-1:] or suffixed == [*scope.lost]
    if is_alone and is_last and len(suffixed) == 1 and suffixed[0] in candidates:
        return suffixed[0]
    return None
