"""``ding-cls show``: what it takes, what it prints, and that it writes one file."""

from pathlib import Path

import pytest
from PIL import Image

from ding_cls.cli import main
from tests.harness import tiny_parts

SETTINGS = ["policy.cuda=False", "policy.collect.image_size=8", "policy.collect.resize_size=8"]
TINY = tiny_parts("LinearClsHead", num_classes=4, in_channels=8)


@pytest.mark.parametrize("mode", ["original", "transformed", "concat", "pipeline"])
def test_a_sheet_is_written_and_nothing_else(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    words = ["--data", str(picture_folder), "--mode", mode, "--number", "3", *SETTINGS]
    assert main(["show", "pipeline", *words, "--split", "val"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "evaluation images: 20 in 4 classes; 3 of them, spread over the set"
    assert out[1].strip() == "LoadImageFromFile()"
    with Image.open("show_pipeline.png") as sheet:
        assert out[-1] == f"written to show_pipeline.png ({sheet.width:,} x {sheet.height:,} px)"
    assert [each.name for each in workdir.iterdir()] == ["show_pipeline.png"]


def test_a_schedule_is_drawn_and_printed(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    words = ["--synthetic", "policy.collect.synthetic_samples=640", "--epochs", "2", "--out", "a.png"]
    assert main(["show", "lr", *words, TINY, *SETTINGS]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("40 updates in 2 epochs")
    assert out[-1] == "written to a.png"
    assert [each.name for each in workdir.iterdir()] == ["a.png"]


def test_a_model_needs_no_data(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "model", "--model", "squeezenet1_1", "policy.cuda=False"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("SqueezeNet: an image of 3 x 224 x 224 becomes 1000\n")
    assert "1,235,496 parameters (1.24 M), all trained" in out
    assert "349.15 MMACs" in out
    assert list(workdir.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pipeline", "--synthetic", "--number", "0"], "--number 0 must be at least 1"),
        (["pipeline", "--synthetic", "--out", "a.gif"], "'a.gif' must end in"),
        (["lr", "--synthetic", "--out", "gone"], "'gone' must end in"),
        (["pipeline"], "say what to train on"),
        (["pipeline", "resnet18"], "--model resnet18"),
        (["model", "--data", "gone"], "gone"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(
    workdir: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["show", *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert list(workdir.iterdir()) == []
