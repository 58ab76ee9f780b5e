"""``split`` and ``prepare``: what they print, and their exit codes."""

import tarfile
from pathlib import Path

import pytest

from ding_cls.cli import main
from tests.conftest import write_pictures


@pytest.fixture
def source(workdir: Path) -> Path:
    return write_pictures(Path("all"), classes=("ash", "fir"), per_class=10)


def test_split_says_what_each_part_got(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["split", "all", "out", "--per-class", "6,2,rest"]) == 0
    assert capsys.readouterr().out == (
        "train: 12 images, 6 of each of 2 classes\n"
        "val: 4 images, 2 of each of 2 classes\n"
        "test: 4 images, 2 of each of 2 classes\n"
    )
    assert main(["split", "all", "other", "--fractions", "0.5,0.5", "--seed", "3", "--link"]) == 0
    assert len(list(Path("other/val").glob("*/*"))) == 10


def test_a_split_folder_trains_as_it_is(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["split", "all", "out", "--fractions", "0.8,0.2", "--seed", "0"])
    from ding_cls.data import ImageNetDataset, find_split

    train = ImageNetDataset(find_split("out", "train"), True)
    val = ImageNetDataset(find_split("out", "val"), False, classes=train.classes)
    assert (len(train), len(val), train.classes) == (16, 4, ("ash", "fir"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--fractions", "0.8,x"], "--fractions: 'x' is no number"),
        (["--per-class", "6,-2"], "--per-class: '-2' is no whole number and not 'rest'"),
        (["--per-class", "60,rest"], "class 'ash' has 10 samples, fewer than 60"),
        (["--fractions", "0.8,0.8"], "together above 0 and at most 1"),
        (["--fractions", "0.5,0.5", "--names", "a,a"], "the parts need different names; given were a, a"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    source: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    assert main(["split", "all", "out", *words]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not Path("out").exists()


def test_prepare_imagenet_says_what_it_unpacked(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("ILSVRC2012_val_00000001.JPEG").write_bytes(b"x")
    with tarfile.open("ILSVRC2012_img_val.tar", "w") as archive:
        archive.add("ILSVRC2012_val_00000001.JPEG")
    Path("labels.txt").write_text("n01440764\n")
    assert main(["prepare", "imagenet", ".", "out", "--val-labels", "labels.txt"]) == 0
    assert capsys.readouterr().out == "val: 1 images\n"
    assert Path("out/val/n01440764/ILSVRC2012_val_00000001.JPEG").read_bytes() == b"x"
    assert main(["prepare", "imagenet", "out", "other"]) == 2
    assert "error: 'out' has neither" in capsys.readouterr().err
    assert main(["prepare"]) == 2
