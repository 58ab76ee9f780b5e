"""A description of a dataset, moved to other data: its lists, its wrappers, its published form."""

from pathlib import Path
from typing import Any

import pytest

from ding_cls.errors import DataError
from ding_cls.pipeline.datasets.data_folder import DataFolder, has_folder, is_file
from tests.conftest import write_pictures
from tests.pipeline.datasets.sections import LOAD, NORMALIZE

NAMES = ("ash", "birch")
OWN = {"type": "CustomDataset", "data_prefix": "own/val", "pipeline": [LOAD]}
LISTS = {"ann_file": "own/meta/val.txt", "classes": "own/classes.txt"}


@pytest.fixture
def data(workdir: Path) -> Path:
    for split in ("train", "val"):
        write_pictures(Path("new", split), classes=NAMES, per_class=1)
    return Path("new")


def moved(section: dict[str, Any], split: str = "val", **arguments: Any) -> tuple[Any, str, list[str]]:
    folder = DataFolder(Path("new"), arguments.pop("origins", {}))
    return *folder.described(section, split, **arguments), folder.replaced


@pytest.mark.parametrize("kind", ["CustomDataset", "ImageNet", "ImageNet21k"])
@pytest.mark.parametrize("prefix", ["own/val", "", "/abs/own/val", "own/val/"])
def test_lists_of_the_configs_own_data_are_left_out(data: Path, kind: str, prefix: str) -> None:
    section, path, replaced = moved({**OWN, **LISTS, "type": kind, "data_prefix": prefix})
    assert section == {"type": kind, "pipeline": [LOAD]}
    assert path == "new/val"
    assert replaced == ["val.ann_file", "val.classes"]


def test_a_list_that_lies_in_the_folder_is_read(data: Path) -> None:
    (data / "meta").mkdir()
    (data / "meta" / "val.txt").write_text("a.png 0\n")
    section, path, replaced = moved({**OWN, **LISTS})
    assert (section["ann_file"], path) == ("new/meta/val.txt", "new/val")
    assert "classes" not in section
    assert replaced == []


def test_a_list_beside_the_images_of_a_split_is_read(data: Path) -> None:
    (data / "train" / "list.txt").write_text("a.png 0\n")
    own = {**OWN, "data_prefix": "own/train", "ann_file": "own/train/list.txt"}
    section, path, _ = moved(own, "train", folder=data / "train")
    assert (section["ann_file"], path) == ("new/train/list.txt", "new/train")


def test_a_list_outside_of_the_own_data_is_not_looked_for_outside(data: Path) -> None:
    Path("val.txt").write_text("a.png 0\n")
    section, _, replaced = moved({**OWN, "data_prefix": "a/b", "ann_file": "../val.txt"})
    assert "ann_file" not in section
    assert replaced == ["val.ann_file"]


def test_images_outside_of_the_list_s_folder_are_not_read_by_a_path_that_leads_out(data: Path) -> None:
    (data / "meta").mkdir()
    (data / "meta" / "val.txt").write_text("a.png 0\n")
    # Below the folder the relative path to these images leads to what is beside it.
    Path("old", "val").mkdir(parents=True)
    prefix = str(Path("..", "old", "val"))
    section, path, _ = moved({**OWN, "data_prefix": str(Path(prefix).resolve()), "ann_file": "meta/val.txt"})
    assert (section["ann_file"], path) == ("new/meta/val.txt", "new/val")
    several = [{**OWN, "data_prefix": prefix}, {**OWN, "data_prefix": "train"}]
    assert moved({"type": "ConcatDataset", "datasets": several})[1] == "new/val"


def test_what_is_typed_stays(data: Path) -> None:
    origins = {"policy.collect.val.ann_file": "override data.val.ann_file=mine.txt"}
    section, path, replaced = moved({**OWN, **LISTS, "ann_file": "mine.txt"}, origins=origins)
    assert (section["ann_file"], path, replaced) == ("mine.txt", "new/val", [])


@pytest.mark.parametrize(
    ("classes", "kept"), [(["x", "y"], False), (["birch", "ash"], True), (["ash", "x"], True)]
)
def test_class_names_of_other_data_are_left_out(data: Path, classes: list[str], kept: bool) -> None:
    section, _, replaced = moved({**OWN, "classes": classes})
    assert ("classes" in section, replaced) == (kept, [] if kept else ["val.classes"])


@pytest.mark.parametrize("wrapper", [{"type": "RepeatDataset", "times": 2}, {"type": "ClassBalancedDataset"}])
def test_wrappers_stay_around(data: Path, wrapper: dict[str, Any]) -> None:
    section, path, replaced = moved({**wrapper, "dataset": {**OWN, **LISTS}}, "train")
    assert section == {**wrapper, "dataset": {"type": "CustomDataset", "pipeline": [LOAD]}}
    assert (path, replaced) == ("new/train", ["train.dataset.ann_file", "train.dataset.classes"])


def test_of_several_datasets_the_first_is_read_unless_each_is_there(data: Path) -> None:
    both = [{**OWN, "data_prefix": f"own/{name}"} for name in ("one", "two")]
    several = {"type": "ConcatDataset", "datasets": both, "separate_eval": False}
    section, path, replaced = moved(several)
    assert (section, path) == ({"type": "CustomDataset", "pipeline": [LOAD]}, "new/val")
    assert replaced == ["the 2 datasets of val (the first is read)"]
    for name in ("one", "two"):
        write_pictures(data / name, classes=NAMES, per_class=1)
    section, path, replaced = moved(several)
    assert (path, replaced) == ("", [])
    assert [each["data_prefix"] for each in section["datasets"]] == ["new/one", "new/two"]


@pytest.mark.parametrize("kind", ["CUB", "StanfordCars", "CIFAR10", "CIFAR100", "MNIST", "FashionMNIST"])
def test_class_folders_take_the_place_of_published_files(data: Path, kind: str) -> None:
    own = {"type": kind, "data_prefix": "own", "pipeline": [LOAD], "test_mode": True, "ann_file": "own/i.txt"}
    section, path, replaced = moved({**own, "train_test_split_file": "own/s.txt"})
    assert section == {"type": "CustomDataset", "pipeline": [LOAD], "test_mode": True}
    assert (path, replaced) == ("new/val", [f"val.type={kind} (class folders are read)"])


@pytest.mark.parametrize(
    ("kind", "file", "images"),
    [
        ("CUB", "images.txt", "new/images"),
        ("StanfordCars", "cars_annos.mat", "new"),
        ("StanfordCars", "devkit/cars_meta.mat", "new"),
        ("VOC", "Annotations/1.xml", "new"),
        ("CIFAR10", "cifar-10-batches-py/test_batch", "new"),
        ("CIFAR100", "meta", "new/val"),
        ("MNIST", "raw/t10k-labels-idx1-ubyte.gz", "new"),
    ],
)
def test_a_published_form_is_read_as_it_is(data: Path, kind: str, file: str, images: str) -> None:
    (data / file).parent.mkdir(parents=True, exist_ok=True)
    (data / file).touch()
    section, path, _ = moved({"type": kind, "data_prefix": "own", "pipeline": []})
    assert path == images
    assert (section["type"] == kind) == (images != "new/val")


def test_lists_of_a_published_form_move_with_it(data: Path) -> None:
    (data / "images.txt").touch()
    own = {"type": "CUB", "data_prefix": "own/images", "ann_file": "own/images.txt", "a_file": "own/none.txt"}
    section, path, _ = moved(own)
    assert (section, path) == ({"type": "CUB", "ann_file": "new/images.txt"}, "new/images")


@pytest.mark.parametrize("kind", ["VOC", "MultiLabelDataset"])
def test_class_folders_cannot_say_several_labels(data: Path, kind: str) -> None:
    with pytest.raises(
        DataError, match=rf"^--data new: {kind} reads several labels of an image, and .* one$"
    ):
        moved({"type": kind, "data_prefix": "own", "ann_file": "own/a.txt", "pipeline": [LOAD]})
    (data / "a.txt").touch()
    section, path, _ = moved({"type": "MultiLabelDataset", "data_prefix": "own", "ann_file": "own/a.txt"})
    assert (section["ann_file"], path) == ("new/a.txt", "new")


def test_a_dataset_of_the_users_own_keeps_its_list(data: Path) -> None:
    own = {"type": "NotImportedYet", "data_prefix": "own/val", "ann_file": "own/list.json", "mine": 1}
    section, path, _ = moved(own)
    assert (section["ann_file"], section["mine"], path) == ("own/list.json", 1, "new/val")
    (data / "list.json").touch()
    assert moved(own)[0]["ann_file"] == "new/list.json"


def test_other_datasets_of_ours_are_moved_alone(data: Path) -> None:
    section, path, replaced = moved({"type": "CSVDataset", "ann_file": "own.csv", "pipeline": [NORMALIZE]})
    assert (section["ann_file"], path, replaced) == ("own.csv", "new/val", [])


def test_a_folder_without_the_split_is_an_error(data: Path) -> None:
    with pytest.raises(DataError, match="has no folder 'test'"):
        moved(OWN, "test")
    assert (has_folder(data, "val"), has_folder(data, "test")) == (True, False)
    assert is_file("train_test_split_file", "a.txt")
    assert not is_file("classes", ["a"])
