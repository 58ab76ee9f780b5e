"""What a hook must be told, and the table of hook classes."""

from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.worker.learner.hook import HOOKS, POSITIONS, LearnerHook, register_learner_hook


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


def test_a_hook_that_does_nothing_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        LearnerHook("mine", position="after_iter")  # type: ignore[abstract]


def test_the_built_in_types() -> None:
    assert {"load_ckpt", "save_ckpt", "log_show", "log_reduce"} <= set(HOOKS)


def test_a_class_is_registered_once_and_only_a_hook_is() -> None:
    register_learner_hook("nothing_of_the_tests", Nothing)
    register_learner_hook("nothing_of_the_tests", Nothing)
    assert HOOKS.get("nothing_of_the_tests") is Nothing
    with pytest.raises(ConfigError, match="a learner hook named 'save_ckpt' is registered already"):
        register_learner_hook("save_ckpt", Nothing)
    for wrong in (print, int, Nothing("x", position="after_iter")):
        with pytest.raises(ConfigError, match=r"'wrong' is .*; a learner hook is a subclass of LearnerHook"):
            register_learner_hook("wrong", wrong)  # type: ignore[arg-type]
    assert "wrong" not in HOOKS
