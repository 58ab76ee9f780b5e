"""``ding-cls predict``: against ``ding-cls eval``, and what it prints, writes and refuses."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ding_cls
from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.cli import main
from tests.inference.conftest import CLASSES
from tests.inference.conftest import images as images
from tests.inference.conftest import trained as trained


def rows_of(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 0), (6, 2), (20, 0), (64, 1)])
def test_the_file_gives_the_evaluations_numbers(
    trained: Path, images: Path, batch_size: int, workers: int
) -> None:
    words = [str(trained), str(images / "val"), "--out", "p.csv", "--probabilities"]
    assert main(["predict", *words, "--batch-size", str(batch_size), "--workers", str(workers)]) == 0
    rows = rows_of("p.csv")
    targets = [CLASSES.index(Path(row["path"]).parent.name) for row in rows]
    assert targets == [number for number in range(4) for _ in range(5)]
    hits = sum(int(row["label"]) == target for row, target in zip(rows, targets, strict=True))
    own = [float(row[CLASSES[target]]) for row, target in zip(rows, targets, strict=True)]
    evaluated = ding_cls.evaluate(trained)
    assert 100 * hits / 20 == evaluated["acc1"]
    assert -np.log(own).mean() == pytest.approx(evaluated["loss"], abs=1e-5)


def test_each_image_has_its_path_and_three_lines(
    trained: Path, images: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = str(images / "val" / "birch" / "001.png")
    assert main(["predict", str(trained), path]) == 0
    out, err = capfdbinary.readouterr()
    (record,) = ding_cls.load(trained)(path)
    expected = [path, *(f"{each.score:.8f} {each.name}" for each in record.top(3))]
    assert out.decode().splitlines() == expected
    assert err.decode().startswith("1 image in ")
    assert "images/s)" in err.decode()
    assert main(["predict", str(trained), "--topk", "9", path, "--workers", "0"]) == 0
    assert len(capfdbinary.readouterr().out.splitlines()) == 5


def test_words_are_files_folders_patterns_and_a_list(
    trained: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    val = images / "val"
    odd = os.fsdecode(b"x\xff,\n.png")
    Path(odd).write_bytes((val / "ash" / "000.png").read_bytes())
    listed = f"{val}/fir/none.png\r\n\n{val}/cedar\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed)))
    words = [f"{val}/cedar/001.png", f"{val}/ash", f"{val}/b*/00[12].png", "-", odd]
    assert main(["predict", str(trained), *words, "--out", "p.csv"]) == 0
    rows = rows_of("p.csv")
    assert [row["path"] for row in rows] == [
        f"{val}/cedar/001.png",
        *(f"{val}/ash/{number:03d}.png" for number in range(5)),
        *(f"{val}/birch/{number:03d}.png" for number in (1, 2)),
        f"{val}/fir/none.png",
        *(f"{val}/cedar/{number:03d}.png" for number in range(5)),
        odd,
    ]
    assert [row["path"] for row in rows if row["error"]] == [f"{val}/fir/none.png"]


def test_unlabelled_images_below_nothing_but_a_folder(trained: Path, images: Path) -> None:
    Path("flat/deep").mkdir(parents=True)
    for number in range(3):
        target = "flat/deep" if number else "flat"
        Image.new("L", (30, 20), number * 90).save(f"{target}/{number}.JPG", format="JPEG")
    assert main(["predict", str(trained), "flat", "--out", "p.json"]) == 0
    rows = json.loads(Path("p.json").read_text())
    assert [row["path"] for row in rows] == ["flat/0.JPG", "flat/deep/1.JPG", "flat/deep/2.JPG"]
    assert [row["image_id"] for row in rows] == ["0.JPG", "1.JPG", "2.JPG"]


def test_an_unreadable_image_is_a_row_and_counted(
    trained: Path, images: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("torn.png").write_bytes(b"\x89PNG")
    words = ["predict", str(trained), "torn.png", str(images / "val" / "ash" / "000.png")]
    assert main([*words, "--out", "p.csv"]) == 0
    assert [bool(row["error"]) for row in rows_of("p.csv")] == [True, False]
    err = capfd.readouterr().err
    assert "not read: 'torn.png' is truncated" in err
    assert "2 images in " in err
    assert "; 1 could not be read: p.csv" in err
    assert main([*words, "--strict", "--out", "q.csv"]) == 2
    assert Path("q.csv").read_bytes() == Path("p.csv").read_bytes()
    assert main(words) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[:2] == ["torn.png", "error: " + rows_of("p.csv")[0]["error"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "IMAGE"], "there is no checkpoint 'nowhere'"),
        (["RUN"], "say which images: ding-cls predict RUN PATH"),
        (["IMAGE", "RUN"], "000.png' is an image; the run or checkpoint is named first"),
        (["RUN", "gone.png"], "'gone.png' does not exist"),
        (["RUN", "empty"], "the folder 'empty' holds no images"),
        (
            ["RUN", "IMAGE", "--out", "p.txt"],
            "'p.txt' must end in .csv, .json or .parquet: the ending decides the format",
        ),
        (["RUN", "IMAGE", "--topk", "0"], "--topk 0 must be at least 1"),
        (["RUN", "IMAGE", "--batch-size", "0"], "batch_size=0 must be at least 1"),
        (["RUN", "IMAGE", "--workers", "-1"], "num_workers=-1 at least 0"),
        (["RUN", "IMAGE", "--probabilities"], "--probabilities are columns of a file; add --out"),
        (["RUN", "IMAGE", "--threshold", "0.3"], "threshold=0.3 is for images with several labels"),
        (["RUN", "IMAGE", "--model", "resnet18"], "leave out --model resnet18"),
        (["RUN", "IMAGE", "--classes", "c.txt"], "leave 'classes' out"),
        (["--pretrained", "IMAGE"], "say which network: model='NAME'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    trained: Path, images: Path, capfd: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    Path("empty").mkdir()
    names = {"RUN": str(trained), "IMAGE": str(images / "val" / "ash" / "000.png")}
    assert main(["predict", *(names.get(word, word) for word in words)]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert message.replace("RUN", str(trained)) in err
    assert sorted(each.name for each in Path().iterdir()) == ["empty"]


def test_an_unknown_option_is_not_taken_for_a_config_key(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "run", "a.png", "--top-k", "3"])
    assert (
        capfd.readouterr()
        .err.splitlines()[-1]
        .endswith("error: unrecognized arguments: --top-k; did you mean --topk?")
    )


def test_a_bar_is_shown_on_a_terminal_alone(
    trained: Path, images: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(trained), str(images / "val"), "--out", "p.csv"]
    assert main(words) == 0
    assert "predicting" not in capfd.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(words) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert "predicting" in err
    assert "20/20" in err


def test_a_list_alone_that_is_empty_is_an_error(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    assert main(["predict", str(trained), "-"]) == 2
    assert "no images are named" in capfd.readouterr().err


def test_names_that_are_no_utf_8_are_printed_in_their_own_bytes(
    trained: Path, images: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    Path(os.fsdecode(b"\xff.png")).write_bytes((images / "val" / "ash" / "000.png").read_bytes())
    assert main(["predict", str(trained), "."]) == 0
    assert capfdbinary.readouterr().out.splitlines()[0] == b"./\xff.png"


def test_a_file_of_weights_needs_the_networks_name(capfd: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    torch.save(ding_cls.build_model("squeezenet1_1", num_classes=3).state_dict(), "w.pth")
    Path("names.txt").write_text("ash\nbirch\nfir\n")
    Image.new("RGB", (300, 260)).save("a.png")
    words = ["w.pth", "--model", "squeezenet1_1", "a.png", "--classes", "names.txt"]
    assert main(["predict", *words]) == 0
    assert {line.split()[1] for line in capfd.readouterr().out.splitlines()[1:]} == {"ash", "birch", "fir"}
    assert main(["predict", "w.pth", "a.png"]) == 2
    assert "'w.pth' holds weights alone" in capfd.readouterr().err


@pytest.mark.slow
def test_it_starts_within_a_fifth_of_torch_and_torchvision(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)

    # CPU time, in one process: the machine may be busy.
    timed = (
        "import time, torch, torchvision\nplain = time.process_time()\n"
        "import ding_cls.cli.checkpoints.predict, ding_cls.inference.predict\n"
        "print(time.process_time() / plain)"
    )
    command = [sys.executable, "-c", timed]
    ratios = [
        float(subprocess.run(command, env=environ, capture_output=True, check=True).stdout) for _ in range(3)
    ]
    # The first one compiles.
    assert min(ratios[1:]) < 1.2
    heavy = ("tensorboardX", "rich", "matplotlib", "timm", "scipy", "ding_cls.policy", "ding_cls.worker")
    program = f"import sys, ding_cls.inference.predict\nprint(sorted({{*{heavy}}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_several_networks_and_mirror_images(
    trained: Path, images: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained, "cv/fold_0")
    shutil.copytree(trained, "cv/fold_1")
    state = read_checkpoint("cv/fold_1/ckpt/ckpt_best.pth.tar")
    state["model"]["head.fc.bias"] += 1 - torch.arange(4.0)
    write_checkpoint("cv/fold_1/ckpt/ckpt_best.pth.tar", state)
    val, folds = str(images / "val"), ["cv/fold_0", "cv/fold_1"]
    for words in ([*folds, val], ["cv", val], ["cv", "--split", "val"]):
        assert main(["predict", *words, "--tta", "--probabilities", "--out", "p.json"]) == 0
        assert capfd.readouterr().err.splitlines()[0] == (
            "mean probabilities of 2 networks and of each image and its mirror image"
        )
        rows = json.loads(Path("p.json").read_text())
        expected = ding_cls.load(folds, tta=True)(val)
        assert [row["path"] for row in rows] == [record.path for record in expected]
        found = [[row[name] for name in CLASSES] for row in rows]
        assert np.allclose(found, [record.probabilities for record in expected], rtol=0, atol=1e-6)
    assert main(["predict", "cv", "cv/fold_1", val]) == 2
    assert "and a mean would count it twice; name it once" in capfd.readouterr().err
