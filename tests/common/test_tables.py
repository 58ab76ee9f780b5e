"""Tables as files."""

import csv
import json
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from ding_cls.common import tables
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


def test_every_name_and_type_survives_a_parquet_file(tmp_path: Path) -> None:
    types = (str, float, bool, list[int])
    write_table(tmp_path / "t.parquet", COLUMNS, ROWS, types=types)
    found = parquet.read_table(tmp_path / "t.parquet")
    assert [str(field.type) for field in found.schema] == [
        *("string", "double", "bool", "list<element: int64>"),
    ]
    # As in a JSON file, the byte is an escape.
    shown = [name.encode("utf-8", "backslashreplace").decode() for name in ODD]
    assert shown[-1] == r"\udcff\udcfe.png"
    assert found.to_pylist() == [
        dict(zip(COLUMNS, (name, *row[1:]), strict=True)) for name, row in zip(shown, ROWS, strict=True)
    ]


def test_what_is_missing_is_null_in_any_type(tmp_path: Path) -> None:
    types = (str, int, np.float32, list[str], list[np.float32])
    rows = [(None,) * 5, ("x", 1, np.float32(0.1), [None, "y"], []), (None,) * 5]
    write_table(tmp_path / "t.parquet", "abcde", rows, types=types)
    found = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert found[0] == found[2] == dict.fromkeys("abcde")
    assert found[1] == {"a": "x", "b": 1, "c": np.float32(0.1), "d": [None, "y"], "e": []}
    write_table(tmp_path / "none.parquet", "ab", [], types=(str, int))
    assert parquet.read_table(tmp_path / "none.parquet").schema.names == ["a", "b"]


def test_a_parquet_file_is_written_in_groups_and_not_at_all_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_CELLS_OF_A_GROUP", 20)
    write_table(tmp_path / "t.parquet", "ab", ((number, number) for number in range(25)), types=(int, int))
    file = parquet.ParquetFile(tmp_path / "t.parquet")
    assert (file.num_row_groups, file.read().column("a").to_pylist()) == (3, list(range(25)))
    with pytest.raises(ZeroDivisionError):
        write_table(
            tmp_path / "u.parquet", "a", ((1 // (15 - number),) for number in range(25)), types=(int,)
        )
    assert os.listdir(tmp_path) == ["t.parquet"]


def test_without_pyarrow_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ConfigError, match=r"pyarrow, which is not installed: pip install 'ding_cls\[parquet\]'"
    ):
        checked_ending("a.parquet")
    assert checked_ending("a.csv") == ".csv"


@pytest.mark.slow
def test_many_rows_take_little_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    rows = ((f"photos/{number:09d}.jpg", number, 0.5) for number in range(200_000))
    write_table(tmp_path / "t.parquet", "abc", rows, types=(str, int, float))
    assert tracemalloc.get_traced_memory()[1] < 60e6
    tracemalloc.stop()
    assert parquet.ParquetFile(tmp_path / "t.parquet").metadata.num_rows == 200_000
