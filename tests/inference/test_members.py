"""Which words name networks, and which images."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.inference.members import (
    is_network,
    is_onnx,
    members_and_images,
    refuse_repeated,
    with_folds,
)
from tests.conftest import write_pictures


@pytest.fixture
def files(workdir: Path) -> Path:
    """Runs, folds, weights, and folders of images with things in them that look like networks."""
    for name in ("a", "b", "cv/fold_0", "cv/fold_2", "cv/fold_10"):
        Path("runs", name, "ckpt").mkdir(parents=True)
        Path("runs", name, "ckpt", "ckpt_best.pth.tar").write_bytes(name.encode())
    write_pictures(Path("photos"), classes=("ckpt", "fold_1"), per_class=1)
    write_pictures(Path("mixed"), classes=("ash",), per_class=1)
    Path("mixed", "ckpt_best.pth.tar").write_bytes(b"x")
    Path("w.pth").write_bytes(b"x")
    torch.save({"a": 1}, "odd.name")
    Path("Z.JPG").write_bytes(b"x")
    Path("n.ONNX").write_bytes(b"x")
    Path("folder.onnx").mkdir()
    return workdir


def test_what_is_a_network(files: Path) -> None:
    words = {
        **dict.fromkeys(("runs/a", "runs/a/ckpt", "runs/a/ckpt/ckpt_best.pth.tar", "runs/cv"), True),
        **dict.fromkeys(("w.pth", "odd.name", "n.ONNX"), True),
        **dict.fromkeys(
            ("photos", "photos/ckpt", "mixed", "Z.JPG", "runs", "-", "gone.pth", "*", "folder.onnx"), False
        ),
    }
    assert {word: is_network(word) for word in words} == words


def test_an_onnx_file_is_known_by_its_name(files: Path) -> None:
    words = {"n.ONNX": True, Path("gone.onnx"): True, "folder.onnx": False, "w.pth": False}
    assert {word: is_onnx(word) for word in words} == words


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("runs/a photos", 1),
        ("runs/a runs/b photos Z.JPG", 2),
        ("runs/a runs/b w.pth odd.name -", 4),
        ("runs/cv runs/a photos/ckpt", 2),
        ("runs/a photos/ckpt photos", 1),
        ("mixed/ckpt_best.pth.tar mixed", 1),
        ("mixed/ckpt_best.pth.tar mixed photos", 1),
        # The folder of the run that is named: its images.
        ("runs/a/ckpt/ckpt_best.pth.tar runs/a", 1),
        ("gone Z.JPG", 1),
        ("gone.onnx photos", 1),
        ("n.ONNX photos Z.JPG", 1),
        ("runs/a n.ONNX photos", 2),
    ],
)
def test_leading_words_are_networks_and_the_last_is_images(files: Path, words: str, count: int) -> None:
    named = words.split()
    assert members_and_images(named) == (named[:count], named[count:])


def test_a_run_of_a_folder_that_is_meant_for_its_images_needs_a_pattern(files: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"'runs/b' is a run, and it is named behind images; .* pattern: 'runs/b/\*\*'$"
    ):
        members_and_images(["runs/a", "photos", "runs/b"])
    with pytest.raises(
        ConfigError,
        match=r"'w\.pth' is a checkpoint, and it is named behind images; name all networks first$",
    ):
        members_and_images(["runs/a", "photos", "w.pth"])
    for words in (["runs/a"], ["runs/a", "runs/b"], ["runs/a", "w.pth"]):
        with pytest.raises(ConfigError, match=f"say which images: ding-cls predict {' '.join(words)} PATH"):
            members_and_images(words)
    assert members_and_images(["runs/a", "runs/b/**"]) == (["runs/a"], ["runs/b/**"])


def test_without_images_all_words_may_be_networks(files: Path) -> None:
    assert members_and_images(["runs/a", "runs/b"], has_images=False) == (["runs/a", "runs/b"], [])
    assert members_and_images(["runs/a", "photos"], has_images=False) == (["runs/a"], ["photos"])


def test_a_cross_validation_stands_for_its_folds_in_their_order(files: Path) -> None:
    found = [os.fspath(each) for each in with_folds(["runs/a", "runs/cv", "photos"])]
    assert found == ["runs/a", "runs/cv/fold_0", "runs/cv/fold_2", "runs/cv/fold_10", "photos"]


def test_a_network_that_is_named_twice_is_refused(files: Path) -> None:
    refuse_repeated(["runs/a", "runs/b"])
    shutil.copytree("runs/a", "runs/copy")
    os.link("w.pth", "same.pth")
    for pair in (["runs/a", "runs/a/ckpt"], ["runs/a", Path("runs/a")], ["w.pth", "same.pth"]):
        with pytest.raises(
            ConfigError, match=r"are the same file, and a mean would count it twice; name it once"
        ):
            refuse_repeated(pair)
    with pytest.raises(CheckpointError, match="there is no checkpoint 'gone'"):
        refuse_repeated(["runs/a", "gone"])
