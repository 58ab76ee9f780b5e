"""Hooks whose work every run does, and arguments without effect: they are gone before a hook is built."""

from typing import Any

import pytest

from ding_cls.config import compile_config
from ding_cls.config.openmmlab.inert_hooks import drop_inert_hooks
from ding_cls.config.openmmlab.translate import to_native
from ding_cls.errors import ConfigError
from ding_cls.worker.learner import HOOKS

LEARNER = "policy.learn.learner"
LOGGERS = {"interval": None, "ignore_last": False, "reset_flag": True, "by_epoch": False}


def cfg(**lists: list[Any]) -> dict[str, Any]:
    return {"policy": {"learn": {"learner": lists}}}


@pytest.mark.parametrize("key", ["custom_hooks", "loggers"])
@pytest.mark.parametrize(
    "hook",
    [
        {"type": "ClassNumCheckHook"},
        {"type": "IterTimerHook", "priority": "LOW"},
        {"type": "DistSamplerSeedHook", "name": "mine", "position": "before_run"},
        {"type": "TextLoggerHook", **LOGGERS},
        {"type": "TensorboardLoggerHook", **LOGGERS},
    ],
)
def test_hooks_whose_work_is_done_anyway_are_accepted(key: str, hook: dict[str, Any]) -> None:
    assert hook["type"] not in HOOKS
    other = {"type": "EmptyCacheHook"}
    compiled = compile_config(cfg(**{key: [hook, other]}), save_cfg=False)
    assert compiled.policy.learn.learner[key] == [other]


def test_a_logger_with_an_interval_of_its_own_is_told_that_there_is_one() -> None:
    with pytest.raises(ConfigError, match=r"loggers\.0: TextLoggerHook has interval=7; one interval holds"):
        compile_config(cfg(loggers=[{"type": "TextLoggerHook", "interval": 7}]), save_cfg=False)


def test_an_argument_that_there_is_not_is_named() -> None:
    hooks = [{"type": "EmptyCacheHook"}, {"type": "IterTimerHook", "intervall": 7}]
    with pytest.raises(ConfigError, match=r"custom_hooks\.1: IterTimerHook has no argument 'intervall'"):
        compile_config(cfg(custom_hooks=hooks), save_cfg=False)


@pytest.mark.parametrize("name", ["WandbLoggerHook", "MMClsWandbHook"])
def test_arguments_without_effect_do_not_reach_the_constructor(name: str) -> None:
    inert = {"interval": 5, "commit": True, "with_step": True, "log_artifact": True, "num_eval_images": 10}
    entry = {"type": name, "init_kwargs": {"project": "p"}}
    values = cfg(loggers=[{**entry, **inert, "log_checkpoint_metadata": True}])
    assert drop_inert_hooks(values, {}) == []
    assert values == cfg(loggers=[entry])


def test_of_the_others_every_argument_stays_that_has_an_effect() -> None:
    values = cfg(
        custom_hooks=[{"type": "EarlyStoppingHook", "strict": True, "patience": 3}],
        loggers=[
            {"type": "MlflowLoggerHook", "interval": 5, "by_epoch": False, "exp_name": "e", "commit": 1}
        ],
    )
    assert drop_inert_hooks(values, {}) == []
    assert values == cfg(
        custom_hooks=[{"type": "EarlyStoppingHook", "patience": 3}],
        # An argument that only another hook has is left for the constructor to refuse.
        loggers=[{"type": "MlflowLoggerHook", "exp_name": "e", "commit": 1}],
    )


def test_a_list_without_such_hooks_and_what_is_no_list_stay() -> None:
    values = cfg(custom_hooks=[5, {"type": "EmptyCacheHook"}, {}], loggers="none")  # type: ignore[arg-type]
    before = cfg(custom_hooks=[5, {"type": "EmptyCacheHook"}, {}], loggers="none")  # type: ignore[arg-type]
    assert drop_inert_hooks(values, {}) == []
    assert values == before


def test_the_place_of_a_problem_is_named() -> None:
    hook = {"type": "TextLoggerHook", "interval": 7}
    origins = {f"{LEARNER}.loggers": "own.py:3"}
    (problem,) = drop_inert_hooks(cfg(loggers=[hook]), origins)
    assert problem.endswith("(own.py:3)")


def test_the_other_spelling_is_read_in_the_same_way() -> None:
    values = {
        "custom_hooks": [{"type": "IterTimerHook"}, {"type": "EMAHook", "momentum": 0.1}],
        "log_config": {"hooks": [{"type": "TensorboardLoggerHook", "reset_flag": True}]},
    }
    (translated, _, problems), _ = to_native(values)
    assert problems == []
    learner = translated["policy"]["learn"]["learner"]
    assert (learner["custom_hooks"], learner["loggers"]) == ([], [])


def test_the_hooks_behind_keep_their_lines() -> None:
    hooks = [{"type": "IterTimerHook"}, {"type": "EMAHook"}, {"type": "EarlyStoppingHook", "patience": 3}]
    path = f"{LEARNER}.custom_hooks"
    origins = {f"{path}.{index}.type": f"a.py:{index}" for index in range(3)} | {f"{path}.2.patience": "b.py"}
    native, _ = to_native(cfg(custom_hooks=hooks), (), origins)
    assert native.origins == {
        "policy.learn.ema": "a.py:1",
        f"{path}.0.type": "a.py:2",
        f"{path}.0.patience": "b.py",
    }
