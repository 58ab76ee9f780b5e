"""A dataset's own ``evaluate`` as a metric: what it is called with, and what becomes of its results."""

from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.errors import ConfigError
from ding_cls.metrics import DatasetMetric, ImageClassificationMetric

LOGITS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 2, 0, 1])
BATCHES = [slice(0, 2), slice(2, 5)]


class Own:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, dict[str, Any]]] = []

    def evaluate(
        self, results: Any, metric: Any = "accuracy", metric_options: Any = None, logger: Any = None
    ) -> Any:
        self.calls.append((results, {"metric": metric, "metric_options": metric_options}))
        return {"mine": 7.0}


def _result(metric: DatasetMetric) -> dict[str, Any]:
    dicts = [metric.eval(LOGITS[each], TARGETS[each]) for each in BATCHES]
    return metric.reduce_mean(dicts, [2, 3])


def test_it_gets_the_probabilities_of_all_samples_in_order() -> None:
    dataset = Own()
    found = _result(DatasetMetric(dataset, ImageClassificationMetric()))
    (results, keywords), *others = dataset.calls
    assert not others
    assert [each.shape for each in results] == [(3,)] * 5
    assert np.stack(results) == pytest.approx(LOGITS.softmax(1).numpy())
    assert keywords == {"metric": "accuracy", "metric_options": {"topk": (1, 5)}}
    usual = ImageClassificationMetric().eval(LOGITS, TARGETS)
    assert found == {**usual, "mine": 7.0}


def test_what_the_config_says_reaches_it() -> None:
    dataset = Own()
    cfg = {"type": "ClassificationMetrics", "metrics": ["mine"], "topk": [1], "thrs": 0.5, "average": "none"}
    _result(DatasetMetric(dataset, ImageClassificationMetric(), cfg))
    assert dataset.calls[0][1] == {
        "metric": ["mine"],
        "metric_options": {"topk": [1], "thrs": 0.5, "average_mode": "none"},
    }


def test_several_labels_have_a_sigmoid_each() -> None:
    dataset = Own()
    metric = DatasetMetric(dataset, ImageClassificationMetric(), has_sigmoids=True)
    _result(metric)
    assert np.stack(dataset.calls[0][0]) == pytest.approx(LOGITS.sigmoid().numpy())


@pytest.mark.parametrize(
    ("has_sigmoids", "cfg", "wanted"),
    [
        (False, None, {"topk": (1,)}),
        (True, None, None),
        (True, {"thr": 0.3, "k": 2}, {"thr": 0.3, "k": 2}),
    ],
)
def test_options_that_nobody_gave_fit_the_data(has_sigmoids: bool, cfg: Any, wanted: Any) -> None:
    dataset = Own()
    dataset.CLASSES = ("a", "b", "c")  # type: ignore[attr-defined]
    _result(DatasetMetric(dataset, ImageClassificationMetric(), cfg, has_sigmoids=has_sigmoids))
    assert dataset.calls[0][1]["metric_options"] == wanted


def test_of_some_samples_it_is_told_which() -> None:
    class Chosen:
        def evaluate(self, results: Any, metric: Any, **kwargs: Any) -> dict[str, Any]:
            return {"mine": [metric, kwargs["indices"], kwargs["logger"].name]}

    found = _result(DatasetMetric(Chosen(), ImageClassificationMetric(), indices=[4, 2]))
    assert found["mine"] == ["accuracy", [4, 2], "ding_cls.metrics.openmmlab"]
    with pytest.raises(ConfigError, match=r"Own\.evaluate takes no 'indices', and 2 of its samples"):
        DatasetMetric(Own(), ImageClassificationMetric(), indices=[4, 2])


def test_the_best_is_that_of_the_usual_metric() -> None:
    metric = DatasetMetric(Own(), ImageClassificationMetric())
    better, worse = ({"acc1": value, "loss": 1.0, "mine": -value} for value in (2.0, 1.0))
    assert metric.gt(better, worse)
    assert not metric.gt(worse, better)
    assert metric.gt(worse, None)


def test_a_result_that_is_no_dict_is_refused() -> None:
    class Bare:
        def evaluate(self, results: Any) -> float:
            return 1.0

    with pytest.raises(ConfigError, match=r"Bare.evaluate returned 1.0; it must return a dict"):
        _result(DatasetMetric(Bare(), ImageClassificationMetric()))
