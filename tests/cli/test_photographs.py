"""A folder of real photographs trains by one line, from scratch and from a file of weights."""

import json
import os
import tarfile
from pathlib import Path

import pytest

from ding_cls.cli import main

pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.skipif("DING_TEST_DATA" not in os.environ, reason="not run: DING_TEST_DATA is unset"),
]
WEIGHTS = "weights/mobilenet_v2_tf2ptq_hflip_imagenetnorm.torchvision.pth"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flowers (their validation folder is called ``valid``) and ImageNet's weights."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("flowers5_500_50_250.tar", "weights.tar"):
        with tarfile.open(Path(os.environ["DING_TEST_DATA"], name)) as archive:
            archive.extractall(folder, filter="data")
    return folder


def last_epoch(folder: Path) -> dict[str, float]:
    rows = [json.loads(line) for line in (folder / "log" / "metrics.jsonl").read_text().splitlines()]
    return next(row for row in reversed(rows) if row["kind"] == "epoch")


def size(image_size: int) -> list[str]:
    return [f"policy.collect.image_size={image_size}", f"policy.collect.resize_size={image_size * 8 // 7}"]


def test_from_scratch(photographs: Path, workdir: Path) -> None:
    arguments = ["--data", str(photographs / "flowers5"), "--model", "resnet18", "--epochs", "3"]
    assert main(["train", *arguments, *size(56)]) == 0
    row = last_epoch(workdir / "runs" / "flowers5_resnet18")
    # Chance is 20 %; three epochs gave 45 %.
    assert row["train_acc1"] > 35


def test_from_a_file_of_weights(photographs: Path, workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(photographs / "flowers5"), "--model", "mobilenet_v2", "--epochs", "2"]
    assert main(["train", *arguments, "--pretrained", str(photographs / WEIGHTS), *size(112)]) == 0
    assert "loaded 312 of 314 tensors" in capsys.readouterr().out
    run = workdir / "runs" / "flowers5_mobilenet_v2"
    assert last_epoch(run)["train_acc1"] > 60
    assert main(["eval", str(run / "ckpt" / "ckpt_best.pth.tar"), "--split", "test"]) == 0
    assert "size:       250 images, 5 classes, " in capsys.readouterr().out
