"""The statements of a config file in Python's syntax: interpreted one by one, never executed.

A statement that is no data is a problem with its file and line; the others are read all the same. It must not
know which of the names is the config, nor how base files are found.
"""

import ast
from collections.abc import Iterator
from functools import partial
from itertools import islice

from ding_cls.config.reader.errors import Problems
from ding_cls.config.reader.expressions import Expressions
from ding_cls.config.reader.limits import MAX_BRACES, MAX_NODES
from ding_cls.config.reader.namespace import BASE, Scope
from ding_cls.config.reader.safe_ops import IMPORTABLE
from ding_cls.errors import ConfigError


def parsed(text: str, file: str) -> ast.Module:
    """Return the syntax tree of a file.

    Raises:
        ConfigError: it is not Python's syntax, or is too large.
    """
    if text.count("{") > MAX_BRACES:
        raise ConfigError(f"a config file has at most {MAX_BRACES} braces ({file}:1)")
    try:
        module = ast.parse(text, filename=file)
    except SyntaxError as error:
        raise ConfigError(f"{error.msg} ({file}:{error.lineno or 1})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"the file is not Python's syntax, or is nested too deeply ({file}:1)") from error
    if any(islice(ast.walk(module), MAX_NODES, None)):
        raise ConfigError(f"a config file has at most {MAX_NODES} words and marks ({file}:1)")
    return module


def base_statement(module: ast.Module) -> ast.expr | None:
    """Return the right side of the first ``_base_ = ...`` of a file."""
    return next((node for statement in module.body if (node := _base_value(statement))), None)


def interpret(module: ast.Module, expressions: Expressions, problems: Problems) -> None:
    """Give the scope of ``expressions`` the names that the file defines; ``_base_`` is there already."""
    base = base_statement(module)
    for statement in module.body:
        if base is None or _base_value(statement) is not base:
            with problems.collect(partial(_lose, statement, expressions.scope)):
                _interpret(statement, expressions)


def _base_value(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id="_base_")], value=node):
            return node
        case ast.AnnAssign(target=ast.Name(id="_base_"), value=node):
            return node
    return None


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
        if isinstance(target, ast.Name) and target.id == BASE:
            raise expressions.refused(target, "_base_ is assigned once, by itself: _base_ = [...]")
        expressions.assign(target, value)


def _check_import(name: str, statement: ast.stmt, expressions: Expressions) -> None:
    if name not in IMPORTABLE:
        raise expressions.refused(
            statement, f"{name} cannot be imported in a config file; os.path and easydict are recognised"
        )


def _lose(statement: ast.stmt, scope: Scope) -> None:
    scope.lose(set(_bound_names(statement)))


def _bound_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement would have set."""
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.split(".")[0]
