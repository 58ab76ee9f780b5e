"""A run that is stopped anywhere and resumed equals one that was not."""

import shutil
from pathlib import Path

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import CheckpointError, RunStopped
from tests.harness import UPDATES, assert_resumes_exactly, assert_same, outcome, run_tiny
from tests.options.cases import own_parts  # noqa: F401  it registers hooks

_JUDGE, _LEARNER = "policy.eval.evaluator", "policy.learn.learner"
_INSIDE = (f"{_JUDGE}.eval_interval=3", f"{_JUDGE}.by_epoch=False")


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_every_stop_in_two_epochs_is_bit_equal(picture_folder: Path, workdir: Path, workers: int) -> None:
    setting = f"policy.learn.learner.dataloader.num_workers={workers}"
    assert assert_resumes_exactly(picture_folder, setting) == UPDATES


@pytest.mark.slow
def test_stops_with_workers_are_bit_equal(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=2"
    assert assert_resumes_exactly(picture_folder, setting, stops=(3, 5)) == 2


SHORT = {
    "patience at its end": (
        (*_INSIDE, f"{_JUDGE}.early_stop_patience=1", f"{_JUDGE}.early_stop_min_delta=1000000.0"),
        6,
    ),
    "a stop value inside an epoch": ((*_INSIDE, f"{_JUDGE}.stop_value={{'acc1': 0.0}}"), 3),
    "updates that end inside an epoch": (
        ("policy.learn.max_iters=7", "policy.learn.lr_schedule={'type': 'OneCycle', 'max_lr': 0.2}"),
        7,
    ),
}


@pytest.mark.parametrize("option", SHORT)
def test_a_run_that_ends_early_is_bit_equal(picture_folder: Path, workdir: Path, option: str) -> None:
    settings, end = SHORT[option]
    settings = ("policy.learn.learner.dataloader.num_workers=0", *settings)
    result = run_tiny(picture_folder, "whole", *settings)
    expected = outcome("whole", last=end)
    assert result.history[-1]["train_iter"] == end
    for stop_at in (1, 2, end - 1, end):
        name = f"stopped_{stop_at}"
        with pytest.raises(RunStopped):
            run_tiny(picture_folder, name, *settings, stop_at=stop_at)
        run_tiny(picture_folder, name, *settings, resume=True)
        assert_same(outcome(name, last=end), expected, where=f"stopped after update {stop_at}")
        assert run_tiny(picture_folder, name, *settings, resume=True).was_complete
        assert_same(outcome(name, last=end), expected, where="looked at again")


def test_files_without_the_optimizer_are_told_apart(picture_folder: Path, workdir: Path) -> None:
    alone = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "run", alone, f"{_LEARNER}.checkpoint.save_optimizer=False")
    with pytest.raises(CheckpointError, match="saved without its optimizer"):
        run_tiny(picture_folder, "run", alone, resume=True)


def test_a_run_stopped_three_times_is_bit_equal(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "whole", setting)
    for number, stop_at in enumerate((2, 5, 9)):
        with pytest.raises(RunStopped):
            run_tiny(picture_folder, "thrice", setting, stop_at=stop_at, resume=number > 0)
    run_tiny(picture_folder, "thrice", setting, resume=True)
    assert_same(outcome("thrice"), outcome("whole"), where="stopped three times")


def test_workers_may_change_between_stop_and_resume(picture_folder: Path, workdir: Path) -> None:
    workers = "policy.learn.learner.dataloader.num_workers="
    run_tiny(picture_folder, "whole", workers + "0")
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "moved", workers + "0", stop_at=3)
    run_tiny(picture_folder, "moved", workers + "2", resume=True)
    assert_same(outcome("moved"), outcome("whole"), where="0, then 2 workers")


def test_evaluating_and_logging_change_nothing_in_training(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    often = run_tiny(picture_folder, "often", setting)
    seldom = run_tiny(
        picture_folder,
        "seldom",
        setting,
        "policy.eval.evaluator.eval_freq=1000",
        "policy.learn.learner.log_show_freq=7",
    )
    weights = often.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in seldom.model.state_dict().items())


def test_a_finished_run_resumes_to_nothing(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "whole", setting)
    before = outcome("whole")
    again = run_tiny(picture_folder, "whole", setting, resume=True)
    assert again.was_complete
    assert_same(outcome("whole"), before, where="resumed after its end")


def test_the_harness_notices_a_difference(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "one", setting)
    run_tiny(picture_folder, "other", setting, "policy.learn.learning_rate=0.1000001")
    with pytest.raises(AssertionError, match=r"tensors differ|for "):
        assert_same(outcome("other"), outcome("one"), where="another rate")


HOOKS_OF_ALL_KINDS = (
    "policy.learn.learner.custom_hooks=[{'type': 'NudgeWeights', 'step': 0.01, 'priority': 'LOW'}, "
    "{'type': 'NudgeAtPositions'}, {'type': 'NudgeAtPositions', 'priority': 'HIGHEST'}]"
)


@pytest.mark.slow
@pytest.mark.parametrize("inside", [(), (f"{_JUDGE}.eval_interval=2", f"{_JUDGE}.by_epoch=False")])
@pytest.mark.parametrize(
    "hooks",
    [pytest.param("policy.learn.learner.custom_hooks=[]", marks=pytest.mark.slow), HOOKS_OF_ALL_KINDS],
)
def test_every_periodic_checkpoint_resumes_bit_equal(
    picture_folder: Path, workdir: Path, hooks: str, inside: tuple[str, ...]
) -> None:
    alone = "policy.learn.learner.dataloader.num_workers=0"
    each_update = "policy.learn.learner.hook.save_ckpt_after_iter=1"
    run_tiny(picture_folder, "whole", alone, each_update, hooks, *inside)
    expected = outcome("whole")
    for position in range(1, UPDATES):
        # A kill right after this file was written: what came later is not there.
        folder = f"killed_{position}"
        shutil.copytree("whole", folder)
        for later in range(position + 1, UPDATES + 1):
            Path(folder, "ckpt", f"iteration_{later}.pth.tar").unlink()
        run_tiny(picture_folder, folder, alone, each_update, hooks, *inside, resume=True)
        assert_same(outcome(folder), expected, where=f"killed after update {position}")


def test_an_end_moved_further_out_goes_on_with_the_cut_epoch(picture_folder: Path, workdir: Path) -> None:
    alone = "policy.learn.learner.dataloader.num_workers=0"
    whole = run_tiny(picture_folder, "whole", alone)
    run_tiny(picture_folder, "cut", alone, "policy.learn.learner.train_iterations=7")
    later = "policy.learn.learner.train_iterations=1000000"
    moved = run_tiny(picture_folder, "cut", alone, later, resume=True)
    assert [(row["epoch"], row["train_iter"]) for row in moved.history] == [(0, 5), (1, 10)]
    for found, expected in zip(moved.history, whole.history, strict=True):
        assert found["train_loss"] == expected["train_loss"]
        assert found["val_loss"] == expected["val_loss"]


def test_a_resume_does_not_load_the_file_it_began_with(picture_folder: Path, workdir: Path) -> None:
    alone = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "source", alone)
    load = f"policy.learn.learner.hook.load_ckpt_before_run=source/ckpt/iteration_{UPDATES // 2}.pth.tar"
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "run", alone, load, stop_at=7)
    assert read_checkpoint("run/ckpt/iteration_7.pth.tar")["last_iter"] == 7
    run_tiny(picture_folder, "run", alone, load, resume=True)
    assert_same(
        outcome("run")["checkpoint"]["model"], outcome("source")["checkpoint"]["model"], where="model"
    )
