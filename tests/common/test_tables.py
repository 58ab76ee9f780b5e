"""Tables as files."""

import csv
import json
import os
from pathlib import Path

import pytest

from ding_cls.common.tables import checked_ending, write_json, write_table
from ding_cls.errors import ConfigError, DataError, DiskError

COLUMNS = ("path", "score", "correct", "labels")
ODD = [
    "a,b.png",
    'say "x".png',
    "two\nlines",
    "a\rb",
    "a\r\nb",
    "",
    " ",
    "käse|brot",
    os.fsdecode(b"\xff\xfe.png"),
]
ROWS = [(name, 0.5, index % 2 == 0, [1, 2]) for index, name in enumerate(ODD)]


def test_every_name_survives_a_csv_file(tmp_path: Path) -> None:
    write_table(tmp_path / "t.CSV", COLUMNS, ROWS)
    with open(tmp_path / "t.CSV", encoding="utf-8", errors="surrogateescape", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["path"] for row in found] == ODD
    assert [row["correct"] for row in found] == ["1", "0"] * 4 + ["1"]
    assert {(row["score"], row["labels"]) for row in found} == {("0.5", "1|2")}
    assert b"\xff\xfe.png,0.5,1,1|2\n" in (tmp_path / "t.CSV").read_bytes()


def test_every_name_survives_a_json_file(tmp_path: Path) -> None:
    write_table(tmp_path / "t.json", COLUMNS, ROWS)
    found = json.loads((tmp_path / "t.json").read_bytes())
    assert found == [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    assert os.fsencode(found[-1]["path"]) == b"\xff\xfe.png"


def test_nothing_is_an_empty_cell_or_null(tmp_path: Path) -> None:
    rows = [(None, float("nan"), [], [None, "x", True])]
    write_table(tmp_path / "t.csv", ("a", "b", "c", "d"), rows)
    assert (tmp_path / "t.csv").read_text() == "a,b,c,d\n,nan,,|x|1\n"
    write_table(tmp_path / "t.json", ("a", "b", "c", "d"), rows)
    found = json.loads((tmp_path / "t.json").read_text())
    assert found == [{"a": None, "b": None, "c": [], "d": [None, "x", True]}]
    write_json(tmp_path / "v.json", {"loss": float("inf"), "all": [1.5, float("nan")]})
    assert json.loads((tmp_path / "v.json").read_text()) == {"loss": None, "all": [1.5, None]}


@pytest.mark.parametrize("name", ["results", "results.txt", "results.csv.gz", ".csv"])
def test_an_ending_that_says_no_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"must end in \.csv, \.json or \.parquet: the ending decides the format"
    ):
        write_table(tmp_path / name, COLUMNS, ROWS)
    assert os.listdir(tmp_path) == []


def test_three_endings_are_listed() -> None:
    assert checked_ending("a/b.JSON", (".csv", ".json", ".npz")) == ".json"
    with pytest.raises(ConfigError, match=r"'a\.pkl' must end in \.csv, \.json or \.npz: "):
        checked_ending("a.pkl", (".csv", ".json", ".npz"))


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    for name in ("t.csv", "t.json"):
        with pytest.raises(
            DiskError, match=rf"{name}' could not be written: No space left on device; there are "
        ):
            write_table(tmp_path / name, COLUMNS, ROWS)
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv' is a folder; name a file"):
        write_table(tmp_path / "folder.csv", COLUMNS, ROWS)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/a/t\.csv' cannot be written: '.*/file' is a file$"):
        write_table(tmp_path / "file" / "a" / "t.csv", COLUMNS, ROWS)
