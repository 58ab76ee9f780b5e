"""Config files in YAML and JSON: data with the line of each key. It must not know base files.

Both are built from a flat stream of tokens, so neither deep nesting nor aliases of aliases cost more than
the budget, and no tag of YAML makes an object.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from ding_cls.config.reader.namespace import MAX_CONFIG_DEPTH, Scope
from ding_cls.config.reader.safe_ops import MAX_INT_BITS, SCALARS, shown
from ding_cls.errors import ConfigError

# {{ _base_.x }} without quotes is neither YAML nor JSON; with quotes it is a string in both.
# Those in comments and in strings that have quotes already are passed over.
_BARE = re.compile(
    r"""
    (?:^|(?<=[ \t]))\#[^\n]*+
    | ((?:^[ \t]*+(?:-[ \t]*+)*+|[:,\[{][ \t]*+)(?:&\S++[ \t]++)?+)
      (?: "(?:[^"\\]|\\.)*+" | '(?:[^']|'')*+'
      | (\{\{[ \t]*[\w.]+[ \t]*\}\})(?=[ \t]*(?:[,\]}\#\r\n]|$)) )
    """,
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)
_JSON_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],:\n]|[^\s{}\[\],:"]+')
# YAML 1.1, which PyYAML reads, wants a dot and a sign: 1e-4 would be a string.
_FLOAT = re.compile(r"(?=.*[.eE])[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_NUMBER = 400
_MERGED_COST = 3
_MERGE = object()
# PyYAML's own parser, where libyaml is missing, takes some 40 us an event.
_COST_WITHOUT_LIBYAML = 20


def yaml_values(text: str, scope: Scope) -> dict[Any, Any]:
    """Return what a YAML file holds; it must be a mapping, or empty.

    Raises:
        ConfigError: it is not YAML, holds a tag, or is too large; or PyYAML is missing.
    """
    try:
        import yaml
    except ImportError as error:
        hint = "reading YAML needs PyYAML; install it: pip install 'ding_cls[yaml]'"
        raise ConfigError(f"{hint} ({scope.place(1)})") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _YamlBuilder(yaml, scope, cost=1 if loader is not yaml.SafeLoader else _COST_WITHOUT_LIBYAML)
    try:
        for event in yaml.parse(_quoted(text), Loader=loader):
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "the file is not YAML"
        raise ConfigError(f"{reason} ({scope.place(mark.line + 1 if mark else 1)})") from error
    return _as_mapping(builder.root, scope)


def json_values(text: str, scope: Scope) -> dict[Any, Any]:
    """Return what a JSON file holds; it must be an object.

    Raises:
        ConfigError: it is not JSON, a key stands twice, or it is too large.
    """
    text = _quoted(text)
    try:
        # The C parser knows the grammar and its error messages; the walk below knows the lines.
        json.loads(text, parse_int=len, parse_float=len)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{error.msg} ({scope.place(error.lineno)})") from error
    except RecursionError as error:
        raise ConfigError(f"the file is nested too deeply ({scope.place(1)})") from error
    return _as_mapping(_JsonWalk(text, scope).value(), scope)


def _quoted(text: str) -> str:
    return _BARE.sub(lambda found: f'{found[1]}"{found[2]}"' if found[2] else found[0], text)


def _as_mapping(value: Any, scope: Scope) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(
            f"a config file holds keys with values, not a {type(value).__name__} ({scope.place(1)})"
        )
    return value


class _JsonWalk:
    """Builds the value of a text that is known to be JSON."""

    def __init__(self, text: str, scope: Scope) -> None:
        self._scope = scope
        self._line = 1
        self._tokens = self._lined(text)

    def value(self, token: str | None = None, depth: int = 0) -> Any:
        token = token or next(self._tokens)
        try:
            self._scope.budget.spend()
            if depth > MAX_CONFIG_DEPTH:
                raise ValueError(f"the config is nested more than {MAX_CONFIG_DEPTH} deep")
            if token == "{":
                return self._object(depth)
            return self._array(depth) if token == "[" else _checked_number(json.loads(token))
        except ValueError as error:
            raise ConfigError(f"{error} ({self._scope.place(self._line)})") from error

    def _object(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while (token := next(self._tokens)) != "}":
            if token == ",":
                continue
            key, line = json.loads(token), self._line
            if key in result:
                raise ValueError(f"key {shown(key)} stands twice")
            next(self._tokens)
            self._scope.put(result, key, self.value(depth=depth + 1), line)
        return result

    def _array(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while (token := next(self._tokens)) != "]":
            if token != ",":
                items.append(self.value(token, depth + 1))
        return items

    def _lined(self, text: str) -> Iterator[str]:
        for found in _JSON_TOKEN.finditer(text):
            if found[0] == "\n":
                self._line += 1
            else:
                yield found[0]


class _Frame:
    """A sequence or mapping of YAML that is being built."""

    def __init__(self, value: list[Any] | dict[Any, Any], line: int) -> None:
        self.value = value
        self.line = line
        self.key: Any = None
        self.key_line = 0
        self.has_key = False
        self.inherited: list[Any] = []


class _YamlBuilder:
    """Builds a value from YAML's events.

    Args:
        yaml: the module.
        scope: whose file it is.
        cost: the price of an event.
    """

    def __init__(self, yaml: Any, scope: Scope, *, cost: int) -> None:
        self.root: Any = None
        self._yaml = yaml
        self._scope = scope
        self._cost = cost
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Any] = {}
        self._open: dict[int, str] = {}
        self._resolver = yaml.resolver.Resolver()
        self._constructor = yaml.constructor.SafeConstructor()
        self._num_documents = 0

    def take(self, event: Any) -> None:
        """Take the next event.

        Raises:
            ConfigError: what it stands for is not data.
        """
        line = event.start_mark.line + 1
        try:
            self._scope.budget.spend(self._cost)
            self._take(event, line)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{error} ({self._scope.place(line)})") from error

    def _take(self, event: Any, line: int) -> None:
        yaml = self._yaml
        if getattr(event, "tag", None) is not None:
            raise ValueError(f"tag {shown(event.tag)} is not allowed: a config file is data")
        if isinstance(event, yaml.DocumentStartEvent):
            self._num_documents += 1
            if self._num_documents > 1:
                raise ValueError("a config file is one document; this is the second")
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors or event.anchor in self._open.values():
                raise ValueError(f"alias *{event.anchor} stands for nothing that is complete further up")
            self._place(self._anchors[event.anchor], line)
        elif isinstance(event, yaml.ScalarEvent):
            value, is_merge = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = value
            self._place(value, line, is_merge=is_merge)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._begin([] if isinstance(event, yaml.SequenceStartEvent) else {}, event.anchor, line)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self._end()

    def _begin(self, value: list[Any] | dict[Any, Any], anchor: str | None, line: int) -> None:
        if len(self._frames) > MAX_CONFIG_DEPTH:
            raise ValueError(f"the config is nested more than {MAX_CONFIG_DEPTH} deep")
        if anchor:
            self._anchors[anchor] = value
            self._open[id(value)] = anchor
        self._frames.append(_Frame(value, line))

    def _end(self) -> None:
        frame = self._frames.pop()
        self._open.pop(id(frame.value), None)
        if isinstance(frame.value, dict):
            for source in frame.inherited:
                for key, item in source.items():
                    if key not in frame.value:
                        self._scope.budget.spend(_MERGED_COST)
                        self._scope.put(frame.value, key, item, self._scope.places.get(source, key))
        self._place(frame.value, frame.line)

    def _place(self, value: Any, line: int, *, is_merge: bool = False) -> None:
        """Put a value where it belongs: the root, the next element, the next key or that key's value."""
        if not self._frames:
            self.root = value
            return
        frame = self._frames[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif not frame.has_key:
            if not isinstance(value, SCALARS):
                raise TypeError(f"a key is a string, not {type(value).__name__}")
            if not is_merge and value in frame.value:
                raise ValueError(f"key {shown(value)} stands twice")
            frame.key, frame.key_line, frame.has_key = _MERGE if is_merge else value, line, True
        else:
            frame.has_key = False
            if frame.key is _MERGE:
                frame.inherited.extend(self._merge_sources(value))
            else:
                self._scope.put(frame.value, frame.key, value, frame.key_line)

    def _merge_sources(self, value: Any) -> list[dict[Any, Any]]:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise ValueError("<< needs a mapping, or a list of mappings")
        return sources

    def _scalar(self, event: Any) -> tuple[Any, bool]:
        """Return the value of a scalar, and whether it is the key ``<<``."""
        node_type = self._yaml.ScalarNode
        tag = self._resolver.resolve(node_type, event.value, event.implicit).rpartition(":")[2]
        text = event.value
        if tag == "null":
            return None, False
        if tag in ("bool", "int", "float"):
            if len(text) > _MAX_NUMBER:
                raise ValueError("a number has too many digits")
            construct = getattr(self._constructor, f"construct_yaml_{tag}")
            return _checked_number(construct(node_type(tag, text))), False
        if event.implicit[0] and tag == "str" and _FLOAT.fullmatch(text):
            return float(text), False
        return text, tag == "merge"


def _checked_number(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
        raise ValueError(f"the number has more than {MAX_INT_BITS} bits")
    return value
