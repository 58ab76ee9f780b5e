"""Expressions over data: the value of a node of a syntax tree.

Nothing is executed: a node that is not listed here is refused with its file and line. It must not know what
the values mean.
"""

import ast
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

from ding_cls.config.reader.namespace import BASE, Scope
from ding_cls.config.reader.safe_ops import (
    CALLABLE_TEXT,
    FUNCTIONS,
    MAPPINGS,
    MAX_INT_BITS,
    TEXT_METHODS,
    arithmetic,
    call,
    call_method,
    compare,
    elements,
    format_text,
    formatted,
    shortened,
)
from ding_cls.errors import ConfigError

MAX_DEPTH = 100
MAX_SHOWN_NODES = 20


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
        return ConfigError(f"{reason} ({self.scope.place(getattr(node, 'lineno', 1))})")

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
                self._bind(target, name, value)
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

    def _bind(self, target: ast.expr, name: str, value: Any) -> None:
        try:
            self.scope.bind(name, value, target.lineno)
        except ValueError as error:
            raise self.refused(target, str(error)) from error

    def _assign_entry(self, target: ast.expr, owner: ast.expr, key: Any, value: Any) -> None:
        root = owner
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        # To change a part of a value is not to use it.
        unread = {root.id} - self.scope.read if isinstance(root, ast.Name) else set()
        try:
            self.scope.set_entry(self.value(owner), key, value, target.lineno)
            self.scope.read -= unread
        except (TypeError, ValueError) as error:
            raise self.refused(target, str(error)) from error

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=str() as text):
                return self.scope.text(text)
            case ast.Constant(value=int() | float() | None as constant):
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
                return self._entry(owner, partial(self._index, index))
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
            case ast.Set(elts=[ast.Set(elts=[ast.Name() | ast.Attribute() as template])]):
                return self._template(template)
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
        if isinstance(node.func, ast.Attribute) and not name:
            return self._call_method(node, node.func)
        if name not in FUNCTIONS and name not in MAPPINGS:
            raise self._not_callable(node)
        arguments = self._items(node.args)
        if name in FUNCTIONS:
            if node.keywords:
                raise TypeError(f"{name}() takes no keywords in a config file")
            return call(name, arguments, budget=self._budget)
        return self._build_dict(arguments, node, is_copied=name == "easydict.EasyDict")

    def _call_method(self, node: ast.Call, method: ast.Attribute) -> Any:
        root: ast.expr = method
        while isinstance(root, ast.Attribute):
            root = root.value
        is_unknown = isinstance(root, ast.Name) and root.id not in self.scope.names
        if is_unknown or (method.attr != "format" and method.attr not in TEXT_METHODS):
            raise self._not_callable(node)
        owner = self.value(method.value)
        if not isinstance(owner, str):
            raise self._not_callable(node)
        arguments = self._items(node.args)
        if method.attr == "format":
            names: dict[str, Any] = {}
            self._add_keywords(names, node)
            return format_text(owner, arguments, names, budget=self._budget)
        if node.keywords:
            raise TypeError(f"{method.attr}() takes no keywords in a config file")
        return call_method(method.attr, owner, arguments, budget=self._budget)

    def _not_callable(self, node: ast.Call) -> ValueError:
        is_short = len(list(islice(ast.walk(node.func), MAX_SHOWN_NODES + 1))) <= MAX_SHOWN_NODES
        callee = shortened(ast.unparse(node.func)) if is_short else "what stands before the brackets"
        return ValueError(f"{callee} cannot be called in a config file; allowed: {CALLABLE_TEXT}")

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
        self._add_keywords(result, node)
        return result

    def _add_keywords(self, result: dict[Any, Any], node: ast.Call) -> None:
        named: set[Any] = set()
        for keyword in node.keywords:
            value = self.value(keyword.value)
            names = (
                [keyword.arg] if keyword.arg is not None else list(value) if isinstance(value, dict) else []
            )
            # Python would refuse the file: a silent winner hides a slip.
            if twice := next((name for name in names if name in named), None):
                raise self.refused(keyword, f"keyword {twice} is given twice")
            named.update(names)
            if keyword.arg is None:
                self.scope.unpack(result, value)
            else:
                self.scope.put(result, keyword.arg, value, keyword.lineno)

    def _callee(self, node: ast.expr) -> str:
        """Return the full name of what is called, empty where it is neither imported nor built in."""
        if isinstance(node, ast.Name):
            self.scope.check_not_lost(node.id)
            if node.id in self.scope.imports:
                return self.scope.imports[node.id]
            is_builtin = node.id in (*FUNCTIONS, *MAPPINGS) and node.id not in self.scope.names
            return node.id if is_builtin else ""
        if isinstance(node, ast.Attribute):
            owner = self._callee(node.value)
            return f"{owner}.{node.attr}" if owner else ""
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

    def _template(self, node: ast.Name | ast.Attribute) -> Any:
        """Return the value of ``{{ _base_.x }}`` or ``{{ fileDirname }}`` outside a string."""
        if isinstance(node, ast.Name):
            if node.id in self.scope.templates:
                return self.scope.templates[node.id]
        else:
            root: ast.expr = node
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id == BASE:
                return self.value(node)
        raise TypeError("a config file is data, in which Set is not allowed")

    def _attribute(self, owner: ast.expr, name: str) -> Any:
        if isinstance(owner, ast.Name) and owner.id in self.scope.imports:
            raise ValueError(f"{owner.id}.{name} is not data; only os.path.join() is allowed")
        return self._entry(owner, lambda: name)

    def _entry(self, owner: ast.expr, key: Callable[[], Any]) -> Any:
        if isinstance(owner, ast.Name) and owner.id == BASE:
            return self.scope.of_base(key())
        return self.scope.entry(self.value(owner), key())

    def _joined(self, parts: Sequence[ast.expr]) -> str:
        text = "".join(
            self.scope.f_string_text(part.value)
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
            else self.value(part)
            for part in parts
        )
        self._budget.spend(len(text))
        return text

    def _formatted(self, node: ast.FormattedValue) -> str:
        value = self.value(node.value)
        spec = "" if node.format_spec is None else self.value(node.format_spec)
        conversion = "" if node.conversion < 0 else chr(node.conversion)
        return formatted(value, conversion, spec, budget=self._budget)

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
        outer, bound = self.scope.names, self.scope.loop_names
        self._budget.spend(len(outer))
        self.scope.names = dict(outer)
        self.scope.loop_names = set(bound or ())
        try:
            self._loop(loops, emit)
        finally:
            self.scope.names, self.scope.loop_names = outer, bound

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
