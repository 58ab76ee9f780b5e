"""Which files are read: base files that may be named, and those that may not."""

import os
import re
from pathlib import Path

import pytest

from ding_cls.config import read_config
from ding_cls.config.reader.files import base_file
from ding_cls.errors import ConfigError
from tests.config.reader.files import refusal, write_files


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing.py", "missing.py cannot be read: No such file"), ("notes.txt", "its name must end in .py")],
)
def test_an_unreadable_file_is_named(tmp_path: Path, path: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_config(tmp_path / path)


@pytest.mark.parametrize(
    "base", ["[]", "()", "['b.py']", "('b.py',)", "'b.py'", "'{}.py'.format('b')", "'./' + 'b.py'"]
)
def test_base_is_a_path_or_a_list_of_them(tmp_path: Path, base: str) -> None:
    leaf = write_files(tmp_path, f"--- b.py\nx = 1\n--- leaf.py\n_base_: list = {base}\ny = 2\n")
    assert read_config(leaf) == ({"y": 2} if base in ("[]", "()") else {"x": 1, "y": 2})


def test_a_base_is_found_from_any_working_folder_and_through_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = write_files(tmp_path, "--- real/b.py\nx = 1\n--- real/c/leaf.py\n_base_ = '../b.py'\n")
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "real" / "c")
    assert read_config("leaf.py") == read_config(leaf) == {"x": 1}
    assert read_config(tmp_path / "link" / "c" / "leaf.py") == {"x": 1}


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ("''", "is the path of a file or a list of paths, not of ''"),
        ("None", "is the path of a file or a list of paths, not of None"),
        ("[{'a': 1}]", "not of a dict"),
        ("'b'", "is not a config file: its name must end in .py, .yaml, .yml or .json"),
        ("'/b.py'", "must be a path relative to the file"),
        (r"'C:\\b.py'", "must be a path relative to the file"),
        (r"'\\\\host\\b.py'", "must be a path relative to the file"),
        ("'~/b.py'", "must be a path relative to the file"),
        ("'file:///b.py'", "must be a path relative to the file"),
        ("'mmcls::b.py'", "must be a path relative to the file"),
        ("'ding_cls::b.py'", "does not ship with ding_cls; these do: ding_cls::fine_tune.py, ding_cls::from"),
        ("'ding_cls::../recipes/fine_tune.py'", "does not ship with ding_cls"),
        ("'ding_cls::./fine_tune.py'", "does not ship with ding_cls"),
        ("'ding_cls::config/defaults.py'", "does not ship with ding_cls"),
        ("'ding_cls::__init__.py'", "does not ship with ding_cls"),
        ("'ding_cls::'", "does not ship with ding_cls"),
        ("'ding_cls::*.py'", "does not ship with ding_cls"),
        ("'ding_cls::/etc/passwd'", "does not ship with ding_cls"),
        ("'Ding_cls::fine_tune.py'", "must be a path relative to the file"),
        ("' ding_cls::fine_tune.py'", "must be a path relative to the file"),
        ("'ding_cls/ding_cls::fine_tune.py'", "must be a path relative to the file"),
        ("'.git/b.py'", "is hidden, or lies in a hidden folder"),
        ("'../.b.py'", "is hidden, or lies in a hidden folder"),
        ("'" + "../" * 30 + "b.py'", "lies outside the tree of config files that leaf.py is in"),
        ("x", "x is not the name of a value that stands further up"),
    ],
)
def test_a_base_that_is_no_config_file_of_the_tree_is_refused(tmp_path: Path, base: str, reason: str) -> None:
    leaf = write_files(tmp_path, f"--- leaf.py\nx = 1\n_base_ = {base}\n")
    with pytest.raises(ConfigError) as caught:
        read_config(leaf)
    (problem,) = str(caught.value).splitlines()
    assert reason in problem
    assert problem.endswith(" (leaf.py:2)")


def test_a_file_in_the_root_folder_may_have_bases_beside_it() -> None:
    assert base_file("b/c.py", Path(os.sep, "leaf.py")) == Path(os.sep, "b", "c.py")
    with pytest.raises(ValueError, match="outside the tree"):
        base_file("../b/c.py", Path(os.sep, "a", "leaf.py"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("_base_ = './other.py'\n", r"other\.py cannot be read: No such file .* \(recipe\.py:1\)"),
    ],
)
def test_what_is_not_data_is_refused_with_file_and_line(tmp_path: Path, text: str, reason: str) -> None:
    message = refusal(tmp_path, text)
    assert "\n" not in message
    assert re.search(reason, message), message
