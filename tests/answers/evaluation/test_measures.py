"""The results in NumPy against those of the metrics, and their intervals."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.answers.evaluation.measures import (
    ClassNumber,
    Measure,
    PrecisionCurve,
    SeveralLabels,
    Tasks,
    build_measure,
)
from ding_cls.metrics import ClassificationMetrics, ImageClassificationMetric, StringAccuracy, SumMetric
from ding_cls.metrics.analysis.bootstrap import SampleSums
from ding_cls.metrics.ranking import average_precision

NAN = float("nan")
RANDOM = np.random.default_rng(7)


def of_metric(metric: SumMetric, logits: Any, targets: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return results and intervals as an evaluation of a checkpoint finds them."""
    rows, labels = torch.from_numpy(logits), torch.from_numpy(targets)
    result = metric.eval(rows, labels)
    sums = SampleSums(metric)
    sums.add(rows, labels)
    return result, sums.intervals(result, {"logits": rows, "targets": labels})


def added(measure: Measure, logits: Any, targets: Any, size: int = 17) -> Measure:
    for begin in range(0, len(logits), size):
        measure.add(logits[begin : begin + size], targets[begin : begin + size])
    return measure


def tied(*shape: int) -> Any:
    """Return logits of which many are equal."""
    return np.round(RANDOM.normal(size=shape) * 2).astype(np.float32) / 2


CASES: list[tuple[str, Measure, SumMetric, Any, Any]] = [
    (
        f"{num_classes} classes",
        ClassNumber(),
        ImageClassificationMetric(),
        tied(90, num_classes),
        np.arange(90) % num_classes,
    )
    for num_classes in (2, 5, 12)
]
CASES += [
    ("3 tasks", Tasks(), StringAccuracy(), tied(80, 3, 4), RANDOM.integers(0, 4, (80, 3))),
    (
        "several labels, some of them left out",
        SeveralLabels(0.4),
        ClassificationMetrics(["mAP", "CF1", "OF1", "exact_match"], thr=0.4),
        tied(120, 3),
        RANDOM.choice([-1.0, 0.0, 1.0, 1.0], (120, 3)).astype(np.float32),
    ),
    *(
        (
            f"the {k} likeliest of several labels",
            SeveralLabels(topk=k),
            ClassificationMetrics(["mAP", "CF1", "OF1", "exact_match"], k=k),
            tied(120, 4),
            RANDOM.choice([-1.0, 0.0, 1.0, 1.0], (120, 4)).astype(np.float32),
        )
        for k in (1, 2, 9)
    ),
]


@pytest.mark.parametrize(("measure", "metric", "logits", "targets"), [each[1:] for each in CASES])
def test_results_and_intervals_are_those_of_the_metrics(
    measure: Measure, metric: SumMetric, logits: Any, targets: Any
) -> None:
    result, intervals = of_metric(metric, logits, targets)
    found = added(measure, logits, targets).measured()
    assert list(found) == list(result)
    for name, value in result.items():
        assert found[name] == pytest.approx(value, rel=1e-6), name
    ours = measure.intervals()
    assert ours.keys() == intervals.keys()
    assert ours
    for name, interval in intervals.items():
        assert ours[name] == pytest.approx(interval, rel=1e-6), name


@pytest.mark.parametrize("value", [NAN, math.inf])
def test_a_row_that_is_no_number_is_never_right(value: float) -> None:
    logits = np.array([[value, 9.0], [9.0, 0.0], [9.0, value]], np.float32)
    targets = np.array([1, 0, 1])
    for metric, measure in (
        (ImageClassificationMetric(), ClassNumber()),
        (ClassificationMetrics(["mAP", "CF1", "OF1", "exact_match"]), SeveralLabels()),
        (ClassificationMetrics(["mAP", "CF1", "OF1", "exact_match"], k=1), SeveralLabels(topk=1)),
    ):
        labels = targets if isinstance(measure, ClassNumber) else np.eye(2, dtype=np.float32)[targets]
        result, _ = of_metric(metric, logits, labels)
        found = added(measure, logits, labels).measured()
        for name, expected in result.items():
            assert found[name] == pytest.approx(expected, nan_ok=True), name
    measure = added(ClassNumber(), logits, targets)
    assert "loss" not in measure.intervals()


def test_a_tie_goes_to_the_lower_class_number() -> None:
    found = added(ClassNumber(), np.zeros((2, 3), np.float32), np.array([0, 2])).measured()
    assert (found["acc1"], found["acc5"]) == (50.0, 100.0)


def test_a_class_that_no_sample_has_has_no_precision() -> None:
    targets = np.array([[1.0, 0.0], [1.0, 0.0]])
    found = added(SeveralLabels(), np.ones((2, 2), np.float32), targets).measured()
    assert found["AP_per_class"] == [100.0, None]
    assert found["mAP"] == 100.0
    nothing = added(SeveralLabels(), np.ones((2, 2), np.float32), targets * 0 - 1).measured()
    assert math.isnan(nothing["mAP"])


def test_average_precision_of_drawn_samples_is_that_of_their_copies() -> None:
    scores, targets = tied(40).astype(np.float64), RANDOM.integers(-1, 2, 40)
    counts = RANDOM.integers(0, 4, 40)
    kept = np.repeat(np.arange(40), counts)
    kept = kept[targets[kept] >= 0]
    expected = average_precision(torch.from_numpy(scores[kept]), torch.from_numpy(targets[kept] == 1))
    assert PrecisionCurve(scores, targets).average(counts.astype(float)) == pytest.approx(expected)


def test_of_many_scores_mean_average_precision_has_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ding_cls.answers.evaluation.measures.MAX_SCORES", 10)
    measure = added(SeveralLabels(), tied(60, 2), RANDOM.integers(0, 2, (60, 2)))
    assert list(measure.intervals()) == ["CF1", "OF1", "exact_match"]
    assert measure.measured()["mAP"] > 0


def test_each_kind_of_label_has_its_measure() -> None:
    kinds = {"one": ClassNumber, "tasks": Tasks, "several": SeveralLabels}
    assert {kind: type(build_measure(kind, threshold=0.5)) for kind in kinds} == kinds
