"""What is typed behind ``ding-cls compare``."""

import json
from pathlib import Path

import pytest

from ding_cls.answers.evaluation.records import COLUMNS
from ding_cls.cli import main
from ding_cls.common.tables import write_table


def write_results(name: str, right: list[bool]) -> None:
    rows = [(f"{number}.png", 0, "fir", 0, "fir", 0.9, each) for number, each in enumerate(right)]
    write_table(name, COLUMNS, rows)


def test_two_files_are_compared_and_the_answer_is_no_failure(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results("a.csv", [True] * 10)
    write_results("b.csv", [False] * 8 + [True] * 2)
    assert main(["compare", "a.csv", "--changed", "2", "b.csv", "--out", "c.json"]) == 0
    printed = capsys.readouterr().out
    assert "A is better than B by 80.0 points, 95 % interval 50.0 to 100.0 (McNemar p = 0.008)" in printed
    assert printed.count(" right  fir: A fir, B fir ") == 2
    assert json.loads(Path("c.json").read_text())["comparisons"][0]["only_first"] == 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.csv"], "name two to 26 results"),
        (["a.csv", "a.csv", "--changed", "0"], "--changed 0 must be at least 1"),
        (["a.csv", "a.csv", "--out", "c.csv"], "'c.csv' must end in .json"),
        (["own.json", "a.csv", "--out", "own.json"], "'own.json' would be written over 'own.json'"),
        (["a.csv", "missing"], "there is no checkpoint 'missing'"),
        (["a.csv", "a.csv", "--data", "x"], "all of these are files"),
        (["a.csv", "policy.seed:"], "'policy.seed:' is no file"),
    ],
)
def test_mistakes_are_one_line_and_2(
    workdir: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    write_results("a.csv", [True, False])
    Path("own.json").write_text("[]")
    assert main(["compare", *words]) == 2
    assert Path("own.json").read_text() == "[]"
    assert message in capsys.readouterr().err
