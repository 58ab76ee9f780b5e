"""Metrics as sums and counts. It knows logits and targets, and neither loaders, networks nor processes."""

from ding_cls.metrics.accuracy import Accuracy, StringAccuracy
from ding_cls.metrics.base import METRICS, IMetric, SumMetric, has_lower_loss, plain_totals
from ding_cls.metrics.calibration import BrierScore, CalibrationError, NegativeLogLikelihood
from ding_cls.metrics.classification import ImageClassificationMetric, build_metric, described_metric
from ding_cls.metrics.combined import ClassificationMetrics, known_metrics, native_key
from ding_cls.metrics.from_torchmetrics import TorchMetric
from ding_cls.metrics.multilabel import ExactMatch, MultiLabelMetric
from ding_cls.metrics.openmmlab import DatasetMetric
from ding_cls.metrics.per_class import ConfusionMatrix, SingleLabelMetric
from ding_cls.metrics.ranking import Auroc, AveragePrecision, auroc, average_precision
from ding_cls.metrics.targets import target_ranks

__all__ = [
    "DatasetMetric",
    "METRICS",
    "Accuracy",
    "Auroc",
    "AveragePrecision",
    "BrierScore",
    "CalibrationError",
    "ClassificationMetrics",
    "ConfusionMatrix",
    "ExactMatch",
    "IMetric",
    "ImageClassificationMetric",
    "MultiLabelMetric",
    "NegativeLogLikelihood",
    "SingleLabelMetric",
    "StringAccuracy",
    "SumMetric",
    "TorchMetric",
    "auroc",
    "average_precision",
    "build_metric",
    "described_metric",
    "has_lower_loss",
    "known_metrics",
    "native_key",
    "plain_totals",
    "target_ranks",
]
