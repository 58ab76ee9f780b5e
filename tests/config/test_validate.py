"""The validator finds all that is wrong with a config and brings numbers to their type."""

from typing import Any

from ding_cls.config.defaults import Either, Free, Key
from ding_cls.config.validate import Validator, fits

SCHEMA: dict[str, Any] = {
    "number": Key(1.0, (float,), "help", minimum=0),
    "choice": Key("a", (str,), "help", ("a", "b")),
    "free": Free({}, "help"),
    "section": {"count": Key(1, (int,), "help")},
}


def problems_of(cfg: dict[str, Any], origins: dict[str, str], **declared: Any) -> list[str]:
    validator = Validator(SCHEMA, declared=declared, origins=origins)
    validator.check(cfg)
    return validator.problems


def test_numbers_get_the_declared_type_in_place() -> None:
    cfg: dict[str, Any] = {"number": 2, "section": {"count": 3.0}}
    assert problems_of(cfg, {}) == []
    assert repr(cfg) == "{'number': 2.0, 'section': {'count': 3}}"


def test_all_problems_come_with_their_place() -> None:
    cfg = {"number": -1, "choice": "c", "free": 3, "section": {"coun": 1}, "own": {"b": 1}}
    places = {"number": "a.py:1", "choice": "a.py:2", "free": "a.py:3", "section": "a.py:4"}
    assert problems_of(cfg, places, own={"a": 1}) == [
        "number is -1; the smallest accepted value is 0 (a.py:1)",
        "choice is 'c' (str); it must be one of 'a' or 'b' (a.py:2)",
        "free is 3 (int); it must be a dict (a.py:3)",
        "section.coun is not a known key; did you mean section.count? (a.py:4)",
        "own.b is not a known key; the keys here are a",
    ]


def test_a_clash_names_both_places() -> None:
    validator = Validator(SCHEMA, declared={}, origins={"number": "a.py:1"})
    validator.clash("number", "choice", "exclude each other")
    validator.add("choice", "is odd")
    assert validator.problems == ["number (a.py:1) and choice exclude each other", "choice is odd"]


def test_a_pattern_fits_the_whole_of_a_string() -> None:
    assert fits("a+", "aaa")
    assert not fits("a+", "aab")
    assert not fits("", "")


def test_a_list_typed_without_brackets_is_the_text_it_came_from() -> None:
    schema = {"schedule": Either("step", (str,), "help", pattern=r"multi-[\d,]+")}
    cfg: dict[str, Any] = {"schedule": ["multi-3", 5]}
    validator = Validator(schema, declared={}, origins={})
    validator.check(cfg)
    assert (cfg, validator.problems) == ({"schedule": "multi-3,5"}, [])
