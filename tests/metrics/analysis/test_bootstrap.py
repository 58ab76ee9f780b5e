"""Intervals: they cover, they are none where they would guess, and they depend on the samples alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.answers.proportions import Interval, wilson
from ding_cls.answers.resampling import NUM_DRAWS, counts_of_draws
from ding_cls.metrics import (
    Accuracy,
    AveragePrecision,
    BrierScore,
    CalibrationError,
    ClassificationMetrics,
    ConfusionMatrix,
    ExactMatch,
    ImageClassificationMetric,
    MultiLabelMetric,
    NegativeLogLikelihood,
    SingleLabelMetric,
    StringAccuracy,
    SumMetric,
    plain_totals,
)
from ding_cls.metrics.analysis import bootstrap
from ding_cls.metrics.analysis.bootstrap import SampleSums, lean_metric


def samples(num: int, *, num_classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits and class numbers, about two thirds of them right."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(num_classes, (num,), generator=generator)
    logits = torch.randn(num, num_classes, generator=generator)
    logits[torch.arange(num), targets] += 1.5
    return logits, targets


def measured(metric: SumMetric, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, Any]:
    return metric.eval(logits, targets)


def intervals_of(
    metric: SumMetric, logits: torch.Tensor, targets: torch.Tensor, *, batch_size: int = 64
) -> dict[str, Interval]:
    lean = lean_metric(metric, logits.numel())
    if lean is None:
        return {}
    sums = SampleSums(lean)
    for begin in range(0, len(targets), batch_size):
        sums.add(logits[begin : begin + batch_size], targets[begin : begin + batch_size])
    return sums.intervals(measured(metric, logits, targets), {"logits": logits, "targets": targets})


def test_the_loss_has_the_percentiles_of_the_same_draws_by_hand() -> None:
    logits, targets = samples(120)
    found = intervals_of(ImageClassificationMetric(), logits, targets)
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none").double().numpy()
    means = [counts @ losses / 120 for counts in counts_of_draws(120, NUM_DRAWS)]
    assert found["loss"] == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=1e-9)
    hits = int((logits.argmax(1) == targets).sum())
    assert found["acc1"] == wilson(hits, 120)


@pytest.mark.parametrize(
    ("metric", "names"),
    [
        (SingleLabelMetric(average=["macro", "micro", "weighted"]), {"f1_macro", "recall_micro"}),
        (Accuracy((1, 2), (None, 0.5)), {"acc1", "acc2", "acc1_thr0.5", "acc2_thr0.5"}),
        (ConfusionMatrix(), {"acc1"}),
        (BrierScore(), {"brier"}),
        (NegativeLogLikelihood(), {"nll"}),
        (ClassificationMetrics(["confusion", "f1", "loss", "ece"]), {"acc1", "f1_macro", "loss"}),
    ],
)
def test_what_has_an_interval_has_its_value_in_it(metric: SumMetric, names: set[str]) -> None:
    logits, targets = samples(200)
    found, result = intervals_of(metric, logits, targets), measured(metric, logits, targets)
    assert names <= set(found)
    assert all(low < result[name] < high for name, (low, high) in found.items())


def test_draws_of_counts_are_the_metric_of_the_drawn_samples() -> None:
    metric, (logits, targets) = SingleLabelMetric(), samples(90)
    values = []
    for counts in counts_of_draws(90, NUM_DRAWS):
        index = torch.from_numpy(np.repeat(np.arange(90), counts))
        values.append(metric.result(plain_totals(metric.sums(logits[index], targets[index])))["f1_macro"])
    found = intervals_of(metric, logits, targets)["f1_macro"]
    assert found == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-9)


def test_several_labels_and_several_tasks() -> None:
    generator = torch.Generator().manual_seed(3)
    labels = (torch.rand(150, 5, generator=generator) < 0.4).float()
    labels[0, 0] = -1.0
    logits = 2 * labels - 1 + torch.randn(150, 5, generator=generator)
    several = intervals_of(ClassificationMetrics(["mAP", "CF1", "OF1", "exact_match"]), logits, labels)
    assert set(several) == {"mAP", "CF1", "OF1", "exact_match"}
    assert set(intervals_of(MultiLabelMetric(topk=2), logits, labels)) == {*MultiLabelMetric.directions}
    assert several["exact_match"] == intervals_of(ExactMatch(), logits, labels)["exact_match"]
    numbers = torch.randint(6, (150, 3), generator=generator)
    tasks = intervals_of(StringAccuracy(), torch.randn(150, 3, 6, generator=generator), numbers)
    assert set(tasks) == {"acc_string", "acc_character"}


def test_average_precision_of_too_many_scores_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, targets = samples(300)
    assert set(intervals_of(AveragePrecision(), logits, targets)) == {"mAP"}
    monkeypatch.setattr(bootstrap, "MAX_SCORES", 100)
    assert intervals_of(AveragePrecision(), logits, targets) == {}
    assert set(intervals_of(ClassificationMetrics(["mAP", "loss"]), logits, targets)) == {"loss"}


def test_there_is_none_for_the_calibration_error_nor_for_the_mean_of_classes_of_two_samples() -> None:
    logits, targets = samples(80, num_classes=40)
    assert intervals_of(CalibrationError(), logits, targets) == {}
    found = intervals_of(ClassificationMetrics(["recall", "accuracy"]), logits, targets)
    assert set(found) == {"acc1", "acc5"}


def test_where_all_is_right_only_proportions_have_one() -> None:
    targets = torch.arange(100) % 4
    logits = 9.0 * torch.nn.functional.one_hot(targets, 4).float()
    found = intervals_of(ClassificationMetrics(["loss", "accuracy", "f1"]), logits, targets)
    assert set(found) == {"acc1", "acc5"}
    assert found["acc1"] == pytest.approx((96.30065, 100.0), abs=1e-4)


def test_only_the_samples_decide() -> None:
    logits, targets = samples(130)
    metric = ClassificationMetrics(["loss", "accuracy", "f1"])
    first = intervals_of(metric, logits, targets)
    torch.manual_seed(5)
    state, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    again = intervals_of(metric, logits, targets, batch_size=7)
    assert again.keys() == first.keys()
    assert all(again[name] == pytest.approx(first[name], abs=1e-9) for name in first)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numbers).all()  # type: ignore[index]


def test_samples_of_two_ranks_follow_one_another() -> None:
    logits, targets = samples(50)
    metric = ImageClassificationMetric()
    parts = [SampleSums(metric) for _ in range(3)]
    parts[0].add(logits[:30], targets[:30])
    parts[1].add(logits[30:], targets[30:])
    parts[0].append(parts[1])
    # A rank without a sample.
    parts[0].append(parts[2])
    whole = SampleSums(metric)
    whole.add(logits, targets)
    result = measured(metric, logits, targets)
    assert parts[0].num_samples == 50
    assert parts[0].intervals(result) == whole.intervals(result) != {}


class _OfOneBatch(ImageClassificationMetric):
    """Sums that depend on what else is in the batch."""

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        found = super().sums(logits, targets)
        return {**found, "loss": found["loss"] * len(targets)}


class _OfTheHost(ImageClassificationMetric):
    """Sums that read values, which cannot be vectorised."""

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        assert logits.sum().item() != 7.0
        return super().sums(logits, targets)


def test_a_number_that_is_no_sum_of_the_samples_has_none() -> None:
    logits, targets = samples(60)
    assert set(intervals_of(_OfOneBatch(), logits, targets)) == {"acc1", "acc5"}
    assert intervals_of(_OfTheHost(), logits, targets) == {}


def test_a_result_that_is_none_of_the_metric_has_none() -> None:
    logits, targets = samples(60)
    sums = SampleSums(ImageClassificationMetric())
    sums.add(logits, targets)
    other: Mapping[str, Any] = {"acc1": 1.0, "0_acc1": 2.0, "acc5": None}
    assert sums.intervals(other) == {}
