"""Join the processes that a launcher started, and leave them again.

torchrun's variables count first, then SLURM's, then the caller's arguments; without any of them the process
is alone and no group is made. What the variables mean is ``common.process``'s business.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from ding_cls.common.process import Launch, read_launcher
from ding_cls.distributed.failure import announce, name_rank_in_errors
from ding_cls.errors import DistributedError

DEFAULT_TIMEOUT = timedelta(minutes=5)

# With any of these SLURM shows each task its own device only, as number 0.
_SLURM_OWN_DEVICE = ("SLURM_GPUS_PER_TASK", "SLURM_NTASKS_PER_GPU", "SLURM_GPU_BIND", "SLURM_TRES_PER_TASK")


def dist_init(
    backend: str | None = None,
    addr: str | None = None,
    port: int | None = None,
    rank: int | None = None,
    world_size: int | None = None,
    timeout: timedelta | float = DEFAULT_TIMEOUT,
) -> tuple[int, int]:
    """Join the process group and choose this process's CUDA device; harmless when called again.

    Where there is one process, no group is made. Under a launcher the arguments may repeat what it says,
    never contradict it.

    Args:
        backend: "nccl", "gloo" or another of torch's; None: nccl with CUDA, else gloo.
        addr: host of rank 0; without a launcher and without this, MASTER_ADDR.
        port: TCP port of rank 0; without a launcher and without this, MASTER_PORT.
        rank: this process's position, in [0, world_size).
        world_size: number of processes.
        timeout: how long to wait for the others, here and in every collective; a number is in seconds.

    Returns:
        The rank and the world size; (0, 1) in a single process.

    Raises:
        DistributedError: if the variables or the arguments are incomplete or contradict each other, if there
            are fewer devices than processes, or if the others do not come in time.
    """
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    launch = read_launcher(os.environ)
    if launch is None:
        launch = _from_arguments(addr, port, rank, world_size)
    else:
        _check_agreement(launch, addr=addr, port=port, rank=rank, world_size=world_size)
    backend = _choose_backend(backend)
    device = _choose_device(launch, own_each="nccl" in backend)
    if launch.world_size > 1:
        limit = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
        _join(launch, backend, limit, device if backend == "nccl" else None)
    return launch.rank, launch.world_size


def dist_finalize() -> None:
    """End the process group; harmless without one.

    In a ``finally`` block it names this rank and its error first: the others notice from here on.
    """
    announce(sys.exception())
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def local_rank() -> int:
    """Return this process's position among those of its machine.

    Where no launcher tells, the ranks are dealt out to the machine's CUDA devices in turn; 0 without CUDA.
    The device itself is ``torch.cuda.current_device()`` after ``dist_init``: SLURM may show each task its own
    one only.
    """
    launch = read_launcher(os.environ)
    if launch is None:
        is_member = dist.is_available() and dist.is_initialized()
        launch = Launch("arguments", dist.get_rank(), dist.get_world_size()) if is_member else _ALONE
    return _local_rank(launch)


_ALONE = Launch("arguments", 0, 1)
# How long the host of rank 0 may be unknown, and how long others may be late without a word.
_ADDRESS_S, _PATIENCE_S = 20.0, 10.0


def _from_arguments(addr: str | None, port: int | None, rank: int | None, world_size: int | None) -> Launch:
    if rank is None and world_size is None:
        return _ALONE
    if rank is None or world_size is None:
        raise DistributedError(
            f"dist_init got rank={rank} and world_size={world_size}; give both, or neither"
        )
    if not 0 <= rank < world_size:
        raise DistributedError(f"dist_init got rank={rank}; it must lie in [0, world_size={world_size})")
    if world_size == 1:
        return _ALONE
    addr = addr or os.environ.get("MASTER_ADDR")
    found_port = str(port if port is not None else os.environ.get("MASTER_PORT", ""))
    if not addr or not found_port.isdecimal() or not 0 < int(found_port) < 65536:
        raise DistributedError(
            f"dist_init got world_size={world_size}, addr={addr!r} and port={found_port or None}; "
            f"it needs the host of rank 0 and a port in 1 to 65535 (or MASTER_ADDR and MASTER_PORT)"
        )
    return Launch("arguments", rank, world_size, None, addr, int(found_port))


def _check_agreement(launch: Launch, **given: str | int | None) -> None:
    for name, argument in given.items():
        found = getattr(launch, name)
        if argument is not None and found is not None and argument != found:
            raise DistributedError(
                f"dist_init got {name}={argument}, but {launch.launcher}'s environment says {name}={found}; "
                f"leave the argument out, or start without a launcher"
            )


def _choose_backend(backend: str | None) -> str:
    has_cuda = torch.cuda.is_available()
    if backend is None:
        return "nccl" if has_cuda else "gloo"
    if "nccl" in backend and not has_cuda:
        raise DistributedError(
            f"backend={backend!r} needs CUDA, and there is no CUDA device; give 'gloo' or None"
        )
    return backend


def _choose_device(launch: Launch, *, own_each: bool) -> torch.device | None:
    """Make this process's CUDA device the current one; with ``own_each`` no two processes may share one."""
    if not torch.cuda.is_available():
        return None
    index, num_devices = _local_rank(launch), torch.cuda.device_count()
    has_own = launch.launcher == "SLURM" and any(os.environ.get(name) for name in _SLURM_OWN_DEVICE)
    if index >= num_devices and own_each and not has_own:
        name = "SLURM_LOCALID" if launch.launcher == "SLURM" else "LOCAL_RANK"
        raise DistributedError(
            f"{name}={index}, but this process sees {num_devices} CUDA device(s); start at most that many "
            f"processes on a machine (CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', 'unset')})"
        )
    device = torch.device("cuda", index % num_devices)
    torch.cuda.set_device(device)
    return device


def _local_rank(launch: Launch) -> int:
    return launch.rank % max(torch.cuda.device_count(), 1) if launch.local_rank is None else launch.local_rank


def _join(launch: Launch, backend: str, timeout: timedelta, device: torch.device | None) -> None:
    # torchrun keeps the store itself, and only env:// knows how to find it after a restart.
    host = f"[{launch.addr}]" if ":" in str(launch.addr) else launch.addr
    method = "env://" if launch.launcher == "torchrun" else f"tcp://{host}:{launch.port}"
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        _check_address(launch, min(timeout.total_seconds(), _ADDRESS_S))
    try:
        with _telling_what_is_waited_for(launch, timeout.total_seconds()):
            dist.init_process_group(
                backend,
                init_method=method,
                rank=launch.rank,
                world_size=launch.world_size,
                timeout=timeout,
                device_id=device,
            )
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        if "EADDRINUSE" in reason:
            raise DistributedError(
                f"MASTER_PORT={launch.port} is taken on this machine by another program or run; set another "
                "MASTER_PORT on every process (torchrun --standalone finds a free one)"
            ) from error
        raise DistributedError(
            f"rank {launch.rank} of {launch.world_size} ({launch.launcher}, {backend}) could not join at "
            f"MASTER_ADDR={launch.addr} MASTER_PORT={launch.port} within {timeout.total_seconds():g} s; "
            f"check that every process runs and reaches that host and port: {reason}"
        ) from error
    name_rank_in_errors()


def _check_address(launch: Launch, limit_s: float) -> None:
    """Look whether the host of rank 0 can be found and reached; whether rank 0 is there yet does not matter.

    Raises:
        DistributedError: it cannot, for so many seconds: a cluster may enter its hosts' names a little late.
    """
    end = time.monotonic() + limit_s
    while True:
        try:
            socket.create_connection(
                (launch.addr, launch.port), timeout=max(end - time.monotonic(), 1)
            ).close()
            return
        except ConnectionRefusedError:
            return
        except OSError as error:
            if time.monotonic() >= end:
                is_name = isinstance(error, socket.gaierror)
                raise DistributedError(
                    f"rank {launch.rank} of {launch.world_size}: the host of rank 0, "
                    f"MASTER_ADDR={launch.addr}, {'is not known' if is_name else 'cannot be reached'} "
                    f"({error}); give an address that every process reaches, and open port {launch.port}"
                ) from error
        time.sleep(min(1.0, max(end - time.monotonic(), 0)))


@contextmanager
def _telling_what_is_waited_for(launch: Launch, timeout_s: float) -> Iterator[None]:
    """Print, where the others do not come at once, who waits, where, and for how long."""
    others = f"all {launch.world_size} processes" if launch.rank == 0 else "rank 0"
    line = (
        f"rank {launch.rank} of {launch.world_size} waits for {others} at MASTER_ADDR={launch.addr} "
        f"MASTER_PORT={launch.port}, for {timeout_s:g} s at most"
    )
    timer = threading.Timer(_PATIENCE_S, lambda: print(line, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
