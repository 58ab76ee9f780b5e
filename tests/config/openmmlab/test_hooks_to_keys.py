"""Hooks of mmcv that are options of training here: from ``custom_hooks`` to their keys, with their places."""

from typing import Any

import pytest

from ding_cls.config import compile_config
from ding_cls.config.openmmlab.translate import to_native

A = {"type": "A"}
EMA = {"type": "EMAHook", "momentum": 0.001, "interval": 2, "warm_up": 10, "priority": "ABOVE_NORMAL"}
PRECISE = {"type": "PreciseBNHook", "num_samples": 512}


@pytest.mark.parametrize("spelling", ["native", "second"])
def test_they_move_and_others_stay_in_their_order(spelling: str) -> None:
    hooks: list[Any] = [A, EMA, {"type": "B"}, PRECISE]
    if spelling == "native":
        cfg: dict[str, Any] = {"policy": {"learn": {"learner": {"custom_hooks": hooks}}}}
        origins = {"policy.learn.learner.custom_hooks": "a.py:3"}
    else:
        cfg, origins = {"custom_hooks": hooks}, {"custom_hooks": "a.py:3"}
    moved, places, problems = to_native(cfg, (), origins)[0]
    learn = moved["policy"]["learn"]
    assert problems == []
    assert learn["ema"] == {"momentum": 0.001, "interval": 2, "warm_up": 10}
    assert learn["precise_bn"] == {"num_samples": 512}
    assert learn["learner"]["custom_hooks"] == [A, {"type": "B"}]
    assert places["policy.learn.ema"] == "a.py:3"


def test_what_is_so_anyway_is_left_out() -> None:
    hook = {
        "type": "EMAHook",
        "resume_from": None,
        "ema_type": "ExponentialMovingAverage",
        "update_buffers": True,
    }
    assert to_native({"custom_hooks": [hook]})[0].cfg["policy"]["learn"]["ema"] == {}
    other = {"type": "EMAHook", "ema_type": "StochasticWeightAverage"}
    ema = to_native({"custom_hooks": [other]})[0].cfg["policy"]["learn"]["ema"]
    assert ema == {"ema_type": "StochasticWeightAverage"}


def test_a_key_that_is_set_already_clashes() -> None:
    learn = {"ema": {"decay": 0.9}, "learner": {"custom_hooks": [A, EMA]}}
    (problem,) = to_native({"policy": {"learn": learn}})[0].problems
    assert problem == (
        "policy.learn.learner.custom_hooks.1 and policy.learn.ema mean one thing; keep one of them"
    )


def test_a_compiled_config_stays_as_it_is() -> None:
    cfg = compile_config({"custom_hooks": [EMA, A]}, save_cfg=False)
    assert compile_config(cfg, save_cfg=False) == cfg
    assert cfg.policy.learn.learner.custom_hooks == [A]


@pytest.mark.parametrize("hooks", [None, [], "x", [3], [A]])
def test_without_such_a_hook_nothing_changes(hooks: Any) -> None:
    cfg = {"policy": {"learn": {"learner": {"custom_hooks": hooks}}}}
    assert to_native(cfg)[0].cfg == cfg


@pytest.mark.parametrize(
    ("switches", "evaluate"),
    [
        ({}, None),
        ({"evaluate_on_ema": True, "evaluate_on_origin": False}, None),
        ({"evaluate_on_origin": True}, "both"),
        ({"evaluate_on_ema": False, "evaluate_on_origin": True}, "raw"),
    ],
)
def test_mmpretrains_switches_say_what_is_evaluated(switches: dict[str, bool], evaluate: str | None) -> None:
    moved = to_native({"custom_hooks": [EMA | switches]})[0].cfg["policy"]["learn"]["ema"]
    assert moved.get("evaluate") == evaluate
    assert moved["momentum"] == 0.001


@pytest.mark.parametrize("switches", [{"evaluate_on_ema": False}, {"evaluate_on_origin": []}])
def test_switches_that_leave_nothing_to_evaluate_are_refused(switches: dict[str, Any]) -> None:
    (problem,) = to_native({"custom_hooks": [EMA | switches]})[0].problems
    assert "they are True or False, and one of them at least is True" in problem


def test_a_switch_of_recipes_becomes_the_recipes() -> None:
    schedule = [{"action_epoch": 3, "train_augments": None, "loss": {"type": "CrossEntropyLoss"}}]
    hook = {"type": "SwitchRecipeHook", "schedule": schedule}
    cfg = compile_config({"custom_hooks": [hook, A]}, save_cfg=False)
    assert cfg.policy.learn.recipes == schedule
    assert cfg.policy.learn.learner.custom_hooks == [A]
    (problem,) = to_native({"custom_hooks": [{"type": "SwitchRecipeHook", "schedules": schedule}]})[
        0
    ].problems
    assert "the form is dict(type=, schedule=[dict(action_epoch=, ...), ...])" in problem


def test_a_hook_that_is_typed_again_at_a_resume_is_the_key_it_became() -> None:
    schedule = [{"action_iter": 3, "loss": "CE"}]
    hooks = [EMA, PRECISE, {"type": "SwitchRecipeHook", "schedule": schedule}]
    first = compile_config({"custom_hooks": hooks}, save_cfg=False)
    first.policy.learn.learner.custom_hooks = [A, *hooks]
    again = compile_config(first, save_cfg=False)
    assert again.policy.learn.learner.custom_hooks == [A]
    assert (again.policy.learn.ema["momentum"], again.policy.learn.recipes) == (0.001, schedule)
