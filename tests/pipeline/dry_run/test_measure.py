"""The time and the memory of a few batches."""

import ctypes
import os

import pytest

from ding_cls.pipeline.dry_run import measure
from ding_cls.pipeline.dry_run.measure import PeakMemory, timed
from ding_cls.pipeline.dry_run.report import Timing
from tests.distributed.ranks import warm_processes


def memory_of_blocks() -> tuple[int, int]:
    # What the tests before have freed and the C library has kept would not be counted anew.
    ctypes.CDLL(None).malloc_trim(0)
    memory = PeakMemory(is_cuda=False)
    before = memory.peak()
    for _ in range(3):
        block = bytearray(b"x") * 100_000_000
        del block
    return before, memory.peak()


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="needs Linux")
def test_peak_memory_is_what_was_in_use_at_once() -> None:
    # In a process of its own, as on the command line.
    with warm_processes(1) as pool:
        before, peak = pool.submit(memory_of_blocks).result()
    assert before < 20_000_000
    assert 80_000_000 < peak < 200_000_000


class Clock:
    """A clock that goes by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(measure.time, "perf_counter", found)
    return found


def batches(clock: Clock, waits: list[float]) -> list[int]:
    def generate():  # type: ignore[no-untyped-def]
        for number, wait in enumerate(waits):
            clock.go(wait)
            yield number

    return generate()  # type: ignore[no-any-return]


def test_the_first_batch_is_not_counted_and_five_after_it_are(clock: Clock) -> None:
    used: list[int] = []

    def use(batch: int) -> None:
        used.append(batch)
        clock.go(2.0 if batch == 0 else 0.25)

    assert timed(batches(clock, [4.0] + [0.5] * 9), use) == Timing(0.5, 0.25, 5)
    assert used == [0, 1, 2, 3, 4, 5]


def test_one_batch_is_all_there_is_and_none_takes_no_time(clock: Clock) -> None:
    assert timed(batches(clock, [4.0]), lambda batch: clock.go(1.0)) == Timing(4.0, 1.0, 0)
    assert timed([], lambda batch: None) == Timing(0.0, 0.0, 0)


def test_slow_batches_end_after_a_minute(clock: Clock) -> None:
    assert timed(batches(clock, [40.0] * 9), lambda batch: None) == Timing(40.0, 0.0, 1)
