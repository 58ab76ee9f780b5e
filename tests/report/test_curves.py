"""Curves are what ``metrics.jsonl`` holds."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from ding_cls.errors import ConfigError, DataError
from ding_cls.report import draw_curves, draw_runs, read_rows, save_figure
from ding_cls.report.curves import judged_names

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
            {
                "kind": "train",
                "train_iter": 10,
                "total_loss_avg": 2.0,
                "acc1_avg": 30.0,
                "cur_lr_avg": 0.1,
            },
            {"kind": "train", "train_iter": 20, "total_loss_avg": None, "acc1_avg": 35.0},
            {"kind": "eval", "train_iter": 20, "loss": 1.5, "acc1": 40.0},
            {"kind": "epoch", "train_iter": 20, "train_loss": 1.75, "train_acc1": 32.5},
        ],
    )
    left, right, rate = draw_curves(run).axes
    assert [axes.get_xlabel() for axes in (left, right, rate)] == ["updates"] * 3
    assert left.get_ylabel() == "loss (log scale)"
    assert right.get_ylabel() == "top-1 accuracy, %"
    steps, epochs, validation = (line.get_xydata().tolist() for line in left.lines)
    assert steps[0] == [10.0, 2.0]
    # What was not finite is a gap.
    assert math.isnan(steps[1][1])
    assert epochs == [[20.0, 1.75]]
    assert validation == [[0.0, 2.5], [20.0, 1.5]]
    drawn = [line.get_xydata().tolist() for line in right.lines]
    assert rate.lines[0].get_xydata().tolist() == [[10.0, 0.1]]
    assert drawn == [[[10.0, 30.0], [20.0, 35.0]], [[20.0, 32.5]], [[0.0, 10.0], [20.0, 40.0]]]


def test_a_run_without_an_epoch_is_named(tmp_path: Path) -> None:
    run = _write_run(tmp_path / "young", [{"kind": "eval", "train_iter": 0, "loss": 2.5, "acc1": 10.0}])
    with pytest.raises(DataError, match=r"young' has no finished epoch"):
        draw_curves(run)


def test_a_folder_that_is_no_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metrics\.jsonl' does not exist; name the folder"):
        draw_curves(tmp_path)


def test_without_matplotlib_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"pip install 'ding_cls\[report\]'"):
        draw_curves(tmp_path)


def _eval(train_iter: int, **results: float | None) -> dict[str, Any]:
    return {"kind": "eval", "train_iter": train_iter, **results}


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    run = _write_run(tmp_path / "run", [_eval(1, loss=2.0), _eval(2, loss=1.0)])
    file = run / "log" / "metrics.jsonl"
    file.write_bytes(file.read_bytes()[:-9] + b'\n{"kind": "eval"}\n')
    assert [row["train_iter"] for row in read_rows(run, "eval")] == [1]


def test_several_runs_have_a_colour_each_and_every_panel(tmp_path: Path) -> None:
    rows = [{"kind": "epoch", "train_iter": 5, "train_loss": 1.0}, _eval(5, loss=0.5, f1_macro=60.0)]
    runs = {name: _write_run(tmp_path / name, rows) for name in ("a", "b")}
    figure = draw_runs(runs)
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "training loss (log scale)",
        "validation loss (log scale)",
        "f1_macro",
    ]
    for axes in figure.axes:
        assert [line.get_label() for line in axes.lines] == ["a", "b"]
        assert axes.lines[0].get_color() != axes.lines[1].get_color()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_no_two_of_thirty_runs_look_the_same(tmp_path: Path) -> None:
    run = _write_run(tmp_path / "run", [{"kind": "epoch", "train_iter": 5, "train_loss": 1.0}])
    lines = draw_runs({f"run {number}": run for number in range(30)}).axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 30


def test_runs_without_an_epoch_are_no_picture(tmp_path: Path) -> None:
    run = _write_run(tmp_path / "young", [_eval(0, loss=2.5)])
    with pytest.raises(DataError, match="young has a finished epoch"):
        draw_runs({"young": run})


def test_what_a_run_was_judged_by() -> None:
    rows = [[_eval(1, loss=1.0, acc5=90.0, acc1=50.0, raw_acc1=40.0, n_bad=3)], [_eval(1, mAP=10.0)]]
    assert judged_names(rows) == ["acc1", "mAP"]
    assert judged_names([[_eval(1, loss=1.0)]]) == []


def test_a_loss_below_zero_has_no_logarithm(tmp_path: Path) -> None:
    rows = [{"kind": "epoch", "train_iter": 5, "train_loss": -1.0}]
    left, *_ = draw_curves(_write_run(tmp_path / "run", rows)).axes
    assert (left.get_yscale(), left.get_ylabel()) == ("linear", "loss")


@pytest.mark.parametrize(("ending", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_ending_chooses_the_format(tmp_path: Path, ending: str, begin: bytes) -> None:
    run = _write_run(tmp_path / "run", [{"kind": "epoch", "train_iter": 5, "train_loss": 1.0}])
    save_figure(draw_curves(run), tmp_path / f"out.{ending}")
    assert (tmp_path / f"out.{ending}").read_bytes().startswith(begin)
