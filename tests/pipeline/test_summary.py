"""The last thing a run prints."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ding_cls.common.command import command_line
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
        go_on="policy.learn.train_epoch=16",
    )


def test_it_shows_results_files_and_five_commands(capsys: pytest.CaptureFixture[str]) -> None:
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
    words = [shlex.split(line) for line in commands]
    assert [Path(line[0]).name for line in words] == [*["ding-cls"] * 4, "pip"]
    assert [line[1:] for line in words[:4]] == [
        ["predict", "runs/my run", "IMAGE"],
        ["eval", "runs/my run", "--split", "test"],
        ["report", "runs/my run", "--split", "test"],
        ["train", "--resume", "runs/my run", "policy.learn.train_epoch=16"],
    ]
    assert shlex.split(commands[4].replace("&&", ";"))[-1] == "runs/my run/log"


def test_several_processes_go_on_as_several(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "a"), ("MASTER_PORT", "1234")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DING_CLS_COMMAND", "sh entry/dist_train.sh a.py 2")
    with command_line(None):
        print_summary(result())
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "--resume" in line]
    assert line == "  sh entry/dist_train.sh a.py 2 --resume 'runs/my run' policy.learn.train_epoch=16"
    # What goes on with another value of a key does not repeat the typed one.
    typed = (
        "torchrun t.py policy.learn.train_epoch=8 seed=1 --resume 'runs/my run' policy.learn.train_epoch=12"
    )
    monkeypatch.setenv("DING_CLS_COMMAND", typed)
    with command_line(None):
        print_summary(result())
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "--resume" in line]
    assert line == "  torchrun t.py seed=1 --resume 'runs/my run' policy.learn.train_epoch=16"


def test_the_log_gets_the_same_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "log" / "learner" / "learner.txt"
    file.parent.mkdir(parents=True)
    file.touch()
    print_summary(result(str(tmp_path)))
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(" INFO ")[2] for line in file.read_text().splitlines()] == printed


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
    lines = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("  ") and "pip" not in line
    ]
    assert len(lines) == 4
    assert all("--allow-code" in shlex.split(line) for line in lines)


def test_lists_have_no_column_and_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(replace(result(), final={"mAP": 50.0, "AP_per_class": [12.5, None]}, best={}))
    text = capsys.readouterr().out
    assert "12.5" not in text
    assert "in log/metrics.jsonl: AP_per_class" in text.splitlines()
