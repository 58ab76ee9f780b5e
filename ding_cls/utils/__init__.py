"""Known names of this design, re-exported for the programs that import them from here."""

from ding_cls.common.logs.log import build_logger
from ding_cls.common.seed import set_pkg_seed
from ding_cls.common.timing import EasyTimer
from ding_cls.config import deep_merge_dicts
from ding_cls.distributed import (
    allreduce,
    broadcast,
    dist_finalize,
    dist_init,
    get_rank,
    get_world_size,
)

__all__ = [
    "EasyTimer",
    "allreduce",
    "broadcast",
    "build_logger",
    "deep_merge_dicts",
    "dist_finalize",
    "dist_init",
    "get_rank",
    "get_world_size",
    "set_pkg_seed",
]
