"""Folders of outputs: every file gets a name of its own, and what is there stays."""

import os
from pathlib import Path

import pytest

from ding_cls.errors import ConfigError, DiskError
from ding_cls.inference.outputs.new_folder import OutputFolder, portable_name, relative_names, write_new


def put(folder: OutputFolder, place: str, name: str, content: bytes = b"x") -> str:
    return folder.put(place, name, lambda path: write_new(path, lambda file: file.write(content)))


def test_equal_names_are_numbered_and_nothing_is_overwritten() -> None:
    folder = OutputFolder("out", "--draw")
    paths = [put(folder, "a", "cat.png", content) for content in (b"1", b"2", b"3")]
    assert paths == ["out/a/cat.png", "out/a/cat_2.png", "out/a/cat_3.png"]
    assert [Path(path).read_bytes() for path in paths] == [b"1", b"2", b"3"]
    assert put(folder, "", "cat.png") == "out/cat.png"
    assert folder.count == 4


def test_long_names_and_names_that_are_no_utf_8_are_kept_as_far_as_they_fit() -> None:
    folder = OutputFolder("out", "--draw")
    odd = os.fsdecode(b"\xff\n.png")
    assert os.listdir(os.path.dirname(put(folder, "odd", odd))) == [odd]
    long = "ä" * 125 + ".tiff.png"
    for _ in range(2):
        assert len(os.fsencode(os.path.basename(put(folder, "long", long)))) <= 255
    assert len(os.listdir("out/long")) == 2


def test_a_folder_with_files_and_a_file_are_refused() -> None:
    Path("full").mkdir()
    Path("full/cat.png").touch()
    Path("empty").mkdir()
    put(OutputFolder("empty", "--cam"), "", "a.png")
    with pytest.raises(ConfigError, match=r"--cam 'full' holds files already, and nothing is overwritten"):
        OutputFolder("full", "--cam")
    with pytest.raises(ConfigError, match="is no folder"):
        OutputFolder("full/cat.png", "--cam")
    with pytest.raises(ConfigError, match="--cam has an empty name"):
        OutputFolder("", "--cam")


def test_what_cannot_be_written_is_one_line_and_leaves_nothing() -> None:
    def fail(file: object) -> None:
        raise OSError(28, "No space left on device")

    folder = OutputFolder("out", "--draw")
    with pytest.raises(DiskError, match=r"^'out/a\.png' could not be written: No space left on device$"):
        folder.put("", "a.png", lambda path: write_new(path, fail))
    assert os.listdir("out") == []
    Path("out/b").touch()
    with pytest.raises(DiskError, match="could not be written"):
        put(folder, "b", "a.png")


@pytest.mark.parametrize(
    ("name", "portable"),
    [
        ("tabby, tabby cat", "tabby, tabby cat"),
        ("a/b", "a_b"),
        ("..", "__"),
        (".", "_"),
        ("", "_"),
        (".hidden", "_hidden"),
        ("what?", "what_"),
        ("line\nbreak\0", "line_break_"),
        ("ends. ", "ends._"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("console", "console"),
        ("猫" * 100, "猫" * 66),
        ("\udcff", "\udcff"),
    ],
)
def test_a_portable_name_is_one_folder_on_every_system(name: str, portable: str) -> None:
    assert portable_name(name) == portable


def test_relative_names_keep_sub_folders_apart() -> None:
    assert relative_names(["a/b/1.png", "a/c/1.png", "a/2.png"]) == ["b/1.png", "c/1.png", "2.png"]
    assert relative_names(["a/../b/1.png"]) == ["1.png"]
    assert relative_names([os.path.abspath("x/1.png"), "1.png"]) == ["x/1.png", "1.png"]
    assert relative_names([]) == []
