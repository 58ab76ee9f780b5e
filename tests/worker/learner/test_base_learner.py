"""The loop: which hook when, which batch, what is counted, what is saved."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import CheckpointError, ConfigError, RunStopped
from ding_cls.worker import BaseLearner
from ding_cls.worker.learner import create_learner
from ding_cls.worker.learner.hooks.base import POSITIONS
from tests.worker.learner.parts import QUIET, Counting, Loader, Note, learner

pytestmark = pytest.mark.usefixtures("workdir")


class StubEvaluator:
    """Stands where the evaluator stands: every evaluation says its number."""

    def __init__(self, stop_at: int = 10**9) -> None:
        self.last_eval_iter, self.last_result, self.has_reached_stop_value = -1, {}, False
        self.calls: list[int] = []
        self._stop_at = stop_at
        self.is_interrupted = lambda: False
        self.is_inside_epochs, self.loss_interval, self.updates_per_epoch = False, 0, None

    @property
    def should_stop(self) -> bool:
        return self.has_reached_stop_value

    def should_eval(self, train_iter: int) -> bool:
        return train_iter != 3

    def eval(self, save: Any, train_iter: int, envstep: int) -> tuple[bool, dict[str, float]]:
        self.calls.append(train_iter)
        self.last_eval_iter, self.last_result = train_iter, {"acc1": float(train_iter)}
        return train_iter >= self._stop_at, self.last_result

    def state_dict(self) -> dict[str, Any]:
        return {"calls": list(self.calls)}

    def load_state_dict(self, state: Any) -> None:
        self.calls = list(state["calls"])


def noted(engine: BaseLearner) -> list[tuple[str, int]]:
    notes: list[tuple[str, int]] = []
    for position in POSITIONS:
        engine.register_hook(Note(notes, position, position=position))
    return notes


STEP = ("before_iter", "after_iter")


def steps(first: int, last: int) -> list[tuple[str, int]]:
    return [pair for n in range(first, last + 1) for pair in (("before_iter", n - 1), ("after_iter", n))]


def test_every_position_is_called_at_its_moment() -> None:
    engine, _ = learner()
    notes, evaluator = noted(engine), StubEvaluator()
    engine.start(Loader(3), max_epochs=3, evaluator=evaluator)
    assert notes == [
        ("before_run", 0),
        ("after_eval", 0),
        ("before_epoch", 0),
        *steps(1, 3),
        ("after_epoch", 3),  # no evaluation: it is not due
        ("before_epoch", 3),
        *steps(4, 6),
        ("after_epoch", 6),
        ("after_eval", 6),
        ("before_epoch", 6),
        *steps(7, 9),
        ("after_epoch", 9),
        ("after_eval", 9),
        ("after_run", 9),
    ]
    assert evaluator.calls == [0, 6, 9]
    assert engine.eval_result == {"acc1": 9.0}
    assert [row.get("val_acc1") for row in engine.history.rows] == [None, 6.0, 9.0]


def test_without_an_evaluator_there_is_no_after_eval() -> None:
    engine, _ = learner()
    notes = noted(engine)
    engine.start(Loader(2), max_epochs=1)
    assert [name for name, _ in notes] == [
        "before_run",
        "before_epoch",
        *STEP,
        *STEP,
        "after_epoch",
        "after_run",
    ]


def test_the_final_weights_are_always_evaluated() -> None:
    engine, _ = learner()
    evaluator = StubEvaluator()
    engine.start(Loader(3), max_epochs=1, evaluator=evaluator)
    assert evaluator.calls == [0, 3]


def test_a_stop_value_ends_the_run_between_epochs() -> None:
    engine, policy = learner()
    notes = noted(engine)
    engine.start(Loader(2), max_epochs=10, evaluator=StubEvaluator(stop_at=4))
    assert policy.count == engine.train_iter == 4
    assert notes[-2:] == [("after_eval", 4), ("after_run", 4)]


def test_train_iterations_end_a_run_in_mid_epoch_with_its_row() -> None:
    engine, policy = learner(train_iterations=5)
    evaluator = StubEvaluator()
    engine.start(Loader(4), max_epochs=10, evaluator=evaluator)
    assert policy.count == engine.train_iter == engine.max_iter == 5
    assert evaluator.calls == [0, 4, 5]
    assert [(row["epoch"], row["train_iter"]) for row in engine.history.rows] == [(0, 4), (1, 5)]


def test_no_epochs_train_nothing_and_evaluate() -> None:
    engine, policy = learner()
    evaluator = StubEvaluator()
    engine.start(Loader(4), max_epochs=0, evaluator=evaluator)
    assert (policy.count, evaluator.calls, engine.history.rows) == (0, [0], [])


def test_hooks_run_by_priority_and_equal_ones_in_order() -> None:
    engine, _ = learner()
    notes: list[Any] = []
    for name, priority in (("c", 30), ("a", 10), ("d", 30), ("b", 20), ("first", 0), ("e", 30)):
        engine.register_hook(Note(notes, name, priority, position="before_iter"))
    engine.train([torch.zeros(4, 1), torch.zeros(4)])
    assert [name for name, _ in notes] == ["first", "a", "b", "c", "d", "e"]


def test_the_calling_order_is_logged_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    engine, _ = learner()
    engine.register_hook(Note([], "second", 20, position="after_iter"))
    engine.register_hook(Note([], "first", 10, position="after_iter"))
    engine.start(Loader(1), max_epochs=1)
    assert (
        "hooks in calling order, with their priorities\nafter_iter: first (10), second (20)\n"
        in capsys.readouterr().out
    )


def test_train_counts_updates_samples_and_hands_everything_on() -> None:
    engine, policy = learner()
    seen = []
    engine.register_hook(Note([], "x", position="before_iter"))
    batch = [torch.zeros(5, 1), torch.zeros(5)]
    engine.train(batch, envstep=7, policy_kwargs={"scale": 2})
    engine.train(batch)
    seen = policy.seen
    assert seen[0][0] is batch
    assert [kwargs for _, kwargs in seen] == [{"scale": 2}, {}]
    assert (engine.train_iter, engine.last_iter.val, engine.num_samples, engine.epoch) == (2, 2, 10, 0)
    engine.save_checkpoint()
    state = read_checkpoint("run/ckpt/iteration_2.pth.tar")
    assert (state["last_iter"], state["last_step"], state["count"]) == (2, 7, 2)
    assert {"model", "last_iter", "last_step", "format", "parts", "run", "environment"} <= state.keys()


def test_outputs_are_sorted_into_the_buffer() -> None:
    engine, policy = learner()
    values = {"[scalars]two": {"a": 1}, "[histogram]weights": [1, 2], "[scalar]one": 3.0, "plain": 4.0}
    engine.policy = Counting().mode.__class__(**{**fields_of(policy.mode), "forward": lambda data: values})
    engine.train([torch.zeros(2), torch.zeros(2)])
    assert engine.log_buffer == {
        "scalar": {"one": 3.0, "plain": 4.0},
        "scalars": {"two": {"a": 1}},
        "histogram": {"weights": [1, 2]},
    }


def fields_of(mode: Any) -> dict[str, Any]:
    return {name: getattr(mode, name) for name in mode.__dataclass_fields__}


def test_epoch_info_and_the_policys_epoch_length_are_told() -> None:
    engine, policy = learner()
    infos = []

    class Look(Note):
        def __call__(self, engine: BaseLearner) -> None:
            infos.append(engine.epoch_info)
            assert engine.data_time >= 0

    engine.register_hook(Look([], "look", position="after_iter"))
    engine.start(Loader(2), max_epochs=2)
    assert infos == [(0, 0, 2), (0, 1, 2), (1, 0, 2), (1, 1, 2)]
    assert policy.attributes["updates_per_epoch"] == 2
    assert engine.training_seconds > 0
    assert engine.epoch == 2


def test_a_stop_at_each_update_resumes_at_its_very_batch() -> None:
    whole, policy = learner("whole")
    whole.start(Loader(3), max_epochs=2)
    expected = [int(batch.sample_ids[0]) for batch, _ in policy.seen]
    assert expected == [0, 1, 2, 100, 101, 102]
    count = 0
    for stop in range(1, 7):
        engine, policy = learner(f"run_{stop}")

        class Ask(Note):
            def __call__(self, engine: BaseLearner, stop: int = stop) -> None:
                if engine.train_iter == stop:
                    engine.request_stop("the test")

        engine.register_hook(Ask([], "ask", position="after_iter"))
        with pytest.raises(RunStopped) as stopped:
            engine.start(Loader(3), max_epochs=2)
        assert stopped.value.code == 75
        assert stopped.value.message == (
            f"stopped by the test after {stop} updates; everything is saved in './run_{stop}/ckpt'; "
            f"go on from './run_{stop}/ckpt/iteration_{stop}.pth.tar'"
        )
        again, rest = learner(f"run_{stop}")
        again.load_checkpoint(f"run_{stop}/ckpt/iteration_{stop}.pth.tar")
        loader = Loader(3)
        again.start(loader, max_epochs=2)
        seen = [int(batch.sample_ids[0]) for batch, _ in policy.seen + rest.seen]
        assert seen == expected
        assert loader.positions[:1] == ([divmod(stop, 3)] if stop < 6 else [])
        assert [row["train_loss"] for row in again.history.rows] == [2.0, 5.0]
        count += 1
    assert count == 6


def test_a_loader_that_cannot_be_positioned_begins_epochs_only() -> None:
    batches = [[torch.zeros(2, 1), torch.zeros(2)]] * 3
    engine, policy = learner()
    engine.start(batches, max_epochs=2)
    assert policy.count == 6
    other, _ = learner("other")
    other.load_checkpoint({"last_iter": 4, "count": 4, "model": {}})
    with pytest.raises(
        CheckpointError, match="stands at batch 1 of epoch 1, and a list can only begin an epoch"
    ):
        other.start(batches, max_epochs=2)


def test_user_state_has_its_place_and_finds_it_again() -> None:
    engine, _ = learner()
    part = StubEvaluator()
    part.calls = [1, 2, 3]
    engine.register_state("mine", part)
    engine.save_checkpoint("mine.pth.tar")
    early, late, never = (learner(f"other_{n}")[0] for n in range(3))
    parts = [StubEvaluator(), StubEvaluator()]
    early.register_state("mine", parts[0])
    early.load_checkpoint("run/ckpt/mine.pth.tar")
    late.load_checkpoint("run/ckpt/mine.pth.tar")
    late.register_state("mine", parts[1])
    assert [each.calls for each in parts] == [[1, 2, 3], [1, 2, 3]]
    # Nobody claims it here: it is handed on.
    never.load_checkpoint("run/ckpt/mine.pth.tar")
    never.save_checkpoint("again.pth.tar")
    assert read_checkpoint("other_2/ckpt/again.pth.tar")["parts"]["mine"] == {"calls": [1, 2, 3]}


def test_facts_are_compared_whichever_comes_first() -> None:
    engine, _ = learner()
    engine.describe_run({"class_names": ["a", "b"], "seed": 1})
    engine.save_checkpoint("x.pth.tar")
    facts = {"class_names": ["a", "c"], "seed": 1}
    told_first, policy = learner("told_first")
    policy.count = 50
    told_first.describe_run(facts)
    with pytest.raises(CheckpointError, match=r"class_names differs: .*'b'.*'c'"):
        told_first.load_checkpoint("run/ckpt/x.pth.tar")
    assert policy.count == 50, "the state was loaded before it was checked"
    loaded_first, _ = learner("loaded_first")
    loaded_first.load_checkpoint("run/ckpt/x.pth.tar")
    with pytest.raises(CheckpointError, match=r"class_names differs: .*'b'.*'c'"):
        loaded_first.describe_run(facts)


def test_the_newest_k_stay_and_so_does_the_best() -> None:
    engine, _ = learner(keep_checkpoints=2, hook={"save_ckpt_after_iter": 1, "save_ckpt_after_run": False})
    engine.save_checkpoint("ckpt_best.pth.tar")
    engine.start(Loader(5), max_epochs=1)
    names = sorted(each.name for each in Path("run/ckpt").iterdir())
    assert names == ["ckpt_best.pth.tar", "iteration_4.pth.tar", "iteration_5.pth.tar"]


def test_names_of_checkpoints() -> None:
    engine, _ = learner()
    engine.save_checkpoint()
    engine.ckpt_name = "mine.pth.tar"
    engine.save_checkpoint()
    engine.save_checkpoint("named.pth.tar")
    names = sorted(each.name for each in Path("run/ckpt").iterdir())
    assert names == ["iteration_0.pth.tar", "mine.pth.tar", "named.pth.tar"]


def test_another_rank_writes_nothing() -> None:
    policy = Counting()
    engine = BaseLearner(
        {"hook": {"log_show_after_iter": 1, "save_ckpt_after_iter": 1}},
        policy.mode,
        dist_info=(1, 2),
        exp_name="r",
    )
    assert engine.tb_logger is None
    assert (engine.rank, engine.world_size) == (1, 2)
    # The reduction is there without asking.
    assert engine._hooks["after_iter"][0].name == "log_reduce_after_iter"
    for _ in range(3):
        engine.train([torch.zeros(2, 1), torch.zeros(2)])
    engine.save_checkpoint()
    engine.record("mine", {"x": 1})
    engine.info("a line")
    engine.close()
    assert not Path("r").exists()
    assert engine.log_buffer["scalar"] == {}


def test_a_learner_without_a_policy_says_so() -> None:
    engine = create_learner(QUIET, exp_name="run")
    with pytest.raises(ConfigError, match=r"no policy yet; assign one: learner\.policy = policy\.learn_mode"):
        engine.train([])
    engine.policy = Counting().mode
    engine.train([torch.zeros(2, 1), torch.zeros(2)])
    assert engine.train_iter == 1


def test_a_later_format_is_refused_and_nothing_is_loaded() -> None:
    engine, policy = learner()
    with pytest.raises(CheckpointError, match="has format 2; this version reads up to 1"):
        engine.load_checkpoint({"format": 2, "count": 9, "last_iter": 9})
    assert (policy.count, engine.train_iter) == (0, 0)


def test_lines_go_to_the_text_file() -> None:
    engine, _ = learner()
    engine.info("one\ntwo")
    engine.debug("hidden")
    text = Path("run/log/learner/learner.txt").read_text().splitlines()
    assert [line.split(" INFO ")[1] for line in text] == ["one", "two"]
    engine.close()
    assert engine.logger.handlers == []


def test_no_threads_stay_behind() -> None:
    before = threading.active_count()
    engine, _ = learner()
    engine.start(Loader(2), max_epochs=1)
    engine.close()
    deadline = time.monotonic() + 10
    # tensorboardX's writing thread ends a moment after close().
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_sorted_first_batch_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    engine, _ = learner()
    for _ in range(2):
        engine.train([torch.zeros(8, 1), torch.arange(8)])
    assert capsys.readouterr().out.count("the first batch comes sorted by class") == 1
