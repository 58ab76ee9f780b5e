"""A test of the default tier that uses too much time fails; one of another tier does not."""

import pytest

from tests.conftest import LIMIT_S, cpu_s, too_long


def test_a_quick_test_may_not_take_long(request: pytest.FixtureRequest) -> None:
    item = request.node
    assert too_long(item, LIMIT_S) is None
    told = too_long(item, LIMIT_S + 0.1)
    assert (
        told
        == f"{LIMIT_S + 0.1:.1f} s of processor time, at most {LIMIT_S:g}: make it smaller, or mark it slow"
    )
    item.add_marker("slow")
    assert too_long(item, 61.04) is None


def test_the_time_is_this_processes_own() -> None:
    begin = cpu_s()
    while cpu_s() - begin < 0.05:
        pass
    assert cpu_s() - begin < 1
