"""The counter that is handed around."""

import pytest

from ding_cls.common.counting import CountVar, counted, first_few


def test_it_begins_where_it_is_told() -> None:
    assert CountVar().val == 0
    assert CountVar(5).val == 5
    assert CountVar(init_val=-2).val == -2


def test_it_counts_up_and_is_set() -> None:
    count = CountVar(3)
    count.add(4)
    count.add(-1)
    assert count.val == 6
    count.update(2**70)
    count.add(1)
    assert count.val == 2**70 + 1


def test_all_holders_see_the_same_count() -> None:
    count = CountVar()
    holders = [count, count]
    for _ in range(1000):
        holders[0].add(1)
    assert holders[1].val == 1000


def test_the_count_changes_by_its_methods_alone() -> None:
    with pytest.raises(AttributeError):
        CountVar().val = 3  # type: ignore[misc]


def test_a_noun_agrees_with_its_number() -> None:
    shown = [counted(number, "epoch") for number in (0, 1, 2, 2.5, 1200)]
    assert shown == ["0 epochs", "1 epoch", "2 epochs", "2.5 epochs", "1,200 epochs"]


def test_of_many_names_the_first_few_are_shown() -> None:
    assert [first_few(list("abc")[:count], 2) for count in range(4)] == ["", "a", "a, b", "a, b and 1 more"]
