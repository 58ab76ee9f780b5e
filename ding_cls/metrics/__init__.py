"""Metrics as sums and counts. It knows logits and targets, and neither loaders, networks nor processes."""

from ding_cls.metrics.base import METRICS, IMetric, SumMetric
from ding_cls.metrics.build import build_metric
from ding_cls.metrics.classification import ImageClassificationMetric, target_ranks
from ding_cls.metrics.show import is_percentage, show_value

__all__ = [
    "METRICS",
    "IMetric",
    "ImageClassificationMetric",
    "SumMetric",
    "build_metric",
    "is_percentage",
    "show_value",
    "target_ranks",
]
