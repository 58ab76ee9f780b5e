"""Several processes as one run: joining them, packed collectives, one module kept the same on all of them.

It must not know configs, policies or metrics. Everything here works in a single process too, as an identity.
"""

from ding_cls.distributed.comm import (
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
from ding_cls.distributed.env import DEFAULT_TIMEOUT, dist_finalize, dist_init, local_rank
from ding_cls.distributed.wrap import broadcast_module, sync_buffers, sync_gradients, wrap_ddp

__all__ = [
    "DEFAULT_TIMEOUT",
    "StopVote",
    "all_reduce_sums",
    "allreduce",
    "barrier",
    "broadcast",
    "broadcast_module",
    "broadcast_object",
    "comm_device",
    "dist_finalize",
    "dist_init",
    "gather_objects",
    "get_rank",
    "get_world_size",
    "local_rank",
    "reduce_totals",
    "sync_buffers",
    "sync_gradients",
    "wrap_ddp",
]
