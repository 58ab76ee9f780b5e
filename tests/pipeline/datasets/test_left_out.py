"""The line about what is left out: once for each folder, whatever wraps its dataset."""

from pathlib import Path
from typing import Any

import pytest

from ding_cls.common.command import part_of
from ding_cls.config import compile_config
from ding_cls.data import (
    ConcatDataset,
    CustomDataset,
    ImageNetDataset,
    KFoldDataset,
    RepeatDataset,
    SyntheticDataset,
)
from ding_cls.pipeline import build_datasets
from ding_cls.pipeline.datasets.left_out import warn_left_out
from ding_cls.pipeline.kfold.plan import DivisionOptions, make_plan
from ding_cls.policy import ImageClassificationPolicy
from tests.conftest import write_splits

PIPELINE = [{"type": "LoadImageFromFile"}, {"type": "Resize", "size": 8}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_splits(tmp_path / "d")
    for split, name in (("train", "ash"), ("val", "fir")):
        (root / split / name / "000.png").rename(root / split / name / "000.xheic")
    (root / "train" / "@eaDir").mkdir()
    return root


def line(root: Path, split: str) -> str:
    folders = ", 1 system folder ('@eaDir')" if split == "train" else ""
    return f"left out of '{root / split}': 1 .xheic{folders}"


def test_each_folder_has_its_line_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    train = ImageNetDataset(root / "train", True)
    other = CustomDataset(root / "val", PIPELINE, test_mode=True)
    wrapped = [RepeatDataset(train, 2), KFoldDataset(train), ConcatDataset([train, train])]
    warn_left_out(*wrapped, other, SyntheticDataset(4, 2, 8))
    assert caplog.messages == [line(root, "train"), line(root, "val")]


def test_a_run_tells_it_of_both_its_folders(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = {"learn_data_path": str(root / "train"), "eval_data_path": str(root / "val"), "image_size": 8}
    cfg: Any = compile_config(
        {"policy": {"collect": {**paths, "resize_size": 8}}},
        3,
        save_cfg=False,
        policy=ImageClassificationPolicy,
    )
    train_set, eval_set = build_datasets(cfg)
    assert (len(train_set), len(eval_set)) == (39, 19)
    assert caplog.messages == [line(root, "train"), line(root, "val")]


def test_the_runs_of_a_cross_validation_leave_it_to_the_whole(
    root: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"data": root, "model": "resnet18", "pretrained": False, "epochs": 1, "synthetic": False}
    settings |= {"exp_name": "exp", "overrides": ["policy.collect.image_size=8"]}
    plan = make_plan(None, settings, DivisionOptions(num_splits=2), is_resumed=False, allow_code=False)
    captured = capsys.readouterr()
    assert (captured.out + captured.err + caplog.text).count(line(root, "train")) == 1
    assert plan.record["num_samples"] == 39
    caplog.clear()
    with part_of("exp"):
        warn_left_out(ImageNetDataset(root / "train", True))
    assert caplog.messages == []
