"""Parts by name: entered once, found exactly, and a near name is offered."""

from collections.abc import Callable

import pytest

from ding_cls.errors import ConfigError
from ding_cls.registry import Registry


def twice(value: int) -> int:
    return 2 * value


def thrice(value: int) -> int:
    return 3 * value


@pytest.fixture
def registry() -> Registry[Callable[[int], int]]:
    found: Registry[Callable[[int], int]] = Registry("function")
    found.register("twice")(twice)
    found.register("thrice")(thrice)
    return found


def test_a_part_is_found_under_its_name(registry: Registry[Callable[[int], int]]) -> None:
    assert registry.get("twice") is twice
    assert registry.get("thrice")(5) == 15


def test_registering_returns_the_part_itself() -> None:
    assert Registry[object]("part").register("x")(twice) is twice


def test_names_are_listed_in_the_order_of_entry(registry: Registry[Callable[[int], int]]) -> None:
    assert list(registry) == ["twice", "thrice"]
    assert "twice" in registry
    assert "Twice" not in registry


def test_another_part_of_the_same_name_is_refused_and_the_first_stays(
    registry: Registry[Callable[[int], int]],
) -> None:
    with pytest.raises(ConfigError, match="a function named 'twice' is registered already: <function twice"):
        registry.register("twice")(thrice)
    assert registry.get("twice") is twice


def test_the_same_part_may_be_entered_again(registry: Registry[Callable[[int], int]]) -> None:
    registry.register("twice")(twice)
    assert list(registry) == ["twice", "thrice"]


@pytest.mark.parametrize("name", ["twise", "twic", "twice "])
def test_a_name_that_is_almost_right_is_corrected(
    name: str, registry: Registry[Callable[[int], int]]
) -> None:
    with pytest.raises(ConfigError, match=rf"there is no function named '{name}'; did you mean twice"):
        registry.get(name)


def test_a_name_like_no_other_lists_them_all_sorted(registry: Registry[Callable[[int], int]]) -> None:
    with pytest.raises(ConfigError, match="there is no function named 'zzz'; there are: thrice, twice"):
        registry.get("zzz")


def test_two_registries_know_nothing_of_each_other(registry: Registry[Callable[[int], int]]) -> None:
    assert list(Registry[object]("function")) == []
