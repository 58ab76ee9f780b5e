"""Expressions over data: the value of a node of a syntax tree.

Nothing is executed: a node that is not listed here is refused with its file and line. It must not know what
the values mean.
"""

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from ding_cls.config.operations import (
    CALLABLE_TEXT,
    FUNCTIONS,
    MAPPINGS,
    MAX_INT_BITS,
    SCALARS,
    arithmetic,
    call,
    compare,
    elements,
    shortened,
)
from ding_cls.config.scope import Scope
from ding_cls.errors import ConfigError

MAX_DEPTH = 100
MAX_FORMAT_WIDTH = 100


class Expressions:
    """Computes expressions over the data of a scope, and stores values in it.

    Args:
        scope: the file's names so far.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._budget = scope.budget
        self._depth = 0

    def refused(self, node: ast.AST, reason: str) -> ConfigError:
        """Return the error that names the file and the node's line."""
        return ConfigError(f"{reason} ({self.scope.file}:{getattr(node, 'lineno', 1)})")

    def value(self, node: ast.expr) -> Any:
        """Return the value of an expression.

        Raises:
            ConfigError: the expression is not data, fails, or computes too much.
        """
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise ValueError(f"the expression is nested more than {MAX_DEPTH} deep")
            self._budget.spend()
            result = self._value(node)
            if isinstance(result, complex) or (
                isinstance(result, int) and result.bit_length() > MAX_INT_BITS
            ):
                raise ValueError(f"the number is complex or has more than {MAX_INT_BITS} bits")
            return result
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise self.refused(node, str(error)) from error
        finally:
            self._depth -= 1

    def assign(self, target: ast.expr, value: Any) -> None:
        """Store a value under a name, an entry ``a['b']`` or ``a.b``, or a tuple of these.

        Raises:
            ConfigError: there is no such place.
        """
        match target:
            case ast.Name(id=name):
                self.scope.bind(name, value, target.lineno)
            case ast.Subscript(value=owner, slice=index):
                self._assign_entry(target, owner, self.value(index), value)
            case ast.Attribute(value=owner, attr=name):
                self._assign_entry(target, owner, name, value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                if not isinstance(value, (list, tuple)) or len(value) != len(parts):
                    raise self.refused(
                        target, f"{len(parts)} names need a list or tuple of {len(parts)} values"
                    )
                for part, item in zip(parts, value, strict=True):
                    self.assign(part, item)
            case _:
                raise self.refused(target, f"a config file cannot assign to {type(target).__name__}")

    def _assign_entry(self, target: ast.expr, owner: ast.expr, key: Any, value: Any) -> None:
        try:
            self.scope.set_entry(self.value(owner), key, value, target.lineno)
        except (TypeError, ValueError) as error:
            raise self.refused(target, str(error)) from error

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=str() | int() | float() | None as constant):
                return constant
            case ast.Name(id=name):
                return self.scope.named(name)
            case ast.List(elts=items):
                return self._items(items)
            case ast.Tuple(elts=items):
                return tuple(self._items(items))
            case ast.Dict():
                return self._dict(node)
            case ast.Call():
                return self._call(node)
            case ast.BinOp(left=left, op=symbol, right=right):
                return arithmetic(symbol, self.value(left), self.value(right), budget=self._budget)
            case ast.UnaryOp(op=symbol, operand=operand):
                return self._unary(symbol, self.value(operand))
            case ast.Subscript(value=owner, slice=index):
                return self.scope.entry(self.value(owner), self._index(index))
            case ast.Attribute(value=owner, attr=name):
                return self._attribute(owner, name)
            case ast.JoinedStr(values=parts):
                return self._joined(parts)
            case ast.FormattedValue():
                return self._formatted(node)
            case (
                ast.ListComp(elt=element, generators=loops) | ast.GeneratorExp(elt=element, generators=loops)
            ):
                return self._list_comprehension(element, loops)
            case ast.DictComp():
                return self._dict_comprehension(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.BoolOp(op=symbol, values=values):
                return self._boolean(isinstance(symbol, ast.And), values)
            case ast.Compare():
                return self._compare(node)
        raise TypeError(f"a config file is data, in which {type(node).__name__} is not allowed")

    def _items(self, nodes: Sequence[ast.expr]) -> list[Any]:
        values: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values.extend(elements(self.value(node.value), self._budget))
            else:
                values.append(self.value(node))
        return values

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                self.scope.unpack(result, self.value(value))
            else:
                self.scope.put(result, self.value(key), self.value(value), key.lineno)
        return result

    def _call(self, node: ast.Call) -> Any:
        name = self._callee(node.func)
        if name not in FUNCTIONS and name not in MAPPINGS:
            callee = shortened(ast.unparse(node.func))
            raise ValueError(f"{callee} cannot be called in a config file; allowed: {CALLABLE_TEXT}")
        arguments = self._items(node.args)
        if name in FUNCTIONS:
            if node.keywords:
                raise TypeError(f"{name}() takes no keywords in a config file")
            return call(name, arguments, budget=self._budget)
        return self._build_dict(arguments, node, is_copied=name == "easydict.EasyDict")

    def _build_dict(self, arguments: list[Any], node: ast.Call, *, is_copied: bool) -> dict[Any, Any]:
        if len(arguments) > 1:
            raise TypeError("dict() takes one positional argument at most")
        result: dict[Any, Any] = {}
        for source in arguments:
            if isinstance(source, dict):
                self.scope.unpack(result, self.scope.copied(source) if is_copied else source)
                continue
            for pair in elements(source, self._budget):
                key, value = elements(pair, self._budget)
                self.scope.put(result, key, value, node.lineno)
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is None:
                self.scope.unpack(result, value)
            else:
                self.scope.put(result, keyword.arg, value, keyword.lineno)
        return result

    def _callee(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            if node.id in self.scope.imports:
                return self.scope.imports[node.id]
            is_builtin = node.id in (*FUNCTIONS, *MAPPINGS) and node.id not in self.scope.names
            return node.id if is_builtin else ""
        if isinstance(node, ast.Attribute):
            return f"{self._callee(node.value)}.{node.attr}"
        return ""

    def _unary(self, symbol: ast.unaryop, operand: Any) -> Any:
        if isinstance(symbol, ast.Not):
            return not operand
        if isinstance(symbol, ast.Invert):
            raise TypeError("operator ~ is not allowed in a config file")
        return -operand if isinstance(symbol, ast.USub) else +operand

    def _index(self, node: ast.expr) -> Any:
        if not isinstance(node, ast.Slice):
            return self.value(node)
        return slice(
            *(None if bound is None else self.value(bound) for bound in (node.lower, node.upper, node.step))
        )

    def _attribute(self, owner: ast.expr, name: str) -> Any:
        if isinstance(owner, ast.Name) and owner.id in self.scope.imports:
            raise ValueError(f"{owner.id}.{name} is not data; only os.path.join() is allowed")
        return self.scope.entry(self.value(owner), name)

    def _joined(self, parts: Sequence[ast.expr]) -> str:
        text = "".join(self.value(part) for part in parts)
        self._budget.spend(len(text))
        return text

    def _formatted(self, node: ast.FormattedValue) -> str:
        value = self.value(node.value)
        if not isinstance(value, SCALARS):
            raise TypeError(f"an f-string holds numbers and strings, not {type(value).__name__}")
        self._budget.spend(len(value) if isinstance(value, str) else 1)
        spec = "" if node.format_spec is None else self.value(node.format_spec)
        if any(int(number) > MAX_FORMAT_WIDTH for number in re.findall(r"\d+", spec)):
            raise ValueError(f"widths and precisions go up to {MAX_FORMAT_WIDTH} in an f-string")
        converters: dict[int, Callable[[Any], str]] = {ord("s"): str, ord("r"): repr, ord("a"): ascii}
        return format(converters[node.conversion](value) if node.conversion in converters else value, spec)

    def _list_comprehension(self, element: ast.expr, loops: Sequence[ast.comprehension]) -> list[Any]:
        values: list[Any] = []
        self._in_own_scope(loops, lambda: values.append(self.value(element)))
        return values

    def _dict_comprehension(self, node: ast.DictComp) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        self._in_own_scope(
            node.generators,
            lambda: self.scope.put(result, self.value(node.key), self.value(node.value), node.key.lineno),
        )
        return result

    def _in_own_scope(self, loops: Sequence[ast.comprehension], emit: Callable[[], None]) -> None:
        outer = self.scope.names
        self._budget.spend(len(outer))
        self.scope.names = dict(outer)
        try:
            self._loop(loops, emit)
        finally:
            self.scope.names = outer

    def _loop(self, loops: Sequence[ast.comprehension], emit: Callable[[], None]) -> None:
        if not loops:
            emit()
            return
        for item in elements(self.value(loops[0].iter), self._budget):
            self.assign(loops[0].target, item)
            if all(self.value(test) for test in loops[0].ifs):
                self._loop(loops[1:], emit)

    def _boolean(self, is_and: bool, nodes: Sequence[ast.expr]) -> Any:
        result: Any = is_and
        for node in nodes:
            result = self.value(node)
            if bool(result) is not is_and:
                break
        return result

    def _compare(self, node: ast.Compare) -> Any:
        result: Any = True
        left = self.value(node.left)
        for symbol, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.value(comparator)
            result = compare(symbol, left, right, budget=self._budget)
            if not result:
                break
            left = right
        return result
