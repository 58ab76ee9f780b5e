"""A run goes on with the data that it was begun with, or says what changed."""

import logging
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.cli import main
from ding_cls.data import build_eval_loader, build_train_loader
from ding_cls.errors import CheckpointError, DataError, RunStopped
from ding_cls.pipeline import TrainResult, build_datasets, kfold, open_run, train
from ding_cls.pipeline.train import PARTS
from tests.conftest import TinyNet
from tests.harness import SETTINGS, UPDATES, run_tiny

ALONE = "policy.learn.learner.dataloader.num_workers=0"
LAST = f"ckpt/iteration_{UPDATES}.pth.tar"
OPTION = "--allow-changed-data"


def resumed(data: Path, *settings: str, name: str = "run", **more: Any) -> TrainResult:
    stop = "policy.learn.learner.hook.stop_here=False"
    return train(
        data=data,
        model=TinyNet(),
        epochs=2,
        seed=5,
        exp_name=name,
        overrides=[*SETTINGS, ALONE, stop, *settings],
        **{"resume": True, **more},
    )


@pytest.fixture
def stopped(picture_folder: Path, workdir: Path) -> Path:
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "run", ALONE, stop_at=3)
    return picture_folder


def add(data: Path, name: str, *, like: str = "train/ash/000.png") -> None:
    shutil.copy(data / like, data / name)


def test_the_same_data_elsewhere_are_no_change(stopped: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(stopped, tmp_path / "another_disk")
    assert not resumed(moved).was_complete


def test_a_change_is_refused_with_its_counts_or_allowed_by_name(
    stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stopped / "train/ash/001.png").rename(stopped / "train/fir/901.png")
    (stopped / "train/ash/002.png").rename(stopped / "train/birch/2.png")
    (stopped / "train/birch/2.png").rename(stopped / "train/birch/102.png")
    (stopped / "val/ash/000.png").unlink()
    before = {each: each.read_bytes() for each in Path("run").rglob("*.tar")}
    with pytest.raises(CheckpointError) as refused:
        resumed(stopped)
    assert str(refused.value) == (
        "the training data have changed: 2 added, 2 removed, 0 moved to another label (first "
        "'birch/102.png'), 40 samples then, 40 now; the evaluation data have changed: 0 added, 1 removed, 0 "
        "moved to another label (first 'ash/000.png'), 20 samples then, 19 now; put them back, start a new "
        f"run, or go on with them as they are: {OPTION}"
    )
    assert {each: each.read_bytes() for each in Path("run").rglob("*.tar")} == before
    capsys.readouterr()
    assert resumed(stopped, allow_changed_data=True).history[-1]["train_iter"] == UPDATES
    text = capsys.readouterr().out
    assert text.count("have changed: 2 added, 2 removed") == 1
    assert "goes on with the data as they are now" in text
    # The new ones are what the run is bound to now.
    assert resumed(stopped).was_complete
    (stopped / "val/fir/000.png").unlink()
    with pytest.raises(CheckpointError, match=r"^the evaluation data have changed: 0 added, 1 removed"):
        resumed(stopped)


def test_a_run_goes_on_with_more_samples_and_with_fewer(stopped: Path, tmp_path: Path) -> None:
    shutil.copytree("run", "other")
    more = shutil.copytree(stopped, tmp_path / "more")
    for number in range(9):
        add(more, f"train/ash/9{number}.png")
        (stopped / f"train/fir/00{number}.png").unlink()
    result = resumed(more, allow_changed_data=True)
    assert [row["train_iter"] for row in result.history] == [7, 14]
    facts = read_checkpoint("run/ckpt/iteration_14.pth.tar")["run"]
    assert facts["data"]["train"]["num_samples"] == facts["num_train_samples"] == 49
    result = resumed(stopped, name="other", allow_changed_data=True)
    assert [row["train_iter"] for row in result.history] == [4, 8]


def test_other_classes_are_refused_in_spite_of_the_option(stopped: Path) -> None:
    for split in ("train", "val"):
        (stopped / split / "fir").rename(stopped / split / "oak")
    with pytest.raises(CheckpointError, match="class_names differs"):
        resumed(stopped, allow_changed_data=True)


def test_a_checkpoint_from_before_goes_on_as_ever(stopped: Path) -> None:
    path = Path("run/ckpt/iteration_3.pth.tar")
    state = read_checkpoint(path)
    del state["run"]["data"]
    write_checkpoint(path, state)
    add(stopped, "val/ash/900.png")
    assert not resumed(stopped).was_complete
    assert read_checkpoint(f"run/{LAST}")["run"]["data"]["val"]["num_samples"] == 21


def test_without_the_lists_or_with_a_malformed_entry_the_sizes_are_told(stopped: Path) -> None:
    shutil.rmtree("run/data_index")
    add(stopped, "train/ash/900.png")
    with pytest.raises(
        CheckpointError, match=r"^the training data have changed: 40 samples then, 41 now; put"
    ):
        resumed(stopped)
    path = Path("run/ckpt/iteration_3.pth.tar")
    for entry in ("x", {"train": 3}, {"train": {"digest": [1]}}):
        state = read_checkpoint(path)
        state["run"]["data"] = entry
        write_checkpoint(path, state)
        with pytest.raises(CheckpointError, match=r"data have changed: .* samples then"):
            resumed(stopped)


def test_a_full_disk_costs_the_counts_alone(
    picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ding_cls.data.datasets.digest.atomic_write", fail)
    with caplog.at_level(logging.WARNING):
        run_tiny(picture_folder, "run", ALONE)
    assert (
        caplog.text.count("the list of samples cannot be written into 'run/data_index': No space left") == 1
    )


def test_another_runs_file_is_held_to_its_data_too(stopped: Path, caplog: pytest.LogCaptureFixture) -> None:
    load = "policy.learn.learner.hook.load_ckpt_before_run=run/ckpt/iteration_3.pth.tar"
    (stopped / "train/ash/001.png").rename(stopped / "train/fir/901.png")
    with pytest.raises(CheckpointError, match=rf"names or labels of the data \(train\) are not .* {OPTION}"):
        resumed(stopped, load, name="next", resume=False)
    with caplog.at_level(logging.WARNING):
        resumed(stopped, load, name="next", resume=False, allow_changed_data=True)
    assert caplog.text.count("are not the checkpoint's; the run goes on") == 1


def test_a_program_that_builds_its_own_data_is_bound_too(picture_folder: Path, workdir: Path) -> None:
    def program(**more: Any) -> None:
        cfg = {
            "exp_name": "own",
            "policy": {
                "cuda": False,
                "learn": {"batch_size": 8, "train_epoch": 1, "learner": {"dataloader": {"num_workers": 0}}},
                "collect": {
                    "learn_data_path": str(picture_folder / "train"),
                    "eval_data_path": str(picture_folder / "val"),
                    "image_size": 8,
                    "resize_size": 8,
                },
            },
        }
        with open_run(cfg, **more, **PARTS) as run:
            train_set, eval_set = build_datasets(run.cfg)
            loader = run.own(build_train_loader(train_set, 8, seed=run.cfg.seed))
            run.own(build_eval_loader(eval_set, 8))
            torch.manual_seed(0)
            policy = PARTS["policy"](run.cfg.policy, model=TinyNet())
            learner = PARTS["learner"](run.learner_cfg, policy.learn_mode, exp_name=run.cfg.exp_name)
            run.connect(policy, learner, loader)
            learner.start(loader, max_epochs=1)

    program()
    (picture_folder / "val/ash/000.png").unlink()
    with pytest.raises(CheckpointError, match=r"^the evaluation data have changed: 0 added, 1 removed"):
        program(resume=True)
    program(resume=True, allow_changed_data=True)


def test_the_command_line_and_a_known_program_end_with_2(
    stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stopped / "val/ash/000.png").unlink()
    words = ["train", "--resume", "run", "policy.learn.learner.hook.stop_here=False"]
    capsys.readouterr()
    assert main(words) == 2
    printed = capsys.readouterr().err.splitlines()
    assert [line for line in printed if line.startswith("error:")] == printed[-1:]
    assert printed[-1].startswith("error: the evaluation data have changed: 0 added, 1 removed")
    assert printed[-1].endswith(OPTION)


def test_a_cross_validation_is_of_one_set_of_data(
    picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(**more: Any) -> Any:
        return kfold(
            data=picture_folder,
            model=TinyNet(),
            epochs=1,
            num_splits=2,
            exp_name="cv",
            overrides=words,
            **more,
        )

    words = [*SETTINGS, ALONE]

    def fail(*args: Any, **more: Any) -> None:
        raise DataError("not yet")

    with monkeypatch.context() as patched:
        patched.setattr(import_module("ding_cls.pipeline.kfold.run"), "_finish_fold", fail)
        with pytest.raises(DataError, match="not yet"):
            run(fold=0)
    add(picture_folder, "train/ash/900.png")
    counts = r"1 added, 0 removed, 0 moved to another label \(first 'ash/900.png'\), 40 samples then, 41 now"
    with pytest.raises(
        DataError, match=rf"{counts}; put them back, .*: {OPTION}, or name another --work-dir"
    ):
        run(resume=True)
    assert run(resume=True, fold=0, allow_changed_data=True).missing == [1]
    assert "the cross-validation goes on with the data as they are now" in capsys.readouterr().out
    (picture_folder / "train/ash/900.png").unlink()
    with pytest.raises(DataError, match=r"0 added, 1 removed, .*'cv/fold_0' has trained on samples"):
        run(resume=True, allow_changed_data=True)
