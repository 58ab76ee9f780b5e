"""A metric by its name."""

from collections.abc import Mapping
from typing import Any

from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError
from ding_cls.metrics.base import METRICS, IMetric
from ding_cls.metrics.classification import ImageClassificationMetric


def build_metric(cfg: Mapping[str, Any] | None = None) -> IMetric:
    """Return the metric that ``dict(type='Name', ...)`` describes; for None loss, acc1 and acc5.

    Args:
        cfg: ``type`` is a name in ``METRICS``, the other keys are arguments of its constructor.

    Raises:
        ConfigError: there is no such metric or argument, or what was built is no ``IMetric``.
    """
    if cfg is None:
        return ImageClassificationMetric()
    metric = METRICS.build(plain_copy(cfg))
    if not isinstance(metric, IMetric):
        raise ConfigError(
            f"metric {cfg['type']} is a {type(metric).__name__}, which is no IMetric: subclass "
            "ding_cls.IMetric with eval, reduce_mean and gt"
        )
    return metric
