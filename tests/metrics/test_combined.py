"""Several metrics in one: the results of each alone, names of other systems, the key that decides."""

from typing import Any

import pytest
import torch

from ding_cls.errors import ConfigError
from ding_cls.metrics import ClassificationMetrics, StringAccuracy, build_metric, native_key
from tests.metrics.cases import labels, single, tasks

SINGLE = {
    "loss": {"type": "NegativeLogLikelihood", "name": "loss"},
    "accuracy": {"type": "Accuracy", "topk": (1, 5)},
    "precision": {"type": "SingleLabelMetric", "items": ["precision"]},
    "recall": {"type": "SingleLabelMetric", "items": ["recall"]},
    "f1": {"type": "SingleLabelMetric", "items": ["f1"]},
    "confusion": {"type": "ConfusionMatrix"},
    "mAP": {"type": "AveragePrecision"},
    "auroc": {"type": "Auroc"},
    "nll": {"type": "NegativeLogLikelihood"},
    "ece": {"type": "CalibrationError"},
    "brier": {"type": "BrierScore"},
}


@pytest.mark.parametrize("name", SINGLE)
def test_each_gives_what_it_gives_alone(name: str) -> None:
    case = single()
    assert ClassificationMetrics([name]).eval(*case) == build_metric(SINGLE[name]).eval(*case)


def test_all_together_give_what_each_gives() -> None:
    case = single()
    metric = ClassificationMetrics([*SINGLE, "support"])
    expected: dict[str, Any] = {}
    for described in SINGLE.values():
        expected |= build_metric(described).eval(*case)
    found = metric.eval(*case)
    assert {name: found[name] for name in expected} == expected
    assert set(found) - set(expected) == {"support"}
    assert metric.primary == "acc1"
    assert set(metric.directions) <= set(found)
    assert {name for name, way in metric.directions.items() if way == "min"} == {
        "loss",
        "nll",
        "ece",
        "brier",
    }


def test_of_the_multi_label_family_only_what_was_named() -> None:
    metric = ClassificationMetrics(["mAP", "CF1", "OF1"], thr=0.3)
    found = metric.eval(*labels())
    alone = build_metric({"type": "MultiLabelMetric", "thr": 0.3}).eval(*labels())
    assert list(found) == ["mAP", "AP_per_class", "CF1", "OF1"]
    assert (found["CF1"], found["OF1"]) == (alone["CF1"], alone["OF1"])
    assert metric.primary == "mAP"
    first = build_metric({"type": "MultiLabelMetric", "topk": 2}).eval(*labels())
    assert ClassificationMetrics(["CP"], k=2).eval(*labels()) == {"CP": first["CP"]}


def test_whole_strings_and_described_metrics() -> None:
    assert ClassificationMetrics("string_accuracy").eval(*tasks()) == StringAccuracy().eval(*tasks())
    metric = ClassificationMetrics(["f1", {"type": "Accuracy", "topk": 2}], average="weighted")
    assert list(metric.eval(*single())) == ["f1_weighted", "acc2"]
    assert metric.primary == "f1_weighted"


def test_the_default_is_loss_and_two_accuracies() -> None:
    metric = ClassificationMetrics()
    expected = build_metric().eval(*single())
    found = metric.eval(*single())
    assert list(found) == ["loss", "acc1", "acc5"]
    assert found == pytest.approx(expected, abs=1e-6)
    assert metric.note == ""
    assert metric.eval(torch.eye(2), torch.arange(2))
    assert metric.note.startswith("acc5 counts all of the 2 classes")


@pytest.mark.parametrize(
    ("primary", "expected"),
    [
        (None, "acc1"),
        ("accuracy_top-5", "acc5"),
        ("accuracy", "acc1"),
        ("F1", "f1_macro"),
        ("f1_score", "f1_macro"),
        ("f1_macro", "f1_macro"),
        ("precision", "precision_macro"),
        ("loss", "loss"),
        ("map", "mAP"),
    ],
)
def test_the_deciding_key_by_our_and_by_other_names(primary: str | None, expected: str) -> None:
    names = ["loss", "acc", "F1", "precision", "mAP"]
    assert ClassificationMetrics(names, primary=primary).primary == expected


def test_a_key_with_a_threshold_by_mmclassifications_name() -> None:
    keys = ["acc1", "acc1_thr0.5", "acc5_thr0.5"]
    assert native_key("accuracy_top-1_thr_0.50", keys) == "acc1_thr0.5"
    assert native_key("accuracy_top-5", keys) is None
    assert native_key("recall", keys) is None


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"metrics": ["acuracy"]}, "metrics holds 'acuracy', which is none; did you mean 'accuracy'"),
        ({"metrics": ["zzz"]}, "there are loss, accuracy"),
        ({"metrics": ["support"]}, "of which none gives a number"),
        ({"metrics": []}, "of which none gives a number"),
        ({"primary": "f1"}, "primary is 'f1', but the results are loss, acc1, acc5"),
        ({"metrics": [{"type": "t_combined_users"}]}, "no metric named"),
        ({"metrics": ["ece"], "num_bins": 0}, "num_bins is 0"),
    ],
)
def test_what_there_is_not_is_one_line(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        ClassificationMetrics(**arguments)


@pytest.mark.parametrize("given", [{"thrs": 0.5}, {"thr": 0.3}, {"k": 2}])
def test_a_threshold_that_nothing_uses_is_refused(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(
        ConfigError, match=rf"^{name} is .*, and none of metrics=\['precision'\] uses it: those are"
    ):
        ClassificationMetrics(["precision"], **given)
