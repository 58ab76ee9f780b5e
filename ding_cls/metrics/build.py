"""A metric by its name."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ding_cls.config.merge import plain_copy
from ding_cls.errors import ConfigError
from ding_cls.metrics.base import METRICS, IMetric
from ding_cls.metrics.classification import ImageClassificationMetric
from ding_cls.metrics.combined import SHORT_NAMES, short_name


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


def described_metric(metrics: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``dict(type='Name', ...)`` of one metric or of several together.

    Args:
        metrics: names in ``METRICS``, the short names of ``ClassificationMetrics``, or ``dict(type=, ...)``.

    Raises:
        ConfigError: there is no such metric; the message names the nearest.
    """
    wanted = [metrics] if isinstance(metrics, str | Mapping) else list(metrics)
    found = [_described(each) for each in wanted]
    if len(found) == 1 and isinstance(found[0], Mapping):
        return dict(found[0])
    return {"type": "ClassificationMetrics", "metrics": found}


def _described(metric: str | Mapping[str, Any]) -> str | dict[str, Any]:
    if isinstance(metric, Mapping):
        return dict(metric)
    if metric in METRICS:
        return {"type": metric}
    if (short := short_name(metric)) is not None:
        return short
    # The nearest whatever its case; of two that differ in nothing else a class's name.
    known = {name.lower(): name for name in (*SHORT_NAMES, *METRICS.names())}
    near = [known[each] for each in get_close_matches(metric.lower(), known, n=3)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known.values()))}"
    raise ConfigError(f"there is no metric '{metric}'; {hint}")
