"""Intervals of proportions against scipy's and against their promise; what few samples let expect."""

import numpy as np
import pytest

from ding_cls.answers.proportions import expected_share, wilson


@pytest.mark.parametrize("share", [0.5, 0.9, 0.97, 1.0])
@pytest.mark.parametrize("count", [100, 250, 1000])
def test_500_measured_accuracies_have_the_known_one_in_93_to_97_percent_of_their_intervals(
    share: float, count: int
) -> None:
    hits = np.random.default_rng(1).binomial(count, share, 500)
    found = [wilson(int(each), count) for each in hits]
    covered = sum(low <= 100 * share <= high for low, high in found) / 500
    assert covered == 1.0 if share == 1.0 else 0.925 < covered < 0.975
    assert all(high - low > 0 for low, high in found), "an interval is a point"


@pytest.mark.parametrize("share", [0.5, 0.9, 0.97])
@pytest.mark.parametrize("count", [100, 250, 1000])
def test_the_exact_chance_to_cover_lies_between_93_and_97_percent(share: float, count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    chances = stats.binom.pmf(np.arange(count + 1), count, share)
    holds = [low <= 100 * share <= high for low, high in (wilson(k, count) for k in range(count + 1))]
    assert 0.93 <= float(chances @ np.array(holds)) <= 0.97


@pytest.mark.parametrize(("hits", "count"), [(9, 10), (0, 20), (20, 20), (1234, 5000)])
def test_wilson_is_that_of_scipy(hits: int, count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits, count) == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


def test_of_eighteen_right_ones_the_next_is_expected_to_be_in_95_percent() -> None:
    assert 1 - expected_share(0, 18) == 0.95
    assert expected_share(0, 0) == 0.5
    # The mean of a share under a uniform prior, by adding up.
    shares = np.linspace(0, 1, 100_001)
    weights = shares**3 * (1 - shares) ** 7
    assert expected_share(3, 10) == pytest.approx(float(shares @ weights / weights.sum()), abs=1e-9)
