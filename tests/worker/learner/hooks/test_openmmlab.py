"""Hooks under mmcv's names, and the names of those that are no hooks here."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.errors import ConfigError
from ding_cls.worker.learner import HOOKS, ClosureHook, learner_hooks
from ding_cls.worker.learner.hooks.replaced_by import in_place_of
from tests.worker.learner.parts import Loader, learner
from tests.worker.tables import scripted

pytestmark = pytest.mark.usefixtures("workdir")


def built(*entries: dict[str, Any]) -> Any:
    return learner_hooks({"custom_hooks": list(entries)})


class Head(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes


def checked(model: nn.Module, class_names: Any) -> None:
    engine, policy = learner(custom_hooks=[{"type": "ClassNumCheckHook"}])
    policy.attributes |= {"model": model, "class_names": class_names}
    engine.call_hook("before_run")


def test_a_head_with_another_number_of_classes_is_named() -> None:
    model = nn.Sequential(nn.Identity(), Head(10))
    with pytest.raises(ConfigError, match=r"'1' \(Head\) has num_classes=10, and the training data have 3"):
        checked(model, ("a", "b", "c"))


@pytest.mark.parametrize(("num_classes", "names"), [(3, "abc"), (-1, "abc"), (10, None)])
def test_a_head_that_fits_or_says_nothing_is_fine(num_classes: int, names: Any) -> None:
    checked(nn.Sequential(Head(num_classes), nn.ReLU()), names)


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


@pytest.mark.parametrize(
    "name", ["IterTimerHook", "DistSamplerSeedHook", "TextLoggerHook", "SyncBuffersHook"]
)
def test_hooks_whose_work_is_done_anyway_are_accepted(name: str) -> None:
    engine, policy = learner(custom_hooks=[{"type": name, "priority": "LOW"}])
    engine.start(Loader(2), max_epochs=1)
    assert policy.count == 2


def test_a_logger_with_an_interval_of_its_own_is_told_that_there_is_one() -> None:
    with pytest.raises(ConfigError, match=r"loggers\.0: TextLoggerHook has interval=7; one interval holds"):
        learner_hooks({"loggers": [{"type": "TextLoggerHook", "interval": 7}]})


def test_a_closure_is_called_with_the_runner() -> None:
    seen: list[int] = []
    entry = {
        "type": ClosureHook,
        "fn_name": "after_train_iter",
        "fn": lambda runner: seen.append(runner.iter),
    }
    engine, _ = learner(custom_hooks=[entry])
    engine.start(Loader(2), max_epochs=2)
    assert seen == [0, 1, 2, 3]


def test_a_closure_needs_a_position_and_a_function() -> None:
    with pytest.raises(ConfigError, match="ClosureHook has fn_name='after_lunch'; it is one of before_run"):
        built({"type": "ClosureHook", "fn_name": "after_lunch", "fn": print})
    with pytest.raises(ConfigError, match="it is a function of the runner, set from code"):
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
    assert in_place_of("MyHook") is None
    with pytest.raises(ConfigError, match="there is no hook named 'MyHook'"):
        built({"type": "MyHook"})


@pytest.mark.parametrize("by_epoch", [True, False])
def test_the_profiler_writes_a_trace(by_epoch: bool) -> None:
    hook = {"type": "ProfilerHook", "by_epoch": by_epoch, "profile_iters": 2}
    engine, policy = learner(custom_hooks=[hook])
    engine.start(Loader(3), max_epochs=3)
    assert policy.count == 9
    (trace,) = Path("run/log/profiler").iterdir()
    assert trace.name.startswith("rank_0")
    assert '"traceEvents"' in trace.read_text()


def test_the_profiler_writes_to_the_file_it_is_told() -> None:
    schedule = {"wait": 0, "warmup": 1, "active": 1, "repeat": 1}
    hook = {"type": "ProfilerHook", "json_trace_path": "trace.json", "schedule": schedule}
    engine, _ = learner(custom_hooks=[hook])
    engine.start(Loader(3), max_epochs=1)
    assert '"traceEvents"' in Path("trace.json").read_text()
    assert not Path("run/log/profiler").exists()


def test_the_profiler_may_log_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    ready = {"type": "log_trace"}
    engine, _ = learner(
        custom_hooks=[{"type": "ProfilerHook", "on_trace_ready": ready, "activities": ["cpu"]}]
    )
    engine.start(Loader(2), max_epochs=1)
    assert "Self CPU" in capsys.readouterr().out
    assert not Path("run/log/profiler").exists()


BOTH = {"on_trace_ready": {"type": "tb_trace"}, "json_trace_path": "a.json"}


@pytest.mark.parametrize(
    "arguments", [{"profile_iters": 0}, {"activities": ["tpu"]}, {"on_trace_ready": {"type": "mine"}}, BOTH]
)
def test_a_profiler_that_cannot_be_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="ProfilerHook"):
        built({"type": "ProfilerHook", **arguments})
