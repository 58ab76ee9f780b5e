"""Metrics of one's own: results that are one number, and a stop value that is one."""

from typing import Any

import pytest

from ding_cls.data import build_eval_loader
from ding_cls.errors import ConfigError
from ding_cls.metrics import IMetric
from tests.worker.tables import evaluator_of, numbered


class Share(IMetric):
    """Gives one number, and compares numbers."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def eval(self, inputs: Any, label: Any) -> Any:
        return (inputs.argmax(1) == label).float().mean()

    def reduce_mean(self, inputs: list[Any]) -> Any:
        assert all(isinstance(each, float) for each in inputs)
        return sum(inputs) / len(inputs)

    def gt(self, metric1: Any, metric2: Any) -> bool:
        self.asked.append((metric1, metric2))
        return metric2 is None or metric1 > metric2


class Named(Share):
    """Gives a dict, and compares dicts."""

    def eval(self, inputs: Any, label: Any) -> Any:
        return {"share": super().eval(inputs, label), "other": 0.0}

    def reduce_mean(self, inputs: list[Any]) -> Any:
        return {name: sum(each[name] for each in inputs) / len(inputs) for name in inputs[0]}

    def gt(self, metric1: Any, metric2: Any) -> bool:
        return metric2 is None or metric1["share"] > metric2["share"]


class Mixed(Named):
    """Compares a dict with a number."""

    def gt(self, metric1: Any, metric2: Any) -> bool:
        other = metric2["share"] if isinstance(metric2, dict) else metric2
        return other is None or metric1["share"] > other


class Late(Named):
    """Gives dicts for batches, and one number for all."""

    def reduce_mean(self, inputs: list[Any]) -> Any:
        return super().reduce_mean(inputs)["share"]

    def gt(self, metric1: Any, metric2: Any) -> bool:
        return metric2 is None or metric1 > metric2


@pytest.mark.parametrize("kind", [Share, Named, Mixed, Late])
@pytest.mark.parametrize(("goal", "stops"), [(-1, True), (-0.5, True), (2, False), (1.5, False)])
def test_a_number_stops_a_run(kind: type[IMetric], goal: float, stops: bool) -> None:
    samples, policy = numbered(20)
    evaluator = evaluator_of(build_eval_loader(samples, 5), policy, kind(), stop_value=goal)
    assert evaluator.eval(None, 0)[0] is False
    stop, result = evaluator.eval(None, 1)
    assert stop is stops
    name = "share" if kind in (Named, Mixed) else kind.__name__
    assert isinstance(result[name], float)
    assert evaluator.best == result


def test_the_number_itself_is_reached() -> None:
    samples, policy = numbered(20)
    _, result = evaluator_of(build_eval_loader(samples, 5), policy, Share()).eval()
    evaluator = evaluator_of(build_eval_loader(samples, 5), policy, Share(), stop_value=result["Share"])
    assert evaluator.eval(None, 1)[0] is True


def test_gt_sees_the_numbers_that_the_metric_gave() -> None:
    samples, policy = numbered(20)
    metric = Share()
    evaluator = evaluator_of(build_eval_loader(samples, 5), policy, metric)
    for update in (1, 2):
        evaluator.eval(None, update)
    assert metric.asked
    assert all(isinstance(each, float) for pair in metric.asked for each in pair)
    # A resumed run compares with what the checkpoint says.
    again = evaluator_of(build_eval_loader(samples, 5), policy, Share())
    again.load_state_dict(evaluator.state_dict())
    assert again.best == evaluator.best


def test_a_stop_value_that_gt_cannot_compare_is_told() -> None:
    class Picky(Named):
        def gt(self, metric1: Any, metric2: Any) -> bool:
            return metric2 is None or metric1["share"] > metric2["top"]["share"]

    samples, policy = numbered(20)
    for goal, reason in ((0.5, "TypeError"), ({"share": 0.5}, "KeyError: 'top'")):
        evaluator = evaluator_of(build_eval_loader(samples, 5), policy, Picky(), stop_value=goal)
        with pytest.raises(ConfigError) as caught:
            evaluator.eval(None, 1)
        message = str(caught.value)
        assert message.startswith(
            f"policy.eval.evaluator.stop_value is {goal!r}, and Picky.gt cannot compare"
        )
        assert reason in message
        assert message.endswith("the results of Picky are share, other")


@pytest.mark.parametrize("given", [None, "0.5", [0.5], True])
def test_what_is_no_result_is_told(given: Any) -> None:
    class Odd(Share):
        def eval(self, inputs: Any, label: Any) -> Any:
            return given

    samples, policy = numbered(20)
    with pytest.raises(ConfigError, match=r"Odd gives a .*; eval and reduce_mean return a dict of results"):
        evaluator_of(build_eval_loader(samples, 5), policy, Odd()).eval()
