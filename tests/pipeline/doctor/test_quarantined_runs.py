"""Runs with a quarantine list are, bit by bit, runs on folders without those files."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.data.tools.quarantine import Quarantined, write_quarantine
from ding_cls.errors import CheckpointError, DataError, RunStopped
from ding_cls.pipeline import evaluate, kfold
from ding_cls.pipeline.dry_run.run import dry_run
from tests.conftest import TinyNet
from tests.harness import SETTINGS, assert_same, outcome, run_tiny

ALONE = "policy.learn.learner.dataloader.num_workers=0"
LISTED = ("train/ash/003.png", "train/cedar/000.png", "val/ash/000.png")
BALANCED = (
    "policy.collect.train={'type': 'ClassBalancedDataset', 'oversample_thr': 0.3, 'dataset': "
    "{'type': 'ImageNetDataset'}}"
)


@pytest.fixture
def quarantine(picture_folder: Path) -> str:
    file = picture_folder / "q.csv"
    write_quarantine(file, [Quarantined(str(picture_folder / name), "bad") for name in LISTED])
    return f"policy.collect.quarantine={file}"


def without_config(found: Any) -> Any:
    found["checkpoint"]["run"].pop("config", None)
    found["best"]["run"].pop("config", None)
    return found


@pytest.mark.parametrize("settings", [(), pytest.param((BALANCED,), marks=pytest.mark.slow)])
def test_a_run_is_the_same_as_without_the_files(
    picture_folder: Path, workdir: Path, quarantine: str, settings: tuple[str, ...], capfd: Any
) -> None:
    result = run_tiny(picture_folder, "listed", ALONE, quarantine, *settings)
    told = capfd.readouterr()
    line = f"left out by '{picture_folder}/q.csv': 3 files"
    assert (told.out + told.err).count(line) == 1
    assert evaluate(result.best_checkpoint, model=TinyNet())["num_samples"] == 19
    for name in LISTED:
        (picture_folder / name).unlink()
    run_tiny(picture_folder, "deleted", ALONE, *settings)
    assert_same(without_config(outcome("listed")), without_config(outcome("deleted")), where="run")


def test_a_resumed_run_goes_on_with_its_list_and_refuses_another(
    picture_folder: Path, workdir: Path, quarantine: str
) -> None:
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "run", ALONE, quarantine, stop_at=2)
    file = picture_folder / "q.csv"
    kept = file.read_text()
    file.write_text(kept.replace("train/ash/003.png", "train/ash/004.png"))
    with pytest.raises(CheckpointError, match="the training data have changed"):
        run_tiny(picture_folder, "run", resume=True)
    file.write_text(kept)
    assert run_tiny(picture_folder, "run", resume=True).final


def test_a_list_that_is_missing_is_an_error_for_its_own_data_alone(
    picture_folder: Path, workdir: Path, quarantine: str, caplog: pytest.LogCaptureFixture
) -> None:
    run_tiny(picture_folder, "run", ALONE, quarantine)
    (picture_folder / "q.csv").unlink()
    with pytest.raises(DataError, match="quarantine list"):
        evaluate("run", model=TinyNet())
    assert evaluate("run", model=TinyNet(), data=picture_folder)["num_samples"] == 20
    assert "is not there: nothing is left out by it" in caplog.text


@pytest.mark.slow
def test_folds_and_a_dry_run_leave_the_files_out_too(
    picture_folder: Path, workdir: Path, quarantine: str, capfd: Any
) -> None:
    def folds(name: str, *words: str) -> Any:
        torch.manual_seed(0)
        more: dict[str, Any] = {"data": picture_folder, "epochs": 1, "num_splits": 2, "seed": 5}
        return kfold(model=TinyNet(), exp_name=name, overrides=[*SETTINGS, ALONE, *words], **more)

    report = dry_run(model="squeezenet1_1", data=picture_folder, overrides=[ALONE, quarantine])
    assert any("3 files" in each for each in report.remarks)
    listed = folds("listed", quarantine)
    for name in LISTED:
        (picture_folder / name).unlink()
    assert folds("deleted").mean == listed.mean
