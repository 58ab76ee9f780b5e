"""Randomness as a function of position: seeds by splitmix64, generators put back as they were."""

import itertools
import random
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.common.seed import (
    StepRandomness,
    Stream,
    derive_seed,
    generator,
    sample_randomness,
    set_pkg_seed,
    torch_randomness,
)

SEEDS = [0xEA1FA340, 0xAA496BF6, 0xFFBC5D57, 0xC08AF856]


def draws() -> tuple[Any, ...]:
    return (random.random(), np.random.rand(3).tolist(), torch.rand(3).tolist())


def states() -> tuple[Any, ...]:
    numpy_state = np.random.get_state(legacy=False)
    return (
        random.getstate(),
        numpy_state["state"]["key"].tolist(),
        numpy_state["state"]["pos"],
        torch.get_rng_state().tolist(),
    )


def test_seeds_follow_splitmix64() -> None:
    # The published first output of splitmix64 for the state 0 is e220a8397b1dcdaf; its halves are mixed.
    assert derive_seed(0) == 0xE220A839 ^ 0x7B1DCDAF
    assert derive_seed() == 0


def test_seeds_never_change_between_versions() -> None:
    assert [derive_seed(0, 0), derive_seed(1, 2, 3), derive_seed(-1), derive_seed(2**64 + 5)] == SEEDS


def test_every_field_counts_and_so_does_its_place() -> None:
    keys = [key for length in range(1, 5) for key in itertools.product(range(6), repeat=length)]
    seeds = {derive_seed(*key) for key in keys}
    assert len(keys) == 6 + 36 + 216 + 1296
    assert len(seeds) == len(keys)


def test_seeds_of_a_long_run_hardly_ever_meet() -> None:
    seeds = [derive_seed(Stream.AUGMENT, 0, epoch, index) for epoch in range(20) for index in range(5000)]
    # 100,000 draws from 2**32 meet 1.2 times on average.
    assert len(seeds) - len(set(seeds)) <= 6
    assert all(0 <= seed < 2**32 for seed in seeds)
    high = np.mean([seed >> 31 for seed in seeds])
    assert abs(high - 0.5) < 0.01


def test_uses_never_share_a_sequence() -> None:
    assert len({derive_seed(stream, 7, 3) for stream in Stream}) == len(Stream) == 6
    assert len({int(stream) for stream in Stream}) == 6


def test_a_generator_depends_on_its_key_alone() -> None:
    before = states()
    first = torch.rand(5, generator=generator(1, 2))
    torch.rand(100)
    assert torch.equal(first, torch.rand(5, generator=generator(1, 2)))
    assert not torch.equal(first, torch.rand(5, generator=generator(2, 1)))
    torch.set_rng_state(torch.tensor(before[-1], dtype=torch.uint8))
    generator(9)
    assert states() == before


def test_torch_randomness_is_that_of_the_seed_and_leaves_no_trace() -> None:
    before = states()
    with torch_randomness(5):
        inside = torch.rand(4)
    assert states() == before
    torch.manual_seed(5)
    assert torch.equal(inside, torch.rand(4))


def test_sample_randomness_seeds_all_three_and_leaves_no_trace() -> None:
    before = states()
    with sample_randomness(5):
        inside = draws()
    assert states() == before
    with sample_randomness(5):
        assert draws() == inside
    with sample_randomness(6):
        assert all(one != other for one, other in zip(draws(), inside, strict=True))


@pytest.mark.parametrize("block", [torch_randomness, sample_randomness])
def test_an_error_inside_leaves_no_trace_either(block: Any) -> None:
    before = states()
    with pytest.raises(ZeroDivisionError), block(3):  # noqa: PT012
        draws()
        raise ZeroDivisionError
    if block is sample_randomness:
        assert states() == before
    assert states()[-1] == before[-1]


def test_blocks_nest() -> None:
    with sample_randomness(1):
        first, second = draws(), draws()
    with sample_randomness(1):
        assert draws() == first
        with sample_randomness(2):
            draws()
        assert draws() == second


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**32 + 7, 2**63, -1, -(2**40)])
def test_set_pkg_seed_takes_any_integer_and_gives_all_three_its_low_32_bits(seed: int) -> None:
    with sample_randomness(0):
        set_pkg_seed(seed, use_cuda=False)
        given = draws()
        low = seed % 2**32
        random.seed(low)
        np.random.seed(low)
        torch.manual_seed(low)
        assert draws() == given


def test_set_pkg_seed_repeats_itself() -> None:
    with sample_randomness(0):
        set_pkg_seed(11)
        first = draws()
        set_pkg_seed(11)
        assert draws() == first
        set_pkg_seed(12)
        assert draws() != first


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_devices_generator_is_put_back_too() -> None:
    device = torch.device("cuda", 0)
    before = torch.cuda.get_rng_state(device)
    with torch_randomness(5, device):
        inside = torch.rand(4, device=device)
    assert torch.equal(torch.cuda.get_rng_state(device), before)
    with torch_randomness(5, device):
        assert torch.equal(torch.rand(4, device=device), inside)


def test_torch_only_seeds_and_restores_torchs_generator_and_no_other() -> None:
    before = states()
    with sample_randomness(5, torch_only=True):
        assert states()[:3] == before[:3]
        inside = torch.rand(4)
    assert states() == before
    with torch_randomness(5):
        assert torch.equal(inside, torch.rand(4))


@pytest.mark.parametrize("torch_only", [False, True])
def test_without_restoring_the_draws_are_the_same_and_the_states_stay(torch_only: bool) -> None:
    with sample_randomness(5):
        expected = draws()
    with sample_randomness(0):
        before = states()
        with sample_randomness(5, torch_only=torch_only, restore=False):
            inside = draws()
            left = states()
        assert states() == left
        assert inside[2] == expected[2]
        assert (inside == expected) is not torch_only
        assert left[-1] != before[-1]


def test_a_step_inside_a_run_draws_what_one_outside_does_and_the_run_leaves_no_trace() -> None:
    randomness = StepRandomness(torch.device("cpu"))
    torch.manual_seed(9)
    before = torch.default_generator.get_state()
    keys = [
        (3, 0, 0),
        (3, 1, 0),
        (3, 1, 1),
        (4, 1, 1),
        (3, 0, 0),
        (3, 255, 0),
        (3, 256, 0),
        (2**63 + 5, 70, 3),
    ]
    outside, inside = [], []
    for key in keys:
        with randomness(*key):
            outside.append(torch.rand(2).tolist())
    assert torch.equal(torch.default_generator.get_state(), before)
    with randomness.kept():
        for key in keys:
            with randomness(*key):
                inside.append(torch.rand(2).tolist())
    assert torch.equal(torch.default_generator.get_state(), before)
    seeds = [derive_seed(Stream.STEP, *key) for key in keys]
    expected = [torch.rand(2, generator=torch.Generator().manual_seed(seed)).tolist() for seed in seeds]
    assert outside == inside == expected
    with pytest.raises(ZeroDivisionError), randomness.kept(), randomness(*keys[0]):
        _ = torch.rand(2) / (1 // 0)
    assert torch.equal(torch.default_generator.get_state(), before)
