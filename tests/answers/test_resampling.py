"""Draws of samples, and the interval that they show."""

import numpy as np
import pytest

from ding_cls.answers.resampling import counts_of_draws, percentiles


def test_percentiles_of_draws_that_tell_nothing() -> None:
    draws = np.linspace(0, 1, 101)
    assert percentiles(draws, 0.5) == pytest.approx((0.025, 0.975))
    assert percentiles(draws, 0.9) is None, "the draws are shifted"
    assert percentiles(np.full(5, 0.5), 0.5) is None
    assert percentiles(np.array([0.5, np.nan]), 0.5) is None


def test_a_draw_is_as_many_samples_and_the_same_draw_each_time() -> None:
    draws = np.array([*counts_of_draws(30, 5)])
    assert draws.sum(1).tolist() == [30] * 5
    assert (draws > 1).any(1).all()
    assert np.array_equal(draws, [*counts_of_draws(30, 5)])
