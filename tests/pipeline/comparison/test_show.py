"""A comparison in words: one sentence by one rule, the sides, the settings, and the file."""

import json
from pathlib import Path

import numpy as np
import pytest

from ding_cls.pipeline.comparison.compare import Comparison
from ding_cls.pipeline.comparison.show import print_comparison, sentence, write_comparison
from tests.pipeline.comparison.test_compare import compared, result


def of(monkeypatch: pytest.MonkeyPatch, *right: str) -> Comparison:
    return compared(monkeypatch, *(result(f"r{number}", each) for number, each in enumerate(right)))


BASE = "1" * 80 + "0" * 20


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (BASE, "no difference shown: A and B are right on the same images"),
        (
            "1" * 96 + "0000",
            "B is better than A by 16.0 points, 95 % interval 9.0 to 24.0 (McNemar p < 0.001)",
        ),
        (
            "0" * 16 + BASE[16:],
            "A is better than B by 16.0 points, 95 % interval 9.0 to 23.0 (McNemar p < 0.001)",
        ),
        (
            "0" + "1" * 83 + "0" * 16,
            "no difference shown: B is ahead of A by 3.0 points, 95 % interval -1.0 to 8.0 "
            "(McNemar p = 0.38)",
        ),
        (
            "00" + "1" * 80 + "0" * 18,
            "no difference shown: A and B are right equally often, 95 % interval -4.0 to 4.0 "
            "(McNemar p = 1.00)",
        ),
    ],
)
def test_one_sentence_by_one_rule(monkeypatch: pytest.MonkeyPatch, other: str, expected: str) -> None:
    found = of(monkeypatch, BASE, other)
    assert sentence(found, found.pairs[0]) == expected


def test_of_three_the_correction_is_said_and_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    found = of(monkeypatch, BASE, "1" * 86 + "0" * 14, BASE)
    assert sentence(found, found.pairs[0]) == (
        "no difference shown: B is ahead of A by 6.0 points, 95 % interval 2.0 to 11.0 (McNemar p = 0.031, "
        "p = 0.062 after Holm for 2 pairs)"
    )


def test_the_page_has_numbers_sides_and_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = result("runs/a", "1110", losses=np.array([0.1, 0.1, 0.2, 2.0]), config={"seed": 0, "lr": 0.1})
    other = result("runs/b", "0111", losses=np.array([1.1, 0.1, 0.2, 1.0]), config={"seed": 0, "lr": 0.2})
    print_comparison(compared(monkeypatch, first, other), num_changed=1, out="c.json")
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:6] == [
        "A  runs/a",
        "B  runs/b",
        "4 images, matched by path",
        "",
        "A  accuracy  75.00 %  (30.1 to 95.4)  loss 0.6000",
        "B  accuracy  75.00 %  (30.1 to 95.4)  loss 0.6000",
    ]
    assert "right: A alone 1, B alone 1, both 2, neither 0" in lines
    assert "changed sides: 2 images; 1 of them:" in lines
    assert "  A right  fir: A fir, B fir  0.png" in lines
    assert "  B right  fir: A fir, B fir  3.png" not in lines
    assert "│ lr      │ 0.1 │ 0.2 │" in lines
    assert lines[-1] == "written to c.json"


def test_equal_settings_are_said_and_those_of_files_are_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    print_comparison(
        compared(monkeypatch, result("a", "10", config={"x": 1}), result("b", "10", config={"x": 1}))
    )
    assert "settings: none differ" in capsys.readouterr().out
    one_run = result("a", "10", config={"x": 1}), result("b.csv", "10")
    for found in (of(monkeypatch, "10", "10"), compared(monkeypatch, *one_run)):
        print_comparison(found)
        assert "settings" not in capsys.readouterr().out


def test_the_file_holds_all_of_it(monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    found = of(monkeypatch, "1110", "0111")
    write_comparison("c.json", found)
    values = json.loads(Path("c.json").read_text())
    assert list(values) == ["results", "comparisons", "settings"]
    assert [each["accuracy"] for each in values["results"]] == [75.0, 75.0]
    (pair,) = values["comparisons"]
    assert (pair["only_first"], pair["only_second"], pair["mcnemar_p"]) == (1, 1, 1.0)
    assert pair["sentence"] == sentence(found, found.pairs[0])
    assert [(each["path"], each["right"]) for each in pair["changed"]] == [("0.png", "A"), ("3.png", "B")]
