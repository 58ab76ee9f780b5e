"""The last thing a run prints."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ding_cls.pipeline import TrainResult, print_summary

NUMBERS = {"loss": 0.12344, "acc1": 98.7654, "acc5": 100.0}


def result(folder: str = "runs/my run", *, was_complete: bool = False, best: bool = True) -> TrainResult:
    return TrainResult(
        history=[],
        best={**NUMBERS, "acc1": 99.0} if best else {},
        best_epoch=7 if best else None,
        final=NUMBERS,
        model=torch.nn.Identity(),
        run_folder=Path(folder),
        images_per_s=1234.4,
        minutes=2.51,
        was_complete=was_complete,
        has_test_split=True,
    )


def test_it_shows_results_files_and_three_commands(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(result())
    text = capsys.readouterr().out
    for words in (
        "final",
        "0.1234",
        "98.77",
        "100.00",
        "best, epoch 7",
        "99.00",
        "1234 images/s",
        "2.5 minutes",
    ):
        assert words in text
    lines = text.splitlines()
    for name, path in (
        ("best checkpoint:", "runs/my run/ckpt/ckpt_best.pth.tar"),
        ("log:", "runs/my run/log/learner/learner.txt"),
        ("TensorBoard:", "runs/my run/log/serial"),
    ):
        (line,) = [each for each in lines if each.startswith(name)]
        assert line.endswith(path)
    commands = lines[next(n for n, line in enumerate(lines) if line.startswith("To type next")) + 1 :]
    assert len(commands) == 3
    words = shlex.split(commands[0])
    assert words[-4:] == ["eval", "runs/my run/ckpt/ckpt_best.pth.tar", "--split", "test"]
    assert "train --data YOUR_FOLDER" in commands[1]
    assert shlex.split(commands[2].replace("&&", ";"))[-1] == "runs/my run/log"


def test_a_run_that_was_complete_says_so_and_one_without_a_best_has_no_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_summary(result(was_complete=True, best=False))
    text = capsys.readouterr().out
    assert text.startswith("This run was already complete; nothing was left to train.")
    assert "best, epoch" not in text


def test_the_columns_are_what_the_metric_gives(capsys: pytest.CaptureFixture[str]) -> None:
    final = {"f1": 0.98765, "tiny": 3e-7, "hits": 12, "acc1": 50.0, "[word]": "[fine]"}
    print_summary(replace(result(), final=final, best={"f1": 0.99, "only here": 1.0}))
    lines = capsys.readouterr().out.splitlines()
    header, rows = lines[1], [line for line in lines if "final" in line or "best, epoch 7" in line]
    cells = [[cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]] for line in (header, *rows)]
    assert cells == [
        ["", "f1", "tiny", "hits", "acc1 %", "[word]", "only here"],
        ["final", "0.9877", "3.00e-07", "12", "50.00", "[fine]", ""],
        ["best, epoch 7", "0.9900", "", "", "", "", "1.0000"],
    ]


def test_a_run_with_code_of_its_own_is_judged_with_leave(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(replace(result(), needs_code=True))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " eval " in line]
    assert shlex.split(line)[-3:] == ["--split", "test", "--allow-code"]


def test_lists_have_no_column_and_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(replace(result(), final={"mAP": 50.0, "AP_per_class": [12.5, None]}, best={}))
    text = capsys.readouterr().out
    assert "12.5" not in text
    assert "in log/metrics.jsonl: AP_per_class" in text.splitlines()
