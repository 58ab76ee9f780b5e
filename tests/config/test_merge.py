"""Merging, overriding, saving: exact values in, exact values out, inputs as they were."""

import copy
import math
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest
from easydict import EasyDict

from ding_cls.config import apply_overrides, deep_merge_dicts, read_config, save_config
from ding_cls.config.loader import read_config_with_origins
from ding_cls.errors import ConfigError


def test_the_new_value_wins_and_dicts_are_merged_at_every_depth() -> None:
    original = {"a": {"b": 1, "c": {"d": [1, 2]}}, "e": 5, "f": {"g": 1}}
    new = {"a": {"c": {"d": [3], "x": 4}}, "f": 7, "h": {"i": 8}}
    merged = deep_merge_dicts(original, new)
    assert merged == {"a": {"b": 1, "c": {"d": [3], "x": 4}}, "e": 5, "f": 7, "h": {"i": 8}}
    assert type(merged) is dict


def test_merging_shares_nothing_with_its_inputs() -> None:
    original, new = {"a": {"b": [1]}}, {"c": {"d": [2]}}
    before = copy.deepcopy((original, new))
    merged = deep_merge_dicts(original, new)
    merged["a"]["b"].append(9)
    merged["c"]["d"].append(9)
    merged["c"]["e"] = 9
    assert (original, new) == before


@pytest.mark.parametrize("easy_first", [True, False])
def test_merging_an_easydict_gives_easydicts_all_the_way_down(easy_first: bool) -> None:
    dicts = (EasyDict(a={"b": 1}), {"a": {"c": [[{"d": 2}]]}})
    merged = deep_merge_dicts(*(dicts if easy_first else dicts[::-1]))
    assert isinstance(merged, EasyDict)
    assert merged.a.b == 1
    assert merged.a.c[0][0].d == 2


def test_none_merges_as_an_empty_dict() -> None:
    assert deep_merge_dicts(None, {"a": 1}) == {"a": 1}
    assert deep_merge_dicts({"a": 1}, None) == {"a": 1}


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
        "steps": [{"a": 1}, {"lr": 5}],
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
    ],
)
def test_a_malformed_override_is_an_error_that_quotes_it(override: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        apply_overrides({"steps": [1, 2], "name": "n"}, [override])


def test_an_override_becomes_the_origin_of_its_value(tmp_path: Path) -> None:
    (tmp_path / "c.py").write_text("a = dict(b=1,\n  c=dict(d=2))\n")
    cfg, origins = read_config_with_origins(tmp_path / "c.py")
    apply_overrides(cfg, ["a.c={'e': 3}"], origins=origins)
    assert origins == {"a.b": "c.py:1", "a.c": "override a.c={'e': 3}"}


def test_a_saved_config_reads_back_exactly(tmp_path: Path) -> None:
    cfg = EasyDict(
        exp_name='it\'s a "run"\n\u00e4\\',
        numbers=[1, -2, 0.1, 1e-300, 1 / 3, 10**9, 1e22, float("inf"), float("-inf"), -0.0],
        flags=(True, None),
        one=(1,),
        empty={"a": {}, "b": [], "c": ()},
        nested=[[{"x": 1}], [(2, [3])]],
        long=[f"class {index}" for index in range(40)],
        policy={"keys": ["img"], "items": {"a b": 1}},
    )
    save_config(cfg, tmp_path / "run" / "total_config.py")
    loaded = read_config(tmp_path / "run" / "total_config.py")
    assert repr(loaded) == repr(cfg)
    assert loaded == cfg


def test_a_saved_nan_reads_back_and_the_file_is_python_too(tmp_path: Path) -> None:
    path = tmp_path / "total_config.py"
    save_config({"a": {"b": float("nan"), "c": [1.0, float("inf")]}}, path)
    assert path.read_text() == (
        "# Every value of the run, defaults included. Plain data: read_config reads it back.\n"
        "main_config = {\n    'a': {\n"
        "        'b': float('nan'),\n        'c': [1.0, float('inf')],\n    },\n}\n"
    )
    assert math.isnan(read_config(path).a.b)
    names: dict[str, dict[str, dict[str, object]]] = {}
    exec(path.read_text(), names)
    assert names["main_config"]["a"]["c"] == [1.0, math.inf]


class _Mode(StrEnum):
    FAST = "fast"


def test_values_that_are_numbers_strings_or_paths_are_saved_as_such(tmp_path: Path) -> None:
    save_config({"a": np.float64(0.5), "b": _Mode.FAST, "c": Path("x") / "y"}, tmp_path / "c.py")
    assert read_config(tmp_path / "c.py") == {"a": 0.5, "b": "fast", "c": "x/y"}


@pytest.mark.parametrize(
    ("cfg", "reason"),
    [
        ({"a": {"b": [1, object()]}}, r"^a\.b\.1 is a object; a config holds"),
        ({"a": {3: 1}}, r"^a\.3: key 3 is not a string"),
        ({"a": {1, 2}}, r"^a is a set; a config holds"),
    ],
)
def test_what_is_not_data_is_not_saved(tmp_path: Path, cfg: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        save_config(cfg, tmp_path / "c.py")
    assert list(tmp_path.iterdir()) == []
