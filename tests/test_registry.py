"""Parts by name: entered once, found exactly, and a near name is offered."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.registry import Library, Registry, build_from_cfg


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
    assert Registry[Any]("part").register("x")(twice) is twice


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
    assert list(Registry[Any]("function")) == []


class Cat:
    def __init__(self, name: str, lives: int = 9) -> None:
        if lives < 1:
            raise ValueError("no lives left")
        self.name, self.lives = name, lives


class Dog:
    def __init__(self, **anything: Any) -> None:
        self.given = anything


@pytest.fixture
def animals() -> Registry[Callable[..., Any]]:
    found: Registry[Callable[..., Any]] = Registry(
        "animal", libraries=[Library("the barn", vars(barn).get, lambda: ["Cow", "Cat"])]
    )
    found.register_module()(Cat)
    found.register_module(name=["Dog", "Hound"])(Dog)
    return found


barn = SimpleNamespace(Cow=lambda milk: f"cow with {milk}", Cat=Dog)


def test_a_dict_with_type_is_built_and_stays_as_it_is(animals: Registry[Callable[..., Any]]) -> None:
    cfg = {"type": "Cat", "name": "Tom"}
    cat = animals.build(cfg, {"lives": 7, "name": "nobody"})
    assert (type(cat), cat.name, cat.lives) == (Cat, "Tom", 7)
    assert cfg == {"type": "Cat", "name": "Tom"}


def test_the_type_may_be_the_class_itself_or_a_default(animals: Registry[Callable[..., Any]]) -> None:
    assert isinstance(build_from_cfg({"type": Cat, "name": "Tom"}, animals), Cat)
    assert isinstance(build_from_cfg({"name": "Tom"}, animals, {"type": "Cat"}), Cat)


def test_one_class_may_have_several_names(animals: Registry[Callable[..., Any]]) -> None:
    assert animals.get("Dog") is animals.get("Hound") is Dog


def test_a_plain_call_registers_and_returns_the_class(animals: Registry[Callable[..., Any]]) -> None:
    class Bird: ...

    assert animals.register_module(module=Bird) is Bird
    assert animals.get("Bird") is Bird


def test_what_is_registered_hides_a_library(animals: Registry[Callable[..., Any]]) -> None:
    assert animals.get("Cat") is Cat
    assert animals.build({"type": "Cow", "milk": 3}) == "cow with 3"
    assert animals.names() == ("Cat", "Cow", "Dog", "Hound")


def test_force_replaces(animals: Registry[Callable[..., Any]]) -> None:
    with pytest.raises(ConfigError, match="an animal named 'Cat' is registered already"):
        animals.register("Cat")(Dog)
    animals.register("Cat", force=True)(Dog)
    assert animals.get("Cat") is Dog


def test_a_reloaded_class_takes_the_place_of_its_older_self(animals: Registry[Callable[..., Any]]) -> None:
    newer = type("Cat", (), {"__module__": Cat.__module__, "__qualname__": Cat.__qualname__})
    animals.register("Cat")(newer)
    assert animals.get("Cat") is newer


def test_a_decorator_without_brackets_is_refused() -> None:
    with pytest.raises(ConfigError, match="written with brackets"):
        Registry[Any]("animal").register_module(Cat)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ("Cat", r"an animal is described by dict\(type='Name', ...\), not by 'Cat'"),
        ({"name": "Tom"}, "'type' is missing in {'name': 'Tom'}"),
        ({"type": "cat"}, "there is no animal named 'cat'; did you mean Cat"),
        ({"type": "Whale"}, "there are: Cat, Dog, Hound, and those of the barn"),
        ({"type": 3}, "the type of an animal is a name or a class, not 3"),
        (
            {"type": "Cat", "name": "Tom", "life": 3},
            "animal 'Cat' has no argument 'life'; did you mean 'lives'",
        ),
        ({"type": "Cat", "name": "Tom", "q": 3}, "has no argument 'q'; it takes: name, lives"),
        ({"type": "Cat"}, "animal 'Cat' lacks the argument 'name'"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(
    cfg: Any, message: str, animals: Registry[Callable[..., Any]]
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        animals.build(cfg)
    assert len(str(refused.value).splitlines()) == 1


def test_a_constructors_own_error_comes_through_with_a_note(animals: Registry[Callable[..., Any]]) -> None:
    with pytest.raises(ValueError, match="no lives left") as refused:
        animals.build({"type": "Cat", "name": "Tom", "lives": 0})
    assert str(refused.value) == "no lives left"
    assert refused.value.__notes__ == ["while building the animal 'Cat' with {'name': 'Tom', 'lives': 0}"]


def test_a_type_error_inside_a_constructor_is_not_taken_for_a_wrong_argument() -> None:
    def broken(size: int) -> int:
        return len(size)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="has no len"):
        build_from_cfg({"type": broken, "size": 3}, Registry[Any]("part"))


def test_anything_goes_where_the_constructor_takes_anything(animals: Registry[Callable[..., Any]]) -> None:
    assert animals.build({"type": "Dog", "bones": 2}).given == {"bones": 2}


def test_a_value_of_another_kind_is_told_in_a_line_where_the_part_is_ours(
    registry: Registry[Callable[[int], int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(value: int) -> float:
        return value / 2

    registry.register("half")(half)
    with pytest.raises(TypeError):
        registry.build({"type": "half", "value": "3"})
    monkeypatch.setattr(half, "__module__", "ding_cls.somewhere")
    with pytest.raises(ConfigError, match="'half' cannot be built with value='3': unsupported operand"):
        registry.build({"type": "half", "value": "3"})


@pytest.fixture
def family() -> list[Registry[Any]]:
    models: Registry[Any] = Registry("model", scope="mine")
    kinds: list[Registry[Any]] = [Registry(name, parent=models) for name in ("backbone", "head")]
    return [models, *kinds]


def test_a_parent_finds_the_parts_of_all_its_kinds(family: list[Registry[Any]]) -> None:
    models, backbones, heads = family
    backbones.register("twice")(twice)
    heads.register("thrice")(thrice)
    assert models.get("twice") is twice
    assert models.build({"type": "thrice", "value": 5}) == 15
    assert models.names() == ("thrice", "twice")
    assert models.module_dict == {"twice": twice, "thrice": thrice}
    assert (list(backbones), list(heads)) == (["twice"], ["thrice"])


def test_a_kind_finds_what_the_parent_or_another_kind_was_given(family: list[Registry[Any]]) -> None:
    models, backbones, heads = family
    models.register("twice")(twice)
    heads.register("thrice")(thrice)
    assert backbones.get("twice") is twice
    assert backbones.get("thrice") is thrice
    assert "zzz" not in backbones


def test_a_parent_enters_no_second_part_of_a_name_that_a_kind_has(family: list[Registry[Any]]) -> None:
    models, backbones, _ = family
    backbones.register("twice")(twice)
    with pytest.raises(ConfigError, match="a model named 'twice' is registered already"):
        models.register("twice")(thrice)
    models.register("twice", force=True)(thrice)
    assert models.get("twice") is backbones.get("twice") is thrice


def test_what_the_parent_was_given_hides_a_librarys_name_in_its_kinds(family: list[Registry[Any]]) -> None:
    models, backbones, heads = family
    backbones.add_libraries(
        Library("elsewhere", {"twice": len, "thrice": len}.get, lambda: ("twice", "thrice"))
    )
    models.register("twice")(twice)
    heads.register("thrice")(thrice)
    assert models.get("twice") is backbones.get("twice") is twice
    assert backbones.get("thrice") is len


def test_the_librarys_own_parts_keep_their_kind(family: list[Registry[Any]]) -> None:
    _, backbones, heads = family
    heads.register("Registry")(Registry)
    with pytest.raises(ConfigError, match="there is no backbone named 'Registry'"):
        backbones.get("Registry")


def test_a_scope_is_shared_only_by_its_name(family: list[Registry[Any]]) -> None:
    models, backbones, _ = family
    theirs: Registry[Any] = Registry("model", parent=models, scope="theirs")
    theirs.register("twice")(twice)
    backbones.register("thrice")(thrice)
    assert "twice" not in models
    assert models.get("theirs.twice") is backbones.get("theirs.twice") is twice
    assert theirs.get("mine.thrice") is theirs.get("thrice") is thrice
    assert "theirs.thrice" not in models


def test_a_build_function_builds_for_the_kinds_too() -> None:
    def build(cfg: Any, registry: Registry[Any], default_args: Any = None) -> Any:
        return cfg, registry.name, default_args

    models = Registry[Any]("model", build)
    heads = Registry[Any]("head", parent=models)
    assert heads.build([1], {"lives": 2}) == ([1], "head", {"lives": 2})
    assert models.build({}) == ({}, "model", None)
