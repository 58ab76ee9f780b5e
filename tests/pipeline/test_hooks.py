"""The hooks of a run, without the run."""

from typing import Any

import pytest

from ding_cls.config import compile_config
from ding_cls.errors import ConfigError
from ding_cls.pipeline import train
from ding_cls.pipeline.hooks import log_hook, run_hooks
from ding_cls.worker.learner import HOOKS, show_hooks


@HOOKS.register_module("t_run_hook")
class Counting:
    """A hook with methods and a state."""

    def __init__(self, interval: int = 1) -> None:
        self.interval = interval

    def after_train_iter(self, engine: Any) -> None:
        return None

    def after_train_epoch(self, engine: Any) -> None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        return None


def compiled(**learner: Any) -> Any:
    return compile_config({"policy": {"learn": {"learner": learner}}}, save_cfg=False)


def test_the_default_order() -> None:
    assert show_hooks(run_hooks(compiled())) == (
        "after_run: save_ckpt_after_run (20)\nafter_iter: log_show (15), save_ckpt_after_iter (20)"
    )
    assert show_hooks(run_hooks(compiled(), world_size=2)).endswith(
        "after_iter: log_reduce_after_iter (10), log_show (15), save_ckpt_after_iter (20)"
    )


def test_the_log_hook_has_the_configs_interval() -> None:
    assert log_hook(compiled(log_show_freq=7))._freq == 7  # type: ignore[attr-defined]


def test_a_hook_that_does_not_exist_is_an_error_without_a_run() -> None:
    with pytest.raises(
        ConfigError, match=r"custom_hooks\.0: there is no hook named 't_run_hok'; did you mean t_run_hook"
    ):
        run_hooks(compiled(custom_hooks=[{"type": "t_run_hok"}]))


@pytest.mark.parametrize("schedule", ["default-0.5-3", {"type": "ReduceLROnPlateau"}])
def test_a_plateau_without_evaluations_is_refused(schedule: Any) -> None:
    policy = {"learn": {"lr_schedule": schedule}, "eval": {"evaluator": {"validate": False}}}
    with pytest.raises(ConfigError, match=r"lr_schedule follows the evaluations, and .*validate is False"):
        run_hooks(compile_config({"policy": policy}, save_cfg=False))


def test_a_run_says_the_same_order(workdir: Any, capsys: pytest.CaptureFixture[str]) -> None:
    learner = {
        "hook": {"save_ckpt_after_iter": 3, "log_show_after_iter": 5},
        "custom_hooks": [{"type": "t_run_hook", "priority": "low", "interval": 2}, {"type": "t_run_hook"}],
        "dataloader": {"num_workers": 0},
    }
    order = show_hooks(run_hooks(compiled(**learner)))
    assert order.splitlines()[1:] == [
        "after_iter: log_show_after_iter (20), t_run_hook_2 (50 NORMAL), t_run_hook (70 LOW), "
        "save_ckpt_after_iter (70)",
        "after_epoch: t_run_hook_2 (50 NORMAL), t_run_hook (70 LOW)",
    ]
    small = ["policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.model.num_classes=2"]
    sizes = ["policy.collect.synthetic_samples=4", "policy.collect.synthetic_eval_samples=2"]
    more = [f"policy.learn.learner.{name}={value!r}" for name, value in learner.items()]
    more += ["policy.learn.learner.hook.save_ckpt_after_epoch=False", "policy.learn.batch_size=4"]
    train(synthetic=True, model="squeezenet1_1", epochs=0, exp_name="run", overrides=[*small, *sizes, *more])
    assert order in capsys.readouterr().out
