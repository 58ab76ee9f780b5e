"""Lines about values name what was given, what is accepted and where it came from."""

from typing import Any

import pytest

from ding_cls.config.messages import for_example, location_suffix, shown, type_error_text, with_location
from ding_cls.errors import PartError


@pytest.mark.parametrize(
    ("value", "types", "choices", "text"),
    [
        ("x", (int,), (), "is 'x' (str); it must be a whole number"),
        ("x", (int, float), (), "is 'x' (str); it must be a number"),
        (True, (str, dict), (), "is True (bool); it must be a string or a dict"),
        (3, (str, dict), ("a", "b"), "is 3 (int); it must be one of 'a', 'b' or a dict"),
    ],
)
def test_a_wrong_type_names_the_right_ones(
    value: Any, types: tuple[type, ...], choices: tuple[Any, ...], text: str
) -> None:
    assert type_error_text(value, types, choices) == text


def test_long_values_are_shortened() -> None:
    text = shown("x" * 200)
    assert (len(text), text[-9:]) == (86, "... (str)")
    assert shown([1]) == "[1] (list)"


def test_what_to_type_and_where_a_value_was_set() -> None:
    assert for_example("a.b", "=x y or =3") == "; for example 'a.b=x y' or =3"
    assert for_example("a.b", "") == ""
    assert (location_suffix("f.py:3"), location_suffix(None)) == (" (f.py:3)", "")


def part_error(argument: str) -> PartError:
    return PartError(f"'Nine' lacks {argument}", name="Nine", argument=argument)


def test_a_wrong_part_is_named_with_its_path_and_place() -> None:
    cfg = {"a": [{"type": "Nine", "x": 1}]}
    error = part_error("x")
    assert with_location(error, cfg, {}) == f"a.0: {error}"
    assert with_location(error, cfg, {"a.0.type": "f.py:1"}) == f"a.0: {error} (f.py:1)"
    # The argument is a base's, and the type of another file.
    assert with_location(error, cfg, {"a.0.type": "f.py:1", "a.0.x": "base.py:2"}) == (
        f"a.0: {error}; 'x' comes from base.py:2: put _delete_=True beside type (f.py:1)"
    )
    assert with_location(error, {"a": cfg["a"], "b": cfg["a"][0]}, {}) == str(error)
