"""Every metric of ours gives the same at any batch size and on any number of ranks, and for no sample at all
on one of them."""

from functools import cache
from typing import Any

import pytest
import torch

from ding_cls.data import build_eval_loader
from ding_cls.distributed import get_rank, get_world_size
from ding_cls.metrics import METRICS, SumMetric, build_metric
from tests.distributed.ranks import run_ranks
from tests.metrics.cases import labels, single, tasks
from tests.worker.tables import NumberedSamples, TablePolicy, evaluator_of

ALL = ["accuracy", "f1", "confusion", "mAP", "auroc", "ece", "brier", "nll", "support"]
SINGLE = {"type": "ClassificationMetrics", "metrics": ALL, "thrs": [None, 0.3], "average": ["macro", "none"]}
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "ImageClassificationMetric": ({"type": "ImageClassificationMetric"}, single),
    "Accuracy": ({"type": "Accuracy", "topk": (1, 3), "thrs": [0.0, 0.2]}, single),
    "StringAccuracy": ({"type": "StringAccuracy"}, tasks),
    "MultiTasksMetric": ({"type": "MultiTasksMetric"}, tasks),
    "SingleLabelMetric": ({"type": "SingleLabelMetric", "average": ["weighted", "micro"]}, single),
    "ConfusionMatrix": ({"type": "ConfusionMatrix"}, single),
    "ExactMatch": ({"type": "ExactMatch"}, labels),
    "MultiLabelMetric": ({"type": "MultiLabelMetric"}, labels),
    "AveragePrecision": ({"type": "AveragePrecision", "mode": "area"}, labels),
    "VOCAveragePrecision": ({"type": "VOCAveragePrecision", "mode": "11points"}, labels),
    "Auroc": ({"type": "Auroc"}, labels),
    "NegativeLogLikelihood": ({"type": "NegativeLogLikelihood"}, single),
    "BrierScore": ({"type": "BrierScore"}, single),
    "CalibrationError": ({"type": "CalibrationError"}, single),
    "ClassificationMetrics": (SINGLE, single),
    "TorchMetric": ({"type": "TorchMetric", "metric": "MulticlassF1Score", "num_classes": 6}, single),
}
SIZES = (1, 2, 61)
BATCHES = (1, 7, 64)


def evaluated(name: str, num_samples: int, batch_size: int) -> dict[str, Any]:
    cfg, case = CASES[name]
    logits, targets = case(num_samples)
    samples = NumberedSamples(list(targets) if targets.dim() > 1 else targets.tolist())
    loader = build_eval_loader(samples, batch_size, rank=get_rank(), world_size=get_world_size())
    evaluator = evaluator_of(loader, TablePolicy(logits), build_metric(cfg))
    _, result = evaluator.eval()
    assert evaluator.num_evaluated == num_samples
    assert not evaluator.predictions
    return result


def all_of_them(batches: tuple[int, ...]) -> dict[Any, Any]:
    return {
        (name, size, batch): evaluated(name, size, batch)
        for name in CASES
        for size in SIZES
        for batch in batches
    }


@cache
def everything(world_size: int, batches: tuple[int, ...]) -> list[dict[Any, Any]]:
    return [all_of_them(batches)] if world_size == 1 else run_ranks(all_of_them, world_size, batches)


def test_every_metric_of_sums_has_a_case() -> None:
    ours = {name for name in METRICS if METRICS.get(name).__module__.startswith("ding_cls.")}
    assert ours == set(CASES)
    assert len(CASES) == 16
    assert all(isinstance(build_metric(cfg), SumMetric) for cfg, _ in CASES.values())


@pytest.mark.dist
@pytest.mark.parametrize(
    ("world_size", "batches"),
    [(1, BATCHES), (2, (7,)), *(pytest.param(each, BATCHES, marks=pytest.mark.slow) for each in (2, 3))],
)
def test_the_result_is_that_of_one_batch_of_everything(world_size: int, batches: tuple[int, ...]) -> None:
    pytest.importorskip("torchmetrics", reason="not run: torchmetrics is not installed")
    count = 0
    for name, (cfg, case) in CASES.items():
        for size in SIZES:
            logits, targets = case(size)
            expected = nearly(build_metric(cfg).eval(logits, targets))
            for batch in batches:
                for rank in everything(world_size, batches):
                    assert rank[name, size, batch] == expected, (name, size, batch)
                    count += 1
    assert count == len(CASES) * len(SIZES) * len(batches) * world_size


def nearly(tree: Any) -> Any:
    """Return what compares floats with what float64 sums may differ by; counts stay exact."""
    if isinstance(tree, dict):
        return {name: nearly(each) for name, each in tree.items()}
    if isinstance(tree, list):
        return [nearly(each) for each in tree]
    return pytest.approx(tree, abs=1e-6, rel=0, nan_ok=True) if isinstance(tree, float) else tree


def test_a_users_sums_may_have_any_shape() -> None:
    class Histogram(SumMetric):
        primary, directions = "mean", {"mean": "max"}

        def zeros(self) -> dict[str, torch.Tensor]:
            return {"count": torch.tensor(0), "bins": torch.tensor(0)}

        def sums(self, logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"count": torch.tensor(len(targets)), "bins": torch.bincount(targets, minlength=8)}

        def result(self, totals: Any) -> dict[str, Any]:
            return {"mean": totals["bins"].double().mean().item(), "bins": totals["bins"].tolist()}

    samples = NumberedSamples([1, 1, 7])
    loader = build_eval_loader(samples, 2)
    _, result = evaluator_of(loader, TablePolicy(torch.zeros(3, 8)), Histogram()).eval()
    assert result == {"mean": 3 / 8, "bins": [0, 2, 0, 0, 0, 0, 0, 1]}
