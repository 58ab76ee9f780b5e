"""What a dry run says is what the run does, and it leaves nothing behind."""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline import train
from ding_cls.pipeline.dry_run import run as module
from ding_cls.pipeline.dry_run.report import Timing
from ding_cls.pipeline.dry_run.run import dry_run, print_dry_run
from tests.pipeline.dry_run.test_report import report

SETTINGS = [
    "policy.cuda=False",
    "policy.collect.image_size=32",
    "policy.collect.resize_size=32",
    "policy.learn.batch_size=16",
    "policy.eval.batch_size=8",
    "policy.learn.learner.dataloader.num_workers=0",
    "policy.learn.learner.log_show_freq=1",
]
CLASSES = 4


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_run_is_as_the_dry_run_said(picture_folder: Path, workdir: Path, temporary: Path) -> None:
    arguments: dict[str, Any] = {"data": picture_folder, "model": "squeezenet1_1", "epochs": 4, "seed": 3}
    told = dry_run(**arguments, overrides=SETTINGS)
    assert tree(workdir) == {}
    assert tree(temporary) == {}

    result = train(**arguments, overrides=SETTINGS)
    assert told.run_folder == str(result.run_folder)
    rows = [
        json.loads(line) for line in (result.run_folder / "log" / "metrics.jsonl").read_text().splitlines()
    ]
    updates = [row for row in rows if row["kind"] == "train"]
    evaluations = [row for row in rows if row["kind"] == "eval"]
    # 40 training pictures make three batches of at most 16.
    assert (told.updates_per_epoch, told.num_updates, told.num_left_out) == (3, len(updates), 0) == (3, 12, 0)
    assert told.batch_sizes == (13, 14)
    assert told.loss == pytest.approx(updates[0]["total_loss_avg"], rel=1e-6)
    assert told.expected_loss == math.log(CLASSES)
    assert told.learning_rates[0] == (0, pytest.approx(updates[0]["cur_lr_avg"]))
    # Warm-up takes half an epoch: one and a half of its three updates.
    assert told.learning_rates[1] == (2, pytest.approx(0.0005 * (1 + math.cos(math.pi * (0.5 / 3) / 3.5))))
    # The cosine ends with the twelfth update, so the last begins 11/3 - 0.5 of its 3.5 epochs down.
    assert told.learning_rates[2] == (
        11,
        pytest.approx(0.0005 * (1 + math.cos(math.pi * (11 / 3 - 0.5) / 3.5))),
    )
    assert told.num_evaluations == len(evaluations) == 5
    assert (told.num_train, told.num_eval, told.num_classes, told.eval_batches) == (40, 20, CLASSES, 3)
    files = list((result.run_folder / "ckpt").iterdir())
    assert told.num_checkpoints == len(files) == 4
    # The rest of a file is names, the config and the table of contents.
    largest = max(file.stat().st_size for file in files)
    assert 0.97 * largest < told.checkpoint_bytes < largest
    count = sum(each.numel() for each in result.model.parameters())
    assert (told.num_parameters, told.num_trainable) == (count, count)
    assert told.shapes == {
        "images": "uint8 (14, 32, 32, 3), in the network float32 (14, 3, 32, 32)",
        "targets": "int64 (14,)",
        "logits": "float32 (14, 4)",
    }
    # Three batches: the first is not counted.
    assert (told.train_timing.count, told.eval_timing.count) == (2, 2)
    assert told.seconds > 0
    assert told.remarks == ()

    one = dry_run(**arguments, overrides=[*SETTINGS, "policy.learn.learner.checkpoint.save_one_only=True"])
    assert one.num_checkpoints == 2

    before = tree(workdir)
    again = dry_run(**arguments, overrides=SETTINGS)
    assert tree(workdir) == before
    assert again.run_folder == f"{result.run_folder}_2"
    assert again.loss == told.loss


def test_a_crop_far_from_its_resize_deserves_a_look(picture_folder: Path, workdir: Path) -> None:
    overrides = [*SETTINGS, "policy.collect.resize_size=64"]
    (remark,) = dry_run(data=picture_folder, model="squeezenet1_1", epochs=4, overrides=overrides).remarks
    assert remark == (
        "policy.collect.resize_size: evaluation cuts the middle 32 px out of 64 px: it sees 25 % of a square "
        "image, and less of any other; leave policy.collect.resize_size out, and it follows the crop"
    )


def test_the_traps_that_a_run_tells_of_are_told_once(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    never = [f"policy.learn.learner.hook.save_ckpt_after_{each}=False" for each in ("iter", "epoch")]
    words = ["policy.eval.evaluator.stop_value=0.9", "policy.learn.warmup_epoch=4", *never]
    settings: dict[str, Any] = {"data": picture_folder, "model": "squeezenet1_1", "epochs": 2}
    remarks = dry_run(**settings, overrides=[*SETTINGS, *words]).remarks
    assert len(set(remarks)) == len(remarks)
    assert sum("no checkpoint is due" in each for each in remarks) == 1
    capsys.readouterr()
    train(**settings, overrides=[*SETTINGS, *words])
    printed = capsys.readouterr().out.splitlines()
    traps = [each for each in remarks if each.startswith("policy.")]
    assert len(traps) == 3
    assert all(printed.count(each) == 1 for each in traps)


def test_that_images_were_opened_is_told(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_dry_run(dry_run(data=picture_folder, model="squeezenet1_1", overrides=SETTINGS, check_images=True))
    row = "samples:       40 to train on, 20 to evaluate, 4 classes; each was opened\n"
    assert row in capsys.readouterr().out


def test_errors_are_those_of_the_run_and_nothing_is_left(
    picture_folder: Path, workdir: Path, temporary: Path
) -> None:
    with pytest.raises(ConfigError, match=r"policy\.learn\.lr_rate is not a known key"):
        dry_run(data=picture_folder, overrides=[*SETTINGS, "policy.learn.lr_rate=1"])
    with pytest.raises(ConfigError, match="exp_name is 5"):
        dry_run(data=picture_folder, overrides=[*SETTINGS, "exp_name=5"])
    with pytest.raises(ConfigError, match="num_classes is 7, but the training data have 4"):
        dry_run(data=picture_folder, overrides=[*SETTINGS, "policy.model.num_classes=7"])
    for picture in (picture_folder / "train" / "ash").iterdir():
        picture.write_bytes(b"no picture")
    with pytest.raises(DataError, match="is text, not a picture; delete it or replace it"):
        dry_run(data=picture_folder, model="squeezenet1_1", overrides=SETTINGS)
    assert tree(workdir) == {}
    assert tree(temporary) == {}


def test_the_users_code_needs_leave(workdir: Path) -> None:
    Path("mine.py").write_text("custom_imports = dict(imports='my_parts')\n")
    with pytest.raises(ConfigError, match="code runs only with --allow-code"):
        dry_run("mine.py", synthetic=True, overrides=SETTINGS)
    Path("my_parts.py").write_text("raise ValueError('it ran')\n")
    with pytest.raises(ConfigError, match="it ran"):
        dry_run("mine.py", synthetic=True, overrides=SETTINGS, allow_code=True)


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"loss": math.nan}, "the first loss is not finite"),
        ({"loss": 30.0}, "the first loss is far above guessing"),
        ({"loss": 1.0}, "the first loss is far below guessing"),
        ({"free_bytes": 300_000_000}, "the checkpoints need more than is free"),
        ({"train_timing": Timing(0.1, 0.09, 5)}, "waiting for data takes most of an update"),
    ],
)
def test_what_deserves_a_second_look_is_named(changes: dict[str, Any], remark: str) -> None:
    (found,) = module._remarks(report(**changes))
    assert found.startswith(remark)


def test_without_reason_there_is_no_remark() -> None:
    assert list(module._remarks(report())) == []
    assert list(module._remarks(report(loss=30.0, expected_loss=None))) == []
