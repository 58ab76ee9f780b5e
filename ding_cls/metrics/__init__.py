"""Metrics as sums and counts. It knows logits and targets, and neither loaders, networks nor processes."""

from ding_cls.metrics.base import IMetric, SumMetric
from ding_cls.metrics.classification import ImageClassificationMetric, target_ranks

__all__ = ["IMetric", "ImageClassificationMetric", "SumMetric", "target_ranks"]
