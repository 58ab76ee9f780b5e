"""The temperature against SciPy's minimum, where it has none, and what it does to the calibration error."""

import math

import pytest
import torch
from scipy.optimize import minimize_scalar

from ding_cls.errors import DataError
from ding_cls.metrics.analysis import temperature as module
from ding_cls.metrics.analysis.temperature import LIMITS, calibration_of, fit_temperature


def drawn(count: int, num_classes: int, scale: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits that are ``scale`` times too large, and targets drawn from the softmax of the true
    ones."""
    generator = torch.Generator().manual_seed(seed)
    true = 2 * torch.randn(count, num_classes, generator=generator, dtype=torch.float64)
    targets = torch.multinomial(true.softmax(1), 1, generator=generator)[:, 0]
    return (scale * true).float(), targets


@pytest.mark.parametrize("num_classes", [2, 5, 1000])
@pytest.mark.parametrize("scale", [0.01, 0.4, 1.0, 3.0, 200.0])
def test_it_is_scipys_minimum(num_classes: int, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_VALUES", 20_000)
    logits, targets = drawn(300, num_classes, scale)

    def loss(log_value: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits.double() / math.exp(log_value), targets))

    found = fit_temperature(logits, targets)
    expected = minimize_scalar(loss, bounds=(math.log(1e-3), math.log(1e3)), method="bounded")
    assert found.note == ""
    assert loss(math.log(found.value)) <= expected.fun + 1e-12
    assert found.value == pytest.approx(math.exp(expected.x), rel=1e-3)
    # Ten digits: the loss is as high on both sides.
    step = 1e-4
    sides = loss(math.log(found.value) - step) - loss(math.log(found.value) + step)
    assert abs(sides) < 1e-9


def test_the_true_temperature_comes_back_and_the_calibration_error_shrinks_on_other_data() -> None:
    fitted = fit_temperature(*drawn(4000, 5, 2.5)).value
    assert fitted == pytest.approx(2.5, rel=0.08)
    logits, targets = drawn(4000, 5, 2.5, seed=1)
    before, after = calibration_of(logits, targets), calibration_of(logits, targets, fitted)
    assert before["ece"] > 0.15
    assert after["ece"] < 0.03
    assert after["nll"] < before["nll"]


def test_log_probabilities_have_the_temperature_of_their_logits() -> None:
    logits, targets = drawn(500, 4, 3.0)
    found = fit_temperature(logits.double().log_softmax(1), targets)
    assert found.value == pytest.approx(fit_temperature(logits, targets).value, rel=1e-8)
    # A class that is impossible changes nothing.
    impossible = torch.full((500, 1), -math.inf)
    with_it = torch.cat([logits, impossible], 1)
    assert fit_temperature(with_it, targets).value == pytest.approx(found.value, rel=1e-8)
    assert calibration_of(with_it, targets, 2.0) == pytest.approx(calibration_of(logits, targets, 2.0))


@pytest.mark.parametrize(
    ("logits", "targets", "note"),
    [
        ([[3.0, 0.0], [0.0, 1.0]], [0, 1], "none of 2 labels is wrong"),
        ([[3.0, 0.0]], [0], "none of 1 labels is wrong"),
        ([[3.0], [1.0]], [0, 0], "none of 2 labels is wrong"),
        ([[3.0, 0.0], [0.0, 1.0]], [1, 0], "no better than chance"),
        ([[3.0, 0.0]], [1], "no better than chance"),
        (
            [[1e-5, 0.0], [0.0, 1e-5], [2e-5, 0.0], [1e-7, 0.0]],
            [0, 1, 0, 1],
            "no temperature from 0.001",
        ),
    ],
)
def test_where_no_temperature_is_the_best_it_is_one(logits: list, targets: list, note: str) -> None:
    found = fit_temperature(torch.tensor(logits), torch.tensor(targets))
    assert found.value == 1.0
    assert note in found.note


def test_one_mistake_among_many_has_a_minimum_inside_the_limits() -> None:
    logits = torch.tensor([[4.0, 0.0]] * 200 + [[0.5, 0.0]])
    targets = torch.tensor([0] * 200 + [1])
    found = fit_temperature(logits, targets)
    assert found.note == ""
    assert LIMITS[0] < found.value < 1


@pytest.mark.parametrize("bad", [[math.nan, 0.0], [math.inf, 0.0], [-math.inf, 0.0]])
def test_what_is_not_finite_is_refused(bad: list[float]) -> None:
    with pytest.raises(DataError, match=r"NaN or infinite for 1 of 3 labels"):
        fit_temperature(torch.tensor([bad, [1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1, 0]))
    with pytest.raises(DataError, match="no labels"):
        fit_temperature(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long))


def test_each_sample_may_have_its_own_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_VALUES", 20)
    logits, targets = drawn(50, 4, 2.0)
    each = torch.linspace(0.5, 3, 50, dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(logits.double() / each[:, None], targets)
    assert calibration_of(logits, targets, each)["nll"] == pytest.approx(float(expected), abs=1e-12)


def test_the_true_temperature_lies_in_the_interval() -> None:
    covered = 0
    for seed in range(100):
        found = fit_temperature(*drawn(150, 3, 2.0, seed=seed))
        assert found.interval is not None
        assert found.interval[0] < found.value < found.interval[1]
        covered += found.interval[0] <= 2.0 <= found.interval[1]
    assert 88 <= covered <= 100


@pytest.mark.parametrize("scale", [1.0, 1.3, 2.5])
def test_the_gain_is_that_of_each_sample_without_which_was_fitted(scale: float) -> None:
    logits, targets = drawn(150, 4, scale)
    found = fit_temperature(logits, targets)
    gains = []
    for index in range(150):
        rest = torch.arange(150) != index
        value = fit_temperature(logits[rest], targets[rest], start=found.value).value
        losses = (
            torch.nn.functional.cross_entropy(logits[index].double() / each, targets[index])
            for each in (1.0, value)
        )
        gains.append(float(next(losses)) - float(next(losses)))
    assert found.gain == pytest.approx(sum(gains), abs=0.1)
    assert found.useful == (found.value if sum(gains) > 0 else 1.0)


def test_what_is_calibrated_is_rarely_made_worse_and_what_is_not_is_mended() -> None:
    for scale, least, most in ((1.0, 0, 30), (1.8, 95, 100)):
        used = [fit_temperature(*drawn(100, 3, scale, seed=seed)).useful for seed in range(100)]
        assert least <= sum(each != 1 for each in used) <= most
