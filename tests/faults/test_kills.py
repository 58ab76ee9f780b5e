"""The kill campaign: what it compares, that it notices what is broken on purpose, and the campaign itself."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import write_checkpoint

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
STATE: dict[str, Any] = {
    "model": {"w": torch.arange(6.0).reshape(2, 3), "half": torch.ones(3, dtype=torch.bfloat16)},
    "last_iter": 4,
    "parts": {"history": {"rows": [{"lr": 0.1, "seconds": 2.0}]}, "hook": {"calls": ["a", "b"]}},
    "run": {"config": {"exp_name": "whole", "seed": 7}},
}
ROWS: list[dict[str, Any]] = [
    {"kind": "eval", "train_iter": 0, "acc1": 25.0},
    {"kind": "train", "train_iter": 1, "total_loss_avg": 1.5, "forward_time_avg": 0.1, "images_per_s": 9.0},
    {"kind": "train", "train_iter": 2, "total_loss_avg": 1.25, "data_time_val": 0.2},
    {"kind": "eval", "train_iter": 2, "acc1": 50.0},
    {"kind": "epoch", "train_iter": 2, "train_loss": 1.4, "seconds": 3.0},
]


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("kill_campaign.compare")


def copied(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: copied(each) for name, each in tree.items()}
    if isinstance(tree, list):
        return [copied(each) for each in tree]
    return tree.clone() if isinstance(tree, torch.Tensor) else tree


def write_run(folder: Path, state: dict[str, Any], rows: list[dict[str, Any]]) -> Path:
    for name in ("iteration_4", "iteration_2", "ckpt_best"):
        write_checkpoint(folder / "ckpt" / f"{name}.pth.tar", state)
    (folder / "log").mkdir()
    (folder / "log" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def flip(tensor: torch.Tensor, bit: int) -> None:
    tensor.view(torch.int32 if tensor.dtype == torch.float32 else torch.int16).view(-1)[-1] ^= 1 << bit


def of_the_history(state: dict[str, Any]) -> Any:
    return state["parts"]["history"]["rows"][0]


# What is changed in the checkpoints, and how many bits or other values differ in one of them.
CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], int, int]] = {
    "the lowest bit of a weight": (lambda state: flip(state["model"]["w"], 0), 1, 0),
    "the sign of a weight": (lambda state: flip(state["model"]["w"], 31), 1, 0),
    "a bit of a bf16 weight": (lambda state: flip(state["model"]["half"], 3), 1, 0),
    "the lowest bit of a float": (
        lambda state: of_the_history(state).update(lr=0.1 + 2**-56),
        1,
        0,
    ),
    "a type": (lambda state: state["model"].update(w=state["model"]["w"].double()), 0, 1),
    "a shape": (lambda state: state["model"].update(w=state["model"]["w"].reshape(3, 2)), 0, 1),
    "a weight that is missing": (lambda state: state["model"].pop("half"), 0, 1),
    "a weight that is new": (lambda state: state["model"].update(new=torch.ones(1)), 0, 1),
    "a state that is missing": (lambda state: state["parts"].pop("hook"), 0, 1),
    "a word": (lambda state: state["parts"]["hook"].update(calls=["a", "c"]), 0, 1),
    "a list that is shorter": (lambda state: state["parts"]["hook"].update(calls=["a"]), 0, 1),
    "a number": (lambda state: state.update(last_iter=5), 0, 1),
    "a clock": (lambda state: of_the_history(state).update(seconds=5.0), 0, 0),
    "the run's name": (lambda state: state["run"]["config"].update(exp_name="killed"), 0, 0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_differs_in_a_checkpoint_is_counted(compare: ModuleType, name: str, tmp_path: Path) -> None:
    change, bits, values = CHANGES[name]
    whole = write_run(tmp_path / "whole", STATE, ROWS)
    state = copied(STATE)
    change(state)
    found = compare.compare_runs(write_run(tmp_path / "killed", state, ROWS), whole)
    # Both kept two files beside the best.
    assert (found.bits, len(found.values)) == (3 * bits, 3 * values)
    assert found.is_equal == (bits + values == 0)
    assert found.tensors >= 3
    assert found.num_rows == len(ROWS)


@pytest.mark.parametrize(
    ("rows", "missing", "doubled", "differing"),
    [
        (ROWS, 0, 0, []),
        ([*ROWS, ROWS[0]], 0, 1, []),
        (ROWS[1:], 1, 0, []),
        ([*ROWS[:2], *ROWS[3:], ROWS[3]], 1, 1, []),
        ([*ROWS, {"kind": "eval", "train_iter": 9}], 0, 1, []),
        ([*ROWS[:3], {**ROWS[3], "acc1": 50.5}, ROWS[4]], 0, 0, ["eval at 2"]),
        ([*ROWS[:2], {**ROWS[2], "data_time_val": 0.7}, *ROWS[3:]], 0, 0, []),
        ([*ROWS[:3], ROWS[4], ROWS[3]], 0, 0, ["the rows stand in another order"]),
        ([*ROWS[:4], {"kind": "epoch", "train_iter": 2, "seconds": 3.0}], 0, 0, ["epoch at 2"]),
    ],
)
def test_each_row_stands_once_with_the_same_numbers(
    compare: ModuleType, rows: list[dict[str, Any]], missing: int, doubled: int, differing: list[str]
) -> None:
    found = compare.Differences(tensors=1)
    compare.compare_rows(rows, ROWS, found)
    assert (found.missing, found.doubled, found.rows) == (missing, doubled, differing)
    assert found.is_equal == (missing + doubled + len(differing) == 0)


@pytest.mark.parametrize("name", ["iteration_4.pth.tar", "ckpt_best.pth.tar"])
def test_a_missing_file_is_a_difference(compare: ModuleType, name: str, tmp_path: Path) -> None:
    whole, killed = (write_run(tmp_path / each, STATE, ROWS) for each in ("whole", "killed"))
    (killed / "ckpt" / name).unlink()
    assert compare.compare_runs(killed, whole).values == [f"{name} is missing"]


def test_nothing_compared_is_not_equal(compare: ModuleType) -> None:
    assert not compare.Differences().is_equal
    assert not compare.Differences(tensors=3).is_equal
    assert not compare.Differences(num_rows=3).is_equal


def campaign(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCHMARKS / "kills.py", *words],
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_three_kills_lose_nothing_and_what_is_broken_on_purpose_is_found() -> None:
    done = campaign("--kills", "3", "--stops", "0", "--only", "c")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| SIGKILLs, each proved by the exit code -9 | 3: " in done.stdout
    assert "| things broken on purpose that were found | 5 of 5 |" in done.stdout
    assert done.stdout.endswith("all bounds hold\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sabotage", "told"),
    [
        ("bit", "bits differ"),
        ("no-kill", "0 kills were proved by the exit code -9, 1 were wanted"),
    ],
)
def test_a_campaign_with_something_broken_fails(sabotage: str, told: str) -> None:
    done = campaign("--kills", "1", "--stops", "0", "--only", "a", "--sabotage", sabotage)
    assert done.returncode == 1, done.stdout + done.stderr
    assert told in next(line for line in done.stdout.splitlines() if line.startswith("FAILED: "))


@pytest.mark.campaign
def test_the_whole_campaign_loses_nothing() -> None:
    done = campaign()
    assert done.returncode == 0, done.stdout + done.stderr
