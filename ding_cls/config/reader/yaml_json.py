"""Config files in YAML, with the line of each key, and in JSON: data. It must not know base files."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from ding_cls.config.reader.errors import located
from ding_cls.config.reader.limits import MAX_DEPTH, check_number
from ding_cls.config.reader.namespace import LocatedDict, Scope, check_key
from ding_cls.config.reader.safe_ops import kind, shown
from ding_cls.errors import ConfigError

# {{ _base_.x }} without quotes is not JSON; with quotes it is a string.
_JSON_TEMPLATE = re.compile(r'"(?:[^"\\]|\\.)*+"?|(\{\{\s*[\w.]+\s*\}\})', re.DOTALL)
# YAML 1.1, which PyYAML reads, wants a dot and a sign: 1e-4 would be a string.
_FLOAT = re.compile(r"(?=.*[.eE])[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_NUMBER = 400
# An event, its node and its value take ten times as long as an expression.
_EVENT_WORK = 10
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = ("str", "timestamp", "value", "merge")


def yaml_values(text: str, scope: Scope) -> LocatedDict:
    """Return what a YAML file holds; it must be a mapping, or empty.

    Raises:
        ConfigError: it is not YAML, holds a tag, or is too large.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_shape(yaml.parse(text, Loader=loader), scope)
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # Half of what is wrong may be in the context: 'found duplicate anchor; first occurrence'.
        about = [getattr(error, name, None) for name in ("context", "problem")]
        reason = ", ".join(each for each in about if each) or "the file is not YAML"
        raise ConfigError(f"{reason} ({scope.place(mark.line + 1 if mark else 1)})") from error
    value = None if root is None else _Nodes(scope).value(root)
    return _as_mapping(LocatedDict() if value is None else value, scope.place(1))


def json_values(text: str, scope: Scope) -> LocatedDict:
    """Return what a JSON file holds; it must be an object. The place of each value is the file alone.

    Raises:
        ConfigError: it is not JSON, a key is given twice, or it is too large.
    """

    def build(pairs: list[tuple[str, Any]]) -> LocatedDict:
        scope.work.add(1 + len(pairs))
        result = LocatedDict()
        for key, value in pairs:
            if key in result:
                raise ValueError(f"key {shown(key)} stands twice")
            result.put(key, value, scope.file)
        return result

    text = _JSON_TEMPLATE.sub(lambda found: f'"{found[1]}"' if found[1] else found[0], text)
    try:
        with located(scope.file):
            value = json.loads(
                text, object_pairs_hook=build, parse_int=lambda digits: check_number(int(digits))
            )
    except ConfigError as error:
        if isinstance(error.__cause__, json.JSONDecodeError):
            raise ConfigError(f"{error.__cause__.msg} ({scope.place(error.__cause__.lineno)})") from error
        raise
    return _as_mapping(value, scope.file)


def _as_mapping(value: Any, place: str) -> LocatedDict:
    if not isinstance(value, LocatedDict):
        raise ConfigError(f"a config file holds keys with values, not a {kind(value)} ({place})")
    return value


def _check_shape(events: Iterator[Any], scope: Scope) -> None:
    """Refuse what is too large, or so deep that libyaml would overflow the stack when it composes it."""
    depth = 0
    for event in events:
        with located(scope.place(event.start_mark.line + 1)):
            scope.work.add(_EVENT_WORK)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ValueError(f"the config is nested more than {MAX_DEPTH} deep")


class _Nodes:
    """Builds the values of YAML's nodes; an alias is the same node, and so the same value."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._values: dict[yaml.Node, Any] = {}
        self._open: set[yaml.Node] = set()
        self._constructor = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node) -> Any:
        """Return the value of a node.

        Raises:
            ConfigError: it is not data.
        """
        if node not in self._values:
            with located(self._place(node)):
                if node in self._open:
                    raise ValueError("an alias stands for nothing that is complete further up")
                self._open.add(node)
                self._values[node] = self._built(node)
        return self._values[node]

    def _place(self, node: yaml.Node) -> str:
        return self._scope.place(node.start_mark.line + 1)

    def _built(self, node: yaml.Node) -> Any:
        tag = node.tag.removeprefix(_TAG)
        match node:
            case yaml.MappingNode() if tag == "map":
                return _template(node) or self._mapping(node)
            case yaml.SequenceNode() if tag == "seq":
                return [self.value(item) for item in node.value]
            case yaml.ScalarNode(value="") if tag == "null":
                return None
            case yaml.ScalarNode(value=text) if tag in ("null", "bool", "int", "float"):
                if len(text) > _MAX_NUMBER:
                    raise ValueError("a number has too many digits")
                return check_number(getattr(self._constructor, f"construct_yaml_{tag}")(node))
            case yaml.ScalarNode(value=text) if tag in _TEXT_TAGS:
                is_float = not node.style and _FLOAT.fullmatch(text)
                return float(text) if is_float else text
        raise ValueError(f"tag {shown(node.tag)} is not allowed: a config file is data")

    def _mapping(self, node: yaml.MappingNode) -> LocatedDict:
        result = LocatedDict()
        inherited: list[LocatedDict] = []
        for key_node, value_node in node.value:
            value = self.value(value_node)
            if key_node.tag == f"{_TAG}merge":
                inherited += self._merge_sources(value)
                continue
            key = self.value(key_node)
            check_key(key)
            if key in result:
                raise ConfigError(f"key {shown(key)} stands twice ({self._place(key_node)})")
            result.put(key, value, self._place(key_node))
        for source in inherited:
            self._scope.work.add(len(source))
            for key in [key for key in source if key not in result]:
                result.put(key, source[key], source.places[key])
        return result

    def _merge_sources(self, value: Any) -> list[LocatedDict]:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, LocatedDict) for source in sources):
            raise ValueError("<< needs a mapping, or a list of mappings")
        return sources


def _template(node: yaml.MappingNode) -> str | None:
    """Return ``{{ _base_.x }}`` without quotes, which YAML reads as a mapping of a mapping, as a string."""
    match node.value:
        case [
            (yaml.MappingNode(value=[(yaml.ScalarNode(value=name), yaml.ScalarNode(value=""))]) as key, end)
        ]:
            is_template = node.flow_style and key.flow_style and end.value == ""
            return f"{{{{ {name} }}}}" if is_template else None
    return None
