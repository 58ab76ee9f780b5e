"""Metrics inside runs: each kind judges, chooses the best, and lies in the history and in the checkpoint."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from ding_cls.checkpoint import read_checkpoint
from ding_cls.metrics import METRICS
from ding_cls.pipeline import evaluate, train
from tests.harness import SETTINGS, tiny_parts

IN_RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "ImageClassificationMetric": ({"primary": "loss"}, "loss"),
    "Accuracy": ({"topk": [1, 2], "thrs": [0.0, 0.3]}, "acc1_thr0"),
    "SingleLabelMetric": ({"average": ["macro", "none"]}, "f1_macro"),
    "ConfusionMatrix": ({}, "acc1"),
    "AveragePrecision": ({}, "mAP"),
    "VOCAveragePrecision": ({"mode": "11points"}, "mAP"),
    "Auroc": ({}, "auroc"),
    "NegativeLogLikelihood": ({}, "nll"),
    "BrierScore": ({}, "brier"),
    "CalibrationError": ({"num_bins": 5}, "ece"),
    "MultiLabelMetric": ({"topk": 1}, "OF1"),
    "ExactMatch": ({"topk": 1}, "exact_match"),
    "ClassificationMetrics": ({"metrics": ["acc", "F1", "mAP"], "primary": "f1_score"}, "f1_macro"),
    "TorchMetric": ({"metric": "MulticlassAccuracy", "num_classes": 4}, "multiclass_accuracy"),
}
OF_TASKS = {"StringAccuracy", "MultiTasksMetric"}


def run(data: Path | None, *settings: str) -> Any:
    torch.manual_seed(0)
    words = [*SETTINGS, "policy.learn.learner.dataloader.num_workers=0", *settings]
    return train({} if data is None else None, data=data, epochs=1, exp_name="run", overrides=words)


def test_every_metric_has_a_run() -> None:
    ours = {name for name in METRICS if METRICS.get(name).__module__.startswith("ding_cls.")}
    assert ours == set(IN_RUNS) | OF_TASKS
    assert len(IN_RUNS) == 14


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_RUNS)
def test_a_run_is_judged_by_it(picture_folder: Path, workdir: Path, name: str) -> None:
    if name == "TorchMetric":
        pytest.importorskip("torchmetrics", reason="not run: torchmetrics is not installed")
    arguments, primary = IN_RUNS[name]
    described = {"type": name, **arguments}
    model = tiny_parts("LinearClsHead", in_channels=8)
    result = run(picture_folder, model, f"policy.eval.metric={described!r}")
    assert math.isfinite(result.final[primary])
    assert result.history[-1][f"val_{primary}"] == result.final[primary]
    state = read_checkpoint(result.best_checkpoint)
    assert state["run"]["config"]["policy"]["eval"]["metric"]["type"] == name
    again = evaluate(result.best_checkpoint)
    assert again == {**result.best, "num_samples": 20}


def test_metrics_by_mmclassifications_names(picture_folder: Path, workdir: Path) -> None:
    result = run(
        picture_folder,
        tiny_parts("LinearClsHead", in_channels=8),
        "policy.eval.metric={'type': 'ClassificationMetrics', 'metrics': ['accuracy', 'precision', 'recall', "
        "'f1_score', 'support', 'mAP', 'CP', 'OF1'], 'topk': (1, 3), 'thrs': (0.0, 0.5), 'average': None}",
        "policy.eval.evaluator.stop_value={'acc1_thr0': 101.0, 'mAP': 0.0}",
    )
    assert list(result.final) == [
        *("acc1_thr0", "acc3_thr0", "acc1_thr0.5", "acc3_thr0.5"),
        *(
            "precision_per_class",
            "recall_per_class",
            "f1_per_class",
            "support",
            "mAP",
            "AP_per_class",
            "CP",
            "OF1",
        ),
    ]
    assert result.final["support"] == [5, 5, 5, 5]


def labelled(folder: Path, split: str) -> dict[str, Any]:
    """Describe a set with two labels a picture: its class, and whether its class is one of the last two."""
    lines = [
        f"{file.relative_to(folder / split)} {number}{',4' if number > 1 else ''}"
        for number, name in enumerate(("ash", "birch", "cedar", "fir"))
        for file in sorted((folder / split / name).iterdir())
    ]
    Path(f"{split}.txt").write_text("\n".join(lines) + "\n")
    return {
        "type": "MultiLabelDataset",
        "data_prefix": str(folder / split),
        "ann_file": f"{split}.txt",
        "classes": ["ash", "birch", "cedar", "fir", "dark"],
        "pipeline": [
            {"type": "LoadImageFromFile"},
            {"type": "Resize", "size": 8},
            {"type": "Normalize", "mean": [127.5] * 3, "std": [127.5] * 3},
        ],
    }


def test_map_of_the_validation_and_of_the_test_split(picture_folder: Path, workdir: Path) -> None:
    (picture_folder / "test").symlink_to(picture_folder / "val")
    sets = {split: labelled(picture_folder, split) for split in ("train", "val", "test")}
    result = run(
        None,
        *(f"policy.collect.{name}={described!r}" for name, described in sets.items()),
        tiny_parts("LinearClsHead", in_channels=8, loss={"type": "AsymmetricLoss"}),
        "policy.eval.metric={'type': 'ClassificationMetrics', 'metrics': ['mAP', 'CF1', 'OF1']}",
    )
    found = evaluate(result.best_checkpoint, split="test", out="scores.npz")
    assert found == {**result.best, "num_samples": 20}
    scores = np.load("scores.npz")
    expected = 100 * average_precision_score(scores["targets"], scores["logits"], average="macro")
    assert found["mAP"] == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(OF_TASKS))
def test_a_run_on_whole_strings(workdir: Path, name: str) -> None:
    """Pictures of two bright or dark halves: each half is a character of two classes."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, (48, 2))
    images = draw.integers(0, 60, (48, 8, 8, 3)) + 180 * labels.repeat(4, 1)[:, None, :, None]
    np.savez(
        "halves.npz", images=images.astype(np.uint8), labels=labels, classes=np.array(["dark", "bright"])
    )
    described = {
        "type": "ArrayDataset",
        "data_prefix": "halves.npz",
        "pipeline": [{"type": "Normalize", "mean": [127.5] * 3, "std": [127.5] * 3}],
    }
    result = run(
        None,
        *(f"policy.collect.{split}={described!r}" for split in ("train", "val")),
        tiny_parts("MultiTaskHead", in_channels=8, num_tasks=2),
        f"policy.eval.metric={ {'type': name}!r}",
    )
    assert len(result.final["acc_position"]) == 2
    assert 0 <= result.final["acc_string"] <= result.final["acc_character"] <= 100
    assert "train_acc1" in result.history[-1]
    assert evaluate(result.best_checkpoint) == {**result.best, "num_samples": 48}
