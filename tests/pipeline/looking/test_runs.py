"""Rows of runs."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from ding_cls.pipeline.looking.runs import run_rows
from ding_cls.report.run_table import RunRow


def _row(tmp_path: Path, rows: list[dict[str, Any]], **policy_eval: Any) -> RunRow:
    """Return the row of a run of these rows, whose config had this section."""
    folder = tmp_path / "run"
    (folder / "log").mkdir(parents=True)
    (folder / "log" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if policy_eval:
        config = {"exp_name": "run", "policy": {"eval": policy_eval}}
        (folder / "total_config.py").write_text(f"total_config = {config!r}\n")
    (found,) = run_rows({"run": folder})
    return found


def _evals(**results: list[float | None]) -> list[dict[str, Any]]:
    return [
        {"kind": "eval", "train_iter": number, **dict(zip(results, values, strict=True))}
        for number, values in enumerate(zip(*results.values(), strict=True), 1)
    ]


def test_the_best_is_that_of_a_trained_network(tmp_path: Path) -> None:
    rows = [
        {"kind": "eval", "train_iter": 0, "acc1": 99.0, "loss": 2.0},
        {"kind": "eval", "train_iter": 5, "acc1": 80.0, "loss": 1.0},
        {"kind": "epoch", "train_iter": 5, "train_loss": 1.25, "seconds": 2.0},
        {"kind": "eval", "train_iter": 10, "acc1": 70.0, "loss": None},
        {"kind": "epoch", "train_iter": 10, "train_loss": 0.75, "seconds": 4.0},
    ]
    assert _row(tmp_path, rows) == RunRow("run", 2, "acc1", 80.0, 5, 70.0, 0.75, 3.0)


def test_a_run_without_an_evaluation_has_neither_best_nor_last(tmp_path: Path) -> None:
    found = _row(tmp_path, [{"kind": "eval", "train_iter": 0, "acc1": 10.0}])
    assert (found.best, found.best_iter, found.last) == (None, None, None)


def test_of_losses_the_lowest_is_the_best(tmp_path: Path) -> None:
    found = _row(tmp_path, _evals(loss=[1.0, 0.5, None]))
    assert (found.judged, found.best, found.best_iter) == ("loss", 0.5, 2)
    assert math.isnan(found.last or 0.0)


METRICS = ["loss", "accuracy", "ece", "brier", "nll"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ("acc1", 60.0, 2)),
        ({"evaluator": {"save_best": "ece"}}, ("ece", 1.0, 3)),
        ({"evaluator": {"save_best": "ece", "rule": "greater"}}, ("ece", 9.0, 2)),
        ({"evaluator": {"save_best": "accuracy_top-1"}}, ("acc1", 60.0, 2)),
        ({"evaluator": {"save_best": "raw_acc1"}}, ("raw_acc1", 90.0, 1)),
        ({"evaluator": {"rule": "less"}}, ("acc1", 50.0, 1)),
    ],
)
def test_the_best_is_what_the_run_called_so(
    settings: dict[str, Any], expected: tuple[str, float, int], tmp_path: Path
) -> None:
    metric = {"type": "ClassificationMetrics", "metrics": METRICS}
    rows = _evals(
        loss=[3.0, 2.0, 1.0],
        acc1=[50.0, 60.0, 55.0],
        raw_acc1=[90.0, 20.0, 30.0],
        ece=[5.0, 9.0, 1.0],
        brier=[0.5, 0.6, 0.7],
        nll=[3.0, 2.0, 1.0],
    )
    found = _row(tmp_path, rows, metric=metric, **settings)
    assert (found.judged, found.best, found.best_iter) == expected


def test_a_metric_of_calibration_alone_is_better_when_it_is_less(tmp_path: Path) -> None:
    rows = _evals(ece=[5.0, 1.0, 9.0])
    assert _row(tmp_path, rows, metric={"type": "CalibrationError"}).best_iter == 2


def test_of_equal_results_that_with_the_lower_loss_is_best(tmp_path: Path) -> None:
    rows = _evals(acc1=[60.0, 60.0, 60.0], loss=[2.0, 1.0, 3.0])
    assert _row(tmp_path, rows, metric=None).best_iter == 2


@pytest.mark.parametrize(
    ("name", "settings", "best_iter"),
    [
        ("my_error", {}, 2),
        ("my_accuracy", {}, 3),
        ("distance", {}, None),
        ("distance", {"less_keys": ["distance"]}, 2),
        ("distance", {"save_best": "distance", "rule": "greater"}, 3),
    ],
)
def test_of_a_metric_of_ones_own_the_best_is_named_only_where_something_says_which(
    name: str, settings: dict[str, Any], best_iter: int | None, tmp_path: Path
) -> None:
    rows = _evals(**{name: [5.0, 1.0, 9.0]})
    found = _row(tmp_path, rows, metric={"type": "MyOwnMetric"}, evaluator=settings)
    assert (found.judged, found.best_iter, found.last) == (name, best_iter, 9.0)
