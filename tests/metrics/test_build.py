"""A metric by its name."""

from typing import Any

import pytest
from easydict import EasyDict

from ding_cls.errors import ConfigError
from ding_cls.metrics import METRICS, ImageClassificationMetric, IMetric, build_metric


@METRICS.register_module("t_errors")
class Errors(IMetric):
    """Three methods and an argument of its own."""

    def __init__(self, scale: float = 1.0, names: Any = None) -> None:
        self.scale, self.names = scale, names

    def eval(self, inputs: Any, label: Any) -> dict[str, float]:
        return {"errors": self.scale * (inputs.argmax(1) != label).float().mean().item()}

    def reduce_mean(self, inputs: list[dict[str, float]]) -> dict[str, float]:
        return {"errors": sum(each["errors"] for each in inputs) / len(inputs)}

    def gt(self, metric1: Any, metric2: Any) -> bool:
        return bool(metric2 is None or metric1["errors"] < metric2["errors"])


def test_ours_is_what_none_and_its_own_name_stand_for() -> None:
    assert type(build_metric()) is type(build_metric(None)) is ImageClassificationMetric
    metric = build_metric({"type": "ImageClassificationMetric", "primary": "loss"})
    assert isinstance(metric, ImageClassificationMetric)
    assert metric.primary == "loss"


def test_a_users_metric_gets_its_arguments_as_plain_values() -> None:
    metric = build_metric(EasyDict(type="t_errors", scale=100.0, names={"a": [1]}))
    assert isinstance(metric, Errors)
    assert (metric.scale, metric.names) == (100.0, {"a": [1]})
    assert type(metric.names) is dict


@pytest.mark.parametrize(
    ("cfg", "match"),
    [
        ({"type": "t_erors"}, "there is no metric named 't_erors'; did you mean t_errors"),
        ({"type": "t_errors", "scal": 1}, "metric 'Errors' has no argument 'scal'; did you mean 'scale'"),
        ({"scale": 1}, "a metric is described by dict"),
        (
            {"type": dict},
            "metric <class 'dict'> is a dict, which is no IMetric: subclass ding_cls.IMetric with",
        ),
        (
            {"type": "ImageClassificationMetric", "primary": "acc"},
            "primary is 'acc', but the results are loss",
        ),
    ],
)
def test_what_is_no_metric_is_one_line(cfg: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        build_metric(cfg)


def test_a_constructors_own_error_comes_through() -> None:
    class Fails(Errors):
        def __init__(self) -> None:
            raise ZeroDivisionError

    METRICS.register("t_fails")(Fails)
    with pytest.raises(ZeroDivisionError):
        build_metric({"type": "t_fails"})
