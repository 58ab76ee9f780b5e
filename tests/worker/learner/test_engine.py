"""What a hook sees of a run."""

import inspect
import json
import re
from typing import Any

import pytest
import torch

from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner
from ding_cls.worker.learner import Engine
from ding_cls.worker.learner.hooks.base import POSITIONS
from ding_cls.worker.learner.hooks.method_hook import method_hooks
from tests.conftest import TinyNet
from tests.worker.learner.parts import QUIET, Loader, Note, learner

pytestmark = pytest.mark.usefixtures("workdir")
BATCH = [torch.rand(4, 3, 8, 8), torch.arange(4)]
# What the contract says that a hook may touch.
CONTRACT = (
    "train_iter last_iter monitor log_buffer logger tb_logger policy exp_name instance_name rank world_size "
    "ckpt_name data_time epoch_info info debug save_checkpoint call_hook"
)


class Looking:
    """Notes what the engine says after each update."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.seen: list[tuple[Any, ...]] = []

    def after_train_iter(self, engine: Engine) -> None:
        self.seen.append(tuple(getattr(engine, name) for name in self.names))


def looked_at(*names: str, cfg: dict[str, Any] | None = None, max_epochs: int = 2) -> list[tuple[Any, ...]]:
    engine, _ = learner(**(cfg or {}))
    owner = Looking(*names)
    for hook in method_hooks(owner, "look", 50):
        engine.register_hook(hook)
    engine.start(Loader(3), max_epochs=max_epochs)
    return owner.seen


def members() -> set[str]:
    methods = {name for name, each in vars(Engine).items() if callable(each) or isinstance(each, property)}
    return {name for name in methods | set(Engine.__annotations__) if not name.startswith("_")}


def test_the_contract_is_part_of_it_and_a_learner_has_it_all() -> None:
    assert set(CONTRACT.split()) < members()
    engine, _ = learner()
    assert [name for name in members() if not hasattr(engine, name)] == []


def test_every_attribute_is_described_once_in_the_order_of_the_types() -> None:
    assert Engine.__doc__ is not None
    described = re.findall(r"^ {4}(?: {4})?(\w+): ", inspect.cleandoc(Engine.__doc__), re.M)
    assert described == list(Engine.__annotations__)


def test_counts_are_those_of_finished_updates_and_of_the_batch_at_hand() -> None:
    assert looked_at("train_iter", "epoch", "epoch_info") == [
        (number + 1, (number + 1) // 3, (number // 3, number % 3, 3)) for number in range(6)
    ]


def test_the_length_of_a_run_is_known_in_updates() -> None:
    assert looked_at("max_iter", "updates_per_epoch")[0] == (6, 3)
    assert looked_at("max_iter", "epoch", cfg={"train_iterations": 4}) == [(4, 0), (4, 0), (4, 1), (4, 1)]


def test_at_each_position_the_counts_are_those_of_the_moment() -> None:
    engine, _ = learner(train_iterations=4)
    found: dict[str, list[tuple[int, int]]] = {}

    class Each(Note):
        def __call__(self, engine: Engine) -> None:
            found.setdefault(self.position, []).append((engine.epoch_info[0], engine.train_iter))

    for position in POSITIONS:
        engine.register_hook(Each([], "each", position=position))
    engine.start(Loader(3), max_epochs=5)
    assert found["after_epoch"] == [(0, 3), (1, 4)]
    assert [count for _, count in found["before_epoch"]] == [0, 3]
    assert found["after_run"] == [(1, 4)]
    assert found["before_run"] == [(0, 0)]


def test_a_loop_of_the_callers_own_sets_its_epoch_and_has_no_length() -> None:
    engine, _ = learner()
    owner = Looking("epoch_info", "train_iter", "max_iter", "updates_per_epoch")
    for hook in method_hooks(owner, "look", 50):
        engine.register_hook(hook)
    for number in range(2):
        engine.epoch_info = (7, number, 100)
        engine.train(BATCH)
    assert owner.seen == [((7, 0, 100), 1, None, None), ((7, 1, 100), 2, None, None)]


def test_the_updates_outputs_stay_readable_behind_the_log_hook() -> None:
    hook = {**QUIET["hook"], "log_show_after_iter": 1}
    found = looked_at("outputs", "log_buffer", cfg={"hook": hook})
    assert [float(outputs["total_loss"]) for outputs, _ in found] == [1, 2, 3, 4, 5, 6]
    assert all(buffer["scalar"] == {} for _, buffer in found)


def test_what_is_written_before_the_log_hook_is_in_its_line(workdir: Any) -> None:
    engine, _ = learner(hook={**QUIET["hook"], "log_show_after_iter": 1})

    class Writing:
        def after_train_iter(self, engine: Engine) -> None:
            engine.log_buffer["scalar"]["mine"] = torch.tensor(2.0 * engine.train_iter)

    for hook in method_hooks(Writing(), "write", "VERY_HIGH"):
        engine.register_hook(hook)
    engine.start(Loader(3), max_epochs=1)
    assert engine.monitor.avg["mine"]() == 4.0
    rows = [json.loads(line) for line in (workdir / "run/log/metrics.jsonl").read_text().splitlines()]
    assert [row["mine_avg"] for row in rows if row["kind"] == "train"] == [2.0, 3.0, 4.0]


def test_network_and_optimizer_are_the_policys(tiny_net: TinyNet) -> None:
    policy = ImageClassificationPolicy({"cuda": False}, model=tiny_net)
    engine: Engine = BaseLearner(QUIET, policy.learn_mode, exp_name="a/run")
    engine.policy.forward(BATCH)
    assert engine.policy.get_attribute("model") is tiny_net
    optimizer = engine.policy.get_attribute("optimizer")
    assert optimizer is policy._optimizer
    assert [group["lr"] for group in optimizer.param_groups] == [1e-4]
    assert (engine.exp_name, engine.rank, engine.world_size) == ("a/run", 0, 1)
