"""Overrides: what the text of a value means, where it goes, and how the table of origins follows."""

import copy
from pathlib import Path

import pytest
from easydict import EasyDict

from ding_cls.config import apply_overrides
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64", 64),
        ("1e9", 1e9),
        ("-0.5", -0.5),
        ("True", True),
        ("true", True),
        ("FALSE", False),
        ("none", None),
        ("resnet50", "resnet50"),
        ("'64'", "64"),
        ("data/my photos", "data/my photos"),
        ("a=b", "a=b"),
        ("", ""),
        ("[1, 'x']", [1, "x"]),
        ("(1, 2)", (1, 2)),
        ("{'acc1': 75.5}", {"acc1": 75.5}),
        ("007", "007"),
        ("b'x'", "b'x'"),
        ("__import__('os')", "__import__('os')"),
        ("[" * 300, "[" * 300),
        ("1_000", 1000),
        (".5", 0.5),
        ("1.", 1.0),
        ("0x10", 16),
        ("-inf", float("-inf")),
        ("1e", "1e"),
        ("9" * 5000, "9" * 5000),
        ("a,b", ["a", "b"]),
        ("1, 2", [1, 2]),
        ("1,", [1]),
        ("'a,b'", "a,b"),
        ('"it\'s"', "it's"),
        ("'a', \"b,c\"", ["a", "b,c"]),
        ("'a' b", "'a' b"),
        (r"'C:\data'", r"C:\data"),
        ("(1)", (1,)),
        ("()", ()),
        ("[(train,1),(val,1)]", [("train", 1), ("val", 1)]),
        ("[ (train, 1) , [a b, None] ]", [("train", 1), ["a b", None]]),
        ("[f(x,y), z]", ["f(x,y)", "z"]),
        ("dict(type=SGD,lr=0.1)", {"type": "SGD", "lr": 0.1}),
        ("{type: SGD, 'lr': [1, {a: b}]}", {"type": "SGD", "lr": [1, {"a": "b"}]}),
        ("dict()", {}),
        ("dict(a b)", "dict(a b)"),
        ("[1, 2", "[1, 2"),
        ("(a]", "(a]"),
        ("{a: 1", "{a: 1"),
        ("[1] x", "[1] x"),
        ("x(1", "x(1"),
        ("https://host/a?b=c&d=(e)", "https://host/a?b=c&d=(e)"),
        ("os.system('x')", "os.system('x')"),
    ],
)
def test_an_override_reads_literals_and_else_the_bare_string(text: str, value: object) -> None:
    cfg = apply_overrides({"a": {"b": 1}}, [f"a.b={text}"])
    assert cfg == {"a": {"b": value}}
    assert type(cfg["a"]["b"]) is type(value)


def test_overrides_reach_lists_tuples_and_new_dicts_in_order() -> None:
    cfg = EasyDict(steps=[{"lr": 1}, {"lr": 2}], mean=(1, 2, 3), eval=None)
    before = copy.deepcopy(cfg)
    changed = apply_overrides(
        cfg,
        ["steps.1.lr=5", "mean.0=9", "eval.stop.acc1=60", "new.key = x y ", "new.key=z", "steps.0={'a': 1}"],
    )
    assert changed == {
        "steps": [{"lr": 1, "a": 1}, {"lr": 5}],
        "mean": (9, 2, 3),
        "eval": {"stop": {"acc1": 60}},
        "new": {"key": "z"},
    }
    assert changed.steps[1].lr == 5
    assert cfg == before


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("policy.cuda", r"'policy.cuda' is not of the form key.key=value"),
        ("=3", r"'=3' is not of the form"),
        ("a..b=3", r"'a..b=3' is not of the form"),
        ("a.=3", r"is not of the form"),
        ("steps.2=3", r"'steps.2=3': '2' is no index of a list of 2 elements"),
        ("steps.x=3", r"'x' is no index of a list"),
        ("name.x=3", r"'name.x=3': 'x' cannot be set in 'n', which has no keys"),
        ("new.items=3", r"'new.items=3': a key named 'items' hides the dict method of that name"),
        ("new=dict(a=dict(keys=1))", r"a key named 'keys' hides"),
        ("a.__class__=3", r"key '__class__' is reserved by Python"),
        ("a=[{__init__: 3}]", r"key '__init__' is reserved by Python"),
        ("a=" + "x" * 60_000, r"is longer than 50000 characters"),
        (".".join("a" * 60) + "=1", r"is longer than .* or too deep"),
    ],
)
def test_a_malformed_override_is_an_error_that_quotes_it(override: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        apply_overrides({"steps": [1, 2], "name": "n"}, [override])


def test_an_override_becomes_the_origin_of_its_value(tmp_path: Path) -> None:
    (tmp_path / "c.py").write_text("a = dict(b=1,\n  c=dict(d=2))\n")
    cfg, origins = read_config_with_origins(tmp_path / "c.py")
    apply_overrides(cfg, ["a.c={'e': 3}"], origins=origins)
    assert origins == {"a.b": "c.py:1", "a.c.d": "c.py:2", "a.c.e": "override a.c={'e': 3}"}


def test_origins_follow_whatever_an_override_replaces() -> None:
    origins = {
        "a.b.c": "f:1",
        "a.b.d": "f:2",
        "a.bc": "f:3",
        "l": "f:4",
        "l.0.x": "f:5",
        "n": "f:6",
        "e": "f:7",
    }
    cfg = {"a": {"b": {"c": 1, "d": 2}, "bc": 3}, "l": [{"x": 1}], "n": 1, "e": {}}
    words = ["a.b={_delete_: true, z: {y: 1}}", "l=[{k: 1}, 5]", "n={q: 2}", "e={}", "t=[1, 2]"]
    assert apply_overrides(cfg, words, origins=origins) == {
        "a": {"b": {"z": {"y": 1}}, "bc": 3},
        "l": [{"k": 1}, 5],
        "n": {"q": 2},
        "e": {},
        "t": [1, 2],
    }
    assert origins == {
        "a.b.z.y": f"override {words[0]}",
        "a.bc": "f:3",
        "l": f"override {words[1]}",
        "l.0.k": f"override {words[1]}",
        "n.q": f"override {words[2]}",
        "e": f"override {words[3]}",
        "t": f"override {words[4]}",
    }
    apply_overrides({"a": {"b": {"c": 1}}}, ["a.b=3"], origins=(table := {"a.b.c": "f:1"}))
    assert table == {"a.b": "override a.b=3"}


def test_the_arguments_of_a_part_may_be_called_keys() -> None:
    assert apply_overrides({}, ["step=dict(type=Collect, keys=[img])"]) == {
        "step": {"type": "Collect", "keys": ["img"]}
    }
