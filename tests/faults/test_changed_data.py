"""Whole commands on data that changed between stop and resume, and on ranks that were started differently."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ding_cls.checkpoint import read_checkpoint
from tests.distributed.ranks import free_port

ROOT = Path(__file__).parents[2]
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
KNOWN = "dizoo.image_classification.entry.imagenet_res18_main"
WORDS = (
    "exp_name=run",
    "seed=5",
    "policy.cuda=False",
    "policy.collect.learn_data_path=d/train",
    "policy.collect.eval_data_path=d/val",
    "policy.collect.image_size=32",
    "policy.collect.resize_size=32",
    "policy.learn.batch_size=8",
    "policy.learn.train_epoch=1",
    "policy.learn.learner.dataloader.num_workers=0",
)
DOORS = {"train": ["ding_cls", "train", "tiny.py"], "a known program": [KNOWN]}
OTHER = "rank 1 has other {} data than rank 0:"
SEED = "the ranks were started differently: seed is 77 on rank 1 and 5 on rank 0"
CONFIG = """
policy = dict(model=dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=4, stem_channels=4),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=32, num_classes=4)))
"""


@pytest.fixture
def data(picture_folder: Path, workdir: Path) -> Path:
    Path("d").symlink_to(picture_folder)
    Path("tiny.py").write_text(CONFIG)
    return picture_folder


def ended(*words: str, launcher: tuple[str, ...] = ()) -> tuple[int, str]:
    """Return the exit code of a command and what it printed."""
    command = [sys.executable, "-m", *launcher, *words, *WORDS]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, text=True, timeout=280, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_a_resume_on_changed_data_ends_with_2_and_the_counts(door: str, data: Path) -> None:
    assert ended(*DOORS[door])[0] == 0
    (data / "train/ash/001.png").rename(data / "train/fir/901.png")
    (data / "val/ash/000.png").unlink()
    code, text = ended(*DOORS[door], "--resume", "policy.learn.train_epoch=2")
    assert code == 2
    assert "Traceback" not in text
    (line,) = [each for each in text.splitlines() if each.startswith("error: ")]
    assert "the training data have changed: 1 added, 1 removed, 0 moved" in line
    assert "the evaluation data have changed: 0 added, 1 removed, 0 moved" in line
    assert line.endswith("--allow-changed-data")
    code, text = ended(*DOORS[door], "--resume", "--allow-changed-data", "policy.learn.train_epoch=2")
    assert code == 0
    assert text.count("the training data have changed") == 1
    newest = max(Path("run/ckpt").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    assert read_checkpoint(newest)["run"]["data"]["val"]["num_samples"] == 19


@pytest.mark.slow
def test_two_ranks_resume_on_changed_data_together_or_not_at_all(data: Path) -> None:
    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m")
    assert ended(*DOORS["train"], launcher=launcher)[0] == 0
    (data / "val/ash/000.png").unlink()
    code, text = ended(*DOORS["train"], "--resume", launcher=launcher)
    assert code != 0
    lines = [each for each in text.splitlines() if each.startswith("error: ")]
    assert {*lines} == {lines[0]}
    assert "the evaluation data have changed: 0 added, 1 removed" in lines[0]
    assert "lost another rank" not in text
    assert ended(*DOORS["train"], "--resume", "--allow-changed-data", launcher=launcher)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("door", "own", "told"),
    [
        ("train", "policy.collect.eval_data_path=d/train", f"{OTHER.format('evaluation')} 40 and 20 samples"),
        ("train", "policy.collect.learn_data_path=e/train", f"{OTHER.format('training')} 40 and 40 samples"),
        ("train", "seed=77", SEED),
        ("a known program", "seed=77", SEED),
    ],
)
def test_two_ranks_that_differ_end_with_2_and_one_line(door: str, own: str, told: str, data: Path) -> None:
    other = Path("e/train")
    for file in sorted(data.glob("train/*/*")):
        target = other / file.relative_to(data / "train")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(file)
    (other / "ash/001.png").rename(other / "fir/901.png")
    port, started = str(free_port()), []
    for rank in range(2):
        launched = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1"}
        environ = {**ENVIRON, "MASTER_PORT": port, **{name: str(value) for name, value in launched.items()}}
        command = [sys.executable, "-m", *DOORS[door], *WORDS, *([own] if rank == 1 else [])]
        started.append(subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True))
    said = [each.communicate(timeout=240)[1].splitlines() for each in started]
    assert [each.returncode for each in started] == [2, 2]
    assert [line[: len(told) + 7] for line in said[0]] == [f"error: {told}"]
    assert said[1] == []
