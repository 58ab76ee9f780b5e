"""The time and the memory of a few updates and evaluation batches."""

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from ding_cls.pipeline.dry_run.report import Timing

MAX_STEPS = 5
MAX_SECONDS = 60.0


def timed(batches: Iterable[Any], use: Callable[[Any], Any]) -> Timing:
    """Use the first batches, at most ``MAX_STEPS`` after the first, and return their mean times.

    Starting the reading processes and allocating memory falls into the first, which is counted only where it
    is all there is.
    """
    began, iterator = time.perf_counter(), iter(batches)
    seconds: list[tuple[float, float]] = []
    while len(seconds) <= MAX_STEPS and time.perf_counter() - began < MAX_SECONDS:
        requested = time.perf_counter()
        batch = next(iterator, None)
        if batch is None:
            break
        received = time.perf_counter()
        use(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append((received - requested, time.perf_counter() - received))
    if not seconds:
        # A rank for which no batch is left.
        return Timing(0.0, 0.0, 0)
    kept = seconds[1:] or seconds
    data, step = (sum(each) / len(kept) for each in zip(*kept, strict=True))
    return Timing(data, step, len(seconds) - 1)


class PeakMemory:
    """The most memory in use at once since it was made, beyond what was in use then.

    Attributes:
        kind: which memory that is.
    """

    def __init__(self, *, is_cuda: bool) -> None:
        self._is_cuda = is_cuda
        self.kind = (
            "of the GPU at most" if is_cuda else "at most in this process; reading processes need their own"
        )
        if is_cuda:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
            return
        # Linux counts the peak anew from here.
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._before = _status("VmRSS")

    def peak(self) -> int:
        """Return the bytes."""
        now = torch.cuda.max_memory_allocated() if self._is_cuda else _status("VmHWM")
        return max(now - self._before, 0)


def _status(name: str) -> int:
    """Return a number of bytes that Linux has counted for this process; 0 elsewhere."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return 1024 * int(line.split()[1])
    return 0
