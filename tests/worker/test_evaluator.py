"""What the evaluator counts, against brute force: each sample once, whatever loader, sampler and metric."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, SequentialSampler

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.common.seed import generator
from ding_cls.data import DistributedSampler, build_eval_loader
from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import Accuracy, ImageClassificationMetric
from ding_cls.worker import MetricSerialEvaluator
from tests.worker.tables import (
    CountingMetric,
    DingStyleMetric,
    NumberedSamples,
    TablePolicy,
    evaluator_of,
    numbered,
    recount,
    scripted,
)

NAN, INF = float("nan"), float("inf")
SIZES = (1, 5, 97, 100, 101)
BATCH_SIZES = (1, 4, 7, 32)


def test_results_equal_a_recount_of_the_kept_predictions_at_any_size_and_batch_size() -> None:
    checked = 0
    for num_samples in SIZES:
        digits = set()
        for batch_size in BATCH_SIZES:
            samples, policy = numbered(num_samples)
            evaluator = evaluator_of(build_eval_loader(samples, batch_size), policy)
            evaluator.keep_predictions = True
            _, result = evaluator.eval()
            kept = evaluator.predictions
            assert kept["sample_ids"].tolist() == list(range(num_samples))
            assert kept["targets"].tolist() == samples.targets
            assert torch.equal(kept["logits"], policy.logits)
            counted = recount(kept["logits"].numpy(), kept["targets"].numpy())
            assert result["acc1"] == 100.0 * counted["top1"] / num_samples
            assert result["acc5"] == 100.0 * counted["top5"] / num_samples
            assert result["loss"] == pytest.approx(counted["loss"], rel=1e-6)
            assert evaluator.num_evaluated == num_samples
            assert sum(policy.batch_sizes) == num_samples
            digits.add((result["acc1"], result["acc5"]))
            checked += 1
        assert len(digits) == 1
    assert checked == 20


@pytest.mark.parametrize("num_samples", SIZES)
def test_a_plain_torch_loader_gives_the_same_digits(num_samples: int) -> None:
    samples, policy = numbered(num_samples)
    ours = evaluator_of(build_eval_loader(samples, 7), policy).eval()
    torchs = evaluator_of(DataLoader(samples, 7), policy).eval()
    shuffled = evaluator_of(DataLoader(samples, 7, shuffle=True, generator=generator(1)), policy).eval()
    assert ours == torchs
    assert (shuffled[1]["acc1"], shuffled[1]["acc5"]) == (ours[1]["acc1"], ours[1]["acc5"])
    assert shuffled[1]["loss"] == pytest.approx(ours[1]["loss"], rel=1e-6)


def test_worker_processes_change_nothing() -> None:
    samples, policy = numbered(29)
    alone = evaluator_of(build_eval_loader(samples, 4), policy).eval()
    assert evaluator_of(build_eval_loader(samples, 4, num_workers=2), policy).eval() == alone


def test_predictions_are_kept_only_when_asked_for() -> None:
    samples, policy = numbered(5)
    evaluator = evaluator_of(build_eval_loader(samples, 2), policy)
    evaluator.eval()
    assert evaluator.predictions == {}


def test_every_evaluation_resets_the_policy_first() -> None:
    samples, policy = numbered(5)
    evaluator = evaluator_of(build_eval_loader(samples, 2), policy)
    evaluator.eval()
    evaluator.eval()
    assert policy.num_resets == 2


@pytest.mark.parametrize("bad", [-1, 8])
def test_a_label_outside_the_classes_ends_the_evaluation(bad: int) -> None:
    samples, policy = numbered(20)
    samples.targets[13] = bad
    with pytest.raises(DataError, match="1 of 20 labels lie outside the network's classes"):
        evaluator_of(build_eval_loader(samples, 4), policy).eval()


def test_a_metrics_note_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    samples, policy = numbered(10, num_classes=3)
    evaluator = evaluator_of(build_eval_loader(samples, 4), policy, metric=Accuracy((1, 5)))
    assert evaluator.eval(None, 1)[1]["acc5"] == 100.0
    evaluator.eval(None, 2)
    assert capsys.readouterr().out.count("acc5 counts all of the 3 classes") == 1


@pytest.mark.parametrize("make", [DistributedSampler, torch.utils.data.DistributedSampler])
@pytest.mark.parametrize("by_batch_sampler", [False, True])
def test_the_repeats_of_a_padding_sampler_are_left_out(make: Any, by_batch_sampler: bool) -> None:
    checked = 0
    for num_samples in (1, 2, 5, 97, 100, 101):
        for world_size in (2, 3, 4):
            seen: list[int] = []
            for rank in range(world_size):
                samples, policy = numbered(num_samples)
                # Targets by sample number tell which samples were judged.
                sampler = make(samples, world_size, rank)
                by = (
                    {"batch_sampler": BatchSampler(sampler, 4, False)}
                    if by_batch_sampler
                    else {"sampler": sampler, "batch_size": 4}
                )
                evaluator = evaluator_of(DataLoader(samples, **by), policy)
                share = len(range(rank, num_samples, world_size))
                sampler.set_epoch(3)
                if share == 0:
                    with pytest.raises(DataError, match="empty"):
                        evaluator.eval()
                    continue
                sampler_order = list(sampler)[:share]
                evaluator.keep_predictions = True
                evaluator.eval()
                assert evaluator.num_evaluated == share
                assert torch.equal(evaluator.predictions["logits"], policy.logits[sampler_order])
                seen += sampler_order
            assert sorted(seen) == list(range(num_samples))
            checked += 1
    assert checked == 18


@pytest.mark.parametrize("shuffle", [False, True])
def test_drop_last_is_found(shuffle: bool) -> None:
    samples, policy = numbered(97)
    loader = DataLoader(samples, 32, drop_last=True, shuffle=shuffle)
    with pytest.raises(DataError, match=r"96 samples were evaluated, the data set holds 97; .*drop_last"):
        evaluator_of(loader, policy).eval()
    with pytest.raises(DataError, match="drop_last"):
        evaluator_of(loader, policy, DingStyleMetric()).eval()


def test_drop_last_that_drops_nothing_is_no_error() -> None:
    samples, policy = numbered(96)
    assert evaluator_of(DataLoader(samples, 32, drop_last=True), policy).eval()[1]
    assert evaluator_of(DataLoader(samples, 32), policy).eval()[1]


class _HalfLoader(DataLoader[Any]):
    """A loader with a bug: it ends too early."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        return iter(list(super().__iter__())[:1])


def test_a_loader_that_ends_too_early_is_found() -> None:
    samples, policy = numbered(9)
    with pytest.raises(DataError, match="4 samples were evaluated, the data set holds 9"):
        evaluator_of(_HalfLoader(samples, 4), policy).eval()


def test_a_sampler_of_ones_own_may_choose_what_it_likes(capsys: pytest.CaptureFixture[str]) -> None:
    samples, policy = numbered(9)
    chosen = [1, 3, 5, 7]
    expected = (
        100.0
        * recount(policy.logits[chosen].numpy(), np.array([samples.targets[each] for each in chosen]))["top1"]
    )
    for loader in (
        DataLoader(samples, 3, sampler=chosen),
        DataLoader(samples, batch_sampler=[[1, 3], [5, 7]]),
        DataLoader(samples, batch_sampler=BatchSampler(chosen, 3, False)),
    ):
        assert evaluator_of(loader, policy).eval()[1]["acc1"] == expected / 4
        assert "4 samples were evaluated, the data set holds 9" in capsys.readouterr().out


class _Stream(IterableDataset[Any]):
    """A data set without a length."""

    def __init__(self, samples: NumberedSamples) -> None:
        self.samples = samples

    def __iter__(self) -> Iterator[Any]:
        return (self.samples[index] for index in range(len(self.samples)))


def test_a_data_set_without_a_length_is_evaluated() -> None:
    samples, policy = numbered(9)
    evaluator = evaluator_of(DataLoader(_Stream(samples), 4), policy)
    assert evaluator.eval() == evaluator_of(DataLoader(samples, 4), policy).eval()
    assert evaluator.num_evaluated == 9


def test_a_plain_list_of_batches_is_evaluated() -> None:
    samples, policy = numbered(6)
    batches = [
        (torch.stack([samples[i][0] for i in part]), [samples.targets[i] for i in part])
        for part in ([0, 1, 2, 3], [4, 5])
    ]
    assert evaluator_of(batches, policy).eval() == evaluator_of(DataLoader(samples, 4), policy).eval()


@pytest.mark.parametrize("metric", [ImageClassificationMetric, DingStyleMetric])
def test_empty_data_are_an_error(metric: Any) -> None:
    samples, policy = NumberedSamples([]), TablePolicy(torch.zeros(0, 8))
    loader = DataLoader(samples, 4, sampler=SequentialSampler(samples))
    with pytest.raises(DataError, match="the evaluation data are empty"):
        evaluator_of(loader, policy, metric()).eval()


def test_a_metric_with_exactly_the_three_methods_works() -> None:
    samples, policy = numbered(96)
    metric = DingStyleMetric()
    _, result = evaluator_of(build_eval_loader(samples, 4), policy, metric).eval()
    assert len(metric.calls) == 1
    labels = torch.tensor(samples.targets)
    by_hand = [metric.eval(policy.logits[i : i + 4], labels[i : i + 4]) for i in range(0, 96, 4)]
    assert metric.calls[0] == by_hand
    assert result == {name: sum(each[name] for each in by_hand) / 24 for name in by_hand[0]}


def test_a_mean_over_unequal_batches_is_warned_about_once(capsys: pytest.CaptureFixture[str]) -> None:
    samples, policy = numbered(97)
    evaluator = evaluator_of(build_eval_loader(samples, 32), policy, DingStyleMetric())
    evaluator.eval(None, 1)
    evaluator.eval(None, 2)
    warned = capsys.readouterr().out
    assert warned.count("batches of 1 to 32 samples count alike in DingStyleMetric.reduce_mean") == 1
    assert "second parameter" in warned


def test_equal_batches_are_not_warned_about(capsys: pytest.CaptureFixture[str]) -> None:
    samples, policy = numbered(96)
    evaluator_of(build_eval_loader(samples, 32), policy, DingStyleMetric()).eval()
    assert "count alike" not in capsys.readouterr().out


def test_a_metric_that_takes_counts_gets_them_and_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    samples, policy = numbered(97)
    metric = CountingMetric()
    _, result = evaluator_of(build_eval_loader(samples, 32), policy, metric).eval()
    assert metric.counts == [32, 32, 32, 1]
    assert "count alike" not in capsys.readouterr().out
    _, whole = evaluator_of(build_eval_loader(samples, 97), policy, DingStyleMetric()).eval()
    assert result == {name: pytest.approx(value, rel=1e-6) for name, value in whole.items()}


def test_counts_reach_every_spelling_of_a_second_parameter() -> None:
    samples, policy = numbered(5)
    loader, seen = build_eval_loader(samples, 2), []

    def reducer(self: Any, inputs: Any, weights: Any = None) -> dict[str, float]:
        seen.append(weights)
        return {"score": 1.0}

    def stars(self: Any, *args: Any) -> dict[str, float]:
        seen.append(args[1])
        return {"score": 1.0}

    def keyword_only(self: Any, inputs: Any, *, counts: Any = None) -> dict[str, float]:
        seen.append(counts)
        return {"score": 1.0}

    def positional_only(self: Any, inputs: Any, counts: Any, /) -> dict[str, float]:
        seen.append(counts)
        return {"score": 1.0}

    for reduce_mean in (reducer, stars, keyword_only, positional_only):
        kind = type("Own", (DingStyleMetric,), {"reduce_mean": reduce_mean})
        evaluator_of(loader, policy, kind()).eval()
    assert seen == [[2, 2, 1], [2, 2, 1], None, [2, 2, 1]]


@pytest.mark.parametrize(
    "value", [torch.tensor(2.5), torch.tensor(2.5, requires_grad=True), np.float64(2.5), np.float32(2.5), 2.5]
)
def test_whatever_number_a_metric_returns_is_a_plain_float(value: Any, tmp_path: Path) -> None:
    evaluator, _ = scripted([value])
    _, result = evaluator.eval()
    assert type(result["score"]) is float
    assert result == {"score": 2.5}
    # NumPy's numbers could not be read back: the run would be lost at its first resume.
    write_checkpoint(tmp_path / "state", evaluator.state_dict())
    assert read_checkpoint(tmp_path / "state")["best"] == {"score": 2.5}


def test_results_of_any_kind_are_shown_saved_and_written(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Everything(DingStyleMetric):
        def eval(self, inputs: torch.Tensor, label: torch.Tensor) -> dict[str, Any]:
            return {"guesses": inputs.argmax(1), "table": np.ones((2, 2))}

        def reduce_mean(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
            # What eval returned comes here as it was: tensors can be put together.
            guesses = torch.cat([each["guesses"] for each in inputs])
            tables = np.stack([each["table"] for each in inputs])
            return {
                "score": np.float32(0.5),
                "counts": guesses.bincount(minlength=8),
                "table": tables.sum(0),
                "parts": {"a": torch.tensor(1.5), "b": (np.int64(2), None)},
                "word": "fine",
            }

    samples, policy = numbered(6)
    counts = np.bincount(policy.logits.argmax(1).numpy(), minlength=8).tolist()
    writer = Writer()
    env = [DataLoader(samples, 3), Everything()]
    evaluator = MetricSerialEvaluator({}, env, policy.mode(), writer, exp_name="run")
    _, result = evaluator.eval(None, 4)
    assert result == {
        "score": 0.5,
        "counts": counts,
        "table": [[2.0, 2.0], [2.0, 2.0]],
        "parts": {"a": 1.5, "b": [2, None]},
        "word": "fine",
    }
    line = "score: 0.5000\tword: fine\tin log/metrics.jsonl: counts, table, parts\n"
    assert line in capsys.readouterr().out
    assert writer.values == {"evaluator/score": 0.5}
    write_checkpoint("state", evaluator.state_dict())
    assert read_checkpoint("state")["last_result"] == result
    assert json.loads(json.dumps(result)) == result


class Writer:
    """Stands where a TensorBoard writer stands."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        self.values[tag] = value


def test_what_is_no_metric_is_refused() -> None:
    samples, policy = numbered(3)
    with pytest.raises(ConfigError, match=r"env is \[dataloader, metric\]; the metric is a CrossEntropyLoss"):
        MetricSerialEvaluator({}, [DataLoader(samples), torch.nn.CrossEntropyLoss()], policy.mode())
