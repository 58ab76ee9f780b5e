"""Clocks: always monotonic, and on CUDA never a reason to wait for the device."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import torch


class EasyTimer:
    """A context manager that measures the block it wraps.

    On the CPU ``value`` is the block's time in seconds. On CUDA the block is marked by two events on the
    current stream; ``value`` asks for them and waits, ``lazy()`` hands out a record that a log line reads
    later.

    Args:
        cuda: measure device time with CUDA events.

    Example:
        >>> timer = EasyTimer(cuda=False)
        >>> with timer:
        ...     pass
        >>> timer.value >= 0
        True
    """

    def __init__(self, cuda: bool = True) -> None:
        self._cuda = cuda and torch.cuda.is_available()
        self._started: float = 0.0
        self._elapsed: float = 0.0
        self._events: tuple[torch.cuda.Event, torch.cuda.Event] | None = None

    def __enter__(self) -> "EasyTimer":
        if self._cuda:
            begin, end = _event(), _event()
            begin.record()
            self._events = (begin, end)
        else:
            self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            self._events[1].record()
        else:
            self._elapsed = time.perf_counter() - self._started

    @property
    def value(self) -> float:
        """Seconds of the last block; on CUDA this waits until the device has reached its end."""
        return float(self.lazy())

    def lazy(self) -> "float | DeviceSeconds":
        """Return the last block's seconds without waiting: a float, or a record that ``float()`` reads
        later."""
        return self._elapsed if self._events is None else DeviceSeconds(self._events)


def clock(cuda: bool) -> Callable[[], Any]:
    """Return what tells the moment: one less another is seconds, as ``EasyTimer.lazy`` hands them out.

    Args:
        cuda: moments of the device, for which nothing waits.
    """
    return _Moment if cuda and torch.cuda.is_available() else time.perf_counter


class _Moment:
    """When the device comes to this place on its current stream."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = _event()
        self._event.record()

    def __sub__(self, earlier: "_Moment") -> "DeviceSeconds":
        return DeviceSeconds((earlier._event, self._event))


class DeviceSeconds:
    """Device time between pairs of CUDA events; ``float()`` reads it, adding joins several."""

    __slots__ = ("_pairs",)

    def __init__(self, *pairs: tuple[torch.cuda.Event, torch.cuda.Event]) -> None:
        self._pairs = pairs

    def __float__(self) -> float:
        self._pairs[-1][1].synchronize()
        return float(sum(begin.elapsed_time(end) for begin, end in self._pairs)) / 1000

    def __add__(self, other: "DeviceSeconds | float") -> "DeviceSeconds":
        return DeviceSeconds(*other._pairs, *self._pairs) if isinstance(other, DeviceSeconds) else self


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
