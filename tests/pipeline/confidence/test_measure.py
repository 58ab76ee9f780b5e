"""A calibration of drawn answers, and that what is told of held-out halves is so."""

import pytest
import torch

from ding_cls.metrics.analysis.temperature import calibration_of, fit_temperature
from ding_cls.pipeline.confidence.measure import halves, measured
from tests.pipeline.confidence.test_answers import answers_of

FITTED_ON = {"split": "val", "digest": "", "num_samples": 400}


def overconfident(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    true = 2 * torch.randn(count, 3, generator=generator)
    return 3 * true, torch.multinomial(true.softmax(1), 1, generator=generator)[:, 0]


def test_halves_are_of_equal_size_and_always_the_same() -> None:
    assert halves(401).sum() == 200
    assert torch.equal(halves(401), halves(401))
    # No half holds the first classes alone, though data come in the order of the classes.
    assert 60 < halves(401)[:200].sum() < 140
    assert halves(0).tolist() == []


def test_a_calibration_is_of_all_answers_and_judged_on_the_halves() -> None:
    logits, targets = overconfident(400)
    found, _ = measured(answers_of("one", logits, targets), FITTED_ON, precision=80.0)
    assert found.temperatures == (fit_temperature(logits, targets).value,)
    assert found.before == calibration_of(logits, targets)
    assert found.after == calibration_of(logits, targets, found.temperatures[0])
    first = halves(400)
    by_half = torch.where(
        first,
        fit_temperature(logits[~first], targets[~first]).value,
        fit_temperature(logits[first], targets[first]).value,
    ).double()
    assert found.held_out == pytest.approx(calibration_of(logits, targets, by_half), abs=1e-7)
    assert found.held_out["ece"] < found.before["ece"] / 2
    assert found.curve.num_samples == 400
    assert found.curve.wrong[-1] == int((logits.argmax(1) != targets).sum())
    counts = found.precision_held_out
    assert counts["num_answers"] == 400
    assert 0 < counts["kept"] < 400
    assert 76 < 100 * counts["right"] / counts["kept"] < 88


def test_scores_that_are_probabilities_stay() -> None:
    logits, targets = overconfident(200)
    found, (temperature,) = measured(answers_of("one", logits / 3, targets), FITTED_ON)
    assert temperature.value != 1
    assert temperature.gain <= 0
    assert found.temperatures == (1.0,)
    assert found.after == found.held_out == found.before


def test_one_image_has_no_halves() -> None:
    found, (temperature,) = measured(
        answers_of("one", torch.tensor([[2.0, 0.0]]), torch.tensor([0])), FITTED_ON, precision=50.0
    )
    assert (found.temperatures, found.held_out, found.precision_held_out) == ((1.0,), {}, {})
    assert "none of 1 labels is wrong" in temperature.note
    assert found.precision.thresholds == (0.0, None)


def test_several_labels_have_thresholds_and_no_curve() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(300, 2, generator=generator)
    targets = (torch.rand(300, 2, generator=generator) < (logits / 2).sigmoid()).long()
    found, _ = measured(answers_of("several", logits, targets), FITTED_ON, precision=80.0)
    assert found.curve is None
    assert found.temperatures[0] == pytest.approx(2, rel=0.3)
    for number, threshold in enumerate(found.precision.thresholds):
        named = (logits[:, number].double() / found.temperatures[0]).sigmoid() >= threshold
        assert int(named.sum()) == found.precision.kept[number]
        assert targets[named, number].double().mean() >= 0.8
