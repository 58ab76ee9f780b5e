"""How many images per second two networks take, measured in turns.

It must not know what they say.
"""

from __future__ import annotations

import time
from statistics import median

import torch

from ding_cls.export.checking.tally import Candidate

_SECONDS, _MAX_RUNS = 2.0, 10


def rates(first: Candidate, second: Candidate, batch: torch.Tensor) -> tuple[float, float]:
    """Return images per second of two networks: of a batch, in turns, so that a busy machine slows both."""
    times: tuple[list[float], list[float]] = ([], [])
    began = time.perf_counter()
    for number in range(_MAX_RUNS):
        if number and time.perf_counter() - began > _SECONDS:
            break
        for run, of_run in zip((first, second), times, strict=True):
            start = time.perf_counter()
            run(batch)
            of_run.append(time.perf_counter() - start)
    return len(batch) / median(times[0]), len(batch) / median(times[1])
