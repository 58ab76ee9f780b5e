"""A table's rows as images and labels; `tests/data/datasets/test_csv.py` has what a dataset makes of them."""

from pathlib import Path

import pytest

from ding_cls.errors import DataError
from ding_cls.images.tables.columns import find_columns
from ding_cls.images.tables.label_table import LabelTable, chosen_split, words_of_splits
from ding_cls.images.tables.reading import read_table


def written(folder: Path, text: str) -> str:
    (folder / "t.csv").write_text(text)
    return str(folder / "t.csv")


def test_rows_have_a_path_a_label_and_what_they_say_more(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").touch()
    file = written(tmp_path, "path,label,weight,group\na.png,yew,2,x\nb.png,fir,1,y\n")
    table = LabelTable(file)
    assert (table.classes, table.folder) == (("fir", "yew"), str(tmp_path))
    assert [(each.path, int(each.label)) for each in table.samples] == [("a.png", 1), ("b.png", 0)]
    assert table.samples[0].more == {"weight": 2.0, "group": "x"}
    with pytest.raises(DataError, match="'yew' is none of the 1 classes"):
        LabelTable(file, classes=["fir"])


def test_words_of_splits(tmp_path: Path) -> None:
    def words(*cells: str) -> dict[str, str]:
        rows = "".join(f"a.png,fir,{each}\n" for each in cells)
        file = written(tmp_path, "path,label,split\n" + rows)
        return words_of_splits(file, find_columns(file, read_table(file)))

    assert words("Training", "dev") == {"train": "Training", "val": "dev"}
    with pytest.raises(DataError, match="'dev' and 'val' in the column 'split' mean one split"):
        words("train", "dev", "val")
    with pytest.raises(DataError, match=r"its column 'split' says .*; it says train, val or test"):
        words("left", "right")


def test_the_split_to_evaluate() -> None:
    assert chosen_split("t.csv", ["train", "test"], None) == "test"
    assert chosen_split("t.csv", ["test", "val"], None) == "val"
    assert chosen_split("t.csv", ["train"], None) == ""
    with pytest.raises(DataError, match="nothing for validation: it has train"):
        chosen_split("t.csv", ["train"], None, has_all=False)
