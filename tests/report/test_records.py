"""The records of a report hold together, and the order of what it shows first is right."""

import numpy as np
import pytest

from ding_cls.report import JudgedSamples, LabelIssue, worst_mistakes, worth_showing

NAN = float("nan")


def _samples(targets: list[int], predicted: list[int], scores: list[float]) -> JudgedSamples:
    of_target, of_answer = np.array(targets), np.array(predicted)
    names = [f"{number}.png" for number in range(len(targets))]
    return JudgedSamples(
        names=names,
        is_right=of_target == of_answer,
        scores=np.array(scores),
        targets=of_target,
        predicted=of_answer,
    )


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="columns of 1, 2 samples"):
        JudgedSamples(names=["a", "b"], is_right=np.array([True]), scores=np.zeros(2))
    with pytest.raises(ValueError, match="targets without predicted"):
        JudgedSamples(names=["a"], is_right=np.array([True]), scores=np.zeros(1), targets=np.zeros(1, int))


def test_the_surest_mistake_comes_first_and_an_unknown_score_last() -> None:
    samples = _samples([0, 0, 1, 1, 1], [1, 1, 0, 2, 1], [0.5, NAN, 0.9, 0.5, 1.0])
    assert worst_mistakes(samples) == [2, 0, 3, 1]


def test_every_confused_pair_shows_one_image_before_any_shows_two() -> None:
    # 150 sure mistakes of one pair fill the first hundred places, then the other pair's only one comes.
    samples = _samples([0] * 150 + [1, 2, 2], [1] * 150 + [0, 2, 2], [0.9] * 150 + [0.1, 0.8, 0.7])
    order = worth_showing(samples, [LabelIssue(151, 2, 0)], limit=153)
    assert order[:100] == list(range(100))
    assert order[100] == 151
    # Position 0 was there already: the other pair's first is the next new one.
    assert order[101] == 150
    assert order[-1] == 152
    assert len(set(order)) == 153
    assert worth_showing(samples, limit=3) == [0, 1, 2]
