"""``IMetric`` and ``SumMetric``: three methods, means with counts, what is better, when to stop."""

import math
from typing import Any

import pytest
import torch

from ding_cls.metrics import ImageClassificationMetric, IMetric, SumMetric

NAN, INF = float("nan"), float("inf")
GOOD = {"loss": 0.5, "acc1": 80.0, "acc5": 90.0}


class HitRate(SumMetric):
    """The smallest metric of sums that one can write."""

    primary = "hits"
    directions = {"hits": "max"}

    def zeros(self) -> dict[str, torch.Tensor]:
        return {"count": torch.tensor(0), "hits": torch.tensor(0)}

    def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"count": torch.tensor(len(targets)), "hits": (logits.argmax(1) == targets).sum()}

    def result(self, totals: Any) -> dict[str, float]:
        return {"hits": totals["hits"] / totals["count"]}


@pytest.mark.parametrize("missing", ["eval", "reduce_mean", "gt"])
def test_a_metric_needs_each_of_the_three_methods(missing: str) -> None:
    methods = {name: (lambda self, *args: None) for name in ("eval", "reduce_mean", "gt") if name != missing}
    with pytest.raises(TypeError, match=missing):
        type("Partial", (IMetric,), methods)()


def test_a_metric_needs_no_more_than_the_three_methods() -> None:
    assert IMetric.__abstractmethods__ == {"eval", "reduce_mean", "gt"}


def test_sums_give_eval_and_gt_for_nothing() -> None:
    metric = HitRate()
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
    result = metric.eval(logits, torch.tensor([0, 1, 1]))
    assert result == {"hits": 2 / 3}
    assert type(result["hits"]) is float
    assert metric.gt(result, {"hits": 0.5})
    assert not metric.gt(result, {"hits": 0.7})


def test_reduce_mean_without_counts_is_the_plain_mean() -> None:
    assert HitRate().reduce_mean([{"hits": 1.0}, {"hits": 0.0}, {"hits": 0.5}]) == {"hits": 0.5}


def test_reduce_mean_with_counts_is_the_mean_over_samples() -> None:
    batches = [{"hits": 1.0, "loss": 2.0}, {"hits": 0.25, "loss": 4.0}]
    assert HitRate().reduce_mean(batches, [1, 4]) == {"hits": (1.0 + 0.25 * 4) / 5, "loss": (2.0 + 16.0) / 5}


def test_reduce_mean_refuses_another_number_of_counts() -> None:
    with pytest.raises(ValueError, match="shorter"):
        HitRate().reduce_mean([{"hits": 1.0}, {"hits": 0.0}], [1])


def test_reduce_mean_adds_without_losing_digits() -> None:
    batches = [{"hits": 1e16}, {"hits": 1.0}, {"hits": -1e16}]
    assert HitRate().reduce_mean(batches) == {"hits": 1 / 3}


def test_gt_looks_at_the_primary_key_alone() -> None:
    worse_elsewhere = {"loss": 9.0, "acc1": 80.5, "acc5": 10.0}
    assert ImageClassificationMetric().gt(worse_elsewhere, GOOD)
    assert not ImageClassificationMetric("loss").gt(worse_elsewhere, GOOD)


@pytest.mark.parametrize(
    ("primary", "new", "old", "is_better"),
    [
        ("acc1", 80.1, 80.0, True),
        ("acc1", 80.0, 80.0, False),
        ("acc1", 79.9, 80.0, False),
        ("loss", 0.4, 0.5, True),
        ("loss", 0.5, 0.5, False),
        ("loss", 0.6, 0.5, False),
        ("acc1", NAN, 80.0, False),
        ("acc1", NAN, NAN, False),
        ("acc1", 0.0, NAN, True),
        ("loss", NAN, 0.5, False),
        ("loss", 99.0, NAN, True),
        ("acc1", -INF, 80.0, False),
        ("loss", INF, 0.5, False),
    ],
)
def test_gt_has_a_direction_and_nan_is_never_better(
    primary: str, new: float, old: float, is_better: bool
) -> None:
    metric = ImageClassificationMetric(primary)
    assert metric.gt({**GOOD, primary: new}, {**GOOD, primary: old}) is is_better


@pytest.mark.parametrize(
    ("primary", "new", "old", "is_better"),
    [
        ("acc1", 0.4, 0.5, True),
        ("acc5", 0.4, 0.5, True),
        ("acc1", 0.5, 0.5, False),
        ("acc1", 0.6, 0.5, False),
        ("acc1", NAN, 0.5, False),
        ("acc1", 0.5, NAN, True),
        ("acc1", NAN, NAN, False),
    ],
)
def test_a_tie_goes_to_the_lower_loss(primary: str, new: float, old: float, is_better: bool) -> None:
    metric = ImageClassificationMetric(primary)
    assert metric.gt({**GOOD, "loss": new}, {**GOOD, "loss": old}) is is_better


def test_a_tie_without_a_loss_stays() -> None:
    metric = HitRate()
    name = metric.primary
    assert not metric.gt({name: 0.5}, {name: 0.5})
    assert not metric.gt({name: 0.5, "loss": 0.1}, {name: 0.5})
    assert not metric.gt({name: 0.5}, {name: 0.5, "loss": 0.1})


@pytest.mark.parametrize("primary", ["acc1", "acc5", "loss"])
def test_anything_but_nan_is_better_than_nothing(primary: str) -> None:
    metric = ImageClassificationMetric(primary)
    assert metric.gt({**GOOD, primary: 0.0}, None)
    assert not metric.gt({**GOOD, primary: NAN}, None)


@pytest.mark.parametrize(
    ("stop_value", "is_reached"),
    [
        ({"acc1": 80.0}, True),
        ({"acc1": 80.01}, False),
        ({"loss": 0.5}, True),
        ({"loss": 0.49}, False),
        ({"loss": 0.51}, True),
        ({"acc1": 75.0, "loss": 0.6}, True),
        ({"acc1": 75.0, "loss": 0.4}, False),
        ({"acc1": 85.0, "loss": 0.6}, False),
        ({"loss": 0.5, "acc1": 80.0, "acc5": 90.0}, True),
        (80.0, True),
        (80.5, False),
        (80, True),
        ({}, True),
    ],
)
def test_a_stop_value_compares_the_keys_it_names_each_in_its_direction(
    stop_value: Any, is_reached: bool
) -> None:
    assert ImageClassificationMetric().reached(GOOD, stop_value) is is_reached


def test_a_single_number_is_meant_for_the_primary_key() -> None:
    assert ImageClassificationMetric("loss").reached(GOOD, 0.6)
    assert not ImageClassificationMetric("loss").reached(GOOD, 0.4)


def test_nan_reaches_no_stop_value() -> None:
    for name, goal in (("acc1", 0.0), ("loss", INF), ("acc1", -INF)):
        assert not ImageClassificationMetric().reached({**GOOD, name: NAN}, {name: goal})


def test_an_unknown_key_in_a_stop_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="top1"):
        ImageClassificationMetric().reached(GOOD, {"top1": 1.0})


def test_is_better_agrees_with_the_order_of_numbers() -> None:
    values = [-INF, -1.0, -0.0, 0.0, 0.5, 100.0, INF, NAN]
    metric, checked = ImageClassificationMetric(), 0
    for one in values:
        for other in values:
            is_finite_answer = math.isnan(other) and not math.isnan(one)
            assert metric.is_better("acc1", one, other) is (is_finite_answer or one > other)
            assert metric.is_better("loss", one, other) is (is_finite_answer or one < other)
            checked += 1
    assert checked == 64
