"""A checkpoint is calibrated: nothing else in it changes, nobody's run is disturbed, and no digit without
asking."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ding_cls
from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.common.folder_lock import lock_folder
from ding_cls.errors import CheckpointError, ConfigError, DataError, DiskError, RunStopped
from ding_cls.pipeline import evaluate
from ding_cls.pipeline.confidence import calibrate as module
from ding_cls.pipeline.confidence.calibrate import calibrate
from tests.conftest import TinyNet
from tests.harness import assert_same, outcome, run_tiny
from tests.inference.conftest import images as images
from tests.inference.conftest import several as several
from tests.inference.conftest import tasks as tasks
from tests.inference.conftest import trained as trained


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def same(one: Any, other: Any) -> bool:
    """Return whether two states hold the same types, names in their order, and bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def test_all_else_in_the_file_stays_and_no_score_changes_unasked(run: Path, images: Path) -> None:
    file = run / "ckpt" / "ckpt_best.pth.tar"
    before, scores = read_checkpoint(file), ding_cls.load(run)(images / "val")
    report = calibrate(run, precision=40)
    assert report is not None
    after = read_checkpoint(file)
    assert list(after)[-1] == "calibration"
    entry = after.pop("calibration")
    assert same(after, before)
    assert entry == report.calibration.entry()
    assert entry["fitted_on"] == {"split": "val", **before["run"]["data"]["val"]}
    assert not [each for each in run.iterdir() if "lock" in each.name or "owner" in each.name]
    unasked = ding_cls.load(run)(images / "val")
    assert all(map(np.array_equal, *([each.probabilities for each in rows] for rows in (scores, unasked))))
    calibrate(run)
    assert read_checkpoint(file)["calibration"]["precision"] == {}


def test_predict_and_eval_use_it_when_asked(
    run: Path, images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = evaluate(run, metric=["ece", "nll", "Accuracy"])
    found = calibrate(run).calibration
    (temperature,) = found.temperatures
    with caplog.at_level(logging.WARNING):
        result = evaluate(run, metric=["ece", "nll", "Accuracy"], calibrated=True, out="p.npz")
    assert "the calibration was fitted on these images" in caplog.text
    assert {name: raw[name] for name in ("ece", "nll")} == pytest.approx(dict(found.before), abs=1e-9)
    assert {name: result[name] for name in ("ece", "nll")} == pytest.approx(dict(found.after), abs=1e-9)
    assert raw["acc1"] == result["acc1"]
    scaled = torch.from_numpy(np.load("p.npz")["logits"])
    records = ding_cls.load(run, calibrated=True)(images / "val")
    assert np.allclose([each.probabilities for each in records], scaled.softmax(1), atol=1e-6)
    unasked = [each.probabilities for each in ding_cls.load(run)(images / "val")]
    assert np.allclose(unasked, (scaled * temperature).softmax(1), atol=1e-6)
    # The threshold keeps, of the images it was found on, what the curve says.
    predictor = ding_cls.load(run, max_risk=99)
    named = [not each.is_unknown for each in predictor(images / "val")]
    assert 100 * sum(named) / len(named) == predictor.risk_point.coverage
    with pytest.raises(ConfigError, match=r"no score brings the risk down to 0\.1 %"):
        ding_cls.load(run, max_risk=0.1)


def test_several_labels_and_tasks(several: Path, tasks: Path, tmp_path: Path) -> None:
    labels = shutil.copytree(several, tmp_path / "several")
    found = calibrate(labels, precision=30).calibration
    assert found.curve is None
    predictor = ding_cls.load(labels, calibrated=True)
    assert predictor.thresholds.tolist() == [
        float("inf") if each is None else each for each in found.precision.thresholds
    ]
    assert ding_cls.load(labels, calibrated=True, threshold=0.3).thresholds is None
    with pytest.raises(ConfigError, match="a risk is for images with one label"):
        ding_cls.load(labels, max_risk=5)
    numbers = shutil.copytree(tasks, tmp_path / "tasks")
    with pytest.raises(ConfigError, match="these have several tasks; leave out --precision"):
        calibrate(numbers, precision=50)
    assert len(calibrate(numbers).calibration.temperatures) == 3
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    assert all(each.is_unknown is False for each in ding_cls.load(numbers, max_risk=100)(pixels))


@pytest.mark.parametrize("precision", [0.95, 0, 100, -1])
def test_a_precision_is_in_percent(precision: float, workdir: Path) -> None:
    with pytest.raises(ConfigError, match=r"it is in percent, from 1 to 99\.9"):
        calibrate("run", precision=precision)


def test_images_of_the_training_are_warned_of(
    run: Path, images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def said(**arguments: Any) -> str:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            calibrate(run, **arguments)
        return caplog.text

    assert "was trained on" not in said()
    assert "was trained on 40 of these 40 images" in said(split="train")
    # A copy elsewhere, known by names and labels; and some of the files, by their paths.
    shutil.copytree(images / "train", tmp_path / "copy")
    assert "was trained on 40 of these 40 images" in said(data=tmp_path / "copy")
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "ash").symlink_to(images / "train" / "ash")
    shutil.copytree(images / "val" / "birch", tmp_path / "some" / "birch")
    assert "was trained on 10 of these 15 images" in said(data=tmp_path / "some")


def test_a_run_in_progress_is_left_alone(run: Path) -> None:
    before = (run / "ckpt" / "ckpt_best.pth.tar").read_bytes()
    lock = lock_folder(run)
    try:
        with pytest.raises(ConfigError, match="is in use by process"):
            calibrate(run)
    finally:
        lock.release()
    assert (run / "ckpt" / "ckpt_best.pth.tar").read_bytes() == before


def test_a_file_that_changed_meanwhile_is_not_overwritten(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = run / "ckpt" / "ckpt_best.pth.tar"

    def measured(*arguments: Any, **more: Any) -> Any:
        write_checkpoint(file, {**read_checkpoint(file), "last_iter": 99})
        return original(*arguments, **more)

    original = module.measured
    monkeypatch.setattr(module, "measured", measured)
    with pytest.raises(CheckpointError, match="was overwritten while it was evaluated"):
        calibrate(run)
    assert read_checkpoint(file)["last_iter"] == 99
    assert "calibration" not in read_checkpoint(file)


def test_a_disk_that_fails_leaves_the_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ding_cls.checkpoint.state.torch.save", fails)
    with pytest.raises(DiskError, match="could not be saved"):
        calibrate(run)
    assert "calibration" not in read_checkpoint(run / "ckpt" / "ckpt_best.pth.tar")


def test_a_moved_file_and_a_link_keep_it(run: Path, images: Path, tmp_path: Path) -> None:
    file = shutil.copy(run / "ckpt" / "ckpt_best.pth.tar", tmp_path / "alone.pth")
    link = tmp_path / "link.pth"
    link.symlink_to(file)
    calibrate(link, data=images / "val")
    assert link.is_symlink()
    assert ding_cls.load(shutil.move(file, tmp_path / "moved.pth"), calibrated=True).calibration
    with pytest.raises(CheckpointError, match="has no calibration yet; make one: ding-cls calibrate"):
        ding_cls.load(run, calibrated=True)
    with pytest.raises(CheckpointError, match="has no calibration yet"):
        evaluate(run, calibrated=True)
    with pytest.raises(ConfigError, match="weights without a run have no calibration"):
        ding_cls.load("resnet.pth", model="resnet18", calibrated=True)


def test_logits_that_are_nan_are_refused(run: Path) -> None:
    file = run / "ckpt" / "ckpt_best.pth.tar"
    state = read_checkpoint(file)
    bias = state["model"]["head.fc.bias"]
    state["model"]["head.fc.bias"] = torch.full_like(bias, float("nan"))
    write_checkpoint(file, state)
    with pytest.raises(DataError, match="NaN or infinite for 20 of 20 labels"):
        calibrate(run)
    assert "calibration" not in read_checkpoint(file)


@pytest.mark.slow
def test_a_run_goes_on_from_a_calibrated_file_to_its_bits(picture_folder: Path, workdir: Path) -> None:
    alone = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "whole", alone)
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "stopped", alone, stop_at=4)
    calibrate("stopped/ckpt/iteration_4.pth.tar", model=TinyNet())
    run_tiny(picture_folder, "stopped", alone, resume=True)
    assert_same(outcome("stopped"), outcome("whole"), where="resumed from a calibrated file")
    assert "calibration" in read_checkpoint("stopped/ckpt/iteration_4.pth.tar")
    assert "calibration" not in read_checkpoint("stopped/ckpt/iteration_10.pth.tar")
