"""What a hook must be told, and the table of hook classes."""

from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.worker.learner.hooks.base import (
    HOOKS,
    POSITIONS,
    LearnerHook,
    Priority,
    move_hook,
    register_learner_hook,
    show_priority,
)

NUMBERS = {
    "HIGHEST": 0,
    "VERY_HIGH": 10,
    "HIGH": 30,
    "ABOVE_NORMAL": 40,
    "NORMAL": 50,
    "BELOW_NORMAL": 60,
    "LOW": 70,
    "VERY_LOW": 90,
    "LOWEST": 100,
}


class Nothing(LearnerHook):
    def __call__(self, engine: Any) -> None:
        return None


def test_the_positions_are_the_known_ones_and_ours() -> None:
    assert sorted(POSITIONS) == sorted(
        ["before_run", "after_run", "before_iter", "after_iter", "before_epoch", "after_epoch", "after_eval"]
    )


@pytest.mark.parametrize("position", POSITIONS)
def test_a_hook_tells_its_name_priority_and_position(position: Any) -> None:
    hook = Nothing("mine", 7, position=position)
    assert (hook.name, hook.priority, hook.position) == ("mine", 7, position)
    assert Nothing("mine", position=position).priority == 100


@pytest.mark.parametrize("position", ["after_step", "", None, "After_iter"])
def test_another_position_is_an_error_that_lists_them(position: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"hook 'mine' asks for position '.*'; there are: before_run, after_run"
    ):
        Nothing("mine", position=position)


@pytest.mark.parametrize("priority", [-1, 1.5, "1", True, None])
def test_a_priority_is_a_whole_number_from_0_on(priority: Any) -> None:
    with pytest.raises(ConfigError, match=r"hook 'mine' has priority .*; it is a whole number from 0 on"):
        Nothing("mine", priority, position="after_iter")


def test_the_names_of_priorities_are_those_of_mmcv() -> None:
    assert {each.name: each.value for each in Priority} == NUMBERS


@pytest.mark.parametrize("name", NUMBERS)
def test_a_name_is_accepted_wherever_a_number_is(name: str) -> None:
    for spelling in (name, name.lower(), name.title(), Priority[name]):
        hook = Nothing("mine", spelling, position="after_iter")
        assert hook.priority == NUMBERS[name]
        assert type(hook.priority) is int
        assert show_priority(hook) == f"{NUMBERS[name]} {name}"
    assert show_priority(Nothing("mine", NUMBERS[name], position="after_iter")) == str(NUMBERS[name])


@pytest.mark.parametrize(
    ("typo", "nearest"),
    [("NORMEL", "NORMAL"), ("very-high", "VERY_HIGH"), ("highets", "HIGHEST"), ("lo", "LOW")],
)
def test_a_misspelt_priority_names_the_nearest(typo: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=rf"hook 'mine' has priority '{typo}'; did you mean {nearest}\?"):
        Nothing("mine", typo, position="after_iter")


def test_a_word_like_no_priority_lists_them_all() -> None:
    with pytest.raises(ConfigError, match=r"priority 'xyz'; .* or one of HIGHEST, VERY_HIGH, .*, LOWEST"):
        Nothing("mine", "xyz", position="after_iter")


def test_a_hook_can_be_moved_before_it_is_registered() -> None:
    hook = Nothing("mine", 7, position="after_iter")
    move_hook(hook)
    assert (hook.name, hook.priority, hook.position) == ("mine", 7, "after_iter")
    move_hook(hook, name="other", priority="low", position="after_run")
    assert (hook.name, hook.priority, hook.position) == ("other", 70, "after_run")
    with pytest.raises(ConfigError, match="hook 'other' asks for position 'nowhere'"):
        move_hook(hook, position="nowhere")


def test_a_hook_that_does_nothing_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        LearnerHook("mine", position="after_iter")  # type: ignore[abstract]


def test_the_built_in_types() -> None:
    assert {"load_ckpt", "save_ckpt", "log_show", "log_reduce"} <= set(HOOKS)


def test_a_class_is_registered_once_and_only_a_hook_is() -> None:
    register_learner_hook("nothing_of_the_tests", Nothing)
    register_learner_hook("nothing_of_the_tests", Nothing)
    assert HOOKS.get("nothing_of_the_tests") is Nothing
    with pytest.raises(ConfigError, match="a hook named 'save_ckpt' is registered already"):
        register_learner_hook("save_ckpt", Nothing)
    for wrong in (print, int, Nothing("x", position="after_iter")):
        with pytest.raises(ConfigError, match=r"'wrong' is .*; a learner hook is a subclass of LearnerHook"):
            register_learner_hook("wrong", wrong)  # type: ignore[arg-type]
    assert "wrong" not in HOOKS


def test_a_decorator_registers_any_class_under_its_name() -> None:
    @HOOKS.register_module()
    class OfTheTestsAlone:
        def after_run(self, engine: Any) -> None: ...

    assert HOOKS.get("OfTheTestsAlone") is OfTheTestsAlone
    with pytest.raises(ConfigError, match=r"with brackets: @\w+\.register_module\(\)"):
        HOOKS.register_module(OfTheTestsAlone)  # type: ignore[call-overload]
