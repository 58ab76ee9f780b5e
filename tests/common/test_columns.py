"""Rows of text in columns."""

import os
import sys

import pytest

from ding_cls.common.columns import in_columns


def test_columns_are_as_wide_as_their_longest_cell() -> None:
    rows = [("a", "bb", "c"), ("dddd", "", "[red]e"), ("", "貓", "")]
    assert in_columns(rows).splitlines() == ["a     bb  c", "dddd      [red]e", "      貓"]
    assert in_columns([("name:", "x"), ("n:", "y")], gap=1) == "name: x\nn:    y"


def test_in_a_pipe_a_row_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    (line,) = in_columns([("name", "word " * 100 + "end")]).splitlines()
    assert line == f"name  {'word ' * 100}end"


def test_in_a_terminal_the_last_column_goes_on_below_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((20, 24)))
    monkeypatch.setenv("COLUMNS", "20")
    assert in_columns([("name", "four words go on"), ("b", "c")]).splitlines() == [
        "name  four words go",
        "      on",
        "b     c",
    ]
