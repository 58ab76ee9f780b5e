"""What follows from logits, by hand: which class, in which order, from which threshold on."""

import dataclasses

import numpy as np
import pytest

from ding_cls.answers import UNKNOWN, AnswerRule, Prediction


def answered(rule: AnswerRule, rows: list) -> list[Prediction]:
    return rule.predictions([None] * len(rows), np.array(rows))


def test_the_highest_come_first_and_of_equal_ones_the_lower_number() -> None:
    first, second = answered(AnswerRule(tuple("abcd")), [[0.0, 2.0, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
    assert [(each.label, each.name) for each in first.top(3)] == [(1, "b"), (3, "d"), (2, "c")]
    assert [each.label for each in second.top(9)] == [0, 1, 2, 3]
    assert (second.label, second.name, second.score) == (0, "a", 0.25)
    assert first.top(1)[0].score == pytest.approx(np.exp(2) / (2 * np.exp(2) + np.e + 1), rel=1e-6)


def test_the_networks_choice_is_first_though_float32_rounds_it_to_a_tie() -> None:
    # As evaluation counts: by logits, of which the second is larger by its last bit.
    (record,) = answered(AnswerRule(("a", "b")), [[1e-12, 2e-12]])
    assert record.probabilities.tolist() == [0.5, 0.5]
    assert record.label == 1
    assert [each.label for each in record.top()] == [1, 0]


def test_a_record_cannot_be_changed_and_is_short_as_text() -> None:
    (record,) = answered(AnswerRule(("a", "b")), [[0.0, 1.0]])
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.label = 0  # type: ignore[misc]
    assert "probabilities" not in repr(record)


def test_each_label_of_several_has_its_own_threshold() -> None:
    thresholds = np.array([0.9, 0.2, np.inf])
    rule = AnswerRule(tuple("abc"), has_several_labels=True, thresholds=thresholds)
    records = answered(rule, [[2.0, -1.0, 9.0], [3.0, -2.0, 0.0], [-9.0, -9.0, -9.0]])
    assert [(each.label, each.name) for each in records] == [((1,), "b"), ((0,), "a"), ((), "")]
    assert not any(each.is_unknown for each in records)


def test_of_several_tasks_one_below_its_threshold_makes_all_unknown() -> None:
    rule = AnswerRule(("a", "b"), thresholds=np.array([0.8, 0.6]))
    sure, unsure = answered(rule, [[[5.0, 0.0], [0.0, 0.5]], [[5.0, 0.0], [0.0, 0.1]]])
    assert (sure.label, sure.name) == ((0, 1), "a|b")
    assert (unsure.label, unsure.name, unsure.is_unknown) == (None, UNKNOWN, True)
    assert [each.name for each in unsure.top(2)] == ["a|b", "b|a"]


@pytest.mark.parametrize("odd", [[0.0, np.nan], [np.inf, 0.0]])
@pytest.mark.parametrize("path", [None, "a.png"])
def test_what_is_no_number_is_an_error_of_that_image_alone(odd: list[float], path: str | None) -> None:
    bad, good = AnswerRule(("a", "b")).predictions([path, "b.png"], np.array([odd, [0.0, 1.0]]))
    named = "this image" if path is None else "'a.png'"
    assert bad.error == f"the network's output for {named} holds NaN"
    assert (bad.label, bad.score, bad.top(), bad.is_unknown) == (None, None, [], False)
    assert (good.label, good.error) == (1, "")
