"""Run a function as several real ranks on gloo, or in processes of its own, and hand back what each returned.

They are forks of this process: all is imported here, so one begins in milliseconds.
"""

import multiprocessing
import os
import socket
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

import torch

from ding_cls.distributed import dist_finalize, dist_init

LAUNCHER_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def run_ranks(function: Callable[..., Any], world_size: int, *args: Any) -> list[Any]:
    """Return ``function(*args)`` of every rank, in rank order; a warning in a rank is an error."""
    context = multiprocessing.get_context("fork")
    port = free_port()
    ends, processes = [], []
    for rank in range(world_size):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(theirs, function, args, rank, world_size, port))
        process.start()
        theirs.close()
        ends.append(ours)
        processes.append(process)
    results = [_receive(end, rank) for rank, end in enumerate(ends)]
    for process in processes:
        process.join(60)
    failures = [text for ok, text in results if not ok]
    assert not failures, "\n".join(failures)
    return [value for _, value in results]


def warm_processes(count: int) -> ProcessPoolExecutor:
    """Return processes that have imported torch, and know of no launcher."""
    return ProcessPoolExecutor(count, multiprocessing.get_context("fork"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _receive(end: Connection, rank: int) -> tuple[bool, Any]:
    if not end.poll(120):
        return False, f"rank {rank} said nothing for 120 s"
    try:
        return end.recv()  # type: ignore[no-any-return]
    except EOFError:
        return False, f"rank {rank} died"


def _run(
    end: Connection,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    rank: int,
    world_size: int,
    port: int,
) -> None:
    warnings.simplefilter("error")
    # Whatever the session drew before, each rank begins alike.
    torch.manual_seed(0)
    values = (str(rank), str(world_size), str(rank), "127.0.0.1", str(port))
    os.environ.update(zip(LAUNCHER_VARIABLES, values, strict=True))
    try:
        assert dist_init("gloo", timeout=60) == (rank, world_size)
        end.send((True, function(*args)))
        dist_finalize()
    except BaseException:
        end.send((False, f"rank {rank}:\n{traceback.format_exc()}"))
