"""The rows that a run shows: exactly, and never wider than 80 columns."""

import math
from typing import Any

import pytest

from ding_cls.answers.show import Display
from ding_cls.worker.learner.hooks.log_rows import EpochTable, log_row, result_line, short_clock


def row(**changes: Any) -> str:
    values: dict[str, Any] = {"epoch": 3, "step": 12, "length": 44, "lr": 0.001, "rate": 188.4, "left": 28.3}
    return log_row(**{**values, "means": {"total_loss": 0.5312, "acc1": 80.11}, **changes})


def test_a_row_says_what_one_wants_to_know() -> None:
    assert row() == "Epoch 3 12/44  loss 0.531  acc1 80.1  lr 1.0e-03  188 img/s  eta 0:28"


def test_what_is_not_known_is_left_out() -> None:
    assert row(means={"total_loss": math.nan}, left=None) == "Epoch 3 12/44  loss nan  lr 1.0e-03  188 img/s"
    assert row(means={}, left=None) == "Epoch 3 12/44  lr 1.0e-03  188 img/s"


@pytest.mark.parametrize("loss", [0.0, 123.456, 98765.4, 1e30, math.inf, -0.5])
@pytest.mark.parametrize("left", [0.0, 59.6, 3600.0, 359999.0, 1e7])
@pytest.mark.parametrize(("epoch", "step", "length"), [(0, 1, 1), (299, 10009, 10010), (9999, 1, 5)])
def test_a_row_fits_80_columns(loss: float, left: float, epoch: int, step: int, length: int) -> None:
    means = {"total_loss": loss, "acc1": 100.0}
    text = row(epoch=epoch, step=step, length=length, means=means, rate=12345.6, left=left)
    assert len(text) <= 80, text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (28.3, "0:28"),
        (59.6, "1:00"),
        (725, "12:05"),
        (3599, "59:59"),
        (3600, "1h00"),
        (3900, "1h05"),
        (359940, "99h59"),
        (360000, "4d04h"),
        (1e7, "115d"),
    ],
)
def test_a_short_clock(seconds: float, text: str) -> None:
    assert short_clock(seconds) == text


def epoch(number: int, **changes: Any) -> dict[str, Any]:
    values = {"epoch": number, "train_iter": 44, "lr": 0.02, "train_loss": 1.13251, "train_acc1": 65.126}
    return {**values, "val_loss": 9.5234, "val_acc1": 37.778, "seconds": 30.4, **changes}


def test_a_table_of_epochs_has_its_header_once() -> None:
    table = EpochTable()
    lines = [
        *table.lines(epoch(0), is_best=True),
        *table.lines(epoch(1, train_loss=0.5, val_loss=12.25, val_acc1=100.0), is_best=False),
        *table.lines(epoch(10, lr=2.5e-5, seconds=3900.0), is_best=True),
    ]
    assert lines == [
        "epoch  train loss  train acc1  val loss  val acc1       lr   time",
        "    0      1.1325       65.13    9.5234     37.78  2.0e-02   0:30 best",
        "    1      0.5000       65.13   12.2500    100.00  2.0e-02   0:30",
        "   10      1.1325       65.13    9.5234     37.78  2.5e-05   1h05 best",
    ]


def test_five_results_fill_the_80_columns() -> None:
    lines = EpochTable().lines(epoch(0, val_acc5=82.778), is_best=True)
    assert lines == [
        "epoch  train loss  train acc1  val loss  val acc1  val acc5       lr   time",
        "    0      1.1325       65.13    9.5234     37.78     82.78  2.0e-02   0:30 best",
    ]
    assert len(lines[1]) == 80


def test_what_has_no_room_is_named() -> None:
    more = {"val_f1_macro": 50.0, "val_precision_macro": 60.0, "val_ece": 0.1}
    first, header, values = EpochTable().lines(epoch(0, **more), is_best=False)
    assert first == "in log/metrics.jsonl too: val_f1_macro, val_precision_macro"
    assert header == "epoch  train loss  train acc1  val loss  val acc1  val ece       lr   time"
    assert values == "    0      1.1325       65.13    9.5234     37.78   0.1000  2.0e-02   0:30"


def test_an_epoch_without_an_evaluation_has_dashes_and_a_new_column_a_new_header() -> None:
    table, bare = EpochTable(), {name: epoch(0)[name] for name in ("epoch", "lr", "train_loss", "seconds")}
    assert table.lines(bare, is_best=False) == [
        "epoch  train loss       lr   time",
        "    0      1.1325  2.0e-02   0:30",
    ]
    assert table.lines({**bare, "val_loss": 2.0}, is_best=False) == [
        "epoch  train loss  val loss       lr   time",
        "    0      1.1325    2.0000  2.0e-02   0:30",
    ]
    assert table.lines(bare, is_best=False) == ["    0      1.1325         -  2.0e-02   0:30"]


def test_a_table_shows_whatever_a_metric_gives() -> None:
    values = {
        "val_tiny": 2e-6,
        "val_hits": 12,
        "val_best class": "fir",
        "val_counts": [3, 4],
        "val_none": None,
    }
    header, line = EpochTable().lines({"epoch": 0, "lr": 0.1, **values, "seconds": 0.0}, is_best=False)
    assert header == "epoch  val tiny  val hits  val best class  val none       lr   time"
    assert line == "    0  2.00e-06        12             fir         -  1.0e-01   0:00"


@pytest.mark.parametrize("value", [123456.789, -1e9, 1e300, math.inf, math.nan, 10**12, "x" * 70])
def test_a_value_that_grows_keeps_to_its_column(value: Any) -> None:
    table = EpochTable()
    table.lines(epoch(0), is_best=True)
    (line,) = table.lines(epoch(1, val_loss=value, train_loss=value), is_best=True)
    assert len(line) <= 80, line


def test_an_evaluation_without_a_row_has_a_line() -> None:
    results = {"loss": 2.31074, "acc1": 11.666, "acc5": 52.22, "per_class": [1, 2]}
    assert result_line("Untrained", results, is_best=True) == (
        "Untrained  loss 2.3107  acc1 11.67  acc5 52.22 best"
    )
    many = {f"name_{number}": 0.5 for number in range(20)}
    assert len(result_line("Evaluation after 12345 updates", many, is_best=False)) == 80


def test_what_is_certain_has_no_column_and_another_loss_its_own_name() -> None:
    display = Display(num_classes=5, is_other_loss=True)
    header, _ = EpochTable(display).lines(epoch(0, val_acc5=100.0), is_best=False)
    assert header.split("  ")[-1].strip() == "time"
    assert "acc5" not in header
    assert "train loss  train acc1  val cross-entropy  val acc1" in header
    line = result_line(
        "Untrained", {"loss": 1.5, "acc1": 20.0, "acc5": 100.0}, is_best=False, display=display
    )
    assert line == "Untrained  cross-entropy 1.5000  acc1 20.00"


def test_of_several_labels_no_accuracy_has_a_column() -> None:
    header, _ = EpochTable(Display(num_classes=20, has_one_label=False)).lines(epoch(0), is_best=False)
    assert "acc1" not in header
