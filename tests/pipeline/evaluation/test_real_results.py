"""What an evaluation says is what scikit-learn makes of the files that it wrote."""

import csv
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ding_cls import train
from ding_cls.answers.evaluation.files import write_report
from ding_cls.cli import run_program
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from dizoo.image_classification.entry import imagenet_res18_main as zoo
from dizoo.image_classification.entry.digits_res18_config import digits_res18_config

pytestmark = pytest.mark.slow
NAME = "mobilenet_v2_tf2ptq_hflip_imagenetnorm.torchvision.pth"
METRICS = [
    *("loss", "nll", "accuracy", "ece", "brier", "confusion"),
    {"type": "SingleLabelMetric", "average": ["macro", "micro", "weighted", "none"]},
]


def assert_is_sklearns(run: str | Path, split: str) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    report = evaluate_checkpoint(run, split=split, metric=METRICS, keep_predictions=True)
    write_report("out.csv", report)
    write_report("out.npz", report)
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = list(report.classes)
    targets, guesses = ([row[name] for row in rows] for name in ("target_name", "predicted_name"))
    found = report.result
    assert report.num_samples == len(rows)
    accuracy = metrics.accuracy_score(targets, guesses)
    assert found["acc1"] == pytest.approx(100 * accuracy, abs=1e-6)
    assert sum(row["correct"] == "1" for row in rows) == round(accuracy * len(rows))
    for average in ("macro", "micro", "weighted", None):
        scores = metrics.precision_recall_fscore_support(
            targets, guesses, labels=names, average=average, zero_division=0
        )
        for item, value in zip(("precision", "recall", "f1"), scores[:3], strict=True):
            key = f"{item}_{average or 'per_class'}"
            assert found[key] == pytest.approx(100 * value, abs=1e-6), key
            if average is None:
                assert [row[item] for row in report.per_class()] == pytest.approx(100 * value, abs=1e-6)
    assert found["confusion"] == metrics.confusion_matrix(targets, guesses, labels=names).tolist()

    arrays = np.load("out.npz")
    shares = torch.from_numpy(arrays["logits"]).double().softmax(1).numpy()
    loss = metrics.log_loss(arrays["targets"], shares, labels=range(len(names)))
    assert found["loss"] == pytest.approx(loss, abs=1e-6)
    assert found["nll"] == pytest.approx(loss, abs=1e-6)
    one_hot = np.eye(len(names))[arrays["targets"]]
    assert found["brier"] == pytest.approx(((shares - one_hot) ** 2).sum(1).mean(), abs=1e-6)
    assert found["ece"] == pytest.approx(written_out_ece(shares, arrays["targets"]), abs=1e-6)
    # The CSV's score is the probability of what was predicted.
    assert [float(row["score"]) for row in rows] == pytest.approx(shares.max(1), abs=1e-6)
    assert all(low <= found[name] <= high for name, (low, high) in report.intervals.items())
    assert {"loss", "acc1"} <= set(report.intervals)


def written_out_ece(shares: np.ndarray, targets: np.ndarray) -> float:  # type: ignore[type-arg]
    """Return the expected calibration error of 15 bins, bin by bin."""
    score, is_right = shares.max(1), shares.argmax(1) == targets
    total = 0.0
    for number in range(15):
        inside = (score > number / 15) & (score <= (number + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(is_right[inside].mean() - score[inside].mean())
    return total


def test_of_the_demos_digits(workdir: Path) -> None:
    cfg = digits_res18_config
    argv = ["policy.cuda=False", "policy.learn.train_epoch=3"]
    assert run_program(zoo.main, zoo.imagenet_res18_config, embedded=cfg, argv=argv) == 0
    assert_is_sklearns("digits_res18", "val")


@pytest.mark.data
@pytest.mark.skipif("DING_TEST_DATA" not in os.environ, reason="DING_TEST_DATA is not set")
def test_of_flowers_with_pretrained_weights(workdir: Path) -> None:
    for name in ("weights.tar", "flowers5_500_50_250.tar"):
        with tarfile.open(Path(os.environ["DING_TEST_DATA"], name)) as file:
            file.extractall(".", filter="data")
    data, weights = next(workdir.rglob("flowers5")), next(workdir.rglob(NAME))
    result = train(data=data, model="mobilenet_v2", pretrained=weights, epochs=1)
    assert_is_sklearns(result.run_folder, "test")
