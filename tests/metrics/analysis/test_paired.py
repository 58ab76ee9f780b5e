"""McNemar's exact test, Holm's correction and the paired bootstrap: against scipy, by hand, and by how often
they are wrong."""

import numpy as np
import pytest

from ding_cls.metrics.analysis.paired import holm, mcnemar, paired_interval


@pytest.mark.parametrize(
    "counts", [(0, 0), (1, 0), (5, 5), (3, 12), (12, 3), (40, 75), (700, 800), (0, 3000)]
)
def test_mcnemar_is_scipys_binomial_test(counts: tuple[int, int]) -> None:
    stats = pytest.importorskip("scipy.stats")
    number = sum(counts)
    expected = stats.binomtest(counts[0], number, 0.5).pvalue if number else 1.0
    assert mcnemar(*counts) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_the_published_example() -> None:
    # Fagerland, Lydersen & Laake 2013, table 2: 1 and 7 discordant pairs, exact conditional p = 0.070.
    assert mcnemar(1, 7) == pytest.approx(0.0703125)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def trials(num: int, count: int, points: float, *, seed: int = 0) -> list[tuple[int, int]]:
    """Return how many images either of two alone has right, of many pairs of models.

    An image is right where its own difficulty and the model's own luck come out low: about 90 % are, and two
    equal models disagree on some 7 % of the images.

    Args:
        num: pairs.
        count: images.
        points: by how many points the second is better.
    """
    random, found = np.random.default_rng(seed), []
    cut = np.quantile(
        random.normal(size=200_000) + 0.4 * random.normal(size=200_000), [0.9, 0.9 + points / 100]
    )
    for _ in range(num):
        difficulty = random.normal(size=count)
        first, second = (difficulty + 0.4 * random.normal(size=count) < each for each in cut)
        found.append((int((first & ~second).sum()), int((~first & second).sum())))
    return found


def test_of_1000_pairs_of_equal_models_at_most_50_differ_and_of_the_first_ten_at_most_one() -> None:
    counts = trials(1000, 500, 0.0)
    called = [mcnemar(*each) < 0.05 for each in counts]
    assert 0.05 < np.mean([sum(each) / 500 for each in counts]) < 0.10, "the models disagree"
    assert sum(called) <= 50
    assert sum(called[:10]) <= 1


def test_two_points_of_2000_images_are_found() -> None:
    counts = trials(200, 2000, 2.0)
    gains = [100 * (second - first) / 2000 for first, second in counts]
    assert 1.8 < np.mean(gains) < 2.2
    assert np.mean([mcnemar(*each) < 0.05 for each in counts]) > 0.85


def test_the_paired_interval_is_that_of_the_mean_difference() -> None:
    differences = np.repeat([-1.0, 0.0, 1.0], [10, 360, 30])
    interval = paired_interval(differences)
    assert interval is not None
    # Of the normal approximation: 0.05 and 1.96 standard errors.
    half = 1.96 * differences.std() / 20
    assert interval == pytest.approx((0.05 - half, 0.05 + half), abs=0.003)
    assert paired_interval(differences) == interval


def test_equal_differences_have_no_interval() -> None:
    assert paired_interval(np.zeros(50)) is None
