"""A run's numbers in files, on rank 0 alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from ding_cls.worker.learner.loop.run_logs import RunLogs


class Kept:
    """A tracker that keeps its rows."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def write(self, row: Any) -> None:
        self.rows.append(row)

    def end(self, status: str) -> None:
        return None


def logs(folder: Path, *, is_writing: bool = True) -> RunLogs:
    return RunLogs(folder, None, position=lambda: 0, is_writing=is_writing)


def rows(folder: Path) -> list[tuple[str, int]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [(row["kind"], row["train_iter"]) for row in map(json.loads, lines)]


def test_a_row_goes_to_the_file_and_to_each_tracker(tmp_path: Path) -> None:
    row, trackers = {"kind": "train", "train_iter": 1}, [Kept(), Kept()]
    logs(tmp_path).append(row, trackers)
    assert rows(tmp_path) == [("train", 1)]
    assert [each.rows for each in trackers] == [[row], [row]]


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    tracker, other = Kept(), logs(tmp_path, is_writing=False)
    other.append({"kind": "train", "train_iter": 1}, [tracker])
    other.resume(None, 0)
    other.close()
    assert (tracker.rows, list(tmp_path.iterdir())) == ([], [])


def test_a_resume_drops_what_comes_again(tmp_path: Path) -> None:
    first = logs(tmp_path)
    for kind, train_iter in (("train", 1), ("train", 2), ("epoch", 2), ("eval", 2), ("train", 3)):
        first.append({"kind": kind, "train_iter": train_iter})
    again = logs(tmp_path)
    again.resume(None, 2, "epoch")
    assert rows(tmp_path) == [("train", 1), ("train", 2), ("eval", 2)]
    again.drop_rows(2, "eval")
    assert rows(tmp_path) == [("train", 1), ("train", 2)]


def test_what_goes_wrong_with_tensorboard_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours = logs(tmp_path)
    for _ in range(2):
        with ours.tensorboard():
            raise OSError("gone")
    (record,) = caplog.records
    assert record.getMessage().endswith("OSError: gone; training goes on")
