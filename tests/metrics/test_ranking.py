"""Average precision and AUROC against scikit-learn, VOC's two ways against a recount."""

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import Auroc, AveragePrecision, auroc, average_precision
from tests.metrics.cases import labels, single

NAN = float("nan")


@pytest.mark.parametrize("key", range(3))
def test_map_over_labels_is_that_of_scikit_learn(key: int) -> None:
    logits, targets = labels(key=key)
    found = AveragePrecision().eval(logits, targets)
    expected = [100 * average_precision_score(targets[:, number], logits[:, number]) for number in range(4)]
    assert found["AP_per_class"] == [*(pytest.approx(each, abs=1e-10) for each in expected), None]
    assert found["mAP"] == pytest.approx(sum(expected) / 4, abs=1e-10)


def test_map_of_single_labels_ranks_the_softmax_scores() -> None:
    logits, targets = single()
    scores = logits.double().softmax(1)
    expected = [100 * average_precision_score(targets == number, scores[:, number]) for number in range(5)]
    assert AveragePrecision().eval(logits, targets)["mAP"] == pytest.approx(sum(expected) / 5)


def test_answers_left_out_have_no_place() -> None:
    logits, targets = labels()
    targets[::3, 0] = -1
    kept = targets[:, 0] >= 0
    expected = 100 * average_precision_score(targets[kept, 0], logits[kept, 0])
    assert AveragePrecision().eval(logits, targets)["AP_per_class"][0] == pytest.approx(expected)
    expected = roc_auc_score(targets[kept, 0], logits[kept, 0])
    assert Auroc().eval(logits, targets)["auroc_per_class"][0] == pytest.approx(expected)


def voc(scores: list[float], positive: list[bool], mode: str) -> float:
    """The challenge's rules, one threshold after the other."""
    points = []
    for threshold in sorted(set(scores), reverse=True):
        taken = [hit for score, hit in zip(scores, positive, strict=True) if score >= threshold]
        points.append((sum(taken) / sum(positive), sum(taken) / len(taken)))

    def best(recall: float) -> float:
        return max((p for r, p in points if r >= recall - 1e-12), default=0.0)

    if mode == "11points":
        return sum(best(k / 10) for k in range(11)) / 11
    before, area = 0.0, 0.0
    for recall, _ in points:
        area += (recall - before) * best(recall)
        before = recall
    return area


@pytest.mark.parametrize("mode", ["11points", "area"])
def test_the_two_ways_of_voc_are_its_rules(mode: str) -> None:
    for key in range(8):
        logits, targets = labels(num_samples=10 + key, key=key)
        found = average_precision(logits[:, 0].double(), targets[:, 0] > 0, mode=mode)
        expected = voc(logits[:, 0].tolist(), (targets[:, 0] > 0).tolist(), mode)
        assert found == pytest.approx(expected, abs=1e-12)
    assert AveragePrecision(mode=mode).eval(*labels())["mAP"] > 0


def test_auroc_of_two_classes_is_that_of_the_second() -> None:
    logits, _ = single(num_classes=2)
    targets = torch.arange(61) % 2
    expected = roc_auc_score(targets, logits.double().softmax(1)[:, 1])
    assert Auroc().eval(logits, targets) == {"auroc": pytest.approx(expected, abs=1e-12)}


def test_auroc_of_several_classes_is_each_against_the_rest() -> None:
    logits, targets = single()
    found = Auroc().eval(logits, targets)
    assert found["auroc_per_class"][-1] is None
    scores = logits.double().softmax(1)
    expected = [roc_auc_score(targets == number, scores[:, number]) for number in range(5)]
    assert found["auroc"] == pytest.approx(sum(expected) / 5, abs=1e-12)
    complete = torch.cat([targets, torch.tensor([5])])
    more = torch.cat([logits, torch.zeros(1, 6)])
    whole = roc_auc_score(complete, more.double().softmax(1), multi_class="ovr", average="macro")
    assert Auroc().eval(more, complete)["auroc"] == pytest.approx(whole, abs=1e-12)


def test_auroc_of_labels_is_the_mean_over_the_classes() -> None:
    logits, targets = labels()
    expected = roc_auc_score(targets[:, :4], logits[:, :4], average="macro")
    assert Auroc().eval(logits, targets)["auroc"] == pytest.approx(expected, abs=1e-12)


def test_the_order_of_the_data_does_not_matter() -> None:
    logits, targets = labels()
    shuffled = torch.randperm(61, generator=torch.Generator().manual_seed(0))
    for metric in (AveragePrecision(), AveragePrecision("11points"), AveragePrecision("area"), Auroc()):
        assert metric.eval(logits[shuffled], targets[shuffled]) == metric.eval(logits, targets)


def test_where_nothing_can_be_ranked_there_is_no_number() -> None:
    assert average_precision(torch.ones(2), torch.zeros(2, dtype=torch.bool)) is None
    assert average_precision(torch.ones(0), torch.zeros(0, dtype=torch.bool)) is None
    assert auroc(torch.ones(2), torch.ones(2, dtype=torch.bool)) is None
    found = AveragePrecision().eval(torch.ones(2, 1), torch.zeros(2, 1))["mAP"]
    assert found != found
    found = Auroc().eval(torch.eye(2), torch.tensor([0, 0]))["auroc"]
    assert found != found


def test_a_nan_stands_below_all_others() -> None:
    positive = torch.tensor([True, False, True])
    assert auroc(torch.tensor([1.0, 0.0, NAN]), positive) == auroc(torch.tensor([2.0, 1.0, 0.0]), positive)
    found = average_precision(torch.tensor([1.0, 0.0, NAN]), positive)
    assert found == average_precision(torch.tensor([2.0, 1.0, 0.0]), positive)


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="it must be one of integral, 11points, area"):
        AveragePrecision("voc")
    with pytest.raises(DataError, match="1 of 2 labels"):
        Auroc().eval(torch.eye(2), torch.tensor([0, 7]))
