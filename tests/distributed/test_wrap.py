"""One module on several real ranks: parameters, buffers and gradients end up the same."""

from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.distributed import (
    broadcast_module,
    get_rank,
    get_world_size,
    sync_buffers,
    sync_gradients,
    wrap,
    wrap_ddp,
)
from ding_cls.errors import DistributedError
from tests.distributed.ranks import run_ranks

WORLDS = pytest.mark.parametrize("world_size", [1, 2, 3])
CPU = torch.device("cpu")


class Mixed(nn.Module):
    """Every dtype and shape that a network may hold, different on each rank."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.scale = nn.Parameter(torch.randn((), generator=draw))
        self.weight = nn.Parameter(
            torch.randn(2, 3, 4, 4, generator=draw).to(memory_format=torch.channels_last)
        )
        self.narrow = nn.Parameter(torch.randn(5, generator=draw).to(torch.bfloat16))
        self.register_buffer("running", torch.randn(3, dtype=torch.float64, generator=draw))
        self.register_buffer("count", torch.tensor(seed))
        self.register_buffer("mask", torch.rand(7, generator=draw) > 0.5)
        self.register_buffer("odd", torch.full((1,), float("nan") if seed == 0 else 1.0))
        self.register_buffer("empty", torch.zeros(0))


def as_bytes(tensors: Any) -> list[tuple[str, str]]:
    return [
        (name, tensor.detach().reshape(-1).view(torch.uint8).numpy().tobytes().hex())
        for name, tensor in tensors
    ]


def broadcast_mixed(pack_bytes: int) -> list[Any]:
    wrap._PACK_BYTES = pack_bytes
    module = Mixed(get_rank())
    broadcast_module(module)
    assert module.weight.is_contiguous(memory_format=torch.channels_last)
    assert module.weight.requires_grad
    return [as_bytes(module.state_dict().items())]


@pytest.mark.dist
@WORLDS
@pytest.mark.parametrize("pack_bytes", [1, 40, 1 << 20])
def test_every_rank_has_rank_0s_module_to_the_bit(world_size: int, pack_bytes: int) -> None:
    expected = [as_bytes(Mixed(0).state_dict().items())]
    assert run_ranks(broadcast_mixed, world_size, pack_bytes) == [expected] * world_size


def sync_statistics() -> tuple[Any, Any, Any]:
    rank = get_rank()
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    module[0].weight.data.add_(rank)
    for _ in range(rank + 1):
        module(torch.rand(2, 3, 6, 6) * (rank + 1))
    before = as_bytes(module.named_buffers())
    sync_buffers(module)
    return before, as_bytes(module.named_buffers()), module[0].weight.mean().item()


@pytest.mark.dist
@WORLDS
def test_batch_norm_statistics_become_rank_0s_and_weights_stay(world_size: int) -> None:
    results = run_ranks(sync_statistics, world_size)
    of_rank_0 = results[0][0]
    assert all(after == of_rank_0 for _, after, _ in results)
    assert all(before != of_rank_0 for before, _, _ in results[1:]), "nothing differed before"
    weights = [weight for *_, weight in results]
    assert len(set(weights)) == world_size


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.all_have = nn.Parameter(torch.zeros(2, 3))
        self.one_has = nn.Parameter(torch.zeros(2))
        self.none_has = nn.Parameter(torch.zeros(4))
        self.wide = nn.Parameter(torch.zeros(2, dtype=torch.float64))
        self.frozen = nn.Parameter(torch.zeros(1), requires_grad=False)


def average(pack_bytes: int) -> dict[str, Any]:
    wrap._PACK_BYTES = pack_bytes
    rank, module = get_rank(), Parts()
    module.all_have.grad = torch.arange(6.0).reshape(2, 3) * (rank + 1)
    module.wide.grad = torch.tensor([rank, 1.0], dtype=torch.float64)
    if rank == get_world_size() - 1:
        module.one_has.grad = torch.tensor([6.0, 12.0])
    sync_gradients(module)
    return {
        name: None if each.grad is None else each.grad.tolist() for name, each in module.named_parameters()
    }


@pytest.mark.dist
@WORLDS
@pytest.mark.parametrize("pack_bytes", [1, 1 << 20])
def test_gradients_become_their_mean_and_a_missing_one_counts_as_zero(
    world_size: int, pack_bytes: int
) -> None:
    middle = (world_size - 1) / 2
    expected = {
        "all_have": (torch.arange(6.0).reshape(2, 3) * (middle + 1)).tolist(),
        "one_has": [6.0 / world_size, 12.0 / world_size],
        "none_has": None,
        "wide": [middle, 1.0],
        "frozen": None,
    }
    assert run_ranks(average, world_size, pack_bytes) == [expected] * world_size


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))


def share(rank: int) -> torch.Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(rank))


def ddp_gradients() -> tuple[list[list[float]], bool]:
    module = network()
    if get_rank() > 0:
        nn.init.zeros_(module[0].weight)  # the wrapper copies rank 0's
    wrapped = wrap_ddp(module, CPU)
    wrapped(share(get_rank())).square().mean().backward()
    return [each.grad.flatten().tolist() for each in module.parameters()], wrapped.module is module


@pytest.mark.dist
@pytest.mark.parametrize("world_size", [2, 3])
def test_ddp_gives_the_gradient_of_the_global_batch(world_size: int) -> None:
    reference = network()
    batch = torch.cat([share(rank) for rank in range(world_size)])
    reference(batch).square().mean().backward()
    for grads, is_same_module in run_ranks(ddp_gradients, world_size):
        assert is_same_module
        for grad, parameter in zip(grads, reference.parameters(), strict=True):
            torch.testing.assert_close(torch.tensor(grad), parameter.grad.flatten(), rtol=1e-5, atol=1e-7)


def test_ddp_without_a_group_is_an_error() -> None:
    with pytest.raises(DistributedError, match="no process group"):
        wrap_ddp(network(), CPU)


def test_in_a_single_process_gradients_and_buffers_are_left_alone() -> None:
    module = nn.BatchNorm1d(2)
    sync_gradients(module)
    sync_buffers(module)
    broadcast_module(module)
    assert module.weight.grad is None
    assert module.running_mean.tolist() == [0.0, 0.0]
