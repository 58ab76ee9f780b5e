"""Merging and saving: exact values in, exact values out, inputs as they were."""

import copy
import math
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest
from easydict import EasyDict

from ding_cls.config import deep_merge_dicts, read_config, save_config
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


def test_a_saved_config_reads_back_exactly(tmp_path: Path) -> None:
    cfg = EasyDict(
        exp_name='it\'s a "run"\n\u00e4\\',
        numbers=[1, -2, 0.1, 1e-300, 1 / 3, 10**9, 1e22, float("inf"), float("-inf"), -0.0],
        flags=(True, None),
        one=(1,),
        empty={"a": {}, "b": [], "c": ()},
        nested=[[{"x": 1}], [(2, [3])]],
        long=[f"class {index}" for index in range(40)],
        policy={"type": "Collect", "keys": ["img"], "items": {"a b": 1}},
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
        ({"a": [{"items": 1}]}, r"^a\.0\.items: a key named 'items' hides the dict method of that name"),
    ],
)
def test_what_is_not_data_is_not_saved(tmp_path: Path, cfg: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        save_config(cfg, tmp_path / "c.py")
    assert list(tmp_path.iterdir()) == []
