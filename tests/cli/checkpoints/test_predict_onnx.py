"""``ding-cls predict MODEL.onnx``: the options of a checkpoint, and a place without torch."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ding_cls
from ding_cls.cli import main
from tests.image_files import write_images
from tests.onnx_files import write_onnx

BLOCKED = ("torch", "torchvision", "tensorboardX", "easydict", "yaml", "rich", "onnx")
SLIM = f"""
import sys
for name in {BLOCKED}:
    sys.modules[name] = None
from ding_cls.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def model(workdir: Path) -> Path:
    write_images(Path("images"))
    # A folder leaves it out, with a line that is no error.
    Path("images", "no_ending").unlink()
    return write_onnx(Path("a.onnx"))


def rows_of(path: str) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("tta", [False, True])
def test_a_file_has_the_predictors_answers(model: Path, tta: bool) -> None:
    words = ["predict", "a.onnx", "images", "--probabilities", "--batch-size", "9", *["--tta"][: int(tta)]]
    assert main([*words, "--out", "p.csv", "--workers", "2"]) == 0
    assert main([*words, "--out", "p.json", "--workers", "0", "--strict"]) == 0
    found = ding_cls.load(model, tta=tta)("images")
    rows = rows_of("p.csv")
    assert [row["path"] for row in rows] == [each.path for each in found]
    assert [int(row["label"]) for row in rows] == [each.label for each in found]
    classes = ("ash", "<b>&", "n02123045")
    given = [[float(row[each]) for each in classes] for row in rows]
    np.testing.assert_allclose(given, [each.probabilities for each in found], rtol=0, atol=1e-6)
    assert [row["label"] for row in json.loads(Path("p.json").read_text())] == [each.label for each in found]


def test_images_are_drawn_and_sorted(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["predict", "a.onnx", "images", "--draw", "drawn", "--sort-into", "sorted", "--topk", "1"]) == 0
    )
    assert len(list(Path("drawn").iterdir())) == 50
    assert sum(each.is_file() for each in Path("sorted").rglob("*")) == 50
    assert "50 pictures in drawn; 50 images copied into sorted" in capsys.readouterr().err


def test_an_image_that_cannot_be_read_is_a_row(model: Path) -> None:
    Path("bad.png").write_bytes(b"x")
    words = ["predict", "a.onnx", "bad.png", "images/L.jpg", "--out", "p.csv"]
    assert (main(words), main([*words, "--strict"])) == (0, 2)
    assert [bool(row["error"]) for row in rows_of("p.csv")] == [True, False]


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "a.onnx", "images/L.jpg", "read.csv", "--out", "read.csv"],
        ["eval", "a.onnx", "--data", "read.csv", "--out", "./read.csv"],
    ],
)
def test_what_is_read_stays(model: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("read.csv").write_text("path,label\nimages/L.jpg,ash\n")
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"error: '{words[-1]}' would be written over '" in err
    assert Path("read.csv").read_text() == "path,label\nimages/L.jpg,ash\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.onnx"], "say which images: ding-cls predict a.onnx PATH..."),
        (["gone.onnx", "images"], "the ONNX file 'gone.onnx' does not exist"),
        (["a.onnx", "images", "--cam", "maps"], "a heat map needs the network's gradients"),
        (["a.onnx", "--split", "val"], "an ONNX file knows no data"),
        (["a.onnx", "b.onnx", "images"], "'a.onnx' is an ONNX file, and a mean is of checkpoints"),
        (["a.onnx", "images", "b.onnx"], "'b.onnx' is a checkpoint, and it is named behind images"),
        (["a.onnx", "images", "--model", "resnet18"], "leave out --model and --pretrained"),
        (["a.onnx", "images", "--calibrated"], "'a.onnx' has no calibration"),
        (["a.onnx", "images", "--max-risk", "5"], "'a.onnx' has no calibration"),
        (["a.onnx", "images", "--threshold", "0.4"], "threshold=0.4 is for images with several labels"),
        (["images/L.jpg", "a.onnx"], "'images/L.jpg' is an image; the run or checkpoint is named first"),
        (["bad.onnx", "images"], "'bad.onnx' cannot be used: Protobuf parsing failed"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], message: str, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_onnx(Path("b.onnx"))
    Path("bad.onnx").write_bytes(b"hello" * 100)
    assert main(["predict", *words]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def in_a_slim_place(*words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-c", SLIM, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_without_torch_it_predicts_the_same(model: Path) -> None:
    options = ["--probabilities", "--tta", "--draw", "drawn", "--sort-into", "sorted", "--workers", "2"]
    code, out, err = in_a_slim_place("predict", "a.onnx", "images", "--out", "slim.csv", *options)
    assert (code, out) == (0, "")
    assert err.splitlines()[-1].startswith("50 images in ")
    assert main(["predict", "a.onnx", "images", "--out", "full.csv", "--probabilities", "--tta"]) == 0
    assert Path("slim.csv").read_text() == Path("full.csv").read_text()
    code, out, _ = in_a_slim_place("predict", "a.onnx", "images/L.jpg")
    assert code == 0
    assert len(out.splitlines()) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "gone.onnx", "images"], "error: the ONNX file 'gone.onnx' does not exist"),
        (["predict", "a.onnx", "gone"], "error: 'gone' does not exist"),
        (["predict", "a.onnx", "images", "--cam", "c"], "error: a heat map needs the network's gradients"),
        (["predict", "images/L.jpg", "images"], "error: 'images/L.jpg' is an image"),
        (
            ["predict", "a.pth", "images"],
            "error: this needs torch, which is not installed: pip install ding_cls;",
        ),
        (["train", "--data", "images"], "error: this needs torch, which is not installed"),
    ],
)
def test_without_torch_a_mistake_is_one_line(words: list[str], message: str, model: Path) -> None:
    Path("a.pth").write_bytes(b"x")
    code, out, err = in_a_slim_place(*words)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


@pytest.mark.slow
def test_without_torch_env_tells_what_is_there(model: Path) -> None:
    code, out, err = in_a_slim_place("env")
    assert (code, err) == (0, "")
    told = dict(line.split(":", 1) for line in out.splitlines())
    assert told["torch"].strip().startswith("not here (")
    assert told["onnxruntime"].strip()[0].isdigit()
