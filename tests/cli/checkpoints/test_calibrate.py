"""``ding-cls calibrate``, and ``predict`` and ``eval`` with what it left."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import ding_cls
from ding_cls.answers.proportions import wilson
from ding_cls.checkpoint import read_checkpoint
from ding_cls.cli import main
from ding_cls.pipeline import evaluate, train
from tests.harness import SETTINGS
from tests.inference.conftest import images as images
from tests.inference.conftest import trained as trained


def test_calibrate_then_predict_and_eval(
    trained: Path, images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(trained, tmp_path / "my run")
    val = str(images / "val")
    assert main(["predict", str(run), val, "--calibrated"]) == 2
    assert f"has no calibration yet; make one: ding-cls calibrate '{run}" in capfd.readouterr().err
    assert main(["calibrate", str(run), "--precision", "99", "--out", "c.json", "--batch-size", "7"]) == 0
    out = capfd.readouterr().out
    assert "precision 99 %: 0 of 4 classes reach it; never named: ash, birch, cedar, tabby, tabby cat" in out
    assert "written to c.json" in out
    (temperature,) = json.loads(Path("c.json").read_text())["temperature"]
    assert main(["predict", str(run), val, "--calibrated", "--out", "p.csv"]) == 0
    err = capfd.readouterr().err
    assert (
        f"calibrated on 20 images of val, temperature {temperature:.3g}; classes are named from 99 %" in err
    )
    assert "20 unknown, a coverage of 0.0 %: p.csv" in err
    with open("p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["name"]) for row in rows] == [("", "unknown")] * 20
    assert main(["predict", str(run), val, "--max-risk", "99"]) == 0
    captured = capfd.readouterr()
    assert "all are named; on those images 100.0 % were named, and " in captured.err
    assert "unknown" not in captured.out + captured.err
    assert main(["eval", str(run), "--calibrated", "--out", "e.json"]) == 0
    assert f"scores:     calibrated, temperature {temperature:.4g}" in capfd.readouterr().out
    assert json.loads(Path("e.json").read_text())["temperature"] == [temperature]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--out", "c.csv"], ".json"),
        (["gone"], "there is no checkpoint 'gone'"),
        (["gone", "--precision", "0.95"], "it is in percent"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: list[str], message: str, workdir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", *words]) == 2
    err = capfd.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_on_two_processes_the_first_one_writes(images: Path, tmp_path: Path) -> None:
    overrides = [*SETTINGS, "policy.learn.learner.dataloader.num_workers=0"]
    train(data=images, model="resnet18", epochs=1, exp_name="alone", overrides=overrides)
    alone, both = Path("alone"), Path(shutil.copytree("alone", "both"))
    assert main(["calibrate", str(alone)]) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "ding_cls"]
    done = subprocess.run([*command, "calibrate", str(both)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("kept in the checkpoint") == 1
    one, two = (read_checkpoint(each / "ckpt" / "ckpt_best.pth.tar")["calibration"] for each in (alone, both))
    assert two["temperature"] == pytest.approx(one["temperature"], rel=1e-5)
    assert (two["fitted_on"], two["curve"]["kept"]) == (one["fitted_on"], one["curve"]["kept"])


@pytest.mark.slow
def test_what_is_promised_of_digits_holds_on_others(workdir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    pixels = (digits.images[order] * 15.9).astype(np.uint8)
    parts = {"train": slice(0, 300), "val": slice(300, 1000), "test": slice(1000, None)}
    arrays = {f"x_{name}": pixels[part] for name, part in parts.items()}
    labels = {f"y_{name}": digits.target[order][part] for name, part in parts.items()}
    np.savez("digits.npz", **arrays, **labels)
    sizes = ("policy.collect.image_size=32", "policy.collect.resize_size=32", "policy.learn.batch_size=32")
    alone = "policy.learn.learner.dataloader.num_workers=0"
    train(data="digits.npz", model="lenet5", epochs=25, exp_name="run", overrides=[*sizes, alone])
    assert main(["calibrate", "run"]) == 0
    raw, found = (
        evaluate("run", split="test", metric=["ece", "nll", "Accuracy"], calibrated=calibrated)
        for calibrated in (False, True)
    )
    assert raw["acc1"] == found["acc1"]
    assert found["ece"] < raw["ece"]
    assert found["nll"] < raw["nll"]
    predictor = ding_cls.load("run", max_risk=5)
    records = predictor(list(arrays["x_test"]))
    named = [
        record.label == target
        for record, target in zip(records, labels["y_test"], strict=True)
        if not record.is_unknown
    ]
    point = predictor.risk_point
    # Two samples, each with its own interval.
    for found_interval, interval in (
        (wilson(len(named), len(records)), point.coverage_interval),
        (wilson(named.count(False), len(named)), point.risk_interval),
    ):
        assert max(found_interval[0], interval[0]) <= min(found_interval[1], interval[1])
    assert 0.3 < len(named) / len(records) < 1
