"""The result of a run: five lines, the epoch of its best, how to go on."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ding_cls.answers.show import Display
from ding_cls.pipeline.result import epoch_of, words_to_go_on
from tests.pipeline.test_summary import result


def test_a_result_prints_as_five_lines() -> None:
    assert repr(replace(result(), history=[{"train_iter": 1234}] * 2)).splitlines() == [
        "run folder       runs/my run",
        "trained          2 epochs, 1,234 updates; 2.5 minutes, 1234 img/s",
        "final            loss 0.1234, acc1 98.77, acc5 100.00",
        "best, epoch 7    loss 0.1234, acc1 99.00, acc5 100.00",
        "best checkpoint  runs/my run/ckpt/ckpt_best.pth.tar",
    ]
    assert "trained          1 epoch, " in repr(replace(result(), history=[{"train_iter": 1}]))
    assert str(result(best=False)).splitlines()[3] == "best, untrained  "


def test_the_lines_show_what_the_display_shows() -> None:
    display = Display(num_classes=5, is_other_loss=True)
    assert repr(replace(result(), display=display)).splitlines()[2] == (
        "final            cross-entropy 0.1234, acc1 98.77"
    )


def test_the_best_checkpoint_is_the_best_file_or_the_latest(tmp_path: Path) -> None:
    assert result("runs/x").best_checkpoint == Path("runs/x/ckpt/ckpt_best.pth.tar")
    found = replace(result("runs/x"), checkpoint_folder=tmp_path)
    for name in ("iteration_5.pth.tar", "iteration_10.pth.tar"):
        (tmp_path / name).touch()
    assert found.best_checkpoint == tmp_path / "iteration_10.pth.tar"
    (tmp_path / "ckpt_best.pth.tar").touch()
    assert found.best_checkpoint == tmp_path / "ckpt_best.pth.tar"


@pytest.mark.parametrize(
    ("train_iter", "epoch"), [(-1, None), (0, None), (1, 0), (5, 0), (6, 1), (10, 1), (11, None)]
)
def test_an_update_belongs_to_the_epoch_that_it_is_part_of(train_iter: int, epoch: int | None) -> None:
    rows = [{"epoch": 0, "train_iter": 5}, {"epoch": 1, "train_iter": 10}]
    assert epoch_of(train_iter, rows) == epoch


STOP = "policy.eval.evaluator.stop_value=None"
PATIENCE = "policy.eval.evaluator.early_stop_patience=None"


@pytest.mark.parametrize(
    ("learn", "train_iter", "reached", "over", "words"),
    [
        ({"train_epoch": 8}, 40, False, False, "policy.learn.train_epoch=16"),
        ({"train_epoch": 8, "max_iters": 30}, 30, False, False, "policy.learn.max_iters=60"),
        ({"train_epoch": 8}, 20, True, False, STOP),
        ({"train_epoch": 8}, 20, True, True, f"{STOP} {PATIENCE}"),
        # It stopped with its last update: without that there is nothing left to do.
        ({"train_epoch": 8}, 40, False, True, f"{PATIENCE} policy.learn.train_epoch=16"),
    ],
)
def test_a_run_goes_on_without_what_stopped_it_or_for_twice_as_long(
    learn: dict[str, Any], train_iter: int, reached: bool, over: bool, words: str
) -> None:
    cfg = SimpleNamespace(policy=SimpleNamespace(learn=SimpleNamespace(**{"max_iters": None, **learn})))
    learner: Any = SimpleNamespace(train_iter=train_iter, max_iter=40, epoch=8)
    stopping = SimpleNamespace(is_over=over)
    evaluator: Any = SimpleNamespace(has_reached_stop_value=reached, early_stopping=stopping)
    assert words_to_go_on(cfg, learner, evaluator) == words
