"""Collectives between one, two and three real processes, and their identities in a single one."""

import time
from datetime import timedelta
from typing import Any

import pytest
import torch

from ding_cls.distributed import (
    StopVote,
    all_reduce_sums,
    allreduce,
    barrier,
    broadcast,
    broadcast_object,
    comm_device,
    gather_objects,
    get_rank,
    get_world_size,
    reduce_totals,
)
from tests.distributed.ranks import run_ranks

WORLDS = pytest.mark.parametrize("world_size", [1, 2, 3])
BIG_COUNT = 2**53 + 1  # float64 cannot hold it


class Opinion:
    """A value of a user's own class."""

    def __init__(self, rank: int) -> None:
        self.logits = torch.tensor([float(rank)])


def means() -> list[Any]:
    rank = get_rank()
    plain = torch.tensor([1.0 + rank, 10.0])
    strided = torch.arange(6.0).reshape(2, 3).t() * (rank + 1)
    leaf = torch.nn.Parameter(torch.tensor(float(rank), dtype=torch.float64))
    for tensor in (plain, strided, leaf):
        assert allreduce(tensor) is None
    return [plain.tolist(), strided.tolist(), leaf.item(), leaf.requires_grad]


@pytest.mark.dist
@WORLDS
def test_allreduce_takes_the_mean_in_place(world_size: int) -> None:
    middle = (world_size - 1) / 2
    strided = (torch.arange(6.0).reshape(2, 3).t() * (middle + 1)).tolist()
    expected = [[1.0 + middle, 10.0], strided, middle, True]
    assert run_ranks(means, world_size) == [expected] * world_size


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_the_mean_of_integers_is_refused_in_a_single_process_too(dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match=str(dtype)):
        allreduce(torch.zeros(2, dtype=dtype))


def copies(src: int) -> list[Any]:
    rank = get_rank()
    strided = (torch.arange(4, dtype=torch.int64).reshape(2, 2) + 10 * rank).t()
    broadcast(strided, src)
    name = broadcast_object({"exp_name": f"run_{rank}", "seed": rank}, src)
    barrier()
    return [strided.tolist(), name]


@pytest.mark.dist
@WORLDS
def test_broadcast_gives_everyone_the_source(world_size: int) -> None:
    src = world_size - 1
    strided = (torch.arange(4).reshape(2, 2) + 10 * src).t().tolist()
    expected = [strided, {"exp_name": f"run_{src}", "seed": src}]
    assert run_ranks(copies, world_size, src) == [expected] * world_size


def opinions() -> list[Any]:
    rank = get_rank()
    everyone = gather_objects({"opinion": Opinion(rank), "batches": list(range(rank))})
    return [(each["opinion"].logits.tolist(), each["batches"]) for each in everyone]


@pytest.mark.dist
@WORLDS
def test_gather_objects_keeps_rank_order_and_uneven_sizes(world_size: int) -> None:
    expected = [([float(rank)], list(range(rank))) for rank in range(world_size)]
    assert run_ranks(opinions, world_size) == [expected] * world_size


def sums() -> tuple[dict[str, Any], list[str], list[str]]:
    rank = get_rank()
    named = {
        "loss": torch.tensor(0.1 * (rank + 1), dtype=torch.float64),
        "correct": torch.tensor(BIG_COUNT + rank),
        "per_class": torch.tensor([[rank, 1], [2, 3]]),
    }
    if rank % 2:  # the order of a dict is no agreement between processes
        named = dict(reversed(named.items()))
    before = {name: tensor.clone() for name, tensor in named.items()}
    total = all_reduce_sums(named)
    assert all(torch.equal(named[name], before[name]) for name in named), "the inputs were changed"
    dtypes = [str(total[name].dtype) for name in ("loss", "correct", "per_class")]
    return {name: total[name].tolist() for name in sorted(total)}, list(named) == list(total), dtypes


@pytest.mark.dist
@WORLDS
def test_sums_are_packed_and_counts_stay_exact(world_size: int) -> None:
    ranks = range(world_size)
    expected = {
        "correct": sum(BIG_COUNT + rank for rank in ranks),
        "per_class": [[sum(ranks), world_size], [2 * world_size, 3 * world_size]],
    }
    for total, order_kept, dtypes in run_ranks(sums, world_size):
        loss = total.pop("loss")
        assert loss == pytest.approx(0.1 * sum(rank + 1 for rank in ranks), rel=1e-15)
        assert total == expected
        assert order_kept
        assert dtypes == ["torch.float64", "torch.int64", "torch.int64"]


def totals() -> dict[str, Any]:
    """A rank without samples has 0-dim zeros where the others have axes."""
    counts = torch.tensor(0) if get_rank() == 0 else torch.tensor([1, get_rank()])
    return {name: each.tolist() for name, each in reduce_totals({"counts": counts}).items()}


@pytest.mark.dist
@pytest.mark.slow
def test_totals_are_summed_where_a_rank_had_no_samples() -> None:
    assert run_ranks(totals, 3) == [{"counts": [2, 3]}] * 3


def test_sums_of_other_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match=r"'loss' is torch\.float32"):
        all_reduce_sums({"loss": torch.tensor(1.0)})


def test_without_a_group_everything_is_an_identity() -> None:
    tensor = torch.tensor([1.0, 2.0])
    allreduce(tensor)
    broadcast(tensor)
    barrier()
    count = torch.tensor(3)
    result = all_reduce_sums({"n": count})
    assert (get_rank(), get_world_size(), comm_device()) == (0, 1, torch.device("cpu"))
    assert tensor.tolist() == [1.0, 2.0]
    assert result["n"] is not count
    assert result["n"].item() == 3
    assert reduce_totals({"n": count})["n"].item() == 3
    name = ["run"]
    assert broadcast_object(name) is name
    assert gather_objects(name)[0] is name


def votes(asks: dict[int, int]) -> list[bool]:
    """``asks``: rank -> the call at which it asks to stop."""
    with StopVote() as ballot:
        return [ballot.vote(asks.get(get_rank()) == call) for call in range(6)]


@pytest.mark.dist
@pytest.mark.parametrize(
    ("world_size", "asks", "first"),
    [(1, {0: 2}, 2), (2, {1: 0}, 1), (2, {0: 3, 1: 3}, 4), (3, {2: 2}, 3), (3, {}, None)],
)
def test_all_ranks_see_the_stop_at_the_same_call(
    world_size: int, asks: dict[int, int], first: int | None
) -> None:
    expected = [call == first for call in range(6)]
    assert run_ranks(votes, world_size, asks) == [expected] * world_size


def first_vote_takes() -> float:
    ballot = StopVote()
    if get_rank() == 1:
        time.sleep(2.0)
    begin = time.monotonic()
    ballot.vote(False)
    took = time.monotonic() - begin
    ballot.close()
    ballot.close()
    return took


@pytest.mark.dist
@pytest.mark.slow
def test_a_vote_does_not_wait_for_a_slow_rank() -> None:
    assert max(run_ranks(first_vote_takes, 2)) < 1.5


def vote_of_a_deserted_rank() -> str:
    ballot = StopVote(timeout=timedelta(seconds=1))
    ballot.vote(False)
    if get_rank() == 1:
        barrier()
        return "left"
    try:
        ballot.vote(False)  # rank 1 has voted once: this one still has its answer
        ballot.vote(False)
    except RuntimeError:
        barrier()
        return "timed out"
    return "nothing noticed"


@pytest.mark.slow
@pytest.mark.dist
def test_a_rank_that_stays_away_is_noticed_in_time() -> None:
    assert run_ranks(vote_of_a_deserted_rank, 2) == ["timed out", "left"]
