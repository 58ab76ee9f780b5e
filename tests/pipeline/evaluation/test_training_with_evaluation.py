"""Every option of evaluation and checkpoints trains two steps."""

from pathlib import Path

import pytest

from ding_cls.config.defaults import EVALUATOR, LEARNER
from tests.harness import run_tiny

_LEARNER = "policy.learn.learner"
_HOOKS = ("ClassNumCheckHook", "EarlyStoppingHook", "EmptyCacheHook", "ProfilerHook", "SyncBuffersHook")
_LOGGERS = ("TextLoggerHook", "TensorboardLoggerHook")
OPTIONS = {
    **{
        f"policy.eval.evaluator.{name}": value
        for name, value in {
            "validate": "False",
            "eval_freq": "2",
            "eval_interval": "1",
            "by_epoch": "False",
            "start": "1",
            "loss_interval": "1",
            "save_best": "accuracy_top-1",
            "rule": "greater",
            "greater_keys": "['acc1']",
            "less_keys": "['loss']",
            "early_stop_patience": "3",
            "early_stop_min_delta": "0.5",
            "stop_value": "{'acc1': 101.0}",
            "multi_gpu": "False",
        }.items()
    },
    **{
        f"{_LEARNER}.checkpoint.{name}": value
        for name, value in {
            "save_optimizer": "False",
            "out_dir": "out",
            "file_name": "epoch_{}.pth",
            "best_name": "{model}_{key}_{score:.2f}.pth",
            "save_best_only": "True",
            "save_one_only": "True",
        }.items()
    },
    **{f"{_LEARNER}.custom_hooks={name}": f"[{{'type': '{name}'}}]" for name in _HOOKS},
    **{f"{_LEARNER}.loggers={name}": f"[{{'type': '{name}'}}]" for name in _LOGGERS},
    f"{_LEARNER}.log_level": "DEBUG",
    "policy.learn.max_iters": "2",
}


def test_every_key_is_among_the_options() -> None:
    keys = {f"policy.eval.evaluator.{name}" for name in EVALUATOR}
    keys |= {f"{_LEARNER}.checkpoint.{name}" for name in LEARNER["checkpoint"]}
    assert keys <= OPTIONS.keys()
    assert len(OPTIONS) == len(keys) + len(_HOOKS) + len(_LOGGERS) + 2 == 29


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS)
def test_it_trains_two_steps(picture_folder: Path, workdir: Path, option: str) -> None:
    alone = f"{_LEARNER}.dataloader.num_workers=0"
    setting = f"{option.partition('=')[0]}={OPTIONS[option]}"
    result = run_tiny(picture_folder, "run", alone, f"{_LEARNER}.train_iterations=2", setting)
    assert result.history[-1]["train_iter"] == 2
    assert result.best_checkpoint.is_file()
