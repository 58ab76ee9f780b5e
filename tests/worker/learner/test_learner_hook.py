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
from ding_cls.worker.learner.hook import POSITIONS, LearnerHook
from ding_cls.worker.learner.learner_hook import (
    LoadCkptHook,
    LogReduceHook,
    LogShowHook,
    SaveCkptHook,
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
    with pytest.raises(ConfigError, match=r"hook\.x does not fit Mine: .*word"):
        build_learner_hook_by_cfg({"x": {"type": "mine_of_the_tests", "position": "before_epoch"}})


BAD: list[tuple[dict[str, Any], str]] = [
    ({"save_ckpt": 5}, r"hook\.save_ckpt is neither TYPE_POSITION nor a dict; positions are before_run"),
    ({"save_ckpt_after_step": 5}, r"hook\.save_ckpt_after_step is neither TYPE_POSITION nor a dict"),
    ({"save_cktp_after_iter": 5}, r"no learner hook named 'save_cktp'; did you mean save_ckpt"),
    ({"save_cktp_after_iter": False}, r"no learner hook named 'save_cktp'"),
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
    ({"x": {"type": "nothing", "position": "after_iter"}}, r"no learner hook named 'nothing'"),
    ({"x": {"type": "save_ckpt", "position": "after"}}, r"hook 'x' asks for position 'after'"),
    ({"x": {"type": "save_ckpt", "position": "after_iter", "priority": "high"}}, r"priority 'high'"),
    ({"x": {"type": "save_ckpt", "position": "after_iter", "freq": 3}}, r"hook\.x does not fit SaveCkptHook"),
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
