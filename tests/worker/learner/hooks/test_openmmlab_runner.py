"""Hooks that are written for mmcv's runner: the names and numbers that they read."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ding_cls.worker.learner import Hook
from ding_cls.worker.learner.hooks.openmmlab_runner import RunnerView
from tests.worker.learner.hooks.test_method_hook import train_with

pytestmark = pytest.mark.usefixtures("workdir")


class Noting(Hook):
    def __init__(self) -> None:
        self.notes: list[Any] = []

    def before_run(self, runner: Any) -> None:
        runner.seen = ["before"]
        self.notes.append(("before_run", runner.max_epochs, runner.max_iters, runner.work_dir, runner.mode))

    def before_epoch(self, runner: Any) -> None:
        self.notes.append(("before_epoch", runner.epoch, runner.iter, self.every_n_epochs(runner, 2)))

    def after_epoch(self, runner: Any) -> None:
        self.notes.append(("after_epoch", runner.epoch, runner.iter, self.is_last_epoch(runner)))

    def before_iter(self, runner: Any) -> None:
        self.notes.append(("before_iter", runner.epoch, runner.iter, self.every_n_iters(runner, 5)))

    def after_iter(self, runner: Any) -> None:
        runner.seen.append(runner.inner_iter)
        runner.log_buffer.output["mine"] = runner.iter
        runner.log_buffer.update({"more": 1.0}, runner.outputs["num_samples"])
        assert runner.log_buffer["scalar"]["mine"] == runner.iter
        self.notes.append(("after_iter", runner.epoch, runner.iter, self.end_of_epoch(runner)))

    def after_run(self, runner: Any) -> None:
        self.notes.append(("after_run", runner.epoch, runner.iter, runner.seen))


def test_positions_are_counted_as_mmcv_counts_them() -> None:
    hook = Noting()
    train_with(hook)
    by_name = {name: [each[1:] for each in hook.notes if each[0] == name] for name, *_ in hook.notes}
    assert by_name["before_run"] == [(2, 10, by_name["before_run"][0][2], "train")]
    assert by_name["before_epoch"] == [(0, 0, False), (1, 5, True)]
    assert by_name["after_epoch"] == [(0, 5, False), (1, 10, True)]
    assert by_name["before_iter"] == [(n // 5, n, n in (4, 9)) for n in range(10)]
    assert by_name["after_iter"] == [(n // 5, n, n in (4, 9)) for n in range(10)]
    assert by_name["after_run"] == [(2, 10, ["before", *range(5), *range(5)])]


def test_it_has_the_learners_own_names_too() -> None:
    found: list[Any] = []

    class Reading(Hook):
        def after_train_iter(self, runner: Any) -> None:
            found.append((runner.train_iter, runner.logger.name, runner.rank, runner.world_size))

        def after_val_epoch(self, runner: Any) -> None:
            found.append((runner.mode, runner.eval_result))

    train_with(Reading())
    assert found[1] == (1, found[1][1], 0, 1)
    assert found[0][0] == "val"


def test_outputs_model_and_optimizer() -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    parts = {"model": model, "optimizer": optimizer}
    saved: list[Any] = []
    engine: Any = SimpleNamespace(
        policy=SimpleNamespace(get_attribute=parts.get),
        outputs={"total_loss": torch.tensor(2.0), "size_loss": torch.tensor(0.5), "cur_lr": 0.5},
        save_checkpoint=lambda: saved.append(1),
        updates_per_epoch=None,
        epoch_info=(3, 4, 9),
        max_iter=None,
        train_iter=7,
        num_latest=5,
    )
    runner = RunnerView(engine, "after_iter")
    assert (runner.model, runner.optimizer) == (model, optimizer)
    assert (runner.current_lr(), runner.current_momentum()) == ([0.5], [0.9])
    assert runner.outputs["loss"] is runner.outputs["log_vars"]["loss"] is engine.outputs["total_loss"]
    assert runner.outputs["log_vars"]["size_loss"] == 0.5
    assert runner.outputs["num_samples"] == 5
    assert (runner.iter, runner.epoch, runner.inner_iter) == (6, 3, 4)
    assert (runner.max_epochs, runner.max_iters) == (None, None)
    runner.save_checkpoint("folder", filename_tmpl="epoch_{}.pth")
    assert saved == [1]
    engine.outputs = {}
    assert runner.outputs == {}
