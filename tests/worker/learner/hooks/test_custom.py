"""The list ``custom_hooks``: two kinds of classes, who is told what, and what is refused."""

from collections.abc import Mapping
from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.worker.learner import HOOKS, LearnerHook, Priority, show_hooks
from ding_cls.worker.learner.hooks.custom import build_custom_hooks
from ding_cls.worker.learner.learner_hook import add_learner_hook


class Quiet(LearnerHook):
    def __call__(self, engine: Any) -> None:
        return None


@HOOKS.register_module("t_inherits")
class Inherits(Quiet):
    """One with the constructor of LearnerHook."""


@HOOKS.register_module("t_asks")
class Asks(Quiet):
    """One that asks for everything, and two arguments of its own."""

    def __init__(
        self,
        name: str,
        priority: int = 5,
        *,
        position: Any = "after_iter",
        ext_args: Mapping[str, Any] | None = None,
        word: str = "",
    ) -> None:
        super().__init__(name, priority, position=position)
        self.ext_args, self.word = ext_args, word


@HOOKS.register_module("t_knows")
class Knows(Quiet):
    """One that knows its place by itself."""

    def __init__(self, word: str = "") -> None:
        super().__init__("knows", 7, position="before_iter")
        self.word = word


@HOOKS.register_module("t_forwards")
class Forwards(Quiet):
    """One that hands on what it gets, as in DI-engine's example."""

    def __init__(self, *args: Any, freq: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.freq = freq


@HOOKS.register_module("t_methods")
class Methods:
    """One with methods named after positions."""

    def __init__(self, interval: int = 1) -> None:
        self.interval = interval

    def before_run(self, engine: Any) -> None:
        return None

    def after_train_iter(self, engine: Any) -> None:
        return None


@HOOKS.register_module("t_named")
class Named:
    """One whose own arguments are called like ours."""

    def __init__(self, name: str = "own", priority: str = "own") -> None:
        self.name, self.priority = name, priority

    def after_run(self, engine: Any) -> None:
        return None


def built(*entries: Any) -> list[Any]:
    return list(build_custom_hooks(entries))


def shown(*entries: Any) -> str:
    hooks: dict[str, list[LearnerHook]] = {}
    for hook in built(*entries):
        add_learner_hook(hooks, hook)
    return show_hooks(hooks)


def test_no_entries_give_no_hooks() -> None:
    assert built() == []


def test_a_class_without_a_constructor_gets_name_and_normal() -> None:
    (hook,) = built({"type": "t_inherits", "position": "after_eval"})
    assert type(hook) is Inherits
    assert (hook.name, hook.priority, hook.position) == ("t_inherits", 50, "after_eval")
    with pytest.raises(ConfigError, match=r"custom_hooks\.0: hook 'Inherits' lacks the argument 'position'"):
        built({"type": "t_inherits"})


def test_a_constructor_gets_what_it_asks_for() -> None:
    (hook,) = built(
        {
            "type": "t_asks",
            "name": "mine",
            "priority": "VERY_LOW",
            "position": "before_epoch",
            "ext_args": {"freq": 3},
            "word": "hello",
        }
    )
    assert (hook.name, hook.priority, hook.position) == ("mine", 90, "before_epoch")
    assert (hook.ext_args, hook.word) == ({"freq": 3}, "hello")
    assert type(hook.ext_args) is dict


def test_a_constructors_own_priority_holds_where_the_config_is_silent() -> None:
    (hook,) = built({"type": "t_asks"})
    assert (hook.name, hook.priority, hook.position) == ("t_asks", 5, "after_iter")


def test_a_class_that_knows_its_place_can_still_be_moved() -> None:
    assert shown({"type": "t_knows"}) == "before_iter: knows (7)"
    moved = {"type": "t_knows", "name": "mine", "priority": "high", "position": "after_run", "word": "x"}
    assert shown(moved) == "after_run: mine (30 HIGH)"
    assert built(moved)[0].word == "x"


def test_a_constructor_that_hands_everything_on_gets_everything() -> None:
    (hook,) = built({"type": "t_forwards", "position": "after_iter", "freq": 4})
    assert (hook.name, hook.priority, hook.position, hook.freq) == ("t_forwards", 50, "after_iter", 4)


def test_a_class_with_methods_is_one_object_at_each_of_its_positions() -> None:
    first, second = built({"type": "t_methods", "interval": 3, "priority": "LOW"})
    assert [(each.name, each.priority, each.position) for each in (first, second)] == [
        ("t_methods", 70, "before_run"),
        ("t_methods", 70, "after_iter"),
    ]
    assert first.owner is second.owner
    assert first.owner.interval == 3


def test_arguments_called_like_ours_belong_to_the_class_where_it_has_them() -> None:
    (hook,) = built({"type": "t_named"})
    assert (hook.owner.name, hook.owner.priority) == ("own", "own")
    assert (hook.name, hook.priority) == ("t_named", 50)
    (hook,) = built({"type": "t_named", "name": "mine", "priority": "HIGH"})
    assert (hook.owner.name, hook.owner.priority) == ("mine", "HIGH")
    assert (hook.name, hook.priority) == ("mine", 30)


def test_the_type_may_be_a_class_or_a_function() -> None:
    (hook,) = built({"type": Knows})
    assert type(hook) is Knows
    HOOKS.register("t_function")(lambda interval=2: Methods(interval))
    first, _ = built({"type": "t_function"})
    assert (first.name, first.owner.interval) == ("t_function", 2)


def test_names_differ_in_the_order_of_the_list() -> None:
    hooks = built({"type": "t_methods"}, {"type": "t_methods"}, {"type": "t_knows"}, {"type": "t_knows"})
    assert [each.name for each in hooks] == [
        "t_methods",
        "t_methods",
        "t_methods_2",
        "t_methods_2",
        "knows",
        "knows_2",
    ]


def test_equal_priorities_keep_the_order_of_the_list() -> None:
    entries = [
        {"type": "t_knows", "name": name, "priority": p} for name, p in zip("abcd", [9, 3, 9, 3], strict=True)
    ]
    assert shown(*entries) == "before_iter: b (3), d (3), a (9), c (9)"


@pytest.mark.parametrize("priority", Priority)
def test_every_name_of_a_priority_can_be_written(priority: Priority) -> None:
    assert (
        shown({"type": "t_knows", "priority": priority.name})
        == f"before_iter: knows ({priority:d} {priority.name})"
    )


def test_an_entry_stays_as_it_is() -> None:
    entry = {"type": "t_asks", "name": "mine", "ext_args": {"freq": 3}}
    before = {**entry, "ext_args": {"freq": 3}}
    built(entry)
    assert entry == before


BAD: list[tuple[Any, str]] = [
    (5, r"custom_hooks\.1: 5 is no hook; the form is dict\(type=, priority='NORMAL', \.\.\.\)"),
    ({"priority": 3}, r"custom_hooks\.1: {'priority': 3} is no hook"),
    ({"type": "t_metods"}, r"custom_hooks\.1: there is no hook named 't_metods'; did you mean t_methods"),
    ({"type": 5}, r"custom_hooks\.1: the type of a hook is a name or a class, not 5"),
    (
        {"type": "t_methods", "intervl": 3},
        r"hook 'Methods' has no argument 'intervl'; did you mean 'interval'",
    ),
    (
        {"type": "t_methods", "priority": "NORMEL"},
        r"hook 't_methods' has priority 'NORMEL'; did you mean NORMAL",
    ),
    ({"type": "t_methods", "position": "after_iter"}, r"hook t_methods has methods .*; leave position= out"),
    ({"type": "t_knows", "position": "after_itr"}, r"hook 'knows' asks for position 'after_itr'; there are"),
    ({"type": "t_knows", "ext_args": {}}, r"hook 'Knows' has no argument 'ext_args'; it takes: word"),
    ({"type": dict}, r"hook dict is no LearnerHook and has no method named after a position: before_run"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_a_bad_entry_is_an_error_that_says_where_it_stands(number: int) -> None:
    entry, match = BAD[number]
    with pytest.raises(ConfigError, match=match):
        built({"type": "t_knows"}, entry)


def test_a_constructors_own_error_comes_through() -> None:
    HOOKS.register("t_fails")(Fails)
    with pytest.raises(ZeroDivisionError) as caught:
        built({"type": "t_fails", "by": 0})
    assert caught.value.__notes__ == ["while building the hook 'Fails' with {'by': 0}"]


class Fails:
    def __init__(self, by: int) -> None:
        self.share = 1 / by
