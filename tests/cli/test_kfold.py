"""``ding-cls kfold``: the same words as ``train``, a table at the end, exit codes."""

import json
import re
import shutil
from pathlib import Path

import pytest

from ding_cls.cli import main
from tests.conftest import write_pictures
from tests.harness import SETTINGS, tiny_parts

PARTS = tiny_parts("LinearClsHead", in_channels=8)
WORDS = [*SETTINGS, "policy.learn.learner.dataloader.num_workers=0", "policy.cuda=False", PARTS]
# mmclassification's spelling.
CONFIG = """
data = dict(
    samples_per_gpu=4,
    workers_per_gpu=0,
    train=dict(type='CustomDataset', data_prefix='pets/train', pipeline=[
        dict(type='LoadImageFromFile'), dict(type='RandomResizedCrop', size=8),
        dict(type='Normalize', mean=[9, 9, 9], std=[50, 50, 50])]),
    val=dict(type='CustomDataset', data_prefix='pets/val', pipeline=[
        dict(type='LoadImageFromFile'), dict(type='Resize', size=8),
        dict(type='Normalize', mean=[9, 9, 9], std=[50, 50, 50])]))
model = dict(type='ImageClassifier', backbone=dict(type='TinyBackbone'),
             neck=dict(type='GlobalAveragePooling'), head=dict(type='LinearClsHead', in_channels=8))
optimizer = dict(type='SGD', lr=0.1)
lr_config = dict(policy='step', step=[1])
runner = dict(type='EpochBasedRunner', max_epochs=1)
evaluation = dict(interval=1, metric='accuracy')
"""


@pytest.fixture
def pets(workdir: Path) -> Path:
    write_pictures(Path("pets/train"), classes=("ash", "fir"), per_class=6)
    write_pictures(Path("pets/test"), classes=("ash", "fir"), per_class=2)
    return Path("pets")


def test_all_folds_one_table_and_files(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["kfold", "--data", "pets", "--num-splits", "2", "--epochs", "1", "--seed", "4", *WORDS]
    assert main([*words, "--work-dir", "exp"]) == 0
    out = capsys.readouterr().out
    table = out[out.index("trained on") :]
    assert [line.split("│")[1].strip() for line in table.splitlines() if line.startswith("│")] == [
        "0",
        "1",
        "mean",
        "spread",
        "all, out of fold",
        "test, averaged",
    ]
    assert "n = 2 folds of 2, each evaluated by its best checkpoint, chosen on the held-out part" in table
    assert json.loads(Path("exp/summary.json").read_text())["checkpoint"] == "best"
    assert len(Path("exp/out_of_fold.csv").read_text().splitlines()) == 13
    assert len(Path("exp/test_predictions.csv").read_text().splitlines()) == 5
    before = json.loads(Path("exp/summary.json").read_text())
    assert (before["n"], before["seed"], before["missing"]) == (2, 4, [])

    Path("exp/summary.json").unlink()
    assert main(["kfold", "exp", "--summary"]) == 0
    assert table in capsys.readouterr().out
    assert json.loads(Path("exp/summary.json").read_text()) == before
    # Finished folds are not trained again.
    assert main(["kfold", "--resume", "--work-dir", "exp"]) == 0
    assert "Epoch" not in capsys.readouterr().out


def test_without_validation_nothing_was_chosen(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--num-splits", "2", "--epochs", "1", "--no-validate", "--work-dir", "exp"]
    assert main(["kfold", "--data", "pets", *words, *WORDS]) == 0
    assert "n = 2 folds of 2, each evaluated by its last checkpoint;" in capsys.readouterr().out
    assert json.loads(Path("exp/summary.json").read_text())["checkpoint"] == "last"


def test_a_config_of_mmclassification_fold_by_fold(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.py").write_text(CONFIG)
    assert main(["kfold", "small.py", "--num-splits", "3", "--fold", "1"]) == 0
    assert main(["kfold", "small.py", "--summary"]) == 0
    assert "missing: fold 0, 2" in capsys.readouterr().out
    assert main(["kfold", "small.py", "--num-splits", "3", "--fold", "0"]) == 0
    assert (
        main(["kfold", "small.py", "--num-splits", "3", "--start-fold", "2", "data.samples_per_gpu=4"]) == 0
    )
    summary = json.loads(Path("small_kfold/summary.json").read_text())
    assert [(each["fold"], each["num_held_out"]) for each in summary["folds"]] == [(0, 4), (1, 4), (2, 4)]
    assert summary["out_of_fold"]["num_samples"] == 12
    assert summary["test"]["num_samples"] == 4


def error_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["kfold", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error.removeprefix("error: ").strip()


def test_what_cannot_be_done_is_one_line(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exact = re.escape
    for words, reason in (
        ([], "say what to train on: a config file, --data DIR or --synthetic; or a run: --resume RUN"),
        (["--data", "pets", "--fold", "5"], "fold is 5; the 5 folds are numbered 0 to 4"),
        (["--data", "pets/trian"], "'pets/trian' does not exist (in '"),
        (["--summary", "--work-dir", "exp"], "there is no cross-validation 'exp' to sum up here"),
        (["--resume", "--work-dir", "exp"], "there is no cross-validation 'exp' to resume here"),
        (["--summary", "--data", "pets"], "no cross-validation 'runs/pets_resnet18_kfold'"),
        (["--data", "pets", "--num-splits", "13"], "num_splits=13 is more than the 12 samples or groups"),
        (["exp"], "there is no config file 'exp'"),
    ):
        assert re.search(exact(reason), error_of(capsys, *words)), words
    shutil.rmtree("pets/train/fir")
    Path("exp").mkdir()
    Path("exp/kfold.json").write_text("{")
    assert "is the folder of a cross-validation; --resume continues it" in error_of(capsys, "exp")
    assert "'exp/kfold.json' cannot be read" in error_of(capsys, "exp", "--summary")
