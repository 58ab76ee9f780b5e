"""Expressions over data: the value of a node of a syntax tree.

Nothing is executed: a kind of node that ``_EVALUATORS`` does not list is refused with its file and line. It
must not know what the values mean.
"""

import ast
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NoReturn

from ding_cls.config.reader.errors import located
from ding_cls.config.reader.limits import MAX_EXPRESSION_DEPTH, check_number
from ding_cls.config.reader.namespace import BASE, LocatedDict, Scope, check_key
from ding_cls.config.reader.safe_ops import (
    CALLABLE_TEXT,
    FUNCTIONS,
    MAPPINGS,
    TEXT_METHODS,
    arithmetic,
    call_method,
    compare,
    elements,
    format_text,
    formatted,
    shortened,
)
from ding_cls.errors import ConfigError

_MAX_SHOWN_NODES = 20
_MAX_REASON = 500


class Expressions:
    """Computes expressions over the data of a scope, and stores values in it.

    Args:
        scope: the file's names so far.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._depth = 0

    def place(self, node: ast.AST) -> str:
        """Return the file and the node's line."""
        return self.scope.place(getattr(node, "lineno", 1))

    def refused(self, node: ast.AST, reason: str) -> ConfigError:
        """Return the error that names the file and the node's line."""
        return ConfigError(f"{reason[:_MAX_REASON]} ({self.place(node)})")

    def value(self, node: ast.expr) -> Any:
        """Return the value of an expression.

        Raises:
            ConfigError: the expression is not data, fails, or computes too much.
        """
        self._depth += 1
        try:
            if self._depth > MAX_EXPRESSION_DEPTH:
                raise ValueError(f"the expression is nested more than {MAX_EXPRESSION_DEPTH} deep")
            result = _EVALUATORS.get(type(node), _not_data)(self, node)
            self.scope.work.add_value(result)
            return check_number(result)
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise self.refused(node, str(error)) from error
        finally:
            self._depth -= 1

    def assign(self, target: ast.expr, value: Any) -> None:
        """Store a value under a name, an entry ``a['b']`` or ``a.b``, or a tuple of these.

        Raises:
            ConfigError: there is no such place.
        """
        with located(self.place(target)):
            match target:
                case ast.Name(id=name):
                    self.scope.bind(name, value, self.place(target))
                case ast.Subscript(value=owner, slice=index):
                    self._assign_entry(owner, self.value(index), value, self.place(target))
                case ast.Attribute(value=owner, attr=name):
                    self._assign_entry(owner, name, value, self.place(target))
                case ast.Tuple(elts=parts) | ast.List(elts=parts):
                    for part, item in zip(parts, _parts(value, len(parts)), strict=True):
                        self.assign(part, item)
                case _:
                    raise TypeError(f"a config file cannot assign to {type(target).__name__}")

    def _assign_entry(self, owner: ast.expr, key: Any, value: Any, place: str) -> None:
        root = _root(owner)
        # To change a part of a value is not to use it.
        unread = {root.id} - self.scope.read if isinstance(root, ast.Name) else set()
        self.scope.set_entry(self.value(owner), key, value, place)
        self.scope.read -= unread

    def _constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, str):
            return self.scope.text(node.value)
        return node.value if isinstance(node.value, (int, float, type(None))) else _not_data(self, node)

    def _items(self, nodes: Sequence[ast.expr]) -> list[Any]:
        values: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values.extend(elements(self.value(node.value)))
            else:
                values.append(self.value(node))
        return values

    def _dict(self, node: ast.Dict) -> LocatedDict:
        result = LocatedDict()
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                result.unpack(self.value(value))
            else:
                result.put(self.value(key), self.value(value), self.place(key))
        return result

    def _call(self, node: ast.Call) -> Any:
        name = self._callee(node.func)
        if name in MAPPINGS:
            return self._mapping(node, is_copied=name == "easydict.EasyDict")
        if name in FUNCTIONS:
            if node.keywords:
                raise TypeError(f"{name}() takes no keywords in a config file")
            return FUNCTIONS[name](*self._items(node.args))
        if name or not isinstance(node.func, ast.Attribute):
            raise _not_callable(node)
        return self._call_method(node, node.func)

    def _call_method(self, node: ast.Call, method: ast.Attribute) -> Any:
        root = _root(method)
        is_unknown = isinstance(root, ast.Name) and not self.scope.has(root.id)
        if is_unknown or method.attr not in (*TEXT_METHODS, "format"):
            raise _not_callable(node)
        owner = self.value(method.value)
        if not isinstance(owner, str):
            raise _not_callable(node)
        arguments = self._items(node.args)
        if method.attr == "format":
            names = LocatedDict()
            self._add_keywords(names, node)
            return format_text(owner, arguments, names, work=self.scope.work)
        if node.keywords:
            raise TypeError(f"{method.attr}() takes no keywords in a config file")
        return call_method(method.attr, owner, arguments)

    def _mapping(self, node: ast.Call, *, is_copied: bool) -> LocatedDict:
        arguments = self._items(node.args)
        if len(arguments) > 1:
            raise TypeError("dict() takes one positional argument at most")
        result = LocatedDict()
        for source in arguments:
            if isinstance(source, LocatedDict):
                result.unpack(self.scope.copied(source) if is_copied else source)
                continue
            pairs = elements(source)
            self.scope.work.add(len(pairs))
            for pair in pairs:
                key, value = _parts(pair, 2)
                result.put(key, value, self.place(node))
        self._add_keywords(result, node)
        return result

    def _add_keywords(self, result: LocatedDict, node: ast.Call) -> None:
        named: set[Any] = set()
        for keyword in node.keywords:
            added = LocatedDict()
            value = self.value(keyword.value)
            if keyword.arg is None:
                added.unpack(value)
            else:
                added.put(keyword.arg, value, self.place(keyword))
            # Python would refuse the file: a silent winner hides a slip.
            for twice in named & added.keys():
                raise self.refused(keyword, f"keyword {twice} is given twice")
            named |= added.keys()
            result.unpack(added)

    def _callee(self, node: ast.expr) -> str:
        """Return the full name of what is called, empty where it is neither imported nor built in."""
        if isinstance(node, ast.Attribute):
            owner = self._callee(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        if not isinstance(node, ast.Name):
            return ""
        self.scope.check_not_lost(node.id)
        is_builtin = node.id in (*FUNCTIONS, *MAPPINGS) and not self.scope.has(node.id)
        return self.scope.imports.get(node.id, node.id if is_builtin else "")

    def _unary(self, node: ast.UnaryOp) -> Any:
        operand = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not operand
        if isinstance(node.op, ast.Invert):
            raise TypeError("operator ~ is not allowed in a config file")
        return -operand if isinstance(node.op, ast.USub) else +operand

    def _slice(self, node: ast.Slice) -> slice:
        bounds = (node.lower, node.upper, node.step)
        return slice(*(None if bound is None else self.value(bound) for bound in bounds))

    def _template(self, node: ast.Set) -> Any:
        """Return the value of ``{{ _base_.x }}`` or ``{{ fileDirname }}`` outside a string."""
        match node:
            case ast.Set(elts=[ast.Set(elts=[ast.Name(id=name)])]) if name in self.scope.templates:
                return self.scope.templates[name]
            case ast.Set(elts=[ast.Set(elts=[ast.Attribute() as inner])]):
                root = _root(inner)
                if isinstance(root, ast.Name) and root.id == BASE:
                    return self.value(inner)
        return _not_data(self, node)

    def _attribute(self, node: ast.Attribute) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id in self.scope.imports:
            raise ValueError(f"{node.value.id}.{node.attr} is not data; only os.path.join() is allowed")
        return self._entry(node.value, node.attr)

    def _entry(self, owner: ast.expr, key: Any) -> Any:
        if isinstance(owner, ast.Name) and owner.id == BASE:
            return self.scope.of_base(key)
        return self.scope.entry(self.value(owner), key)

    def _joined(self, node: ast.JoinedStr) -> str:
        return "".join(
            self.scope.f_string_text(part.value)
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
            else self.value(part)
            for part in node.values
        )

    def _formatted(self, node: ast.FormattedValue) -> str:
        value = self.value(node.value)
        spec = "" if node.format_spec is None else self.value(node.format_spec)
        return formatted(value, "" if node.conversion < 0 else chr(node.conversion), spec)

    def _list_comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        values: list[Any] = []
        self._loop(node.generators, lambda: values.append(self.value(node.elt)))
        return values

    def _dict_comprehension(self, node: ast.DictComp) -> LocatedDict:
        result = LocatedDict()
        self._loop(
            node.generators,
            lambda: result.put(self.value(node.key), self.value(node.value), self.place(node.key)),
        )
        return result

    def _loop(self, loops: Sequence[ast.comprehension], emit: Callable[[], None]) -> None:
        if not loops:
            emit()
            return
        outer = self.scope.loop_names
        for item in elements(self.value(loops[0].iter)):
            self.scope.loop_names = {**outer, **_bound(loops[0].target, item)}
            try:
                if all(self.value(test) for test in loops[0].ifs):
                    self._loop(loops[1:], emit)
            finally:
                self.scope.loop_names = outer

    def _boolean(self, node: ast.BoolOp) -> Any:
        is_and = isinstance(node.op, ast.And)
        result: Any = is_and
        for operand in node.values:
            result = self.value(operand)
            if bool(result) is not is_and:
                break
        return result

    def _compare(self, node: ast.Compare) -> Any:
        result: Any = True
        left = self.value(node.left)
        for symbol, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.value(comparator)
            result = compare(symbol, left, right, work=self.scope.work)
            if not result:
                break
            left = right
        return result


def _not_data(_: Expressions, node: ast.AST) -> NoReturn:
    raise TypeError(f"a config file is data, in which {type(node).__name__} is not allowed")


def _not_callable(node: ast.Call) -> ValueError:
    is_short = len(list(islice(ast.walk(node.func), _MAX_SHOWN_NODES + 1))) <= _MAX_SHOWN_NODES
    callee = shortened(ast.unparse(node.func)) if is_short else "what stands before the brackets"
    return ValueError(f"{callee} cannot be called in a config file; allowed: {CALLABLE_TEXT}")


def _root(node: ast.expr) -> ast.expr:
    """Return ``a`` of ``a.b['c'].d``."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node


def _parts(value: Any, count: int) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)) or len(value) != count:
        raise ValueError(f"{count} names need a list or tuple of {count} values")
    return value


def _bound(target: ast.expr, value: Any) -> dict[str, Any]:
    """Return the names that the ``for`` of a comprehension gives a value."""
    if isinstance(target, ast.Name):
        check_key(target.id)
        return {target.id: value}
    if not isinstance(target, (ast.Tuple, ast.List)):
        raise TypeError(f"a config file cannot assign to {type(target).__name__}")
    names: dict[str, Any] = {}
    for part, item in zip(target.elts, _parts(value, len(target.elts)), strict=True):
        names |= _bound(part, item)
    return names


# All that an expression may be made of.
_EVALUATORS: dict[type[ast.expr], Callable[[Expressions, Any], Any]] = {
    ast.Attribute: Expressions._attribute,
    ast.BinOp: lambda self, node: arithmetic(node.op, self.value(node.left), self.value(node.right)),
    ast.BoolOp: Expressions._boolean,
    ast.Call: Expressions._call,
    ast.Compare: Expressions._compare,
    ast.Constant: Expressions._constant,
    ast.Dict: Expressions._dict,
    ast.DictComp: Expressions._dict_comprehension,
    ast.FormattedValue: Expressions._formatted,
    ast.GeneratorExp: Expressions._list_comprehension,
    ast.IfExp: lambda self, node: self.value(node.body if self.value(node.test) else node.orelse),
    ast.JoinedStr: Expressions._joined,
    ast.List: lambda self, node: self._items(node.elts),
    ast.ListComp: Expressions._list_comprehension,
    ast.Name: lambda self, node: self.scope.named(node.id),
    ast.Set: Expressions._template,
    ast.Slice: Expressions._slice,
    ast.Subscript: lambda self, node: self._entry(node.value, self.value(node.slice)),
    ast.Tuple: lambda self, node: tuple(self._items(node.elts)),
    ast.UnaryOp: Expressions._unary,
}
