"""``docs/draw_curves.py`` draws what ``metrics.jsonl`` holds."""

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.docs.scripts import script_of

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return script_of("draw_curves")


def _write_run(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "log").mkdir(parents=True)
    (folder / "log" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_the_lines_are_the_rows_of_the_run(script: ModuleType, tmp_path: Path) -> None:
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
    left, right = script.draw(run).axes
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


def test_a_picture_is_written(script: ModuleType, tmp_path: Path) -> None:
    row = {"kind": "epoch", "train_iter": 5, "train_loss": 1.0, "train_acc1": 50.0}
    script.main([str(_write_run(tmp_path / "run", [row])), str(tmp_path / "out.png")])
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_an_epoch_is_named(script: ModuleType, tmp_path: Path) -> None:
    run = _write_run(tmp_path / "young", [{"kind": "eval", "train_iter": 0, "loss": 2.5, "acc1": 10.0}])
    with pytest.raises(ValueError, match=r"young' has no finished epoch"):
        script.draw(run)
