"""Hooks from configs: both forms, bad forms, and their order."""

from typing import Any

import pytest

from ding_cls.errors import ConfigError
from ding_cls.worker.learner import (
    add_learner_hook,
    build_learner_hook_by_cfg,
    merge_hooks,
    register_learner_hook,
    show_hooks,
)
from ding_cls.worker.learner.hooks.base import HOOKS, POSITIONS, LearnerHook
from ding_cls.worker.learner.learner_hook import (
    LoadCkptHook,
    LogReduceHook,
    LogShowHook,
    SaveCkptHook,
    learner_hooks,
    place_hook,
)

KNOWN = {
    "load_ckpt_before_run": "some/file.pth.tar",
    "log_show_after_iter": 100,
    "save_ckpt_after_iter": 1000,
    "save_ckpt_after_run": True,
    "log_reduce_after_iter": 1,
}


class Plain(LearnerHook):
    def __call__(self, engine: Any) -> None:
        return None


@HOOKS.register_module("methods_of_the_tests")
class Methods:
    def after_iter(self, engine: Any) -> None:
        return None


class Counter(Plain):
    """One with a state."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        return None


def plain(name: str, priority: int) -> Plain:
    return Plain(name, priority, position="after_iter")


def hook_names(hooks: dict[str, list[LearnerHook]], position: str) -> list[str]:
    return [hook.name for hook in hooks[position]]


def test_the_short_keys() -> None:
    hooks = build_learner_hook_by_cfg(KNOWN)
    assert set(hooks) == set(POSITIONS)
    assert [type(each) for each in hooks["after_iter"]] == [LogReduceHook, LogShowHook, SaveCkptHook]
    assert [type(each) for each in hooks["before_run"]] == [LoadCkptHook]
    assert [type(each) for each in hooks["after_run"]] == [SaveCkptHook]
    assert hooks["before_run"][0]._path == "some/file.pth.tar"
    assert [each._freq for each in hooks["after_iter"][1:]] == [100, 1000]
    assert show_hooks(hooks) == (
        "before_run: load_ckpt_before_run (20)\n"
        "after_run: save_ckpt_after_run (20)\n"
        "after_iter: log_reduce_after_iter (10), log_show_after_iter (20), save_ckpt_after_iter (20)"
    )
    assert hook_names(hooks, "after_iter") == [
        "log_reduce_after_iter",
        "log_show_after_iter",
        "save_ckpt_after_iter",
    ]


@pytest.mark.parametrize("value", [False, 0, None, "", 1e9, 10**9, 2 * 10**9, float("inf")])
@pytest.mark.parametrize("key", ["save_ckpt_after_iter", "log_show_after_iter"])
def test_a_key_can_be_switched_off(key: str, value: Any) -> None:
    assert not any(build_learner_hook_by_cfg({key: value}).values())


def test_the_long_form() -> None:
    long = {
        "name": "mine",
        "type": "save_ckpt",
        "priority": 3,
        "position": "after_epoch",
        "ext_args": {"freq": 2},
    }
    (hook,) = build_learner_hook_by_cfg({"key": long})["after_epoch"]
    assert (hook.name, hook.priority, type(hook), hook._freq) == ("mine", 3, SaveCkptHook, 2)
    (hook,) = build_learner_hook_by_cfg({"key": {"type": "log_show", "position": "after_iter"}})["after_iter"]
    assert (hook.name, hook.priority, hook._freq) == ("key", 20, 1)


def test_a_users_class_is_built_with_its_own_arguments() -> None:
    class Mine(Plain):
        def __init__(self, name: str, priority: int = 5, *, position: Any, word: str) -> None:
            super().__init__(name, priority, position=position)
            self.word = word

    register_learner_hook("mine_of_the_tests", Mine)
    cfg = {"x": {"type": "mine_of_the_tests", "position": "before_epoch", "word": "hello"}}
    (hook,) = build_learner_hook_by_cfg(cfg)["before_epoch"]
    assert (hook.word, hook.priority) == ("hello", 5)
    with pytest.raises(ConfigError, match=r"hook\.x: hook 'Mine' lacks the argument 'word'"):
        build_learner_hook_by_cfg({"x": {"type": "mine_of_the_tests", "position": "before_epoch"}})


BAD: list[tuple[dict[str, Any], str]] = [
    ({"save_ckpt": 5}, r"hook\.save_ckpt is neither TYPE_POSITION nor a dict; positions are before_run"),
    ({"save_ckpt_after_step": 5}, r"hook\.save_ckpt_after_step is neither TYPE_POSITION nor a dict"),
    ({"save_cktp_after_iter": 5}, r"no hook named 'save_cktp'; did you mean save_ckpt"),
    ({"save_cktp_after_iter": False}, r"no hook named 'save_cktp'"),
    ({"save_ckpt_after_iter": -1}, r"hook\.save_ckpt_after_iter is -1; it is a number of updates from 1 on"),
    ({"save_ckpt_after_iter": 0.5}, r"hook\.save_ckpt_after_iter is 0\.5"),
    ({"save_ckpt_after_iter": 1.5}, r"'save_ckpt_after_iter' has freq=1\.5"),
    ({"save_ckpt_after_iter": float("nan")}, r"hook\.save_ckpt_after_iter is nan"),
    ({"save_ckpt_after_iter": [1]}, r"hook\.save_ckpt_after_iter is \[1\]"),
    ({"save_ckpt_after_iter": "ten"}, r"'save_ckpt_after_iter' got ext_args={'load_path': 'ten'}.*: freq"),
    ({"load_ckpt_before_run": 5}, r"'load_ckpt_before_run' got ext_args={'freq': 5}.*: load_path"),
    ({"x": {"position": "after_iter"}}, r"hook\.x lacks type; the form is dict\(type=, priority="),
    ({"x": {"type": "save_ckpt"}}, r"hook\.x lacks position"),
    ({"x": {}}, r"hook\.x lacks type and position"),
    ({"x": {"type": "nothing", "position": "after_iter"}}, r"no hook named 'nothing'"),
    ({"x": {"type": "save_ckpt", "position": "after"}}, r"hook 'x' asks for position 'after'"),
    ({"x": {"type": "save_ckpt", "position": "after_iter", "priority": "hgih"}}, r"did you mean HIGH\?"),
    (
        {"x": {"type": "save_ckpt", "position": "after_iter", "freq": 3}},
        r"hook\.x: .* has no argument 'freq'",
    ),
    ({"x": {"type": "methods_of_the_tests", "position": "after_iter"}}, r"no LearnerHook; list it in custom"),
    ({"methods_of_the_tests_after_iter": 1}, r"methods_of_the_tests, which is no LearnerHook; list it in"),
    ({"x": {"type": "save_ckpt", "position": "after_iter", "ext_args": {"freq": 0}}}, r"'x' has freq=0"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_a_bad_form_is_an_error_that_names_it(number: int) -> None:
    cfg, match = BAD[number]
    with pytest.raises(ConfigError, match=match):
        build_learner_hook_by_cfg(cfg)


def test_merging_keeps_priorities_and_changes_neither() -> None:
    first: dict[str, list[LearnerHook]] = {}
    second: dict[str, list[LearnerHook]] = {}
    for hooks, names in ((first, "ac"), (second, "bd")):
        for name in names:
            add_learner_hook(hooks, plain(name + "20", 20))
            add_learner_hook(hooks, plain(name + "10", 10))
    merged = merge_hooks(first, second)
    assert hook_names(merged, "after_iter") == ["a10", "c10", "b10", "d10", "a20", "c20", "b20", "d20"]
    assert hook_names(first, "after_iter") == ["a10", "c10", "a20", "c20"]
    assert hook_names(second, "after_iter") == ["b10", "d10", "b20", "d20"]
    assert merged["before_run"] == []


def test_no_hooks_show_nothing() -> None:
    assert show_hooks(build_learner_hook_by_cfg({})) == ""


def test_priorities_by_name_in_both_forms_and_in_the_calling_order() -> None:
    long = {"type": "save_ckpt", "position": "after_iter", "priority": "Low"}
    hooks = build_learner_hook_by_cfg({"keep": long, "log_show_after_iter": 10})
    add_learner_hook(hooks, plain("number", 70))
    assert show_hooks(hooks) == "after_iter: log_show_after_iter (20), keep (70 LOW), number (70)"


def test_a_users_own_error_comes_through_the_long_form() -> None:
    class Odd(Plain):
        def __init__(self, name: str, *, position: Any) -> None:
            super().__init__(name, position=position)
            len(5)  # type: ignore[arg-type]

    register_learner_hook("odd_of_the_tests", Odd)
    with pytest.raises(TypeError, match=r"object of type 'int' has no len\(\)") as caught:
        build_learner_hook_by_cfg({"x": {"type": "odd_of_the_tests", "position": "after_iter"}})
    assert "while building the hook 'Odd'" in caught.value.__notes__[0]


# All hooks of a learner


def test_a_learners_hooks_are_those_of_both_sections_in_order() -> None:
    cfg = {
        "hook": {"save_ckpt_after_iter": 5, "log_show_after_iter": 10},
        "custom_hooks": [{"type": "methods_of_the_tests"}, {"type": "methods_of_the_tests", "priority": 20}],
    }
    assert show_hooks(learner_hooks(cfg)) == (
        "after_iter: save_ckpt_after_iter (20), log_show_after_iter (20), methods_of_the_tests_2 (20), "
        "methods_of_the_tests (50 NORMAL)"
    )
    assert hook_names(learner_hooks({}), "after_iter") == []


def test_several_processes_reduce_unless_a_hook_does_already() -> None:
    assert hook_names(learner_hooks({}, world_size=2), "after_iter") == ["log_reduce_after_iter"]
    own = {"hook": {"mine": {"type": "log_reduce", "position": "after_iter", "priority": 3}}}
    assert show_hooks(learner_hooks(own, world_size=2)) == "after_iter: mine (3)"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_a_save_runs_behind_every_hook_whose_state_it_saves(order: tuple[int, ...]) -> None:
    described = [
        SaveCkptHook("save", position="after_iter"),
        Counter("counter", "NORMAL", position="after_iter"),
        plain("between", 40),
    ]
    hooks: dict[str, list[LearnerHook]] = {}
    for number in order:
        place_hook(hooks, described[number])
    place_hook(hooks, plain("behind", 50))
    assert [(hook.name, hook.priority) for hook in hooks["after_iter"]] == [
        ("between", 40),
        ("counter", 50),
        ("save", 50),
        ("behind", 50),
    ]


def test_a_save_stays_where_no_state_stands_behind_it() -> None:
    hooks: dict[str, list[LearnerHook]] = {}
    place_hook(hooks, SaveCkptHook("save", position="after_iter"))
    place_hook(hooks, Counter("counter", 20 - 1, position="after_iter"))
    place_hook(hooks, Counter("elsewhere", 90, position="after_epoch"))
    place_hook(hooks, plain("stateless", 90))
    assert (
        show_hooks(hooks)
        == "after_iter: counter (19), save (20), stateless (90)\nafter_epoch: elsewhere (90)"
    )


def test_a_state_in_the_section_hook_is_minded_too() -> None:
    register_learner_hook("counter_of_the_tests", Counter)
    cfg = {
        "save_ckpt_after_iter": 1,
        "mine": {"type": "counter_of_the_tests", "priority": 60, "position": "after_iter"},
    }
    assert show_hooks(learner_hooks({"hook": cfg})) == "after_iter: mine (60), save_ckpt_after_iter (60)"
