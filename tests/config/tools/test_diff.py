"""Two configs differ in the leaves that are named, and nowhere else."""

from typing import Any

import pytest

from ding_cls.config.tools.diff import ABSENT, Difference, differences, show_differences


def found(left: dict[str, Any], right: dict[str, Any]) -> list[tuple[str, str, Any, Any]]:
    return [(each.left_path, each.right_path, each.left, each.right) for each in differences(left, right)]


def same_place(path: str, left: Any, right: Any) -> tuple[str, str, Any, Any]:
    return (path, path, left, right)


def test_only_differing_leaves_are_named() -> None:
    left = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    right = {"a": {"b": 1, "c": 3}, "d": [1, 2, 3]}
    assert found(left, right) == [same_place("a.c", 2, 3), same_place("d", [1, 2], [1, 2, 3])]


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), ((1, 2), [1.0, 2]), (float("nan"), float("nan")), ({"a": ()}, {"a": []}), (-0.0, 0)],
)
def test_values_that_mean_the_same_are_equal(one: Any, other: Any) -> None:
    assert found({"x": one}, {"x": other}) == []


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (0, False), ("1", 1), (None, 0), ([], {}), (1e-8, 1e-9)]
)
def test_values_that_do_not_are_different(one: Any, other: Any) -> None:
    assert found({"x": one}, {"x": other}) == [same_place("x", one, other)]


def test_a_section_of_one_side_is_named_as_a_whole() -> None:
    part = {"type": "Mixup", "alpha": 0.2}
    assert found({"a": {}}, {"a": {"b": part}}) == [same_place("a.b", ABSENT, part)]
    assert found({"a": {"b": part}}, {"a": {}}) == [same_place("a.b", part, ABSENT)]


def test_an_inserted_transform_does_not_change_those_behind_it() -> None:
    load, flip, crop = {"type": "Load"}, {"type": "Flip", "prob": 0.5}, {"type": "Crop", "size": 8}
    left = {"steps": [load, crop]}
    right = {"steps": [load, flip, {**crop, "size": 9}]}
    # Neither the new nor the changed one equals what stood there.
    assert found(left, {"steps": [load, flip, crop]}) == [("steps.1", "steps.1", ABSENT, flip)]
    assert found({"steps": [load, flip, crop]}, left) == [("steps.1", "steps.1", flip, ABSENT)]
    assert found(left, right) == [
        ("steps.1", "steps.1", crop, flip),
        ("steps.2", "steps.2", ABSENT, {**crop, "size": 9}),
    ]
    assert found({"steps": [load, crop]}, {"steps": [flip, load, {**crop, "size": 9}]}) == [
        ("steps.0", "steps.0", ABSENT, flip),
        ("steps.1.size", "steps.2.size", 8, 9),
    ]


def test_both_values_stand_beside_both_origins() -> None:
    pairs = [
        Difference("a.b", "a.b", 1, [1, 2]),
        Difference("c", "c", ABSENT, {"type": "X"}),
        Difference("d.1.e", "d.2.e", 8, 9),
    ]
    text = show_differences(pairs, left_origin=lambda p: f"l.py {p}", right_origin=lambda p: f"r.py {p}")
    assert text == (
        "a.b\n  - 1               # l.py a.b\n  + [1, 2]          # r.py a.b\n"
        "c\n  + dict(type='X')  # r.py c\n"
        "d.1.e -> d.2.e\n  - 8               # l.py d.1.e\n  + 9               # r.py d.2.e"
    )
