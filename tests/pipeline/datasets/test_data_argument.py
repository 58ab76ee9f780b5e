"""``--data DIR`` over a whole config: with and without validation, with a test set, before it is built."""

from pathlib import Path
from typing import Any

import pytest

from ding_cls.config.origins import FileNotes, NativeConfig
from ding_cls.errors import DataError
from ding_cls.pipeline.datasets.data_argument import lay_data_folder
from tests.conftest import write_pictures
from tests.pipeline.datasets.sections import LOAD, TRAIN

VALIDATE = "policy.eval.evaluator.validate"
PIPELINE = {"type": "ImageNet", "pipeline": [LOAD]}
LISTED = {**PIPELINE, "ann_file": "own/meta/val.txt"}


@pytest.fixture
def data(workdir: Path) -> Path:
    for split in ("train", "val"):
        write_pictures(Path("new", split), classes=("ash", "birch"), per_class=1)
    return Path("new")


def laid(
    collect: dict[str, Any],
    data: str = "new",
    words: tuple[str, ...] = (),
    is_openmmlab: bool = False,
    **arguments: Any,
) -> tuple[dict[str, Any], dict[str, str], FileNotes]:
    notes = FileNotes(is_openmmlab=is_openmmlab)
    native = NativeConfig({"policy": {"collect": dict(collect)}}, {}, [])
    given = lay_data_folder(native, data, words=words, notes=notes, **arguments)
    return native.cfg["policy"]["collect"], {key.rpartition(".")[2]: given[key] for key in given}, notes


def test_folders_are_told_by_their_keys(data: Path) -> None:
    collect, given, notes = laid({})
    assert given == {"learn_data_path": "new/train", "eval_data_path": "new/val"}
    assert (collect, notes.data, notes.replaced) == ({}, "new", [])


def test_lists_of_training_and_validation_give_way(data: Path) -> None:
    own = {"learn_data_path": "own/train", "eval_data_path": "own/val", "train": LISTED, "val": LISTED}
    collect, given, notes = laid(own)
    assert (collect["train"], collect["val"]) == (PIPELINE, PIPELINE)
    assert given == {"learn_data_path": "new/train", "eval_data_path": "new/val"}
    assert notes.replaced == ["train.ann_file", "val.ann_file"]


@pytest.mark.parametrize("words", [(f"{VALIDATE}=False",), (f"{VALIDATE} = false",)])
def test_without_validation_its_folder_may_be_missing(data: Path, words: tuple[str, ...]) -> None:
    (data / "val").rename("elsewhere")
    own = {"eval_data_path": "own/val", "train": PIPELINE, "val": LISTED}
    collect, given, notes = laid(own, words=words)
    assert given == {"learn_data_path": "new/train", "eval_data_path": ""}
    assert collect["val"] == PIPELINE
    assert notes.replaced == []
    with pytest.raises(DataError, match="has no folder 'val'"):
        laid(own)


def test_a_config_may_say_itself_that_nothing_is_validated(data: Path) -> None:
    (data / "val").rename("elsewhere")
    native = NativeConfig({"policy": {"eval": {"evaluator": {"validate": False}}}}, {}, [])
    given = lay_data_folder(native, "new", words=(), notes=FileNotes())
    assert given == {"policy.collect.learn_data_path": "new/train"}


def test_validation_that_is_not_described_follows_test_or_training(data: Path) -> None:
    train, test = {"type": "ImageNet", "pipeline": TRAIN}, {**LISTED, "data_prefix": "own/val"}
    collect, _, _ = laid({"train": train, "test": test}, is_openmmlab=True)
    assert collect["val"] == PIPELINE
    # In our own spelling it is a folder.
    collect, given, _ = laid({"train": train})
    assert (collect.get("val"), given["eval_data_path"]) == (None, "new/val")
    collect, _, _ = laid({"train": train}, is_openmmlab=True)
    assert [each["type"] for each in collect["val"]["pipeline"]][:3] == [
        "LoadImageFromFile",
        "Resize",
        "CenterCrop",
    ]


def test_the_test_set_is_that_of_validation_where_the_config_says_so(data: Path) -> None:
    own = {"eval_data_path": "own/val", "val": LISTED, "test": {**LISTED, "data_prefix": "own/val/"}}
    assert laid(own)[0]["test"] == {**PIPELINE, "data_prefix": "new/val"}
    own["test"] = {**LISTED, "data_prefix": "own/test"}
    assert "test" not in laid(own)[0]
    write_pictures(data / "test", classes=("ash", "birch"), per_class=1)
    assert laid(own)[0]["test"] == {**PIPELINE, "data_prefix": "new/test"}
    own["test"] = {"type": "CSVDataset", "ann_file": "t.csv"}
    assert laid(own)[0]["test"]["ann_file"] == "t.csv"


def test_a_cross_validation_takes_class_folders_alone(data: Path) -> None:
    own = {"eval_data_path": "own/val", "train": LISTED, "val": LISTED}
    collect, given, _ = laid(own, "new/train", only_training=True)
    assert given == {"learn_data_path": "new/train", "eval_data_path": ""}
    assert (collect["train"], collect["val"]) == (PIPELINE, PIPELINE)
    _, given, _ = laid({}, only_training=True)
    assert given == {"learn_data_path": "new/train", "eval_data_path": "new/val"}


@pytest.mark.parametrize("data_word", ["new", "new/train"])
def test_parts_of_one_dataset_are_taken_from_one_folder(data: Path, data_word: str) -> None:
    parts = [{"type": "KFoldDataset", "dataset": LISTED, "test_mode": is_test} for is_test in (False, True)]
    collect, given, _ = laid({"train": parts[0], "val": parts[1]}, data_word)
    assert given == {"learn_data_path": "new/train", "eval_data_path": "new/train"}
    assert collect["val"] == {"type": "KFoldDataset", "dataset": PIPELINE, "test_mode": True}
