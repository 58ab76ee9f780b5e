"""Dotted paths into nested dicts, and into the table of origins."""

import copy
import random
from typing import Any

import pytest

from ding_cls.config.tree import (
    MISSING,
    OriginTable,
    at,
    comparable_leaves,
    drop,
    is_inside,
    keep_items,
    last_name,
    leaves,
    place_of,
    put,
    section_of,
    sections_of,
    value_at,
)

TREE: dict[str, Any] = {"a": {"b": {"c": 1}, "empty": {}, "none": None}, "list": [{"x": 2}, (3, 4)]}


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b.c", 1), ("a.b", {"c": 1}), ("a.none", None), ("a.b.c.d", None), ("z", None), ("list.0.x", None)],
)
def test_at_gives_none_where_there_is_nothing(path: str, value: Any) -> None:
    assert at(TREE, path) == value


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b.c", 1), ("a.none", None), ("list.0.x", 2), ("list.1.1", 4)],
)
def test_value_at_goes_through_lists(path: str, value: Any) -> None:
    assert value_at(TREE, path) == value


@pytest.mark.parametrize("path", ["z", "a.z", "a.b.c.d", "list.2", "list.x", "list.-1"])
def test_value_at_tells_nothing_from_none(path: str) -> None:
    assert value_at(TREE, path) is MISSING


def test_put_makes_the_sections_that_are_missing() -> None:
    tree: dict[str, Any] = {"a": {"b": 1}, "c": 2}
    put(tree, "a.d.e", 3)
    put(tree, "c.f", 4)
    put(tree, "g", 5)
    assert tree == {"a": {"b": 1, "d": {"e": 3}}, "c": {"f": 4}, "g": 5}


def test_drop_takes_out_one_value() -> None:
    tree = copy.deepcopy(TREE)
    for path in ("a.b.c", "a.z", "z.y", "list.0", "list"):
        drop(tree, path)
    assert tree == {"a": {"b": {}, "empty": {}, "none": None}}


def test_leaves_are_all_values_that_are_no_dicts() -> None:
    assert dict(leaves(TREE)) == {"a.b.c": 1, "a.empty": {}, "a.none": None, "list": TREE["list"]}
    assert [*leaves({"x": 1}, "p")] == [("p.x", 1)]
    assert [*leaves({})] == [("", {})]


def test_leaves_are_put_back() -> None:
    tree: dict[str, Any] = {}
    for path, value in leaves(TREE):
        put(tree, path, value)
    assert tree == TREE


def test_tuples_and_lists_compare() -> None:
    assert comparable_leaves({"a": (1, 2)}) == comparable_leaves({"a": [1, 2]}) == {"a": [1, 2]}


def test_the_parts_of_a_path() -> None:
    assert (last_name("a.b.c"), section_of("a.b.c")) == ("c", "a.b")
    assert (last_name("a"), section_of("a")) == ("a", "")
    assert [*sections_of("a.b.c")] == ["a.b.c", "a.b", "a"]
    assert [*sections_of("a")] == ["a"]
    assert is_inside("a.b", "a")
    assert is_inside("a", "a")
    assert not is_inside("ab", "a")


def _paths(number: int) -> list[str]:
    draw = random.Random(number)
    names = ["a", "b", "a-b", "a/b", "ab", "0", "é"]
    return [".".join(draw.choices(names, k=draw.randint(1, 4))) for _ in range(60)]


def test_a_table_of_origins_gives_what_a_plain_dict_gives() -> None:
    for number in range(50):
        paths = _paths(number)
        origins = {path: f"c.py:{line}" for line, path in enumerate(paths[:30])}
        table = OriginTable(origins)
        for path in paths:
            assert place_of(path, table) == place_of(path, origins)
            assert [*table.inside(path)] == [each for each in origins if each.startswith(f"{path}.")]


def test_the_place_of_a_value_is_its_own_or_one_inside_or_the_sections() -> None:
    origins = {"a.b": "f.py:1", "a.c.d": "f.py:2"}
    assert [place_of(path, origins) for path in ("a.b", "a.b.x", "a.c", "a.c.z", "a", "z")] == [
        "f.py:1",
        "f.py:1",
        "f.py:2",
        None,
        "f.py:1",
        None,
    ]


def test_items_that_are_kept_take_their_origins_along() -> None:
    tree: dict[str, Any] = {"a": {"list": ["x", "y", "z"]}}
    origins = {"a.list.0": "l1", "a.list.1.k": "l2", "a.list.2": "l3", "a.list": "whole", "a.listed.2": "l4"}
    keep_items(tree, "a.list", [1, 2], origins)
    assert tree == {"a": {"list": ["y", "z"]}}
    assert origins == {"a.list.0.k": "l2", "a.list.1": "l3", "a.list": "whole", "a.listed.2": "l4"}
