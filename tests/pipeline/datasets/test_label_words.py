"""Classes called by numbers: the same images have the same labels whatever lists them, or are refused."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ding_cls.errors import DataError
from ding_cls.pipeline.datasets.splits import evaluation_set, training_set
from tests.conftest import write_pictures
from tests.pipeline.datasets.sections import compiled

TWELVE = tuple(sorted(map(str, range(12))))
CODES = ("001", "002", "010")
ARRAYS = [{"type": "Resize", "size": 8}]


def rows(classes: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(f"{name}/000.png", name) for name in classes]


def written(kind: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """Write a list of one image of each class, and return the section that reads it."""
    listed, root = rows(classes), {"data_prefix": "d/val"}
    if kind == "csv":
        Path("own.csv").write_text("\n".join(["path,label", *(f"{path},{name}" for path, name in listed)]))
        return {"type": "CSVDataset", "ann_file": "own.csv", **root}
    if kind == "several":
        return {**written("csv", classes), "labels": "several"}
    if kind == "json":
        entries = [{"img_path": path, "gt_label": [name]} for path, name in listed]
        Path("own.json").write_text(json.dumps({"data_list": entries}))
        return {"type": "MultiLabelDataset", "ann_file": "own.json", **root}
    if kind == "npz":
        images = np.zeros((len(classes), 8, 8, 3), np.uint8)
        np.savez("own.npz", images=images, labels=np.array(classes), classes=np.array(classes[::-1]))
        return {"type": "NpzDataset", "data_prefix": "own.npz", "pipeline": ARRAYS}
    Path("own.txt").write_text("\n".join(f"{path} {name}" for path, name in listed))
    return {"type": kind, "ann_file": "own.txt", **root}


@pytest.mark.parametrize("classes", [TWELVE, CODES, ("1", "2", "3"), ("10234", "777", "cat")])
@pytest.mark.parametrize("kind", ["csv", "several", "json", "npz", "CustomDataset", "ImageNet"])
def test_every_list_gives_an_image_the_class_of_its_folder(
    workdir: Path, kind: str, classes: tuple[str, ...]
) -> None:
    write_pictures(workdir / "d" / "val", classes=classes, per_class=1)
    cfg = compiled(eval_data_path="d/val", test=written(kind, classes))
    by_folder = evaluation_set(cfg, "val", classes)
    by_list = evaluation_set(cfg, "test", classes)
    found = [by_list.get_cat_ids(index) for index in range(len(by_list))]
    assert found == [[target] for target in by_folder.targets]


@pytest.mark.parametrize("labels", [range(12), range(3)])
def test_numbers_of_an_array_that_could_be_names_are_refused(workdir: Path, labels: range) -> None:
    np.savez("own.npz", images=np.zeros((len(labels), 8, 8, 3), np.uint8), labels=np.array(labels))
    cfg = compiled(test={"type": "NpzDataset", "data_prefix": "own.npz", "pipeline": ARRAYS})
    names = TWELVE if len(labels) == 12 else ("1", "2", "3")
    with pytest.raises(DataError, match=r"own\.npz': the label \d is '\d+' by its position .* by its name"):
        evaluation_set(cfg, "test", names)
    identity = tuple(map(str, labels))
    assert evaluation_set(cfg, "test", identity).targets == list(labels)


def test_positions_are_told_and_names_of_two_forms(workdir: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_pictures(workdir / "d" / "train", classes=("Dog", "cat", "dog"), per_class=1)
    Path("own.csv").write_text("path,label\n0.png,0\n1.png,2\n")
    cfg = compiled(learn_data_path="d/train", test={"type": "CSVDataset", "ann_file": "own.csv"})
    train_set = training_set(cfg)
    assert evaluation_set(cfg, "test", train_set.classes).targets == [0, 2]
    assert [(record.levelno, record.getMessage().split(";")[0]) for record in caplog.records] == [
        (logging.WARNING, "'Dog' and 'dog' are two classes and one word in two forms"),
        (
            logging.WARNING,
            "'own.csv', line 2: '0' is no class's name, so labels are positions: 0 is 'Dog', 1 is 'cat', "
            "2 is 'dog'",
        ),
    ]


def test_a_folder_in_another_form_of_its_name_is_named(workdir: Path) -> None:
    write_pictures(workdir / "d" / "val", classes=("e\u0301lan", "1"), per_class=1)
    cfg = compiled(eval_data_path="d/val")
    with pytest.raises(DataError, match=r"it is '.lan' .* in another Unicode form; rename one"):
        evaluation_set(cfg, "val", ("1", "\u00e9lan"))
    with pytest.raises(DataError, match=r"val/1' is none of the 2 classes; did you mean '001'\?"):
        evaluation_set(cfg, "val", ("001", "e\u0301lan"))
