"""Keep one module the same on every rank: torch's DDP, packed copies of parameters, buffers and gradients."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ding_cls.distributed.comm import comm_device, get_world_size
from ding_cls.errors import DistributedError

T = TypeVar("T", bound=torch.Tensor)

# Large enough for the wire, small enough that the copy of a big model does not double its memory.
_PACK_BYTES = 64 << 20


def wrap_ddp(
    module: nn.Module,
    device: torch.device,
    *,
    find_unused_parameters: bool = False,
) -> DistributedDataParallel:
    """Return the module under torch's DistributedDataParallel, gradients overlapped with the backward pass.

    Rank 0's parameters and buffers are copied to every rank here, and its buffers again before every training
    forward pass: a resumed run has only rank 0's and must go on as if it had never stopped.

    Args:
        module: lies on ``device`` already.
        device: CPU, or this process's CUDA device.
        find_unused_parameters: for a model of which some parameters take no part in the loss.

    Raises:
        DistributedError: if there is no process group.
    """
    if not (dist.is_available() and dist.is_initialized()):
        raise DistributedError(
            "there is no process group to share gradients in; start with torchrun or srun and call dist_init"
        )
    return DistributedDataParallel(
        module,
        device_ids=[device] if device.type == "cuda" else None,
        find_unused_parameters=find_unused_parameters,
        gradient_as_bucket_view=True,
    )


def broadcast_module(module: nn.Module) -> None:
    """Replace every rank's parameters and buffers by rank 0's, bit by bit."""
    _broadcast_packed([*module.parameters(), *module.buffers()])


def sync_buffers(module: nn.Module) -> None:
    """Replace every rank's buffers by rank 0's, bit by bit.

    BatchNorm's running statistics differ by rank after every training step; evaluation needs one set.
    """
    _broadcast_packed(module.buffers())


def sync_gradients(module: nn.Module) -> None:
    """Replace every parameter's gradient by its mean over the ranks.

    A rank without a gradient counts as zeros. Where no rank has one, it stays None, as it does in a single
    process: an optimizer would decay the weight otherwise.
    """
    world_size = get_world_size()
    if world_size == 1:
        return
    with torch.no_grad():
        for pack in _packs(parameter for parameter in module.parameters() if parameter.requires_grad):
            _average_gradients(pack, world_size)


def _average_gradients(parameters: list[nn.Parameter], world_size: int) -> None:
    grads = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
    present = torch.tensor([each.grad is not None for each in parameters]).to(grads[0])
    # Presence travels at the end of the same buffer: one reduction a pack.
    packed = torch.cat([*(each.reshape(-1) for each in grads), present]).to(comm_device())
    dist.all_reduce(packed)
    *means, num_present = packed.split_with_sizes([*(each.numel() for each in grads), len(parameters)])
    for position, (parameter, grad, mean) in enumerate(zip(parameters, grads, means, strict=True)):
        if parameter.grad is None and not num_present[position]:
            continue
        parameter.grad = grad.copy_((mean / world_size).view_as(grad))


def _broadcast_packed(tensors: Iterable[torch.Tensor]) -> None:
    """Copy rank 0's tensors as bytes, so that all dtypes share a buffer and arrive unrounded."""
    if get_world_size() == 1:
        return
    with torch.no_grad():
        # Wide dtypes first: then every piece of the buffer is aligned for its own dtype.
        ordered = sorted((each for each in tensors if each.numel()), key=lambda each: -each.element_size())
        for pack in _packs(ordered, by_dtype=False):
            device = comm_device()
            packed = torch.cat([each.detach().reshape(-1).view(torch.uint8).to(device) for each in pack])
            dist.broadcast(packed, 0)
            pieces = packed.split_with_sizes([each.numel() * each.element_size() for each in pack])
            for tensor, piece in zip(pack, pieces, strict=True):
                tensor.detach().copy_(piece.view(tensor.dtype).view(tensor.shape))


def _packs(tensors: Iterable[T], *, by_dtype: bool = True) -> Iterator[list[T]]:
    """Yield the tensors in consecutive lists of at most ``_PACK_BYTES``, or of one tensor that is larger."""
    pack: list[T] = []
    size = 0
    for tensor in tensors:
        num_bytes = tensor.numel() * tensor.element_size()
        is_other = (
            by_dtype and bool(pack) and (pack[0].dtype, pack[0].device) != (tensor.dtype, tensor.device)
        )
        if pack and (is_other or size + num_bytes > _PACK_BYTES):
            yield pack
            pack, size = [], 0
        pack.append(tensor)
        size += num_bytes
    if pack:
        yield pack
