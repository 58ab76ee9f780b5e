"""Metrics of torchmetrics by class name: their values, and what is missing."""

import sys
from typing import Any

import pytest
import torch

from ding_cls.errors import ConfigError
from ding_cls.metrics import ClassificationMetrics, TorchMetric, build_metric
from tests.metrics.cases import labels, single, tasks

pytest.importorskip("torchmetrics", reason="not run: torchmetrics is not installed")


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_f1_of_several_classes_is_ours(average: str) -> None:
    logits, targets = single(num_classes=4)
    targets[0] = 3
    metric = TorchMetric("MulticlassF1Score", num_classes=4, average=average)
    ours = build_metric({"type": "SingleLabelMetric", "average": average}).eval(logits, targets)
    assert metric.eval(logits, targets) == {
        "multiclass_f1_score": pytest.approx(ours[f"f1_{average}"] / 100, abs=1e-6)
    }
    assert (metric.primary, metric.directions) == ("multiclass_f1_score", {"multiclass_f1_score": "max"})


def test_a_binary_metric_is_given_the_scores_of_class_1() -> None:
    logits, targets = single(num_classes=2)
    targets = torch.arange(61) % 2
    found = TorchMetric("BinaryAUROC").eval(logits, targets)
    assert found["binary_auroc"] == pytest.approx(
        build_metric({"type": "Auroc"}).eval(logits, targets)["auroc"], abs=1e-6
    )


def test_labels_and_tasks_are_given_in_its_form() -> None:
    logits, targets = labels()
    # torchmetrics guesses above one half, ours at one half too.
    logits = logits + 0.1
    ours = build_metric({"type": "MultiLabelMetric"}).eval(logits, targets)["OF1"]
    found = TorchMetric("MultilabelF1Score", num_labels=5, average="micro", name="f").eval(logits, targets)
    assert found == {"f": pytest.approx(ours / 100, abs=1e-6)}
    by_classes = TorchMetric("MultilabelF1Score", inputs="classes", num_labels=5, average="micro", name="f")
    assert by_classes.eval(logits, targets) == found
    exact = TorchMetric("MulticlassExactMatch", num_classes=4).eval(*tasks())
    ours = build_metric({"type": "StringAccuracy"}).eval(*tasks())["acc_string"]
    assert exact["multiclass_exact_match"] == pytest.approx(ours / 100, abs=1e-6)


def test_a_matrix_is_a_list_and_stands_beside_a_number() -> None:
    logits, targets = single()
    described = {"type": "TorchMetric", "metric": "MulticlassConfusionMatrix", "num_classes": 6}
    found = ClassificationMetrics(["accuracy", described]).eval(logits, targets)
    ours = build_metric({"type": "ConfusionMatrix"}).eval(logits, targets)
    assert found["multiclass_confusion_matrix"] == ours["confusion"]
    alone = build_metric(described)
    with pytest.raises(ConfigError, match="gives no number 'multiclass_confusion_matrix'"):
        alone.gt(alone.eval(logits, targets), None)


def test_a_direction_may_be_said() -> None:
    metric = TorchMetric("MulticlassCalibrationError", num_classes=6, inputs="logits", direction="max")
    assert metric.directions == {"multiclass_calibration_error": "max"}
    assert 0 < metric.eval(*single())["multiclass_calibration_error"] < 1


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (
            {"metric": "MulticlassF1Scores"},
            "has no metric 'MulticlassF1Scores'; did you mean MulticlassF1Score",
        ),
        ({"metric": "MulticlassF1Score", "classes": 3}, "MulticlassF1Score cannot be built with"),
        ({"metric": "BinaryAUROC", "inputs": "score"}, "inputs is 'score'; it must be one of scores"),
        ({"metric": "BinaryAUROC", "direction": "up"}, "direction is 'up'"),
    ],
)
def test_what_there_is_not_is_one_line(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        TorchMetric(**arguments)


def test_without_torchmetrics_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with pytest.raises(ConfigError, match=r"pip install 'ding_cls\[torchmetrics\]'"):
        TorchMetric("BinaryAUROC")


def test_what_it_cannot_judge_is_one_line() -> None:
    metric = TorchMetric("MulticlassF1Score", num_classes=3)
    with pytest.raises(
        ConfigError, match=r"torchmetrics' MulticlassF1Score with \{'num_classes': 3\} cannot judge"
    ):
        metric.eval(torch.randn(4, 5), torch.tensor([0, 1, 2, 0]))
