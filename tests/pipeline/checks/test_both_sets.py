"""Classes and images that training and evaluation do not both have, or do both have."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from easydict import EasyDict

from ding_cls.config import checked_config
from ding_cls.data import ArrayDataset, ImageNetDataset, SyntheticDataset
from ding_cls.pipeline.checks.both_sets import (
    has_test_folder,
    images_on_both_sides,
    like_splits,
    missing_classes,
    only_class,
    other_labels,
    remarks_on_sets,
    taken_splits,
    trained_test_images,
    untrained_classes,
)
from ding_cls.pipeline.dry_run.run import dry_run
from tests.harness import run_tiny

SETS = (("learn", "train"), ("eval", "val"))
ONE = np.arange(16) % 4
TASKS = np.stack([ONE, ONE[::-1], ONE], 1)
SEVERAL = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)


class Listed:
    """A dataset that lists its labels."""

    def __init__(self, targets: Any, num_classes: int = 6) -> None:
        self.targets = targets
        self.classes = tuple("abcdef"[:num_classes])


@pytest.mark.parametrize(
    ("trained", "evaluated", "line"),
    [
        ([0, 1, 2, 0], [2, 1, 0], ""),
        ([0, 1, 2, 0], [2, 0], "1 of 6 classes have no evaluation image: 'b'"),
        ([5, 4, 3, 2, 1, 0], [1], "5 of 6 classes have no evaluation image: 'a', 'c', 'd' and 2 more"),
        # A class without training images is not asked for; labels that are no numbers are not compared.
        ([0], [0, 1, 2], ""),
        (TASKS, TASKS[:1], ""),
        (np.array([0.5, 0.25]), np.array([0.5]), ""),
    ],
)
def test_classes_without_an_evaluation_image_are_named(trained: Any, evaluated: Any, line: str) -> None:
    assert missing_classes(Listed(trained), Listed(evaluated)) == line


@pytest.mark.parametrize(
    ("trained", "evaluated", "missing", "untrained"),
    [
        ([0, 1, 1], [2, 1], "1 of 6 classes have no evaluation image: 'a'", "'c'"),
        ([0], [0, 1, 2], "", "'b', 'c'"),
        ([0, -1], [-1, 0], "", ""),
        (SEVERAL[:2], SEVERAL[1:], "1 of 3 classes have no evaluation image: 'a'", "'c'"),
        (SEVERAL.tolist(), SEVERAL.tolist(), "", ""),
        ([], [0], "", ""),
    ],
)
def test_a_class_of_one_set_alone_is_named(
    trained: Any, evaluated: Any, missing: str, untrained: str
) -> None:
    num_classes = 3 if len(trained) and np.ndim(trained[0]) else 6
    sets = Listed(trained, num_classes), Listed(evaluated, num_classes)
    assert missing_classes(*sets) == missing
    line = untrained_classes(*sets)
    assert line.partition(" classes are evaluated and have no training image: ")[2] == untrained
    assert bool(line) is bool(untrained)


@pytest.mark.parametrize(
    ("targets", "num_classes", "is_told"),
    [
        ([0, 0], 1, True),
        (np.zeros(2, np.int64), 1, True),
        ([0, 0], 2, False),
        ([0.5, 2.0], 1, False),
        ([[1.0], [0.0]], 1, False),
        ([], 1, False),
    ],
)
def test_one_class_alone_is_told(targets: Any, num_classes: int, is_told: bool) -> None:
    line = "there is one class alone, 'a', so there is nothing to tell apart"
    assert only_class(Listed(targets, num_classes)) == (line if is_told else "")


def test_a_class_folder_with_the_name_of_a_split_is_told(tmp_path: Path) -> None:
    for name in ("cat", "Test"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").touch()
    data = ImageNetDataset(tmp_path, True)
    assert like_splits(data) == ("taken for a class: 'Test'; if it is a split, move it out of the classes")
    (tmp_path / "Test").rename(tmp_path / "valid")
    assert like_splits(ImageNetDataset(tmp_path, True)) == ""
    assert like_splits(SyntheticDataset(4, 2, 8, classes=["cat", "test"])) == ""


@pytest.mark.parametrize(
    ("trained", "evaluated", "line"),
    [
        ("d/train", "d/Validation", ""),
        ("d/train2017", "d/val2017/", "'train2017' is taken for train, 'val2017' is taken for val"),
        ("d/train", "d/dev", "'dev' is taken for val"),
        ("d/pictures", "", ""),
    ],
)
def test_a_name_that_is_not_plain_is_told(trained: str, evaluated: str, line: str) -> None:
    collect = EasyDict(learn_data_path=trained, eval_data_path=evaluated)
    origins = {f"policy.collect.{key}": "override x" for key in collect}
    assert taken_splits(collect, origins) == line
    assert taken_splits(collect, dict.fromkeys(origins, "a.py:1")) == ""


def test_images_on_both_sides_are_counted_in_one_line(picture_folder: Path) -> None:
    trained, evaluated = (ImageNetDataset(picture_folder / name, False) for name in ("train", "val"))
    assert images_on_both_sides(EasyDict(val=None), trained, evaluated) == ""
    copied = picture_folder / "val" / "fir" / "003.png"
    shutil.copy(picture_folder / "train" / "fir" / "007.png", copied)
    assert images_on_both_sides(EasyDict(val=None), trained, evaluated) == (
        f"policy.collect.eval_data_path: 1 of 20 evaluation images are trained on too, as '{copied}' "
        f"(there '{picture_folder}/train/fir/007.png'); remove them from one side"
    )
    assert images_on_both_sides(EasyDict(val={}), trained, trained) == (
        f"policy.collect.val: 40 of 40 evaluation images are trained on too, as "
        f"'{picture_folder}/train/ash/000.png'; remove them from one side"
    )


def test_test_images_that_are_trained_on_are_counted(picture_folder: Path) -> None:
    cfg = checked_config(
        {"policy": {"collect": {f"{name}_data_path": str(picture_folder / split) for name, split in SETS}}}
    )
    trained = ImageNetDataset(picture_folder / "train", False)
    assert not has_test_folder(cfg.policy.collect)
    shutil.copytree(picture_folder / "val", picture_folder / "Testing")
    assert has_test_folder(cfg.policy.collect)
    assert trained_test_images(cfg, trained) == ""
    copied = picture_folder / "Testing" / "fir" / "003.png"
    shutil.copy(picture_folder / "train" / "fir" / "007.png", copied)
    line = (
        f"1 of 20 test images are trained on too, as '{copied}' "
        f"(there '{picture_folder}/train/fir/007.png'); remove them from one side"
    )
    assert line in remarks_on_sets(cfg, trained, trained, origins={})
    # What cannot be read is told by the evaluation.
    (picture_folder / "Testing" / "yew").mkdir()
    assert trained_test_images(cfg, trained) == ""


def test_a_dry_run_tells_of_the_data_what_the_run_will(picture_folder: Path, workdir: Path) -> None:
    (picture_folder / "val").rename(picture_folder / "val2017")
    shutil.copy(picture_folder / "train" / "fir" / "007.png", picture_folder / "val2017" / "fir")
    shutil.rmtree(picture_folder / "val2017" / "ash")
    overrides = [f"policy.collect.{name}_size=32" for name in ("image", "resize")]
    overrides += ["policy.cuda=False", "policy.learn.learner.dataloader.num_workers=0"]
    remarks = dry_run(data=picture_folder, model="squeezenet1_1", epochs=1, overrides=overrides).remarks
    for told in ("'val2017' is taken for val", "1 of 4 classes have no", "1 of 16 evaluation images"):
        assert sum(told in each for each in remarks) == 1


def test_a_dataset_without_a_list_of_labels_is_not_compared() -> None:
    assert missing_classes(SyntheticDataset(4, 2, 8), object()) == ""


def test_a_run_warns_of_a_class_that_is_not_evaluated(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(picture_folder / "val" / "fir")
    copied = str(shutil.copy(picture_folder / "train" / "ash" / "007.png", picture_folder / "val" / "ash"))
    run_tiny(picture_folder, "run", "policy.learn.learner.dataloader.num_workers=0")
    lines = capsys.readouterr().out.splitlines()
    assert "1 of 4 classes have no evaluation image: 'fir'" in lines
    assert (
        sum("1 of 16 evaluation images are trained on too" in each and copied in each for each in lines) == 1
    )


def test_labels_of_another_kind_than_those_of_training_are_told():
    dataset = ArrayDataset(images=np.zeros((2, 4, 4), np.uint8), labels=np.array([0, 1]))
    assert other_labels("several", dataset).startswith(
        "an image has several labels in training and one label"
    )
    assert other_labels("one", dataset) == other_labels("", dataset) == ""
