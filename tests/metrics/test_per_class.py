"""Precision, recall, F1, support and the confusion matrix against scikit-learn."""

import pytest
import torch
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import ConfusionMatrix, SingleLabelMetric
from tests.metrics.cases import single

NAN = float("nan")


@pytest.mark.parametrize("average", ["macro", "micro", "weighted", "none"])
@pytest.mark.parametrize("key", range(4))
def test_every_average_is_that_of_scikit_learn(average: str, key: int) -> None:
    logits, targets = single(key=key)
    found = SingleLabelMetric(average=average).eval(logits, targets)
    guesses = logits.argmax(1)
    *expected, support = precision_recall_fscore_support(
        targets, guesses, labels=range(6), average=None if average == "none" else average, zero_division=0
    )
    ending = "per_class" if average == "none" else average
    for item, values in zip(("precision", "recall", "f1"), expected, strict=True):
        assert found[f"{item}_{ending}"] == pytest.approx(100 * values, abs=1e-12)
    assert found["support"] == [int((targets == number).sum()) for number in range(6)]
    assert found["support"][-1] == 0
    assert support is None or found["support"] == support.tolist()


def test_several_averages_and_items_at_once() -> None:
    metric = SingleLabelMetric(items=["recall", "f1"], average=["micro", None])
    assert list(metric.eval(*single())) == ["recall_micro", "f1_micro", "recall_per_class", "f1_per_class"]
    assert metric.primary == "f1_micro"
    assert dict(metric.directions) == {"recall_micro": "max", "f1_micro": "max"}


def test_a_metric_without_a_number_cannot_choose_the_best() -> None:
    metric = SingleLabelMetric(average="none")
    with pytest.raises(ConfigError, match="gives no number ''"):
        metric.gt(metric.eval(*single()), None)


@pytest.mark.parametrize("key", range(4))
def test_the_confusion_matrix_is_that_of_scikit_learn(key: int) -> None:
    logits, targets = single(key=key)
    found = ConfusionMatrix().eval(logits, targets)
    assert found["confusion"] == confusion_matrix(targets, logits.argmax(1), labels=range(6)).tolist()
    assert found["acc1"] == pytest.approx(100 * (logits.argmax(1) == targets).double().mean().item())


def test_a_row_with_a_nan_is_taken_for_no_class() -> None:
    logits, targets = torch.eye(3), torch.arange(3)
    logits[1, 0] = NAN
    assert ConfusionMatrix().eval(logits, targets)["confusion"] == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    found = SingleLabelMetric(average="none").eval(logits, targets)
    assert found["recall_per_class"] == [100.0, 0.0, 100.0]
    assert found["precision_per_class"] == [100.0, 0.0, 100.0]
    assert found["support"] == [1, 1, 1]


@pytest.mark.parametrize("kind", [SingleLabelMetric, ConfusionMatrix])
def test_a_label_outside_the_classes_is_refused(kind: type) -> None:
    with pytest.raises(DataError, match="1 of 3 labels"):
        kind().eval(torch.eye(3), torch.tensor([0, 1, 3]))


@pytest.mark.parametrize(
    "arguments", [{"items": ["f2"]}, {"average": "samples"}, {"average": ["macro", 3]}, {"primary": "f1"}]
)
def test_what_there_is_not_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"known are|the results are"):
        SingleLabelMetric(**arguments)
