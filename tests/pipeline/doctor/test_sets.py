"""Which datasets the doctor looks at: each split of a folder by its own classes, a table, a config."""

from pathlib import Path

import pytest

from ding_cls.errors import ConfigError
from ding_cls.pipeline.doctor.sets import sets_of_config, sets_of_data
from tests.conftest import write_pictures


def test_splits_of_a_folder_may_have_other_classes(picture_folder: Path) -> None:
    (picture_folder / "val" / "ash").rename(picture_folder / "val" / "Ash")
    (picture_folder / "train" / "elm").mkdir()
    given = sets_of_data(str(picture_folder))
    assert [(each.name, each.classes) for each in given.splits()] == [
        ("train", ("ash", "birch", "cedar", "elm", "fir")),
        ("val", ("Ash", "birch", "cedar", "fir")),
    ]


def test_one_folder_of_classes_has_no_splits(picture_folder: Path) -> None:
    given = sets_of_data(str(picture_folder / "train"))
    assert {name: len(each) for name, each in given.sets.items()} == {"": 40}


def test_a_table_by_its_column_and_by_its_siblings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A table's images are sought beside its folder too, where those of other tests lie.
    (tmp_path / "table").mkdir()
    monkeypatch.chdir(tmp_path / "table")
    Path("t.csv").write_text("path,label,split\na.png,x,train\nb.png,y,test\n")
    assert {name: len(each) for name, each in sets_of_data("t.csv").sets.items()} == {"train": 1, "test": 1}
    for name in ("train", "val"):
        Path(f"{name}.csv").write_text(f"path,label\n{name}.png,x\n")
    assert list(sets_of_data("train.csv").sets) == ["train", "val"]


def test_the_sets_of_a_config_and_its_steps(picture_folder: Path) -> None:
    write_pictures(picture_folder / "test", classes=("ash",), per_class=3)
    words = [
        f"policy.collect.learn_data_path={picture_folder}/train",
        f"policy.collect.eval_data_path={picture_folder}/val",
        "policy.collect.image_size=24",
    ]
    Path("c.py").write_text("policy = dict(learn=dict(train_epoch=1))\n")
    given = sets_of_config("c.py", words)
    assert {name: len(each) for name, each in given.sets.items()} == {"train": 40, "val": 20, "test": 3}
    assert given.steps[-1] == {"type": "CenterCrop", "crop_size": 24}
    with pytest.raises(ConfigError, match="generates its images"):
        sets_of_config("c.py", ["policy.collect.synthetic=True"])
