"""Planted label errors of real digits are found on images that the run was not trained on."""

import gzip
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls import train
from ding_cls.metrics.analysis.label_errors import find_label_errors
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.reporting.samples import label_issues

pytestmark = [
    pytest.mark.slow,
    pytest.mark.data,
    pytest.mark.skipif("DING_TEST_DATA" not in os.environ, reason="DING_TEST_DATA is not set"),
]
NUM_TRAINED = 6000
SETTINGS = (
    "policy.learn.learner.dataloader.num_workers=0",
    "policy.learn.learning_rate=0.02",
    "policy.collect.image_size=32",
    "policy.collect.hflip=False",
    "policy.collect.crop_scale=[0.8, 1.0]",
)


def _digits(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 ``(N, 28, 28)`` and labels of MNIST's test part."""
    with tarfile.open(Path(os.environ["DING_TEST_DATA"], "mnist_idx.tar")) as file:
        file.extractall(folder, filter="data")
    images, labels = (next(folder.rglob(f"t10k-{name}-*.gz")) for name in ("images", "labels"))
    pixels = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28)
    return pixels, np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8).astype(np.int64)


def _flipped(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of which 5 % are another class, and which."""
    random = np.random.default_rng(5)
    is_wrong = random.random(len(labels)) < 0.05
    return np.where(is_wrong, (labels + random.integers(1, 10, len(labels))) % 10, labels), is_wrong


def _share_found(found: Any, is_wrong: np.ndarray) -> float:
    records = found.records
    order = find_label_errors(records.logits, records.targets).order
    first = order[: len(order) // 10]
    return float(is_wrong[records.sample_ids[first]].sum() / is_wrong.sum())


def test_flipped_labels_of_held_out_digits_come_first(tmp_path: Path) -> None:
    images, labels = _digits(tmp_path)
    held_out, is_wrong = _flipped(labels[NUM_TRAINED:])
    np.savez(
        tmp_path / "digits.npz",
        x_train=images[:NUM_TRAINED],
        y_train=labels[:NUM_TRAINED],
        x_val=images[NUM_TRAINED:],
        y_val=held_out,
    )
    run = train(
        data=tmp_path / "digits.npz",
        model="lenet5",
        epochs=3,
        exp_name=str(tmp_path / "run"),
        overrides=list(SETTINGS),
    )

    found = evaluate_checkpoint(run.run_folder, keep_predictions=True)

    issues, total = label_issues(found.records)
    assert issues is not None
    assert is_wrong[[each.position for each in issues[:50]]].mean() > 0.9
    assert 0.8 * is_wrong.sum() < total < 2 * is_wrong.sum()
    assert is_wrong.sum() > 150
    assert _share_found(found, is_wrong) >= 0.8
