"""Config files: Python's syntax, read as data and never executed.

A file is parsed into a syntax tree; assignments, recognised imports and expressions over data are
interpreted, everything else is refused with its file and line. So a stranger's config is safe to load, and
every value knows the line that set it. It must not know which keys exist.
"""

import ast
import os
from pathlib import Path
from typing import Any, TypeAlias

from easydict import EasyDict

from ding_cls.config.expressions import Expressions
from ding_cls.config.merge import key_problem, to_easydict
from ding_cls.config.operations import IMPORTABLE
from ding_cls.config.scope import Scope
from ding_cls.errors import ConfigError

Origins: TypeAlias = dict[str, str]

MAX_FILE_BYTES = 500_000
MAX_CONFIG_DEPTH = 50


def read_config(path: str | os.PathLike[str]) -> EasyDict:
    """Return the config that a file holds, without executing the file.

    The config is the variable ``main_config``; else the one named like the file; else the only one whose name
    ends in ``_config`` or ``_cfg``, when it is a dict and the last new name of the file; else the file's own
    top-level names are the keys (those that start with an underscore are not).

    Args:
        path: a ``.py`` file.

    Raises:
        ConfigError: the file cannot be read, or holds anything but data; it names the file and line.
    """
    config: EasyDict = to_easydict(read_config_with_origins(path)[0])
    return config


def read_config_with_origins(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Origins]:
    """Return the config that a file holds as plain dicts, and which line set what.

    The second maps the dotted path of each value to ``file.py:LINE``. A list of plain values is one value; in
    a list of dicts the paths go on by index, ``a.0.b``.

    Raises:
        ConfigError: as ``read_config``.
    """
    file = Path(path)
    scope = Scope(file.name)
    expressions = Expressions(scope)
    for statement in _parsed(file).body:
        _interpret(statement, expressions)
    config = _chosen(scope, file.stem)
    origins: Origins = {}
    try:
        return _published(config, "", 1, scope=scope, origins=origins), origins
    except ValueError as error:
        raise ConfigError(f"{error} ({file.name})") from error


def _parsed(file: Path) -> ast.Module:
    if file.suffix != ".py":
        raise ConfigError(f"{file} is not a config file: its name must end in .py")
    try:
        source = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"config file {file} cannot be read: {error.strerror}") from error
    if len(source) > MAX_FILE_BYTES:
        raise ConfigError(f"config file {file} has {len(source)} bytes; at most {MAX_FILE_BYTES} are read")
    try:
        return ast.parse(source, filename=str(file))
    except SyntaxError as error:
        raise ConfigError(f"{error.msg} ({file.name}:{error.lineno or 1})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(
            f"the file is not Python's syntax, or is nested too deeply ({file.name}:1)"
        ) from error


def _interpret(statement: ast.stmt, expressions: Expressions) -> None:
    match statement:
        case ast.Assign(targets=targets, value=node):
            _assign(targets, node, expressions)
        case ast.AnnAssign(target=target, value=ast.expr() as node):
            _assign([target], node, expressions)
        case ast.Import(names=names):
            for alias in names:
                top = alias.name.split(".")[0]
                bound, module = (alias.asname, alias.name) if alias.asname else (top, top)
                _check_import(alias.name, statement, expressions)
                expressions.scope.bind_import(bound, module)
        case ast.ImportFrom(module="__future__"):
            pass
        case ast.ImportFrom(module=str(module), names=names, level=0):
            for alias in names:
                _check_import(f"{module}.{alias.name}", statement, expressions)
                expressions.scope.bind_import(alias.asname or alias.name, f"{module}.{alias.name}")
        case ast.If(
            test=ast.Compare(
                left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]
            ),
            orelse=[],
        ):
            pass
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            pass
        case ast.Expr(value=node):
            expressions.value(node)
            raise expressions.refused(
                statement, "an expression whose value goes nowhere is not allowed in a config file"
            )
        case _:
            kind = type(statement).__name__
            raise expressions.refused(statement, f"a config file is data, in which {kind} is not allowed")


def _assign(targets: list[ast.expr], node: ast.expr, expressions: Expressions) -> None:
    value = expressions.value(node)
    for target in targets:
        if isinstance(target, ast.Name) and target.id == "_base_":
            raise expressions.refused(target, "_base_ is not supported; write the values into this file")
        expressions.assign(target, value)


def _check_import(name: str, statement: ast.stmt, expressions: Expressions) -> None:
    if name not in IMPORTABLE:
        raise expressions.refused(
            statement, f"{name} cannot be imported in a config file; os.path and easydict are recognised"
        )


def _chosen(scope: Scope, stem: str) -> dict[str, Any]:
    names = [name for name in scope.names if not name.startswith("_")]
    suffixed = [name for name in names if name.endswith(("_config", "_cfg"))]
    for name in ("main_config", stem):
        if name in scope.names:
            return _as_config(name, scope)
    if len(suffixed) == 1 and suffixed == names[-1:] and isinstance(scope.names[suffixed[0]], dict):
        return _as_config(suffixed[0], scope)
    config: dict[str, Any] = {}
    for name in names:
        config[name] = scope.names[name]
        scope.lines.set(config, name, scope.lines.get(scope.names, name, 1))
    return config


def _as_config(name: str, scope: Scope) -> dict[str, Any]:
    config = scope.names[name]
    if not isinstance(config, dict):
        line = scope.lines.get(scope.names, name, 1)
        raise ConfigError(f"{name} must be a dict, not {type(config).__name__} ({scope.file}:{line})")
    return config


def _published(value: Any, path: str, line: int, *, scope: Scope, origins: Origins, depth: int = 0) -> Any:
    """Return a copy in which nothing is shared, and note each value's line; the copy is paid for too."""
    scope.budget.spend()
    if depth > MAX_CONFIG_DEPTH:
        raise ValueError(f"the config is nested more than {MAX_CONFIG_DEPTH} deep, or contains itself")
    if path and not (isinstance(value, dict) and value):
        origins[path] = f"{scope.file}:{line}"
    if isinstance(value, (list, tuple)):
        return type(value)(
            _published(item, f"{path}.{index}", line, scope=scope, origins=origins, depth=depth + 1)
            if isinstance(item, (dict, list, tuple))
            else item
            for index, item in enumerate(value)
        )
    if not isinstance(value, dict):
        return value
    copy: dict[str, Any] = {}
    for key, item in value.items():
        key_line = scope.lines.get(value, key, line)
        if problem := key_problem(key):
            raise ConfigError(f"{problem} ({scope.file}:{key_line})")
        inner = f"{path}.{key}" if path else key
        copy[key] = _published(item, inner, key_line, scope=scope, origins=origins, depth=depth + 1)
    return copy
