import pytest

from ding_cls.images.decoding.formats import INSTALL
from ding_cls.images.left_out import (
    LeftOut,
    is_passed_over,
    is_system_file,
    is_system_folder,
    left_out_line,
)


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "@__thumb", "~snapshot"),
        *("$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information", "lost+found", "found.000"),
        *("__MACOSX", "__pycache__", "Network Trash Folder", "ipynb_checkpoints"),
    ],
)
def test_folders_of_systems_and_storage_boxes_are_known(name):
    assert is_system_folder(name)
    assert is_passed_over(name)


@pytest.mark.parametrize(
    "name", [".git", ".Trash-1000", ".Trashes", ".ipynb_checkpoints", ".@__thumb", ".snapshots"]
)
def test_hidden_ones_are_passed_over_too(name):
    assert is_passed_over(name)
    assert not is_system_folder(name)


@pytest.mark.parametrize(
    "name",
    ["recycled", "recycle", "trash", "lost", "found", "thumb", "snapshot", "@home", "#1", "$5", "_", "cache"],
)
def test_words_that_may_be_classes_stay_classes(name):
    assert not is_passed_over(name)


@pytest.mark.parametrize(
    ("name", "is_system"),
    [
        ("Thumbs.db", True),
        ("desktop.ini", True),
        ("Icon\r", True),
        ("SYNOPHOTO_THUMB_M.jpg", True),
        ("SYNOFILE_THUMB_XL.png", True),
        ("a.jpg:Zone.Identifier", True),
        ("a.jpg@SynoEAStream", True),
        ("thumb_1.jpg", False),
        ("Synophoto.jpg", False),
        ("icon.png", False),
    ],
)
def test_thumbnails_and_notes_of_systems_are_known(name, is_system):
    assert is_system_file(name) is is_system


def test_nothing_left_out_is_false_and_no_line():
    left_out = LeftOut()
    for name in ("Thumbs.db", "desktop.ini", "a.jpg:Zone.Identifier"):
        left_out.add_file(name)
    left_out.add_hidden("._a.jpg")
    left_out.add_hidden(".DS_Store")
    left_out.add_beside("labels.csv")
    assert not left_out
    assert left_out_line("d", left_out) == ""


def test_all_reasons_come_in_one_line(monkeypatch):
    monkeypatch.setitem(INSTALL, ".heic", "pip install pillow-heif")
    left_out = LeftOut()
    for name in ("a.HEIC", "b.heic", "c.txt", "d", "e.a sentence, not an ending"):
        left_out.add_file(name)
    left_out.add_beside("x.jpg")
    left_out.add_beside("y.HEIC")
    left_out.add_hidden(".z.jpg")
    left_out.num_broken += 1
    left_out.folders.update(["@eaDir", "@eaDir", "#recycle"])
    assert left_out_line("d/train", left_out) == (
        "left out of 'd/train': 2 without an ending, 2 .heic, 1 .txt, 2 images beside the class folders, "
        "1 hidden image, 1 broken link, 3 system folders ('@eaDir', '#recycle'); "
        "to read them: pip install pillow-heif"
    )


def test_many_endings_are_summed_up():
    left_out = LeftOut()
    for number in range(8):
        left_out.add_file(f"a.x{number}")
    assert str(left_out) == "1 .x0, 1 .x1, 1 .x2, 1 .x3, 1 .x4, 3 with other endings"


def test_counts_add_up():
    first, second = LeftOut(num_beside=1), LeftOut(num_beside=2, num_hidden=3, num_broken=4)
    second.add_file("a.psd")
    second.folders["@eaDir"] += 1
    first.add(second)
    first.add(second)
    assert (first.num_beside, first.num_hidden, first.num_broken) == (5, 6, 8)
    assert (dict(first.endings), dict(first.folders)) == ({".psd": 2}, {"@eaDir": 2})
