"""Lines and tables, with rich and without."""

import sys

import pytest

from ding_cls.common.screen import PlainScreen, RichScreen, Screen, build_screen, in_a_line

ROWS = [["loss", "0.5000", "", "(0.4 to 0.6)"], ["[red]acc1", "75.00", "%", ""]]


def test_a_strangers_text_stays_in_its_line() -> None:
    assert in_a_line("a\tb\n\x1b[31m\u202e\udc80 é 貓 \\") == r"a\tb\n\x1b[31m\u202e\udc80 é 貓 " + "\\"


def test_without_rich_it_prints_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(build_screen(), RichScreen)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert isinstance(build_screen(), PlainScreen)


@pytest.mark.parametrize("screen", [PlainScreen(), RichScreen()])
def test_a_grid_has_columns_and_takes_no_markup(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    # Rich keeps the stream that it found.
    type(screen)().grid(ROWS, right=1, has_dim_end=True)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["loss       0.5000     (0.4 to 0.6)", "[red]acc1   75.00  %"]
    type(screen)().grid([], right=1)
    assert not capsys.readouterr().out.strip()


def test_a_table_of_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    PlainScreen().table(["class", "f1 %"], [["a fir", "100.0"], ["yew", "-"]])
    assert capsys.readouterr().out.splitlines() == [
        "class   f1 %",
        "-----  -----",
        "a fir  100.0",
        "yew        -",
    ]


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for screen in (PlainScreen(), RichScreen()):
        screen.line()
        screen.line("[b]" + "long " * 40, is_dim=True)
    assert capsys.readouterr().out == ("\n" + "[b]" + "long " * 40 + "\n") * 2
