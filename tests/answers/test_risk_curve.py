"""Points of a coverage / risk curve against counting."""

import pytest
import torch

from ding_cls.answers.proportions import wilson
from ding_cls.answers.risk_curve import RiskCurve, RiskPoint
from ding_cls.metrics.analysis.selective import risk_curve


def test_the_smallest_coverage_that_is_large_enough_is_taken() -> None:
    curve = RiskCurve(200, (0.9, 0.6, 0.0), (50, 150, 200), (0, 6, 40))
    expected = RiskPoint(0.6, 75.0, wilson(150, 200), 4.0, wilson(6, 150))
    assert [curve.at_coverage(percent) for percent in (25.1, 75)] == [expected] * 2
    assert [curve.at_coverage(percent).coverage for percent in (1, 25, 76, 100)] == [25, 25, 100, 100]


def test_the_largest_coverage_with_a_risk_is_taken_and_few_samples_promise_little() -> None:
    scores = torch.linspace(1, 0.5, 1000)
    is_right = torch.arange(1000) % 10 != 9
    is_right[:400] = True
    curve = risk_curve(scores, is_right)
    point = curve.at_risk(5)
    assert point is not None
    risks = [100 * (wrong + 1) / (kept + 2) for kept, wrong in zip(curve.kept, curve.wrong, strict=True)]
    assert point.coverage == max(kept / 10 for kept, risk in zip(curve.kept, risks, strict=True) if risk <= 5)
    assert point.risk <= 5
    assert point.risk_interval[0] < point.risk < point.risk_interval[1]
    assert curve.at_risk(50).coverage == 100
    few = risk_curve(torch.linspace(1, 0.5, 20), torch.ones(20, dtype=torch.bool))
    assert few.at_risk(4) is None
    assert few.least_risk() == pytest.approx(100 / 22)
    assert few.at_risk(5).coverage == 100
