"""Tiny runs whose predictions are looked at; each is trained once."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import write_pictures
from tests.harness import run_tiny, tiny_parts
from tests.options.trials import arrays, run

CLASSES = ("ash", "birch", "cedar", "n02123045")
ALONE = "policy.learn.learner.dataloader.num_workers=0"
LABELS = (np.arange(8)[:, None] >> np.arange(3)) & 1


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``train`` and ``val``: four classes, one of them a synset of ImageNet's."""
    root = tmp_path_factory.mktemp("images")
    write_pictures(root / "train", classes=CLASSES, per_class=10)
    write_pictures(root / "val", classes=CLASSES, per_class=5, size_px=15)
    return root


@pytest.fixture(scope="session")
def trained(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on ``images``."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_tiny(images, str(folder), ALONE, tiny_parts("LinearClsHead", in_channels=8))
    return folder


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose images have several labels, with a metric that names them from 0.4 on."""
    folder = tmp_path_factory.mktemp("several")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        head = {"type": "MultiLabelLinearClsHead", "in_channels": 8}
        changes = {
            **arrays(np.eye(4, dtype=np.float32)[np.arange(8) % 4] + np.eye(4, k=1, dtype=np.float32)[0]),
            "policy.eval.metric": {"type": "MultiLabelMetric", "thr": 0.4},
            "policy.model": {
                "type": "ImageClassifier",
                "backbone": {"type": "TinyBackbone"},
                "neck": {"type": "GlobalAveragePooling"},
                "head": head,
            },
        }
        run("run", changes)
    return folder / "run"


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three tasks of four classes."""
    folder = tmp_path_factory.mktemp("tasks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        head = {"type": "MultiTaskHead", "in_channels": 8, "num_tasks": 3}
        changes = {
            **arrays(LABELS),
            "policy.model": {
                "type": "ImageClassifier",
                "backbone": {"type": "TinyBackbone"},
                "neck": {"type": "GlobalAveragePooling"},
                "head": head,
            },
        }
        run("run", changes)
    return folder / "run"
