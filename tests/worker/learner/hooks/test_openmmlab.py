"""Hooks under mmcv's names, and the names of those that are no hooks here."""

import re
from typing import Any

import pytest
import torch

from ding_cls.errors import ConfigError
from ding_cls.worker.learner import HOOKS, ClosureHook, learner_hooks
from ding_cls.worker.learner.hooks.openmmlab import replaced_by
from tests.worker.learner.parts import Loader, learner
from tests.worker.tables import scripted

pytestmark = pytest.mark.usefixtures("workdir")


def built(*entries: dict[str, Any]) -> Any:
    return learner_hooks({"custom_hooks": list(entries)})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, 2),
        ({"after_epoch": False}, 0),
        ({"before_epoch": True}, 4),
        ({"after_epoch": False, "after_iter": True}, 6),
    ],
)
def test_the_cache_is_emptied_when_asked(
    arguments: dict[str, bool], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[None] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append(None))
    engine, _ = learner(custom_hooks=[{"type": "EmptyCacheHook", **arguments}])
    engine.start(Loader(3), max_epochs=2)
    assert len(calls) == expected


def test_without_cuda_there_is_no_cache() -> None:
    engine, _ = learner(custom_hooks=[{"type": "EmptyCacheHook"}])
    engine.start(Loader(3), max_epochs=1)


def test_one_process_has_no_buffers_to_give() -> None:
    engine, policy = learner(custom_hooks=[{"type": "SyncBuffersHook", "priority": "LOW"}])
    engine.start(Loader(2), max_epochs=1)
    assert policy.count == 2


def test_a_closure_is_called_with_the_engine() -> None:
    seen: list[int] = []
    entry = {
        "type": ClosureHook,
        "fn_name": "after_train_iter",
        "fn": lambda engine: seen.append(engine.train_iter),
    }
    engine, _ = learner(custom_hooks=[entry])
    engine.start(Loader(2), max_epochs=2)
    assert seen == [1, 2, 3, 4]


def test_a_closure_needs_a_position_and_a_function() -> None:
    with pytest.raises(ConfigError, match="ClosureHook has fn_name='after_lunch'; it is one of before_run"):
        built({"type": "ClosureHook", "fn_name": "after_lunch", "fn": print})
    with pytest.raises(ConfigError, match="it is a function of the engine, set from code"):
        built({"type": "ClosureHook", "fn_name": "before_run", "fn": "print"})


def test_patience_by_mmengines_hook() -> None:
    hook = {
        "type": "EarlyStoppingHook",
        "monitor": "score",
        "rule": "greater",
        "patience": 2,
        "min_delta": 0.5,
    }
    engine, policy = learner(custom_hooks=[hook])
    # The first, of the untrained network, is no reference.
    evaluator = scripted([0.9, 1.0, 1.4, 1.4, 9.0], eval_freq=1)[0]
    engine.start(Loader(2), max_epochs=9, evaluator=evaluator)
    assert policy.count == 6
    assert evaluator.best == {"score": 1.4}


def test_patience_by_hook_resumes_with_its_count() -> None:
    hook = {"type": "EarlyStoppingHook", "monitor": "score", "rule": "greater", "patience": 2}
    cfg = {"custom_hooks": [hook], "hook": {"save_ckpt_after_iter": False, "save_ckpt_after_epoch": 1}}
    first, _ = learner(**cfg)
    first.start(Loader(2), max_epochs=3, evaluator=scripted([0.0, 1.0, 0.5, 0.5], eval_freq=1)[0])
    again, policy = learner(**cfg)
    again.load_checkpoint("run/ckpt/iteration_6.pth.tar")
    # The first evaluation after the resume is that of update 6 again: the file was written before it.
    again.start(Loader(2), max_epochs=9, evaluator=scripted([0.5, 9.0], eval_freq=1)[0])
    assert policy.count == 6


def test_patience_needs_evaluations_and_a_number() -> None:
    engine, _ = learner(custom_hooks=[{"type": "EarlyStoppingHook"}])
    with pytest.raises(ConfigError, match="EarlyStoppingHook waits for evaluations, and this run has none"):
        engine.start(Loader(2), max_epochs=1)
    with pytest.raises(ConfigError, match="EarlyStoppingHook has patience=0"):
        built({"type": "EarlyStoppingHook", "patience": 0})


REFUSED = {
    "CheckpointHook": "save_ckpt_after_epoch",
    "EvalHook": "eval_interval",
    "DistEvalHook": "eval_interval",
    "OptimizerHook": "grad_clip",
    "DistOptimizerHook": "grad_clip",
    "Fp16OptimizerHook": "precision='fp16'",
    "GradientCumulativeOptimizerHook": "accumulation_steps",
    "GradientCumulativeFp16OptimizerHook": "accumulation_steps=K and policy.learn.precision='fp16'",
    "EMAHook": "policy.learn.ema",
    "PreciseBNHook": "policy.learn.precise_bn",
    "SwitchRecipeHook": "policy.learn.recipes",
    "VisualizationHook": "none",
    "CosineAnnealingLrUpdaterHook": "lr_schedule",
    "StepMomentumUpdaterHook": "momentum_schedule",
    "NeptuneLoggerHook": "MlflowLoggerHook",
    "DvcliveLoggerHook": "MlflowLoggerHook",
    "ClearMLLoggerHook": "MlflowLoggerHook",
    "SegmindLoggerHook": "MlflowLoggerHook",
    "PaviLoggerHook": "MlflowLoggerHook",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_hook_here_says_what_to_write(name: str) -> None:
    assert name not in HOOKS
    pattern = rf"policy\.learn\.learner\.custom_hooks\.0: {name} is no hook here.*{re.escape(REFUSED[name])}"
    with pytest.raises(ConfigError, match=pattern):
        built({"type": name, "interval": 1})


def test_a_name_of_ones_own_is_not_mistaken_for_one_of_these() -> None:
    assert replaced_by("MyHook") is None
    with pytest.raises(ConfigError, match="there is no hook named 'MyHook'"):
        built({"type": "MyHook"})
