"""Texts with one entry a line."""

from pathlib import Path

import pytest

from ding_cls.errors import DataError
from ding_cls.images.tables.lists import read_class_names, read_lines, read_pairs


def written(folder: Path, text: str, name: str = "list.txt") -> str:
    path = folder / name
    path.write_text(text, "utf-8-sig")
    return str(path)


def test_the_last_word_of_a_line_is_its_label(tmp_path: Path) -> None:
    path = written(tmp_path, "a.png 1\n\nmy cat/b.png dog\n")
    assert read_pairs(path) == (
        ["a.png", "my cat/b.png"],
        ["1", "dog"],
        [f"{path!r}, line 1", f"{path!r}, line 3"],
    )
    with pytest.raises(DataError, match=r"line 2: 'b\.png' is not of the form 'path label'"):
        read_pairs(written(tmp_path, "a.png 1\nb.png\n"))


def test_class_names_are_lines_or_json(tmp_path: Path) -> None:
    assert read_class_names(written(tmp_path, "cat\n\n big dog \n")) == ["cat", "big dog"]
    assert read_class_names(written(tmp_path, '{"cat": 1}', "c.JSON")) == {"cat": 1}
    for text, reason in (("{", "is no JSON"), ('"cat"', "holds neither a list nor a map")):
        with pytest.raises(DataError, match=reason):
            read_class_names(written(tmp_path, text, "c.json"))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"\xe9t\xe9\n")
    with pytest.raises(DataError, match=r"the list '.*latin\.txt' cannot be read: it is no text in UTF-8"):
        read_lines(tmp_path / "latin.txt", "list")
    with pytest.raises(DataError, match=r"the list .*gone. cannot be read: No such file"):
        read_lines(tmp_path / "gone", "list")
