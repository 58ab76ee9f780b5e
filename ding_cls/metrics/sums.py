"""Totals over batches become totals over ranks. It must not know what is added up."""

from collections.abc import Mapping
from typing import Any

import torch

from ding_cls.distributed.comm import all_reduce_sums, gather_objects, get_world_size


def reduced(totals: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return the totals over all ranks: Python numbers, and CPU tensors where there are axes.

    Args:
        totals: int64 and float64; a rank without samples may have 0-dim zeros where others have axes.
    """
    if get_world_size() > 1:
        shapes = gather_objects({name: tuple(value.shape) for name, value in totals.items()})
        largest = {name: max((each[name] for each in shapes), key=len) for name in totals}
        totals = {name: value.expand(largest[name]) for name, value in totals.items()}
    return plain_totals(all_reduce_sums(totals))


def plain_totals(totals: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return 0-dim tensors as Python numbers, others on the CPU."""
    return {name: value.item() if value.dim() == 0 else value.cpu() for name, value in totals.items()}
