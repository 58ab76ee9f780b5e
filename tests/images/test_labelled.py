"""Labelled images of folders."""

from pathlib import Path

import pytest

from ding_cls.data import CSVDataset, ImageNetDataset
from ding_cls.data.datasets.digest import SampleList
from ding_cls.errors import DataError
from ding_cls.images.labelled import check_has_split, is_one_split, labelled_folder, labelled_images
from tests.conftest import write_pictures

CLASSES = ("ash", "fir")


@pytest.mark.parametrize(
    ("name", "split", "found"),
    [("val", None, "val"), ("Validation", "val", "val"), ("test2017", "test", "test")],
)
def test_a_split_may_have_any_of_its_names(tmp_path: Path, name: str, split: str | None, found: str) -> None:
    write_pictures(tmp_path / name, classes=CLASSES, per_class=2)
    (tmp_path / name / "ash" / "notes.txt").touch()
    images = labelled_folder(tmp_path, split, CLASSES)
    assert (images.folder, images.split, images.kind) == (str(tmp_path / name), found, "one")
    assert images.targets.tolist() == [0, 0, 1, 1]
    assert [Path(each).parent.name for each in images.paths] == ["ash", "ash", "fir", "fir"]
    assert images.warning == f"left out of '{tmp_path / name}': 1 .txt"


def test_a_class_may_have_the_name_of_a_split(tmp_path: Path) -> None:
    write_pictures(tmp_path, classes=("dev", "fir"), per_class=1)
    assert is_one_split(tmp_path, ("dev", "fir"))
    assert labelled_folder(tmp_path, None, ("fir", "dev")).targets.tolist() == [1, 0]


def test_a_folder_that_may_be_meant_is_named(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match=r"no folder for validation; to evaluate on 'test': --split test"):
        check_has_split(tmp_path, None)
    (tmp_path / "my_valid_crops").mkdir()
    with pytest.raises(DataError, match=r"on 'my_valid_crops': --data .*my_valid_crops, without --split"):
        check_has_split(tmp_path, "val")
    check_has_split(tmp_path, "val", is_plain=False)


HEADERS = "path,label\n"


def table(folder: Path, text: str) -> Path:
    write_pictures(folder / "images", classes=("a", "b", "c"), per_class=1)
    (folder / "labels.csv").write_text(text)
    return folder / "labels.csv"


@pytest.mark.parametrize(
    ("labels", "trained", "kind", "targets"),
    [
        (("fir", "ash", "fir"), "one", "one", [1, 0, 1]),
        (("1", "0", "1"), "one", "one", [1, 0, 1]),
        (("fir|ash", "ash", ""), "several", "several", [[1, 1], [1, 0], [0, 0]]),
        (("fir", "ash", "fir"), "several", "several", [[0, 1], [1, 0], [0, 1]]),
        (("fir ash", "ash ash", "fir fir"), "tasks", "tasks", [[1, 0], [0, 0], [1, 1]]),
        (("01", "11", "10"), "tasks", "tasks", [[0, 1], [1, 1], [1, 0]]),
    ],
)
def test_a_table_has_the_labels_that_the_network_knows(
    tmp_path: Path, labels: tuple[str, ...], trained: str, kind: str, targets: list[object]
) -> None:
    rows = [f"images/{name}/000.png,{label}\n" for name, label in zip("abc", labels, strict=True)]
    images = labelled_images(table(tmp_path, HEADERS + "".join(rows)), None, CLASSES, trained=trained)
    assert (images.kind, images.targets.tolist(), images.split) == (kind, targets, None)
    assert all(Path(each).is_file() for each in images.paths)
    assert "path from 'path', label from 'label'" in images.note


def test_a_class_may_have_a_comma_in_its_name(tmp_path: Path) -> None:
    names = ("goldfish, Carassius auratus", "goldfish, Carassius gibelio")
    rows = [f'images/{each}/000.png,"{names[each == "b"]}"\n' for each in "abc"]
    images = labelled_images(table(tmp_path, HEADERS + "".join(rows)), None, names)
    assert (images.kind, images.targets.tolist()) == ("one", [0, 1, 0])
    several = labelled_images(tmp_path / "labels.csv", None, names, trained="several")
    assert several.targets.tolist() == [[1, 0], [0, 1], [1, 0]]


def test_columns_of_flags_are_classes(tmp_path: Path) -> None:
    rows = "path,ash,fir\nimages/a/000.png,1,0\nimages/b/000.png,1,1\n"
    images = labelled_images(table(tmp_path, rows), None, ("fir", "ash"), trained="several")
    assert (images.kind, images.targets.tolist()) == ("several", [[0, 1], [1, 1]])
    tasks = labelled_images(tmp_path / "labels.csv", None, ("0", "1"), trained="tasks")
    assert (tasks.kind, tasks.targets.tolist()) == ("tasks", [[1, 0], [1, 1]])
    # Of a network that answers one class they are that, where a single one of them is 1.
    assert labelled_images(tmp_path / "labels.csv", None, ("fir", "ash")).kind == "several"
    single = labelled_images(table(tmp_path, rows.replace("1,1", "0,1")), None, ("fir", "ash"))
    assert (single.kind, single.targets.tolist()) == ("one", [1, 0])


def test_a_table_has_its_splits(tmp_path: Path) -> None:
    rows = [
        f"images/{each}/000.png,{label},{split}\n"
        for each, label, split in (("a", "ash", "train"), ("b", "fir", "testing"), ("c", "ash", "testing"))
    ]
    file = table(tmp_path, "path,label,split\n" + "".join(rows))
    found = labelled_images(file, None, CLASSES)
    assert (found.split, found.targets.tolist()) == ("test", [1, 0])
    assert labelled_images(file, "train", CLASSES).targets.tolist() == [0]
    with pytest.raises(DataError, match="has nothing for validation: it has train and test"):
        labelled_images(file, "val", CLASSES)
    with pytest.raises(DataError, match=r"'yew' is none of the 2 classes|yew"):
        labelled_images(table(tmp_path, HEADERS + "images/a/000.png,yew\n"), None, CLASSES)
    with pytest.raises(DataError, match="has no column of splits; leave out --split val"):
        labelled_images(table(tmp_path, HEADERS + "images/a/000.png,ash\n"), "val", CLASSES)


def test_other_files_are_for_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a.npz").touch()
    with pytest.raises(
        DataError, match=r"a.npz' is no folder and no table .*: ding-cls eval CKPT --data FILE"
    ):
        labelled_images(tmp_path / "a.npz", None, CLASSES)


def test_the_digest_is_that_of_the_same_dataset(tmp_path: Path) -> None:
    write_pictures(tmp_path / "val", classes=CLASSES, per_class=2)
    images = labelled_images(tmp_path, None, CLASSES)
    assert images.digest == SampleList.of(ImageNetDataset(images.folder, False, classes=CLASSES)).digest
    text = "path,label\n./val/ash/000.png,ash|fir\nval/fir/001.png,fir\n"
    (tmp_path / "t.csv").write_text(text)
    several = labelled_images(tmp_path / "t.csv", None, CLASSES, trained="several")
    how = {"ann_file": tmp_path / "t.csv", "labels": "several", "separator": "|", "classes": CLASSES}
    assert several.digest == SampleList.of(CSVDataset(**how)).digest
    text = "path,first,second\nval/ash/000.png,ash,fir\nval/fir/001.png,fir,fir\n"
    (tmp_path / "t.csv").write_text(text)
    tasks = labelled_images(tmp_path / "t.csv", None, CLASSES, trained="tasks", num_tasks=2)
    how = {"ann_file": tmp_path / "t.csv", "label": ["first", "second"], "classes": CLASSES}
    assert tasks.digest == SampleList.of(CSVDataset(**how)).digest
