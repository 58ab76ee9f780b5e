"""YAML and JSON: what a value means, the line of each key, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ding_cls.config import read_config
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.errors import ConfigError


def _write(folder: Path, text: str, name: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("-1e+3", -1000.0),
        ("1.0e5", 1e5),
        (".5e1", 5.0),
        ("1e400", float("inf")),
        (".inf", float("inf")),
        ("'1e-4'", "1e-4"),
        ("12", 12),
        ("012", 10),
        ("08", "08"),
        ("1_000", 1000),
        ("yes", True),
        ("Off", False),
        ("null", None),
        ("", None),
        ("2020-01-01", "2020-01-01"),
        ("12:30", 750),
        ("'12:30'", "12:30"),
        ("=", "="),
        ("<<", "<<"),
        ("[1, [2, {a: b}], ]", [1, [2, {"a": "b"}]]),
        ("|\n  a\n  b\n", "a\nb\n"),
        ('"\\u00e9\\t"', "\u00e9\t"),
        ("./w/{{ fileBasenameNoExtension }}", "./w/c"),
        ("{{ fileBasename }}", "c.yaml"),
    ],
)
def test_a_yaml_scalar_means_what_a_config_needs(tmp_path: Path, text: str, value: Any) -> None:
    path = _write(tmp_path, f"x: {text}\n", "c.yaml")
    config = read_config(path)
    assert config.x == value
    assert isinstance(config.x, type(value))


def test_yaml_anchors_and_merges_keep_the_lines_that_set_the_values(tmp_path: Path) -> None:
    text = """\
a: &a
  x: 1
  y: {z: 2}
b: &b {x: 5, w: 6}
c:
  <<: [*a, *b]
  v: 7
d: *a
e: [*b, [*b]]
"""
    config, origins = read_config_with_origins(_write(tmp_path, text, "c.yml"))
    assert config["c"] == {"x": 1, "y": {"z": 2}, "w": 6, "v": 7}
    assert config["d"] == config["a"]
    assert config["e"] == [{"x": 5, "w": 6}, [{"x": 5, "w": 6}]]
    assert {key: origins[key] for key in origins if key[0] in "cde"} == {
        "c.x": "c.yml:2",
        "c.y.z": "c.yml:3",
        "c.w": "c.yml:4",
        "c.v": "c.yml:7",
        "d.x": "c.yml:2",
        "d.y.z": "c.yml:3",
        "e": "c.yml:9",
        "e.0.x": "c.yml:4",
        "e.0.w": "c.yml:4",
        "e.1": "c.yml:9",
        "e.1.0.x": "c.yml:4",
        "e.1.0.w": "c.yml:4",
    }


def test_the_place_of_a_json_value_is_its_file(tmp_path: Path) -> None:
    text = '{"a": {"b": 1e-4,\n "c": [true, null, -3, "x\\n\\"{"]},\n\n"d": [{\n"e": {}}], "f": 1.0}\n'
    config, origins = read_config_with_origins(_write(tmp_path, text, "c.json"))
    assert config == {"a": {"b": 1e-4, "c": [True, None, -3, 'x\n"{']}, "d": [{"e": {}}], "f": 1.0}
    assert origins == {
        "a.b": "c.json",
        "a.c": "c.json",
        "d": "c.json",
        "d.0.e": "c.json",
        "f": "c.json",
    }


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("c.yaml", "a: b: c\n", r"mapping values are not allowed .*\(c\.yaml:1\)"),
        ("c.yaml", "a: 1\nb: [1\n", r"\(c\.yaml:3\)"),
        ("c.yaml", "a: 1\n\tb: 2\n", r"cannot start any token .*\(c\.yaml:2\)|\(c\.yaml:2\)"),
        ("c.yaml", "a: !x 1\n", r"tag '!x' is not allowed: a config file is data \(c\.yaml:1\)"),
        ("c.yaml", "a: *b\n", r"alias \*b stands for nothing .*\(c\.yaml:1\)|undefined alias.*\(c\.yaml:1\)"),
        ("c.yaml", "- a\n", r"holds keys with values, not a list \(c\.yaml:1\)"),
        ("c.yaml", "a: 1\n\nb:\n  5: 3\n", r"key 5 is not a string \(c\.yaml:4\)"),
        ("c.yaml", "a:\n  on: 3\n", r"key True is not a string \(c\.yaml:2\)"),
        ("c.yaml", "a:\n <<: 3\n", r"<< needs a mapping, or a list of mappings \(c\.yaml:2\)"),
        ("c.yaml", "a: 1\nb: '{{ _base_.x }}'\n", r"_base_ stands for the merged base files.*\(c\.yaml:2\)"),
        ("c.yaml", "a: \x01\n", r"\(c\.yaml:1\)"),
        ("c.yaml", "a: {items: 1}\n", r"a key named 'items' hides the dict method .*\(c\.yaml:1\)"),
        ("c.json", '{"a": 1,\n "b": }\n', r"Expecting value \(c\.json:2\)"),
        ("c.json", "", r"Expecting value \(c\.json:1\)"),
        ("c.json", '{"a": {\n"b": 1,\n"b": 2}}', r"key 'b' stands twice \(c\.json\)"),
        ("c.json", "3", r"holds keys with values, not a int \(c\.json\)"),
        ("c.json", '{"a": 1,\n"__x__": 3}', r"key '__x__' is reserved by Python \(c\.json\)"),
    ],
)
def test_what_is_no_data_is_refused_with_the_line(tmp_path: Path, name: str, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_config(_write(tmp_path, text, name))


def test_an_empty_yaml_file_is_an_empty_config(tmp_path: Path) -> None:
    assert read_config(_write(tmp_path, "# nothing\n", "c.yaml")) == {}


def test_yaml_reads_the_same_without_libyaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path, "a: &x [1, 1e-4]\nb:\n  c: *x\n", "c.yaml")
    with_libyaml = read_config_with_origins(path)
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert read_config_with_origins(path) == with_libyaml
    with pytest.raises(ConfigError, match=r"computes too much"):
        read_config(_write(tmp_path, "a: [" + "1, " * 29_000 + "]", "c.yaml"))


QUOTED_JSON = r"""{
  "a": "x, {{ fileBasename }}, y",
  "b": ["[{{ fileBasename }}]", {{ fileBasename }}, "\", {{ fileBasename }}, "],
  "c": "# {{ fileBasename }}",
  "d": {{ fileBasename }}
}"""
QUOTED_YAML = """\
a: "x, {{ fileBasename }}, y"  # don't: 'x, {{ y }}
b: ['[{{ fileBasename }}]', {{ fileBasename }}, 'it''s, {{ fileBasename }}, ']
c: &c "first line,
  {{ fileBasename }}, last line"
d: {{ fileBasename }}  # "
e: *c
f:
- {{ fileBasename }}
- - {{ fileBasename }}
  - ': {{ fileBasename }}'
"""


def test_templates_in_the_middle_of_a_string_get_no_quotes(tmp_path: Path) -> None:
    assert read_config(_write(tmp_path, QUOTED_JSON, "c.json")) == {
        "a": "x, c.json, y",
        "b": ["[c.json]", "c.json", '", c.json, '],
        "c": "# c.json",
        "d": "c.json",
    }
    assert read_config(_write(tmp_path, QUOTED_YAML, "c.yaml")) == {
        "a": "x, c.yaml, y",
        "b": ["[c.yaml]", "c.yaml", "it's, c.yaml, "],
        "c": "first line, c.yaml, last line",
        "d": "c.yaml",
        "e": "first line, c.yaml, last line",
        "f": ["c.yaml", ["c.yaml", ": c.yaml"]],
    }


def test_merged_keys_come_in_the_order_of_their_source(tmp_path: Path) -> None:
    names = [f"key_{number}" for number in (5, 3, 9, 1, 7, 2, 8)]
    source = "".join(f"  {name}: 1\n" for name in names)
    path = _write(tmp_path, f"a: &a\n{source}b:\n  own: 1\n  <<: *a\n", "c.yaml")
    assert list(read_config(path).b) == ["own", *names]


@pytest.mark.parametrize(
    ("text", "words"), [("a: &x 1\nb: &x 2\n", "duplicate anchor"), ("a: 1\n---\nb: 2\n", "single document")]
)
def test_a_refused_file_names_the_rule_that_it_breaks(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_config(_write(tmp_path, text, "c.yaml"))
