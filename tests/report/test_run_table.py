"""A row for each run."""

import math

import pytest

from ding_cls.report.run_table import RunRow, print_runs

DONE = RunRow("done", 2, "acc1", 80.0, 1005, 70.0, 0.75, 3.0)


def _rows(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines() if line.strip() and "──" not in line]


def test_a_run_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_runs([DONE, RunRow("[red]", 0, "acc1", None, None, None, None, None)])
    head, done, new = _rows(capsys.readouterr().out)
    assert " ".join(head) == "run epochs best acc1 at last acc1 train loss s/epoch"
    assert done == ["done", "2", "80.00", "1,005", "70.00", "0.7500", "3.0"]
    assert new == ["[red]", "0", "-", "-", "-", "-", "-"]


def test_values_say_by_what_where_runs_were_judged_by_different_results(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_runs([DONE, RunRow("other", 1, "ece", 1.5, 7, math.nan, None, None)])
    head, done, other = _rows(capsys.readouterr().out)
    assert " ".join(head) == "run epochs best at last train loss s/epoch"
    assert done == ["done", "2", "80.00", "acc1", "1,005", "70.00", "acc1", "0.7500", "3.0"]
    assert other == ["other", "1", "1.5000", "ece", "7", "not", "finite", "-", "-"]
