"""Evaluations between epochs and inside them, and the pass for the training loss."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import ConfigError
from ding_cls.worker.evaluator import MetricSerialEvaluator
from tests.worker.learner.hooks.test_builtin import scalars
from tests.worker.learner.parts import Loader, Note, learner
from tests.worker.tables import ScriptedMetric, numbered, scripted

pytestmark = pytest.mark.usefixtures("workdir")


def scored(scores: list[float], **cfg: Any) -> MetricSerialEvaluator:
    return scripted(scores, save_best="score", rule="greater", **cfg)[0]


def rows(kind: str, exp_name: str = "run") -> list[dict[str, Any]]:
    lines = Path(exp_name, "log/metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def test_an_evaluation_inside_an_epoch_comes_after_its_update() -> None:
    engine, _ = learner()
    notes: list[Any] = []
    for position in ("before_epoch", "after_iter", "after_epoch", "after_eval"):
        engine.register_hook(Note(notes, position, position=position))
    engine.start(Loader(3), max_epochs=2, evaluator=scored([1.0] * 9, eval_interval=2, by_epoch=False))
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
    engine.start(loader, max_epochs=2, evaluator=scored([1.0] * 9, eval_interval=1, by_epoch=False))
    assert [int(batch.sample_ids[0]) for batch, _ in policy.seen] == [0, 1, 2, 100, 101, 102]
    assert loader.positions == [(0, 0), (1, 0)]


def test_no_patience_ends_the_run_inside_an_epoch() -> None:
    engine, policy = learner()
    evaluator = scored([1.0, 2.0, 1.0, 1.0], eval_interval=1, by_epoch=False, early_stop_patience=2)
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
    first.start(Loader(5), max_epochs=9, evaluator=scored([2.0, 1.0, 0.5], **settings))
    again, policy = learner()
    again.load_checkpoint("run/ckpt/iteration_2.pth.tar")
    again.start(Loader(5), max_epochs=9, evaluator=scored([], **settings))
    assert policy.count == 2
    assert again.history.rows == first.history.rows
    assert [row["train_iter"] for row in rows("eval")] == [0, 1, 2]


@pytest.mark.parametrize("position", [2, 4])
def test_a_kill_right_after_the_best_file_loses_nothing(position: int) -> None:
    settings = {"eval_interval": 2, "by_epoch": False}
    whole, _ = learner("whole")
    whole.start(Loader(3), max_epochs=2, evaluator=scored([1.0, 2.0, 3.0, 4.0], **settings))
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
        cut.start(Loader(3), max_epochs=2, evaluator=scored([1.0, 2.0, 3.0, 4.0], **settings))
    resumed, _ = learner("cut")
    resumed.load_checkpoint("cut/ckpt/ckpt_best.pth.tar")
    notes: list[Any] = []
    resumed.register_hook(Note(notes, "note", position="after_eval"))
    left = {2: [3.0, 4.0], 4: [4.0]}[position]
    resumed.start(Loader(3), max_epochs=2, evaluator=scored(left, **settings))
    assert [row["score"] for row in rows("eval", "cut")] == [1.0, 2.0, 3.0, 4.0]
    assert [at for _, at in notes] == [each for each in (2, 4, 6) if each >= position]
    best = read_checkpoint("cut/ckpt/ckpt_best.pth.tar")
    assert (best["last_iter"], best["parts"]["evaluator"]["best"]) == (6, {"score": 4.0})


def test_more_patience_goes_on_in_the_epoch_that_less_had_ended() -> None:
    settings = {"eval_interval": 1, "by_epoch": False}
    saves = {"save_ckpt_after_iter": False, "save_ckpt_after_run": True}
    whole, _ = learner("whole")
    whole.start(Loader(3), max_epochs=1, evaluator=scored([1.0, 0.5, 0.4, 0.3], **settings))
    first, _ = learner(hook=saves)
    first.start(Loader(3), max_epochs=1, evaluator=scored([1.0, 0.5, 0.4], **settings, early_stop_patience=1))
    again, policy = learner()
    again.load_checkpoint("run/ckpt/iteration_2.pth.tar")
    again.start(Loader(3), max_epochs=1, evaluator=scored([0.3], **settings, early_stop_patience=5))
    assert policy.count == 3
    for kind in ("eval", "epoch"):
        without_clock = [[{**row, "seconds": 0} for row in rows(kind, name)] for name in ("run", "whole")]
        assert without_clock[0] == without_clock[1]


def test_evaluating_inside_is_no_training_time() -> None:
    engine, _ = learner()
    evaluator = scored([1.0] * 9, eval_interval=1, by_epoch=False)
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
        engine.start(Loader(2), max_epochs=1, evaluator=scored([1.0] * 3, loss_interval=1))


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the printed lines, the hooks' order left out."""
    return [line for line in capsys.readouterr().out.splitlines() if not line.startswith(("hooks", "after_"))]


def test_a_run_prints_each_result_once_and_its_log_has_the_same_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine, _ = learner(hook={"save_ckpt_after_iter": False, "save_ckpt_after_epoch": 1})
    engine.start(Loader(2), max_epochs=3, evaluator=scored([1.0, 0.5, 2.0, 2.5], eval_freq=1))
    printed = shown(capsys)
    # A busy machine may take longer.
    assert [re.sub(r"0:\d\d best", "0:00 best", line) for line in printed] == [
        "Untrained  score 1.0000",
        "saved run/ckpt/iteration_2.pth.tar",
        "epoch  train loss  train acc1  val score       lr   time",
        "    0      1.5000       50.00     0.5000  5.0e-01   0:00 best",
        "saved run/ckpt/iteration_4.pth.tar",
        "    1      3.5000       50.00     2.0000  5.0e-01   0:00 best",
        "saved run/ckpt/iteration_6.pth.tar",
        "    2      5.5000       50.00     2.5000  5.0e-01   0:00 best",
    ]
    log = Path("run/log/learner/learner.txt").read_text().splitlines()
    assert [line.split("] INFO ")[1] for line in log][-len(printed) :] == printed
    assert max(map(len, printed)) <= 80


def test_the_untrained_network_is_called_best_only_where_it_may_stay_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    evaluator, _ = scripted([3.0, 2.0])
    assert evaluator.ranking.is_of_the_user
    learner()[0].start(Loader(2), max_epochs=1, evaluator=evaluator)
    assert "Untrained  score 3.0000 best" in shown(capsys)
    assert evaluator.best_iter == 0


def test_an_evaluation_inside_an_epoch_and_an_early_end_have_their_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine, _ = learner()
    engine.start(
        Loader(3),
        max_epochs=4,
        evaluator=scored([1.0, 2.0, 1.0, 0.5], eval_interval=2, by_epoch=False, early_stop_patience=2),
    )
    assert shown(capsys) == [
        "Untrained  score 1.0000",
        "Evaluation after 2 updates  score 2.0000 best",
        "epoch  train loss  train acc1       lr   time",
        "    0      2.0000       50.00  5.0e-01   0:00",
        "Evaluation after 4 updates  score 1.0000",
        "epoch  train loss  train acc1  val score       lr   time",
        "    1      5.0000       50.00     0.5000  5.0e-01   0:00",
        "no improvement in 2 evaluations",
    ]


def test_a_resumed_run_has_its_header_once_more(capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = learner(hook={"save_ckpt_after_iter": False, "save_ckpt_after_run": True})
    first.start(Loader(2), max_epochs=2, evaluator=scored([1.0, 2.0, 3.0], eval_freq=1))
    shown(capsys)
    again, _ = learner()
    again.load_checkpoint("run/ckpt/iteration_4.pth.tar")
    again.start(Loader(2), max_epochs=4, evaluator=scored([4.0, 5.0], eval_freq=1))
    assert shown(capsys) == [
        "continuing after 4 updates",
        "epoch  train loss  train acc1  val score       lr   time",
        "    2      5.5000       50.00     4.0000  5.0e-01   0:00 best",
        "    3      7.5000       50.00     5.0000  5.0e-01   0:00 best",
    ]


def test_tensorboard_has_a_point_an_epoch() -> None:
    engine, _ = learner()
    engine.start(Loader(2), max_epochs=2, evaluator=scored([1.0, 2.0, 3.0], eval_freq=1))
    engine.close()
    tags = ("lr", "train_loss", "train_acc1", "val_score")
    assert scalars("run/log/learner") == [
        (number, dict(zip([f"epoch/{tag}" for tag in tags], values, strict=True)))
        for number, values in enumerate([(0.5, 1.5, 50.0, 2.0), (0.5, 3.5, 50.0, 3.0)])
    ]


class _Clock:
    """A clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for module in ("base_learner", "loop.evaluation", "loop.batches", "state.history", "hooks.builtin"):
            monkeypatch.setattr(f"ding_cls.worker.learner.{module}.time.perf_counter", lambda: self.now)


def etas(
    clock: _Clock, *, update_s: float, eval_s: float, epochs: int, resume: bool = False
) -> list[tuple[int, float]]:
    """Train with updates and evaluations of such lengths; return the update and the seconds left at each."""
    engine, policy = learner()
    evaluator = scored([float(number) for number in range(9)], eval_freq=1)
    if resume:
        engine.load_checkpoint("run/ckpt/mine.pth.tar")
    found: list[tuple[int, float]] = []
    forward, evaluate = policy.forward, evaluator.eval

    def slow_forward(data: Any, **kwargs: Any) -> Any:
        clock.now += update_s
        return forward(data, **kwargs)

    def slow_eval(*args: Any) -> Any:
        clock.now += eval_s
        return evaluate(*args)

    class Ask(Note):
        def __call__(self, engine: Any) -> None:
            found.append((engine.train_iter, round(engine.time_left(), 6)))
            if engine.train_iter == 5:
                engine.save_checkpoint("mine.pth.tar")

    engine.policy = replace(policy.mode, forward=slow_forward)
    evaluator.eval = slow_eval  # type: ignore[method-assign]
    engine.register_hook(Ask([], "ask", position="after_iter"))
    engine.start(Loader(3), max_epochs=epochs, evaluator=evaluator)
    return found


def test_the_time_left_counts_updates_and_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    # Three epochs of three updates of 2 s, an evaluation of 10 s after each.
    exact = [(at, (9 - at) * 2.0 + 10.0 * (3 - (at - 1) // 3)) for at in range(1, 10)]
    assert etas(clock, update_s=2.0, eval_s=10.0, epochs=3) == exact
    # After a resume the evaluation's length is not known before the first: the last epoch's is taken.
    assert etas(clock, update_s=2.0, eval_s=10.0, epochs=3, resume=True) == exact[5:]
