"""Loss, acc1 and acc5 against scikit-learn, NumPy and torch; ties, NaN, few classes, labels out of range."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from easydict import EasyDict
from sklearn.metrics import log_loss, top_k_accuracy_score
from torch.nn import functional

from ding_cls.common.seed import generator
from ding_cls.errors import ConfigError, DataError
from ding_cls.metrics import METRICS, ImageClassificationMetric, IMetric, build_metric

NAN, INF = float("nan"), float("inf")


def random_case(num_samples: int, num_classes: int, key: int) -> tuple[torch.Tensor, torch.Tensor]:
    source = generator(key, num_samples, num_classes)
    logits = torch.randn(num_samples, num_classes, generator=source) * 3
    return logits, torch.randint(num_classes, (num_samples,), generator=source)


@pytest.mark.parametrize("num_classes", [1, 2, 3, 4, 5, 6, 10])
@pytest.mark.parametrize("where", ["target", "other", "all"])
def test_a_row_with_a_nan_is_never_a_hit(num_classes: int, where: str) -> None:
    logits, targets = torch.zeros(1, num_classes), torch.tensor([0])
    if where == "all":
        logits[:] = NAN
    else:
        logits[0, 0 if where == "target" else -1] = NAN
    sums = ImageClassificationMetric().sums(logits, targets)
    assert (int(sums["top1"]), int(sums["top5"]), int(sums["count"])) == (0, 0, 1)
    accuracy = ImageClassificationMetric.accuracy(logits, targets)
    assert [float(value) for value in accuracy.values()] == [0.0, 0.0]


def test_a_nan_spoils_its_own_row_only() -> None:
    logits = torch.tensor([[NAN, 9.0], [9.0, 0.0], [0.0, 9.0]])
    sums = ImageClassificationMetric().sums(logits, torch.tensor([1, 0, 1]))
    assert (int(sums["top1"]), int(sums["top5"])) == (2, 2)
    assert math.isnan(float(sums["loss"]))


@pytest.mark.parametrize("num_classes", [1, 2, 3, 4])
def test_fewer_than_five_classes_clip_acc5(num_classes: int) -> None:
    metric = ImageClassificationMetric()
    logits, targets = random_case(50, num_classes, 3)
    result = metric.eval(logits, targets)
    assert result["acc5"] == 100.0
    assert result["acc1"] == 100.0 * (logits.argmax(1) == targets).sum().item() / 50


@pytest.mark.parametrize("num_samples", [1, 5, 97, 100, 101])
@pytest.mark.parametrize("num_classes", [6, 10, 37])
def test_results_equal_scikit_learn_and_torch(num_samples: int, num_classes: int) -> None:
    logits, targets = random_case(num_samples, num_classes, 0)
    result = ImageClassificationMetric().eval(logits, targets)
    labels = np.arange(num_classes)
    for k in (1, 5):
        hits = top_k_accuracy_score(targets.numpy(), logits.numpy(), k=k, labels=labels, normalize=False)
        assert result[f"acc{k}"] == 100.0 * int(hits) / num_samples
    shares = logits.double().softmax(1).numpy()
    shares /= shares.sum(1, keepdims=True)
    assert result["loss"] == pytest.approx(log_loss(targets.numpy(), shares, labels=labels), rel=1e-6)
    assert result["loss"] == pytest.approx(
        functional.cross_entropy(logits.double(), targets).item(), rel=1e-6
    )
    assert all(type(value) is float for value in result.values())


def test_accuracy_is_a_percentage_for_any_k() -> None:
    logits, targets = random_case(97, 10, 5)
    found = ImageClassificationMetric.accuracy(logits, targets, topk=(1, 2, 3, 5, 10, 20))
    order = logits.argsort(1, descending=True)
    for k in (1, 2, 3, 5, 10, 20):
        hits = int((order[:, :k] == targets[:, None]).any(1).sum())
        assert found[f"acc{k}"].dtype == torch.float32
        assert float(found[f"acc{k}"]) == pytest.approx(100 * hits / 97, rel=1e-6)


def test_sums_add_up_to_the_same_result_however_the_set_is_cut() -> None:
    logits, targets = random_case(101, 7, 9)
    metric = ImageClassificationMetric()
    whole = metric.eval(logits, targets)
    cuts = 0
    for size in range(1, 102):
        totals = metric.zeros()
        for begin in range(0, 101, size):
            part = metric.sums(logits[begin : begin + size], targets[begin : begin + size])
            totals = {name: totals[name] + part[name] for name in totals}
        result = metric.result({name: value.item() for name, value in totals.items()})
        assert (result["acc1"], result["acc5"]) == (whole["acc1"], whole["acc5"])
        assert result["loss"] == pytest.approx(whole["loss"], rel=1e-12)
        cuts += 1
    assert cuts == 101


def test_zeros_are_the_sums_of_nothing() -> None:
    metric = ImageClassificationMetric()
    part = metric.sums(*random_case(3, 6, 0))
    zeros = metric.zeros()
    assert zeros.keys() == part.keys()
    for name, value in zeros.items():
        assert value.dtype == part[name].dtype
        assert (value.shape, value.item()) == ((), 0)
    assert {name for name, value in zeros.items() if value.dtype == torch.int64} == zeros.keys() - {"loss"}


@pytest.mark.parametrize("bad", [-1, -100, 6, 7, 2**40])
def test_a_label_outside_the_classes_is_an_error_with_numbers(bad: int) -> None:
    logits, targets = random_case(9, 6, 2)
    targets[4] = bad
    with pytest.raises(DataError, match="1 of 9 labels lie outside the network's classes"):
        ImageClassificationMetric().eval(logits, targets)


def test_the_highest_label_is_still_inside() -> None:
    logits = torch.eye(6)
    assert ImageClassificationMetric().eval(logits, torch.arange(6))["acc1"] == 100.0


def test_half_precision_logits_give_a_single_precision_loss() -> None:
    logits, targets = random_case(64, 10, 4)
    low = logits.bfloat16()
    result = ImageClassificationMetric().eval(low, targets)
    assert result["loss"] == pytest.approx(functional.cross_entropy(low.float(), targets).item(), rel=1e-6)


def test_an_unknown_primary_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="primary is 'acc', but the results are loss, acc1, acc5"):
        ImageClassificationMetric("acc")


def test_the_directions_name_every_result() -> None:
    result = ImageClassificationMetric().eval(*random_case(4, 6, 0))
    assert result.keys() == ImageClassificationMetric.directions.keys()


# A metric by its name


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
