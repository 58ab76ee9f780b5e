"""Collectives in the few forms that training and evaluation need.

Every one is an identity in a single process. All ranks call them in the same order. The room knows nothing of
what the numbers mean.
"""

import io
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TypeVar

import torch
import torch.distributed as dist

from ding_cls.distributed.env import DEFAULT_TIMEOUT

T = TypeVar("T")


def get_rank() -> int:
    """Return this process's rank; 0 without a group."""
    return dist.get_rank() if _in_group() else 0


def get_world_size() -> int:
    """Return the number of processes; 1 without a group."""
    return dist.get_world_size() if _in_group() else 1


def allreduce(tensor: torch.Tensor) -> None:
    """Replace a tensor by its mean over the ranks, in place: the sum, then divided by the world size.

    Args:
        tensor: floating-point or complex, any device, the same shape on every rank.

    Raises:
        TypeError: if the tensor holds integers, whose mean is none.
    """
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise TypeError(f"allreduce takes the mean and needs a floating-point tensor, not {tensor.dtype}")
    if not _in_group():
        return
    with torch.no_grad():
        total = tensor.detach().to(comm_device()).contiguous()
        dist.all_reduce(total)
        tensor.detach().copy_(total.div_(dist.get_world_size()))


def broadcast(tensor: torch.Tensor, src: int = 0) -> None:
    """Replace a tensor by that of rank ``src``, in place; same shape and dtype on every rank."""
    if not _in_group():
        return
    with torch.no_grad():
        shared = tensor.detach().to(comm_device()).contiguous()
        dist.broadcast(shared, src)
        tensor.detach().copy_(shared)


def broadcast_object(obj: T, src: int = 0) -> T:
    """Return rank ``src``'s object on every rank; for small plain values such as the run's name."""
    if not _in_group():
        return obj
    box = [obj]
    dist.broadcast_object_list(box, src, device=comm_device())
    return box[0]


def gather_objects(obj: T) -> list[T]:
    """Return every rank's object, in rank order, on every rank.

    Tensors in them arrive on the CPU, so that values of several devices can be added up.
    """
    if not _in_group():
        return [obj]
    packed = io.BytesIO()
    torch.save(obj, packed)
    everyone: list[bytes] = [b""] * dist.get_world_size()
    dist.all_gather_object(everyone, packed.getvalue())
    # The bytes come from this very run's processes, and a user's metric may hold any class.
    return [torch.load(io.BytesIO(each), map_location="cpu", weights_only=False) for each in everyone]


def all_reduce_sums(named: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the sums over the ranks, in one reduction for all integers and one for all floats.

    Packed apart, counts stay exact integers at any size.

    Args:
        named: int64 and float64 tensors, 0-dim or of any shape; the same names, dtypes and shapes on
            every rank, in any order.

    Returns:
        New tensors under the same names, in the caller's order, on the devices they came from.

    Raises:
        TypeError: if a tensor is neither int64 nor float64.
    """
    for name, tensor in named.items():
        if tensor.dtype not in (torch.int64, torch.float64):
            raise TypeError(
                f"all_reduce_sums takes int64 counts and float64 sums; {name!r} is {tensor.dtype}"
            )
    if not _in_group():
        return {name: tensor.detach().clone() for name, tensor in named.items()}
    sums: dict[str, torch.Tensor] = {}
    for dtype in (torch.int64, torch.float64):
        names = sorted(name for name, tensor in named.items() if tensor.dtype == dtype)
        if names:
            sums |= _sum_packed({name: named[name].detach() for name in names})
    return {name: sums[name] for name in named}


def reduce_totals(totals: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the totals over all ranks, as ``all_reduce_sums``, whose shapes may differ.

    Args:
        totals: int64 and float64; a rank without samples may have 0-dim zeros where others have axes.
    """
    if get_world_size() > 1:
        shapes = gather_objects({name: tuple(value.shape) for name, value in totals.items()})
        largest = {name: max((each[name] for each in shapes), key=len) for name in totals}
        totals = {name: value.expand(largest[name]) for name, value in totals.items()}
    return all_reduce_sums(totals)


def barrier() -> None:
    """Wait until every rank has come here."""
    if not _in_group():
        return
    device = comm_device()
    if device.type == "cuda":
        dist.barrier(device_ids=[device.index])
    else:
        dist.barrier()


class StopVote:
    """Agreement to stop at the same step, without waiting for the device or for the slowest rank.

    Every call starts a reduction of one byte between the CPUs and returns the result of the call before, so
    all ranks see True at the same call, one after the first of them asked. A single process sees its own vote
    at once.

    Every rank makes its StopVote at the same place, since that forms a group of its own.

    Args:
        timeout: how long ``vote`` waits for a rank that has not made the call before; None: as long as
            every collective, see `dist_init`.
    """

    def __init__(self, timeout: timedelta | None = None) -> None:
        limit = timeout or _timeout()
        group = dist.new_group(backend="gloo", timeout=limit) if get_world_size() > 1 else None
        self._group = group if isinstance(group, dist.ProcessGroup) else None
        self._pending: tuple[dist.Work, torch.Tensor] | None = None

    def vote(self, flag: bool) -> bool:
        """Cast this rank's vote and return what was agreed on at the call before; False at the first call."""
        if self._group is None:
            return flag
        agreed = self._collect()
        ballot = torch.tensor([flag], dtype=torch.uint8)
        work = dist.all_reduce(ballot, dist.ReduceOp.MAX, group=self._group, async_op=True)
        if work is not None:
            self._pending = (work, ballot)
        return agreed

    def close(self) -> None:
        """Wait for the vote under way, if any; no rank may go away before."""
        self._collect()

    def __enter__(self) -> "StopVote":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an exception the others may never come to their vote.
        if error is None:
            self.close()

    def _collect(self) -> bool:
        if self._pending is None:
            return False
        work, ballot = self._pending
        self._pending = None
        work.wait()
        return bool(ballot.item())


def comm_device() -> torch.device:
    """Return the device that collectives work on: nccl takes CUDA tensors only, for the others the CPU."""
    if _in_group() and dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def _timeout() -> timedelta:
    """Return how long the collectives of the process group wait."""
    if not _in_group():
        return DEFAULT_TIMEOUT
    backend = dist.distributed_c10d._get_default_group()._get_backend(comm_device())
    limit: timedelta = getattr(getattr(backend, "options", None), "_timeout", DEFAULT_TIMEOUT)
    return limit


def _in_group() -> bool:
    return dist.is_available() and dist.is_initialized()


def _sum_packed(named: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    packed = torch.cat([tensor.reshape(-1).to(comm_device()) for tensor in named.values()])
    dist.all_reduce(packed)
    pieces = packed.split_with_sizes([tensor.numel() for tensor in named.values()])
    return {
        name: piece.reshape(tensor.shape).to(tensor.device)
        for (name, tensor), piece in zip(named.items(), pieces, strict=True)
    }


def mean_over_ranks(numbers: Sequence[torch.Tensor | float]) -> torch.Tensor:
    """Return the mean of each number over the ranks, in one packed reduction that the host does not wait for.

    Args:
        numbers: 0-dim tensors and plain numbers; the same in the same order on every rank.

    Returns:
        float64 ``(N,)``, where collectives work.
    """
    device = comm_device()
    is_cuda = device.type == "cuda"
    # The host's numbers travel in one copy; those that are on a GPU are filled in there.
    known = [0.0 if isinstance(each, torch.Tensor) else float(each) for each in numbers]
    packed = torch.tensor(known, dtype=torch.float64, pin_memory=is_cuda).to(device, non_blocking=True)
    for place, each in enumerate(numbers):
        if isinstance(each, torch.Tensor):
            packed[place].copy_(each.detach(), non_blocking=is_cuda)
    if _in_group():
        dist.all_reduce(packed)
        packed /= dist.get_world_size()
    return packed
