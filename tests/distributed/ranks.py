"""Run a function as several real ranks on gloo, and hand back what each returned."""

import multiprocessing
import os
import socket
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from ding_cls.distributed import dist_finalize, dist_init

LAUNCHER_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def run_ranks(function: Callable[..., Any], world_size: int, *args: Any) -> list[Any]:
    """Return ``function(*args)`` of every rank, in rank order; a warning in a rank is an error."""
    context = multiprocessing.get_context("forkserver")
    # torch is imported once; after that a rank starts in milliseconds.
    context.set_forkserver_preload(["ding_cls.distributed", "ding_cls.worker", "ding_cls.data"])
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
    import torch

    warnings.simplefilter("error")
    torch.set_num_threads(1)
    values = (str(rank), str(world_size), str(rank), "127.0.0.1", str(port))
    os.environ.update(zip(LAUNCHER_VARIABLES, values, strict=True))
    try:
        assert dist_init("gloo", timeout=60) == (rank, world_size)
        end.send((True, function(*args)))
        dist_finalize()
    except BaseException:
        end.send((False, f"rank {rank}:\n{traceback.format_exc()}"))
