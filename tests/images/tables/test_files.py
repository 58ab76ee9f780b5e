import os
import re
import unicodedata

import pytest

from ding_cls.errors import DataError
from ding_cls.images.tables.files import FileNames, locate, missing_files


@pytest.fixture
def root(tmp_path):
    for name in ("a.png", "img/b.png", "img/C.JPG", "img/x 1.png", "deep/er/d.png"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("a.png", "a.png"),
        ("a", "a.png"),
        ("./img/b.png", "./img/b.png"),
        ("img\\b.png", "img/b.png"),
        (".\\img\\b", "./img/b.png"),
        ("IMG/c.jpg", "img/C.JPG"),
        ("img/x 1", "img/x 1.png"),
        ("Deep\\ER\\D.PNG", "deep/er/d.png"),
        ("b.png", None),
        ("img", None),
        ("img/b.jpg", None),
        ("", None),
        ("http://x.org/a.png", None),
    ],
)
def test_which_file_a_cell_means(root, cell, found):
    assert FileNames().find(str(root), cell) == found


def test_forms_of_accents_are_one_name(root):
    (root / unicodedata.normalize("NFD", "é.png")).touch()
    found = FileNames().find(str(root), unicodedata.normalize("NFC", "é"))
    assert unicodedata.normalize("NFC", found) == "é.png"


def test_two_files_for_one_cell_are_refused(root):
    (root / "a.jpg").touch()
    assert FileNames().find(str(root), "a.jpg") == "a.jpg"
    with pytest.raises(DataError, match=r"a' may be 'a\.jpg' or 'a\.png'; write the whole name"):
        FileNames().find(str(root), "a")


@pytest.mark.parametrize(
    ("names", "below", "found", "remark"),
    [
        (["a.png"], "", ["a.png"], ""),
        (["b.png", "gone.png"], "", ["b.png", "gone.png"], ""),
        (["b.png", "x 1.png"], "img", ["b.png", "x 1.png"], "the images are in '.*img'"),
        (
            ["b", "x 1"],
            "img",
            ["b.png", "x 1.png"],
            r"the images are in '.*img'; \.png is added to names without an ending",
        ),
        (
            ["C:\\Users\\me\\set\\img\\b.png", "C:\\Users\\me\\set\\img\\C.JPG"],
            "",
            ["img/b.png", "img/C.JPG"],
            r"paths that begin with 'C:\\\\Users\\\\me\\\\set\\\\' are read from '.*root'",
        ),
        (["/kaggle/in/b.png"], "img", ["b.png"], "paths that begin with '/kaggle/in/' are read from '.*img'"),
        (["d.png"], "deep/er", ["d.png"], "the images are in '.*deep/er'"),
        (["e.png"], "deep/er/est", None, ""),
        (["cat/b.png", "dog/C.JPG"], "", None, ""),
        (["A.PNG"], "", ["a.png"], "1 names differ in case or accents from the files', as 'A.PNG'"),
    ],
)
def test_where_the_images_of_a_table_are(root, names, below, found, remark):
    located = locate(names, str(root), is_named=False)
    assert located.names == (names if found is None else found)
    assert located.folder == os.path.join(root, below if found else "").rstrip("/")
    assert re.fullmatch(remark, "; ".join(located.remarks))


def test_a_folder_beside_is_taken_alone_where_it_is_the_only_one(root):
    (root / "other").mkdir()
    (root / "other" / "b.png").touch()
    with pytest.raises(DataError, match=r"are in '.*img' and in '.*other'; set data_prefix to one"):
        locate(["b.png"], str(root), is_named=False)
    assert locate(["b.png"], str(root / "img"), is_named=True).folder == str(root / "img")


def test_the_folder_images_beside_that_of_the_table_is_found(root):
    (root / "tables").mkdir()
    (root / "images").mkdir()
    (root / "images" / "q.png").touch()
    located = locate(["q.png"], str(root / "tables"), is_named=False)
    assert os.path.realpath(os.path.join(located.folder, located.names[0])) == os.path.realpath(
        root / "images" / "q.png"
    )


def test_names_are_sought_in_folders_that_hold_a_part_each(root):
    for part, name in (("part_1", "m"), ("part_2", "n")):
        (root / part / "all").mkdir(parents=True)
        (root / part / "all" / f"{name}.jpg").touch()
    (root / "part_2" / "all" / "o.jpg").touch()
    located = locate(["m", "n.jpg", "o"], str(root), is_named=False)
    assert located.folder == str(root)
    assert located.names == ["part_1/all/m.jpg", "part_2/all/n.jpg", "part_2/all/o.jpg"]
    assert located.remarks[0] == "the images are in 'part_1/all', 'part_2/all'"
    (root / "part_1" / "all" / "p.jpg").touch()
    (root / "part_1" / "all" / "n.jpg").touch()
    with pytest.raises(
        DataError, match=r"may be 'part_1/all/n\.jpg' or 'part_2/all/n\.jpg'; write the whole"
    ):
        locate(["m", "n", "o", "p"], str(root), is_named=False)


def test_beside_the_folder_of_a_table_those_of_images_alone_are_looked_into(root):
    for name in ("set_truth", "set_input", "other"):
        (root / name).mkdir()
    (root / "other" / "1.jpg").touch()
    assert locate(["1"], str(root / "set_truth"), is_named=False).names == ["1"]
    (root / "set_input" / "1.jpg").touch()
    located = locate(["1"], str(root / "set_truth"), is_named=False)
    assert os.path.isfile(os.path.join(located.folder, located.names[0]))


def test_missing_files_are_found_with_one_listing_of_each_folder(root, monkeypatch):
    calls = []
    listing = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: calls.append(folder) or listing(folder))
    there = [str(root / "img" / name) for name in ("b.png", "C.JPG", "x 1.png")]
    gone = [str(root / "img" / f"{number}.png") for number in range(3)]
    assert missing_files([*there, *gone, *there, *gone]) == gone
    assert calls == [str(root / "img")]
