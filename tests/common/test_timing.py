"""Clocks: monotonic on the CPU, events on a device; reading is the only thing that waits."""

import time

import pytest
import torch

from ding_cls.common.timing import DeviceSeconds, EasyTimer


class FakeEvent:
    """An event at a fixed instant that must have been waited for before its time is read."""

    def __init__(self, instant_ms: float) -> None:
        self.instant_ms, self.is_reached = instant_ms, False

    def synchronize(self) -> None:
        self.is_reached = True

    def elapsed_time(self, end: "FakeEvent") -> float:
        return end.instant_ms - self.instant_ms


def device_seconds(begin_ms: float, end_ms: float) -> DeviceSeconds:
    return DeviceSeconds((FakeEvent(begin_ms), FakeEvent(end_ms)))  # type: ignore[arg-type]


def test_a_block_takes_at_least_as_long_as_it_sleeps() -> None:
    timer = EasyTimer(cuda=False)
    with timer:
        time.sleep(0.02)
    assert 0.02 <= timer.value < 5
    assert timer.value == timer.lazy()


def test_the_value_is_that_of_the_last_block() -> None:
    timer = EasyTimer(cuda=False)
    with timer:
        time.sleep(0.05)
    first = timer.value
    with timer:
        pass
    assert timer.value < first


def test_before_any_block_the_value_is_zero() -> None:
    assert EasyTimer(cuda=False).value == 0.0


def test_a_block_that_raises_is_measured_and_raises() -> None:
    timer = EasyTimer(cuda=False)
    with pytest.raises(ZeroDivisionError), timer:  # noqa: PT012
        time.sleep(0.01)
        raise ZeroDivisionError
    assert timer.value >= 0.01


def test_a_clock_that_is_set_back_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = iter([1e9, 0.0, -1e9])
    monkeypatch.setattr(time, "time", lambda: next(wall))
    timer = EasyTimer(cuda=False)
    with timer:
        pass
    assert 0 <= timer.value < 5


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a machine without CUDA")
def test_without_cuda_the_default_measures_on_the_cpu() -> None:
    timer = EasyTimer()
    with timer:
        time.sleep(0.01)
    assert timer.value >= 0.01


def test_device_seconds_add_up_in_any_order() -> None:
    one, other = device_seconds(1000, 1500), device_seconds(2000, 2250)
    assert float(one + other) == float(other + one) == 0.75
    assert float(one + other + device_seconds(3000, 3001)) == pytest.approx(0.751)


def test_device_seconds_and_the_zero_of_an_empty_sum_add_up() -> None:
    assert float(device_seconds(1000, 1500) + 0.0) == 0.5


def test_reading_waits_for_the_end_of_the_last_block() -> None:
    first, last = FakeEvent(10), FakeEvent(30)
    seconds = DeviceSeconds((FakeEvent(20), last)) + DeviceSeconds((FakeEvent(0), first))  # type: ignore[arg-type]
    assert not last.is_reached
    assert float(seconds) == 0.02
    assert last.is_reached


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_device_time_is_read_from_events() -> None:
    big = torch.randn(4096, 4096, device="cuda")
    timer = EasyTimer()
    with timer:
        for _ in range(20):
            big = big @ big / 64
    began = time.perf_counter()
    seconds = timer.lazy()
    assert time.perf_counter() - began < 0.01
    assert isinstance(seconds, DeviceSeconds)
    assert 0 < float(seconds) < 5
    assert timer.value == pytest.approx(float(seconds))
