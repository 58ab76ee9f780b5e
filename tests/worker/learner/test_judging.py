"""Evaluations between epochs and inside them, and the pass for the training loss."""

import json
from pathlib import Path
from typing import Any

import pytest

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import ConfigError
from ding_cls.worker.evaluator import MetricSerialEvaluator
from tests.worker.learner.parts import Loader, Note, learner
from tests.worker.tables import ScriptedMetric, numbered, scripted

pytestmark = pytest.mark.usefixtures("workdir")


def judge(scores: list[float], **cfg: Any) -> MetricSerialEvaluator:
    return scripted(scores, save_best="score", rule="greater", **cfg)[0]


def rows(kind: str, exp_name: str = "run") -> list[dict[str, Any]]:
    lines = Path(exp_name, "log/metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def test_an_evaluation_inside_an_epoch_comes_after_its_update() -> None:
    engine, _ = learner()
    notes: list[Any] = []
    for position in ("before_epoch", "after_iter", "after_epoch", "after_eval"):
        engine.register_hook(Note(notes, position, position=position))
    engine.start(Loader(3), max_epochs=2, evaluator=judge([1.0] * 9, eval_interval=2, by_epoch=False))
    assert notes == [
        ("after_eval", 0),
        ("before_epoch", 0),
        ("after_iter", 1),
        ("after_iter", 2),
        ("after_eval", 2),
        ("after_iter", 3),
        ("after_epoch", 3),
        ("before_epoch", 3),
        ("after_iter", 4),
        ("after_eval", 4),
        ("after_iter", 5),
        ("after_iter", 6),
        ("after_epoch", 6),
        ("after_eval", 6),
    ]
    assert [row["train_iter"] for row in rows("eval")] == [0, 2, 4, 6]
    # An epoch's row holds what was measured at its end.
    assert ["val_score" in row for row in rows("epoch")] == [False, True]


def test_the_loader_goes_on_where_it_was() -> None:
    engine, policy = learner()
    loader = Loader(3)
    engine.start(loader, max_epochs=2, evaluator=judge([1.0] * 9, eval_interval=1, by_epoch=False))
    assert [int(batch.sample_ids[0]) for batch, _ in policy.seen] == [0, 1, 2, 100, 101, 102]
    assert loader.positions == [(0, 0), (1, 0)]


def test_no_patience_ends_the_run_inside_an_epoch() -> None:
    engine, policy = learner()
    evaluator = judge([1.0, 2.0, 1.0, 1.0], eval_interval=1, by_epoch=False, early_stop_patience=2)
    notes: list[Any] = []
    for position in ("after_epoch", "after_eval", "after_run"):
        engine.register_hook(Note(notes, position, position=position))
    engine.start(Loader(5), max_epochs=9, evaluator=evaluator)
    assert policy.count == 3
    evaluations = [("after_eval", number) for number in range(4)]
    assert notes == [*evaluations, ("after_epoch", 3), ("after_run", 3)]
    assert [row["train_iter"] for row in rows("eval")] == [0, 1, 2, 3]
    (row,) = engine.history.rows
    assert (row["epoch"], row["train_iter"], row["val_score"]) == (0, 3, 1.0)


def test_a_run_that_patience_ended_is_over_when_it_resumes() -> None:
    settings = {"eval_interval": 1, "by_epoch": False, "early_stop_patience": 1}
    first, _ = learner(hook={"save_ckpt_after_iter": False, "save_ckpt_after_run": True})
    # The first, of the untrained network, is no reference.
    first.start(Loader(5), max_epochs=9, evaluator=judge([2.0, 1.0, 0.5], **settings))
    again, policy = learner()
    again.load_checkpoint("run/ckpt/iteration_2.pth.tar")
    again.start(Loader(5), max_epochs=9, evaluator=judge([], **settings))
    assert policy.count == 2
    assert again.history.rows == first.history.rows
    assert [row["train_iter"] for row in rows("eval")] == [0, 1, 2]


@pytest.mark.parametrize("position", [2, 4])
def test_a_kill_right_after_the_best_file_loses_nothing(position: int) -> None:
    settings = {"eval_interval": 2, "by_epoch": False}
    whole, _ = learner("whole")
    whole.start(Loader(3), max_epochs=2, evaluator=judge([1.0, 2.0, 3.0, 4.0], **settings))
    # The file of the best is written before the evaluation is told of: in it that is still to come.
    cut, _ = learner("cut")

    class Killed(Exception):
        pass

    def killed(name: str | None = None) -> None:
        type(cut).save_checkpoint(cut, name)
        if cut.train_iter == position:
            raise Killed

    cut.save_checkpoint = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        cut.start(Loader(3), max_epochs=2, evaluator=judge([1.0, 2.0, 3.0, 4.0], **settings))
    resumed, _ = learner("cut")
    resumed.load_checkpoint("cut/ckpt/ckpt_best.pth.tar")
    notes: list[Any] = []
    resumed.register_hook(Note(notes, "note", position="after_eval"))
    left = {2: [3.0, 4.0], 4: [4.0]}[position]
    resumed.start(Loader(3), max_epochs=2, evaluator=judge(left, **settings))
    assert [row["score"] for row in rows("eval", "cut")] == [1.0, 2.0, 3.0, 4.0]
    assert [at for _, at in notes] == [each for each in (2, 4, 6) if each >= position]
    best = read_checkpoint("cut/ckpt/ckpt_best.pth.tar")
    assert (best["last_iter"], best["parts"]["evaluator"]["best"]) == (6, {"score": 4.0})


def test_more_patience_goes_on_in_the_epoch_that_less_had_ended() -> None:
    settings = {"eval_interval": 1, "by_epoch": False}
    saves = {"save_ckpt_after_iter": False, "save_ckpt_after_run": True}
    whole, _ = learner("whole")
    whole.start(Loader(3), max_epochs=1, evaluator=judge([1.0, 0.5, 0.4, 0.3], **settings))
    first, _ = learner(hook=saves)
    first.start(Loader(3), max_epochs=1, evaluator=judge([1.0, 0.5, 0.4], **settings, early_stop_patience=1))
    again, policy = learner()
    again.load_checkpoint("run/ckpt/iteration_2.pth.tar")
    again.start(Loader(3), max_epochs=1, evaluator=judge([0.3], **settings, early_stop_patience=5))
    assert policy.count == 3
    for kind in ("eval", "epoch"):
        without_clock = [[{**row, "seconds": 0} for row in rows(kind, name)] for name in ("run", "whole")]
        assert without_clock[0] == without_clock[1]


def test_evaluating_inside_is_no_training_time() -> None:
    engine, _ = learner()
    evaluator = judge([1.0] * 9, eval_interval=1, by_epoch=False)
    slow = evaluator.eval

    def eval_slowly(*args: Any) -> Any:
        import time

        time.sleep(0.05)
        return slow(*args)

    evaluator.eval = eval_slowly  # type: ignore[method-assign]
    engine.start(Loader(5), max_epochs=1, evaluator=evaluator)
    assert engine.training_seconds < 0.1


class _Losing:
    """The eval mode of a policy whose loss of a batch is the mean of its pictures' numbers."""

    def __init__(self, policy: Any) -> None:
        self.mode = policy.mode()
        self.batch_sizes: list[int] = []

    def loss(self, batch: Any) -> Any:
        images, _ = batch
        self.batch_sizes.append(len(images))
        return images[:, 0, 0, 0].mean()

    def build(self, interval: int, batch_size: int) -> MetricSerialEvaluator:
        from dataclasses import replace

        from torch.utils.data import DataLoader

        names = {"class_names": None, "eval_loss": self.loss}
        mode = replace(self.mode, get_attribute=names.__getitem__)
        samples, _ = numbered(7)
        env = [DataLoader(samples, batch_size), ScriptedMetric([1.0] * 9)]
        return MetricSerialEvaluator({"loss_interval": interval}, env, mode, exp_name=None)


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_the_pass_for_the_loss_is_the_mean_over_samples(batch_size: int) -> None:
    engine, _ = learner()
    evaluator = _Losing(numbered(7)[1]).build(2, batch_size)
    engine.start(Loader(2), max_epochs=5, evaluator=evaluator)
    found = [row.get("val_total_loss") for row in engine.history.rows]
    # (0 + 1 + ... + 6) / 7, every second epoch.
    assert found == [None, 3.0, None, 3.0, None]
    assert [row.get("val_total_loss") for row in rows("epoch")] == found


def test_a_policy_without_that_loss_is_named() -> None:
    engine, _ = learner()
    with pytest.raises(ConfigError, match="loss_interval asks for the training loss, and the policy has no"):
        engine.start(Loader(2), max_epochs=1, evaluator=judge([1.0] * 3, loss_interval=1))
