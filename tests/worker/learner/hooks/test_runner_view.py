"""What a hook with methods sees of a run."""

import logging
from typing import Any

import pytest
import torch

from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner
from ding_cls.worker.learner.hooks.base import POSITIONS
from ding_cls.worker.learner.hooks.method_hook import method_hooks
from ding_cls.worker.learner.hooks.runner_view import Runner
from tests.conftest import TinyNet
from tests.worker.learner.parts import QUIET, Loader, Note, learner

pytestmark = pytest.mark.usefixtures("workdir")
BATCH = [torch.rand(4, 3, 8, 8), torch.arange(4)]


class Looking:
    """Notes what the runner says, by method."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.seen: list[tuple[Any, ...]] = []

    def after_train_iter(self, runner: Runner) -> None:
        self.seen.append(tuple(getattr(runner, name) for name in self.names))


def looked_at(*names: str, cfg: dict[str, Any] | None = None, max_epochs: int = 2) -> list[tuple[Any, ...]]:
    engine, _ = learner(**(cfg or {}))
    owner = Looking(*names)
    for hook in method_hooks(owner, "look", 50):
        engine.register_hook(hook)
    engine.start(Loader(3), max_epochs=max_epochs)
    return owner.seen


def test_positions_within_a_run_count_from_zero() -> None:
    assert looked_at("iter", "epoch", "inner_iter") == [
        (number, number // 3, number % 3) for number in range(6)
    ]


def test_the_length_of_a_run_is_told_in_updates_and_epochs() -> None:
    assert looked_at("max_iters", "max_epochs")[0] == (6, 2)
    cut = looked_at("max_iters", "max_epochs", "epoch", cfg={"train_iterations": 4})
    assert cut == [(4, 2, 0), (4, 2, 0), (4, 2, 0), (4, 2, 1)]


def test_a_cut_epoch_is_still_the_epoch_at_hand() -> None:
    engine, _ = learner(train_iterations=4)
    found: dict[str, list[tuple[int, int]]] = {}

    class Each(Note):
        def __call__(self, engine: BaseLearner) -> None:
            runner = Runner(engine, self.position)
            found.setdefault(self.position, []).append((runner.epoch, runner.iter))

    for position in POSITIONS:
        engine.register_hook(Each([], "each", position=position))
    engine.start(Loader(3), max_epochs=5)
    assert found["after_epoch"] == [(0, 3), (1, 4)]
    assert found["before_epoch"] == [(0, 0), (1, 3)]
    assert found["after_run"] == [(1, 4)]
    assert found["before_run"] == [(0, 0)]


def test_a_loop_of_ones_own_tells_its_epoch_and_has_no_length() -> None:
    engine, _ = learner()
    owner = Looking("epoch", "iter", "inner_iter", "max_iters", "max_epochs")
    for hook in method_hooks(owner, "look", 50):
        engine.register_hook(hook)
    for number in range(2):
        engine.epoch_info = (7, number, 100)
        engine.train(BATCH)
    assert owner.seen == [(7, 0, 0, None, None), (7, 1, 1, None, None)]


def test_the_updates_outputs_stay_readable_behind_the_log_hook() -> None:
    hook = {**QUIET["hook"], "log_show_after_iter": 1}
    found = looked_at("outputs", "log_buffer", cfg={"hook": hook})
    assert [float(outputs["total_loss"]) for outputs, _ in found] == [1, 2, 3, 4, 5, 6]
    assert all(buffer.output == {} for _, buffer in found)


def test_what_is_written_before_the_log_hook_is_in_its_line(workdir: Any) -> None:
    engine, _ = learner(hook={**QUIET["hook"], "log_show_after_iter": 1})

    class Writing:
        def after_train_iter(self, runner: Runner) -> None:
            runner.log_buffer.output["mine"] = torch.tensor(2.0 * runner.iter)
            runner.log_buffer.ready = True

    for hook in method_hooks(Writing(), "write", "VERY_HIGH"):
        engine.register_hook(hook)
    engine.start(Loader(3), max_epochs=1)
    assert engine.monitor.avg["mine"]() == 2.0
    assert '"mine_avg": 2.0' in (workdir / "run/log/metrics.jsonl").read_text()


def test_network_and_optimizer_are_the_policys(tiny_net: TinyNet) -> None:
    policy = ImageClassificationPolicy({"cuda": False}, model=tiny_net)
    engine = BaseLearner(QUIET, policy.learn_mode, exp_name="a/run")
    engine.train(BATCH)
    runner = Runner(engine, "after_iter")
    assert runner.learner is engine
    assert runner.model is tiny_net
    assert runner.optimizer is policy._optimizer
    assert runner.current_lr() == [1e-4]
    assert runner.work_dir == "a/run"
    assert (runner.rank, runner.world_size) == (0, 1)
    assert isinstance(runner.logger, logging.Logger)
    assert set(runner.outputs) >= {"total_loss", "cur_lr"}
    engine.eval_result = {"acc1": 3.0}
    assert runner.eval_result == {"acc1": 3.0}


def test_nothing_can_be_hung_onto_a_runner() -> None:
    engine, _ = learner()
    with pytest.raises(AttributeError):
        Runner(engine, "after_iter").mine = 5  # type: ignore[attr-defined]
