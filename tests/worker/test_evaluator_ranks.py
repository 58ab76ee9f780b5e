"""The evaluator on one, two and three real ranks: the same counts, the same batches, the same decisions."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from ding_cls.data import DistributedSampler, build_eval_loader
from ding_cls.distributed import get_rank, get_world_size
from ding_cls.errors import DataError
from ding_cls.metrics import ImageClassificationMetric
from tests.distributed.ranks import run_ranks
from tests.worker.tables import (
    DingStyleMetric,
    NumberedSamples,
    ScriptedMetric,
    TablePolicy,
    evaluator_of,
    numbered,
)

pytestmark = pytest.mark.dist

SIZES = (1, 2, 5, 97, 100, 101)
BATCH_SIZES = (1, 4, 7, 32)
# What the default tier tries on ranks: less than a batch on each, and last batches of either length.
FEW_SIZES, FEW_BATCH_SIZES = (1, 97), (7,)
WORLDS = pytest.mark.parametrize(
    "world_size", [2, *(pytest.param(each, marks=pytest.mark.slow) for each in (1, 3))]
)
SEVERAL = pytest.mark.parametrize("world_size", [2, pytest.param(3, marks=pytest.mark.slow)])
LOADERS = ("ours", "round_up", "uneven", "torch", "whole")


class RecordingMetric(ImageClassificationMetric):
    """Keeps the totals that its result was made of."""

    def result(self, totals: Any) -> dict[str, float]:
        self.totals = dict(totals)
        return super().result(totals)


class CountedMetric(DingStyleMetric):
    """Keeps the counts that it was given."""

    def reduce_mean(
        self, inputs: list[dict[str, float]], counts: list[int] | None = None
    ) -> dict[str, float]:
        self.counts = counts
        return super().reduce_mean(inputs)


@cache
def on_ranks(world_size: int, part: Callable[..., Any], *arguments: Any) -> list[Any]:
    return run_ranks(part, world_size, *arguments)


def shard(samples: NumberedSamples, batch_size: int, kind: str) -> Any:
    rank, world_size = get_rank(), get_world_size()
    if kind == "ours":
        return build_eval_loader(samples, batch_size, rank=rank, world_size=world_size)
    samplers = {
        "round_up": lambda: DistributedSampler(samples, seed=5),
        "uneven": lambda: DistributedSampler(samples, round_up=False, shuffle=False),
        "torch": lambda: torch.utils.data.DistributedSampler(samples, world_size, rank),
        "whole": lambda: None,
    }
    return DataLoader(samples, batch_size, sampler=samplers[kind]())


def sums_of_shapes(sizes: tuple[int, ...], batch_sizes: tuple[int, ...]) -> dict[Any, Any]:
    found = {}
    for kind in LOADERS:
        for num_samples in sizes:
            for batch_size in batch_sizes:
                samples, policy = numbered(num_samples)
                metric = RecordingMetric()
                evaluator = evaluator_of(shard(samples, batch_size, kind), policy, metric)
                _, result = evaluator.eval(None, 1)
                found[kind, num_samples, batch_size] = (metric.totals, result, evaluator.num_evaluated)
    return found


@cache
def alone(part: Callable[..., Any], *arguments: Any) -> Any:
    return part(*arguments)


@pytest.mark.parametrize(
    ("world_size", "shapes"),
    [
        (2, (FEW_SIZES, FEW_BATCH_SIZES)),
        *(pytest.param(each, (SIZES, BATCH_SIZES), marks=pytest.mark.slow) for each in (1, 2, 3)),
    ],
)
def test_counts_are_equal_as_integers_at_any_world_size(
    world_size: int, shapes: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    ranks = on_ranks(world_size, sums_of_shapes, *shapes)
    assert all(each == ranks[0] for each in ranks)
    checked = 0
    for (kind, num_samples, batch_size), (totals, result, num_evaluated) in ranks[0].items():
        expected, of_one, _ = alone(sums_of_shapes, *shapes)["ours", num_samples, batch_size]
        # A plain loader goes through the whole set on every rank: each sum is that many times as large.
        times = world_size if kind == "whole" else 1
        for name in ("count", "top1", "top5", "bad_labels"):
            assert type(totals[name]) is int
            assert totals[name] == expected[name] * times
        assert num_evaluated == num_samples
        assert (result["acc1"], result["acc5"]) == (of_one["acc1"], of_one["acc5"])
        assert result["loss"] == pytest.approx(of_one["loss"], rel=1e-6)
        checked += 1
    assert checked == len(LOADERS) * len(shapes[0]) * len(shapes[1])
    assert checked in (10, 120)


def given_to_a_users_metric() -> dict[Any, Any]:
    found = {}
    for num_samples in SIZES:
        for batch_size in BATCH_SIZES:
            samples, policy = numbered(num_samples)
            metric = CountedMetric()
            _, result = evaluator_of(shard(samples, batch_size, "ours"), policy, metric).eval(None, 1)
            found[num_samples, batch_size] = (metric.calls, metric.counts, result)
    return found


@WORLDS
def test_a_users_reduce_mean_gets_the_same_bits_once_in_the_order_of_the_data(world_size: int) -> None:
    expected = alone(given_to_a_users_metric)
    assert on_ranks(world_size, given_to_a_users_metric) == [expected] * world_size
    assert len(expected) == 24
    for (num_samples, batch_size), (calls, counts, _) in expected.items():
        samples, policy = numbered(num_samples)
        parts = torch.arange(num_samples).split(batch_size)
        labels = torch.tensor(samples.targets)
        assert calls == [[DingStyleMetric().eval(policy.logits[part], labels[part]) for part in parts]]
        assert counts == [len(part) for part in parts]


def users_metric_by_samplers() -> list[Any]:
    found = []
    for kind in ("round_up", "uneven", "torch"):
        for num_samples in SIZES:
            samples, policy = numbered(num_samples)
            metric = CountedMetric()
            evaluator = evaluator_of(shard(samples, 1, kind), policy, metric)
            evaluator.eval(None, 1)
            found.append((kind, num_samples, metric.calls, metric.counts, evaluator.num_evaluated))
    return found


@SEVERAL
def test_shares_that_a_sampler_dealt_out_are_put_back_in_order(world_size: int) -> None:
    """With one sample a batch, the order of the data is the sampler's own, at any world size."""
    expected = alone(users_metric_by_samplers)
    assert on_ranks(world_size, users_metric_by_samplers) == [expected] * world_size
    assert len(expected) == 18
    for _, num_samples, calls, counts, num_evaluated in expected:
        assert (len(calls), len(calls[0])) == (1, num_samples)
        assert counts == [1] * num_samples
        assert num_evaluated == num_samples


def kept() -> list[Any]:
    found = []
    for num_samples in SIZES:
        for batch_size in BATCH_SIZES:
            samples, policy = numbered(num_samples)
            evaluator = evaluator_of(shard(samples, batch_size, "ours"), policy)
            evaluator.keep_predictions = True
            evaluator.eval(None, 1)
            predictions = evaluator.predictions
            found.append(
                predictions["sample_ids"].tolist() == list(range(num_samples))
                and predictions["targets"].tolist() == samples.targets
                and torch.equal(predictions["logits"], policy.logits)
            )
    return found


@SEVERAL
def test_predictions_of_all_ranks_are_kept_in_the_order_of_the_data(world_size: int) -> None:
    assert on_ranks(world_size, kept) == [[True] * 24] * world_size


def errors() -> list[str]:
    """A bad label that one rank alone sees, and samples that every rank drops: all say so, and none waits."""
    found = []
    samples, policy = numbered(20)
    samples.targets[-1] = 8
    dropping, other_policy = numbered(21)
    sampler = DistributedSampler(dropping, shuffle=False)
    loader = DataLoader(dropping, 4, sampler=sampler, drop_last=True)
    for evaluator in (evaluator_of(shard(samples, 4, "ours"), policy), evaluator_of(loader, other_policy)):
        with pytest.raises(DataError) as caught:
            evaluator.eval(None, 1)
        found.append(str(caught.value))
    return found


@SEVERAL
def test_what_is_wrong_on_one_rank_is_told_by_all_and_hangs_none(world_size: int) -> None:
    num_left = world_size * (-(-21 // world_size) // 4) * 4
    assert (
        on_ranks(world_size, errors)
        == [
            [
                "1 of 20 labels lie outside the network's classes; "
                "the network and the data set disagree about the number of classes",
                f"{num_left} samples were evaluated, the data set holds 21; "
                "its loader has drop_last=True, use drop_last=False",
            ]
        ]
        * world_size
    )


def decisions() -> list[Any]:
    samples, _ = numbered(5)
    policy = TablePolicy(torch.zeros(5, 8))
    nan = float("nan")
    metric = ScriptedMetric([nan, 1.0, 3.0, 2.0])
    evaluator = evaluator_of(shard(samples, 2, "ours"), policy, metric, stop_value={"score": 2.5})
    saved: list[str] = []
    stops = [evaluator.eval(saved.append, number)[0] for number in range(4)]
    return [stops, len(saved), evaluator.best, evaluator.best_iter]


@WORLDS
def test_all_ranks_decide_alike(world_size: int) -> None:
    expected = [[False, False, True, False], 2, {"score": 3.0}, 2]
    assert on_ranks(world_size, decisions) == [expected] * world_size
