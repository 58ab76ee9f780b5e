"""Coverage and risk against counts by hand, and of other data against their intervals."""

import pytest
import torch

from ding_cls.metrics.analysis.selective import levels, risk_curve


def drawn(count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scores, and answers that are right as often as their squared score says."""
    scores = 0.3 + 0.7 * torch.rand(count, generator=generator, dtype=torch.float64)
    return scores, torch.rand(count, generator=generator) < 1 - 0.6 * (1 - scores)


@pytest.mark.parametrize("count", [1, 2, 7, 100, 333, 2000])
def test_each_point_is_what_counting_gives(count: int) -> None:
    scores, is_right = drawn(count, torch.Generator().manual_seed(count))
    scores = (scores * 50).round() / 50 if count == 333 else scores
    curve = risk_curve(scores, is_right)
    assert curve.num_samples == count
    assert len(curve.thresholds) <= 100
    assert curve.thresholds[-1] == 0
    for threshold, kept, wrong in zip(curve.thresholds, curve.kept, curve.wrong, strict=True):
        answered = scores >= threshold
        assert int(answered.sum()) == kept
        assert int((answered & ~is_right).sum()) == wrong
    for percent in (100, 95, 50, 1):
        kept = round(curve.at_coverage(percent).coverage * count / 100)
        # The scores may be equal; else it is the smallest number that suffices.
        assert kept >= percent * count / 100 - 1e-9
        if count != 333:
            assert kept - 1 < percent * count / 100


def test_equal_scores_stay_together_and_thresholds_lie_between() -> None:
    scores = torch.tensor([0.9, 0.5, 0.9, 0.2, 0.5])
    thresholds, kept, right = levels(scores, torch.tensor([True, False, True, True, True]))
    assert thresholds.tolist() == pytest.approx([0.7, 0.35, 0.0])
    assert (kept.tolist(), right.tolist()) == ([2, 4, 5], [2, 3, 4])


def test_risk_and_coverage_of_other_data_lie_in_the_interval() -> None:
    generator = torch.Generator().manual_seed(5)
    scores, is_right = drawn(200_000, generator)
    covered = {80: [0, 0], 50: [0, 0]}
    for _ in range(500):
        own = torch.randint(len(scores), (500,), generator=generator)
        curve = risk_curve(scores[own], is_right[own])
        for percent, counts in covered.items():
            point = curve.at_coverage(percent)
            # The true values in closed form: scores are uniform in [0.3, 1].
            coverage = (1 - point.threshold) / 0.7
            risk = 0.6 * (1 - point.threshold) / 2
            counts[0] += point.risk_interval[0] <= 100 * risk <= point.risk_interval[1]
            counts[1] += point.coverage_interval[0] <= 100 * coverage <= point.coverage_interval[1]
    for counts in covered.values():
        assert all(0.92 * 500 <= each <= 0.98 * 500 for each in counts), covered
