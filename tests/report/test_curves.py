"""Curves are what ``metrics.jsonl`` holds."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from ding_cls.errors import ConfigError, DataError
from ding_cls.report import draw_curves
from tests.docs.scripts import script_of

pytest.importorskip("matplotlib")


def _write_run(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "log").mkdir(parents=True)
    (folder / "log" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_the_lines_are_the_rows_of_the_run(tmp_path: Path) -> None:
    run = _write_run(
        tmp_path / "run",
        [
            {"kind": "eval", "train_iter": 0, "loss": 2.5, "acc1": 10.0},
            {"kind": "train", "train_iter": 10, "total_loss_avg": 2.0, "acc1_avg": 30.0},
            {"kind": "train", "train_iter": 20, "total_loss_avg": None, "acc1_avg": 35.0},
            {"kind": "eval", "train_iter": 20, "loss": 1.5, "acc1": 40.0},
            {"kind": "epoch", "train_iter": 20, "train_loss": 1.75, "train_acc1": 32.5},
        ],
    )
    left, right = draw_curves(run).axes
    assert [axes.get_xlabel() for axes in (left, right)] == ["updates", "updates"]
    assert left.get_ylabel() == "cross-entropy loss (log scale)"
    assert right.get_ylabel() == "top-1 accuracy, %"
    steps, epochs, validation = (line.get_xydata().tolist() for line in left.lines)
    assert steps[0] == [10.0, 2.0]
    # What was not finite is a gap.
    assert math.isnan(steps[1][1])
    assert epochs == [[20.0, 1.75]]
    assert validation == [[0.0, 2.5], [20.0, 1.5]]
    drawn = [line.get_xydata().tolist() for line in right.lines]
    assert drawn == [[[10.0, 30.0], [20.0, 35.0]], [[20.0, 32.5]], [[0.0, 10.0], [20.0, 40.0]]]


def test_the_script_of_the_docs_writes_a_picture(tmp_path: Path) -> None:
    row = {"kind": "epoch", "train_iter": 5, "train_loss": 1.0, "train_acc1": 50.0}
    script_of("draw_curves").main([str(_write_run(tmp_path / "run", [row])), str(tmp_path / "out.png")])
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_an_epoch_is_named(tmp_path: Path) -> None:
    run = _write_run(tmp_path / "young", [{"kind": "eval", "train_iter": 0, "loss": 2.5, "acc1": 10.0}])
    with pytest.raises(DataError, match=r"young' has no finished epoch"):
        draw_curves(run)


def test_a_folder_that_is_no_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metrics\.jsonl' cannot be read: No such file or directory; name"):
        draw_curves(tmp_path)


def test_without_matplotlib_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"pip install 'ding_cls\[report\]'"):
        draw_curves(tmp_path)
