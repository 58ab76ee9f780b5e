"""Randomness that is a function of position, not of history.

Each use of random numbers has a generator seeded by ``derive_seed`` with its position: the sample order by
(seed, epoch), the augmentation of a sample by (seed, epoch, index), dropout by (seed, train_iter, rank). A
resumed run, or one with another number of loader workers, therefore draws the same numbers.
"""

import random
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import IntEnum
from typing import Any

import numpy as np
import torch

_MASK = (1 << 64) - 1
_NOTHING = nullcontext()
# Seeds of so many steps are computed at once: as an array they cost a tenth.
_STEPS_AT_ONCE = 256


class Stream(IntEnum):
    """The use of a seed. It is the first field of every key, so that two uses never share a sequence."""

    ORDER = 1
    AUGMENT = 2
    STEP = 3
    SAMPLER = 4
    SYNTHETIC = 5
    SPLIT = 6


def derive_seed(*fields: int) -> int:
    """Return a seed in [0, 2**32) that depends on all fields and on their order.

    torch's CPU generator uses only the low 32 bits of a seed, so every field is mixed into those.

    Source: "Fast splittable pseudorandom number generators", Steele, Lea & Flood, OOPSLA 2014: the finaliser
        of splitmix64, applied to each field in turn.
    """
    seed: int = _to_seed(_mixed(0, fields))
    return seed


def generator(*fields: int) -> torch.Generator:
    """Return a new CPU generator seeded by ``derive_seed(*fields)``."""
    return torch.Generator().manual_seed(derive_seed(*fields))


@contextmanager
def torch_randomness(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's default generators inside the block and restore their states after it.

    Args:
        seed: in [0, 2**32).
        device: a CUDA device whose generator is seeded and restored as well. For None and other kinds of
            device, the CPU's generator only.
    """
    generators = _default_generators(device)
    states = [each.get_state() for each in generators]
    for each in generators:
        each.manual_seed(seed)
    try:
        yield
    finally:
        for each, state in zip(generators, states, strict=True):
            each.set_state(state)


class StepRandomness:
    """torch's default generators, seeded for each step of a run and put back behind it.

    Inside ``kept``, which spans a run, a step only seeds them; elsewhere each puts them back itself.

    Args:
        device: as in ``torch_randomness``.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # Of the run and the rank that they are for, the seeds of the steps from the first on.
        self._run, self._first, self._seeds = (0, 0), 0, list[int]()
        self._generators = _default_generators(device)
        self._is_kept = False

    def __call__(self, seed: int, train_iter: int, rank: int) -> AbstractContextManager[None]:
        """Return the context of a rank's step that follows ``train_iter`` others, in a run of this seed."""
        place = train_iter - self._first
        if self._run != (seed, rank) or not 0 <= place < len(self._seeds):
            self._run, self._first, place = (seed, rank), train_iter, 0
            # ``derive_seed(Stream.STEP, seed, step, rank)``, of which the first half is the same for all.
            stem = _mixed(0, (Stream.STEP, seed))
            steps = np.arange(train_iter, train_iter + _STEPS_AT_ONCE, dtype=np.uint64)
            self._seeds = _to_seed(_mixed(stem, (steps, rank))).tolist()
        if not self._is_kept:
            return torch_randomness(self._seeds[place], self._device)
        for each in self._generators:
            each.manual_seed(self._seeds[place])
        return _NOTHING

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put the generators' states back after the block, and not after each step in it."""
        states = [each.get_state() for each in self._generators]
        self._is_kept = True
        try:
            yield
        finally:
            self._is_kept = False
            for each, state in zip(self._generators, states, strict=True):
                each.set_state(state)


@contextmanager
def sample_randomness(seed: int, *, torch_only: bool = False, restore: bool = True) -> Iterator[None]:
    """Seed the generators that the transforms of one sample draw from, and restore their states afterwards.

    Args:
        seed: in [0, 2**32).
        torch_only: leave Python's and NumPy's generators alone. Our transforms and torchvision's v2 draw from
            torch only; a user's transform may draw from any of the three.
        restore: False leaves the generators as the block left them; for a loader's worker process, which
            draws nothing between two samples.
    """
    if not restore:
        torch.default_generator.manual_seed(seed)
        if not torch_only:
            _seed_python_and_numpy(seed)
        yield
        return
    with torch_randomness(seed), nullcontext() if torch_only else _python_and_numpy_randomness(seed):
        yield


@contextmanager
def _python_and_numpy_randomness(seed: int) -> Iterator[None]:
    python_state, numpy_state = random.getstate(), np.random.get_state()
    _seed_python_and_numpy(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def _seed_python_and_numpy(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)


def set_pkg_seed(seed: int, use_cuda: bool | str = True) -> None:
    """Seed Python, NumPy and torch.

    Args:
        seed: any integer; its low 32 bits are used.
        use_cuda: seed every CUDA device as well, if there are any.
    """
    low = seed & 0xFFFFFFFF
    random.seed(low)
    np.random.seed(low)
    torch.default_generator.manual_seed(low)
    if use_cuda and torch.cuda.is_available():
        torch.cuda.manual_seed_all(low)


def _default_generators(device: torch.device | None) -> list[torch.Generator]:
    # torch.manual_seed would cost 0.3 ms: it looks at every backend. The generator itself takes 2 us.
    generators = [torch.default_generator]
    if device is not None and device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index or 0])
    return generators


def _mixed(state: Any, fields: Iterable[Any]) -> Any:
    """Mix fields into a state: integers, or arrays of uint64."""
    for field in fields:
        state = (state + (field & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def _to_seed(state: Any) -> Any:
    return (state ^ (state >> 32)) & 0xFFFFFFFF
