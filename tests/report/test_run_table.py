"""A row for each run."""

import json
from pathlib import Path
from typing import Any

import pytest

from ding_cls.report.run_table import print_runs


def _write_run(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "log").mkdir(parents=True)
    (folder / "log" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _rows(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines() if line.strip() and "──" not in line]


def test_the_best_is_that_of_a_trained_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"kind": "eval", "train_iter": 0, "acc1": 99.0, "loss": 2.0},
        {"kind": "eval", "train_iter": 5, "acc1": 80.0, "loss": 1.0},
        {"kind": "epoch", "train_iter": 5, "train_loss": 1.25, "seconds": 2.0},
        {"kind": "eval", "train_iter": 10, "acc1": 70.0, "loss": None},
        {"kind": "epoch", "train_iter": 10, "train_loss": 0.75, "seconds": 4.0},
    ]
    young = [{"kind": "eval", "train_iter": 0, "acc1": 10.0}]
    print_runs({"done": _write_run(tmp_path / "a", rows), "[red]": _write_run(tmp_path / "b", young)})
    _, done, new = _rows(capsys.readouterr().out)
    assert done == ["done", "2", "80.00", "5", "70.00", "0.7500", "3.0"]
    assert new == ["[red]", "0", "-", "-", "-", "-", "-"]


def test_of_losses_the_lowest_is_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"kind": "eval", "train_iter": each, "loss": 1.0 / each} for each in (1, 2)]
    print_runs(
        {"run": _write_run(tmp_path / "run", [*rows, {"kind": "eval", "train_iter": 3, "loss": None}])}
    )
    assert _rows(capsys.readouterr().out)[1][1:] == ["0", "0.5000", "2", "not", "finite", "-", "-"]
