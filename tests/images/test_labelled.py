"""Labelled images of folders."""

from pathlib import Path

import pytest

from ding_cls.errors import DataError
from ding_cls.images.labelled import check_has_split, is_one_split, labelled_folder
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
    assert images.remarks == (f"left out of '{tmp_path / name}': 1 .txt",)


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
