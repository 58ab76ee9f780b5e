"""What a config may hold and compute: counted by values and their length."""

import pytest

from ding_cls.config.reader.limits import MAX_INT_BITS, MAX_LENGTH, MAX_WORK, Work, check_length, check_number


@pytest.mark.parametrize(
    ("value", "units"), [(1, 1), ("a" * 15, 1), ("a" * 16, 2), ([0] * 320, 21), ({"a": 1}, 1), (None, 1)]
)
def test_a_long_value_counts_for_more(value: object, units: int) -> None:
    work = Work()
    work.add(MAX_WORK - units)
    work.add_value(value)
    assert not work.is_exceeded
    with pytest.raises(ValueError, match="the file computes too much: more than 200000 values"):
        work.add_value(value)
    assert work.is_exceeded


def test_a_length_and_a_number_have_a_limit() -> None:
    check_length(MAX_LENGTH)
    with pytest.raises(ValueError, match="a value longer than 50000"):
        check_length(MAX_LENGTH + 1)
    assert check_number(2**MAX_INT_BITS - 1) == 2**MAX_INT_BITS - 1
    for number in (2**MAX_INT_BITS, -(2**MAX_INT_BITS), 1j):
        with pytest.raises(ValueError, match="complex or has more than 2048 bits"):
            check_number(number)
