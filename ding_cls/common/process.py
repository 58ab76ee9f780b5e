"""Which of the launcher's processes this is, read from the environment alone: no torch, no network."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ding_cls.errors import DistributedError

# Below Linux's ephemeral ports (32768 and up), where any outgoing connection may already sit.
_FIRST_PORT, _NUM_PORTS = 20000, 12000
_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@dataclass(frozen=True, slots=True)
class Launch:
    """One process among those that a launcher started.

    Attributes:
        launcher: "torchrun" or "SLURM"; "arguments" where the caller gave the numbers.
        rank: position among all processes, in [0, world_size).
        world_size: number of processes.
        local_rank: position among the processes of this machine; None where nobody said.
        addr: host of rank 0; None in a single process.
        port: TCP port of rank 0; None in a single process.
    """

    launcher: str
    rank: int
    world_size: int
    local_rank: int | None = None
    addr: str | None = None
    port: int | None = None


def read_launcher(environ: Mapping[str, str]) -> Launch | None:
    """Return what torchrun or, failing that, SLURM says about this process; None without a launcher.

    Any of RANK, WORLD_SIZE and LOCAL_RANK means torchrun (MASTER_ADDR and MASTER_PORT alone mean nothing). A
    task that ``srun`` started means SLURM: there the first host of the node list is the master, and the port
    follows from the job and the step, unless MASTER_ADDR and MASTER_PORT are set.

    Raises:
        DistributedError: if the variables are half-set, not numbers, or contradict each other.
    """
    if any(name in environ for name in _TORCHRUN):
        return _read_torchrun(environ)
    return _read_slurm(environ) if in_slurm_step(environ) else None


def launched_rank() -> int:
    """Return the global rank that torchrun or SLURM gave this process; 0 without a launcher."""
    launch = _launch_or_none()
    return launch.rank if launch else 0


def launched_world_size() -> int:
    """Return the number of processes that torchrun or SLURM started; 1 without a launcher."""
    launch = _launch_or_none()
    return launch.world_size if launch else 1


def launched_master() -> tuple[str, int]:
    """Return host and port of rank 0, as torchrun or SLURM gave them; ``("", 0)`` without a launcher."""
    launch = _launch_or_none()
    return ("", 0) if launch is None else (launch.addr or "", launch.port or 0)


def in_slurm_step(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether this process is a task that ``srun`` started.

    A batch script has SLURM_PROCID=0 and may have SLURM_NTASKS=8 and is still alone: it has no SLURM_STEP_ID,
    and sbatch marks it by ENVIRONMENT=BATCH. A shell inside ``salloc`` has no SLURM_PROCID.
    """
    environ = os.environ if environ is None else environ
    is_batch_script = environ.get("ENVIRONMENT") == "BATCH" and "SLURM_STEP_ID" not in environ
    return "SLURM_PROCID" in environ and not is_batch_script


def first_host(nodelist: str) -> str:
    """Return the first host of SLURM's notation: ``node01`` for ``node[01-03,7],other``.

    Raises:
        DistributedError: if the text names no host.
    """
    head = re.match(r"(?:[^,\[\]\s]|\[[^\[\]]*\])+", nodelist)
    host = re.sub(r"\[([^,\-\]]+)[^\]]*\]", r"\1", head[0]) if head else ""
    if not host or "[" in host:
        raise DistributedError(
            f"SLURM's node list {nodelist!r} names no host; it should look like node[01-03],other"
        )
    return host


def _launch_or_none() -> Launch | None:
    try:
        return read_launcher(os.environ)
    except DistributedError:
        # dist_init reports it; whoever only asks for a number to label a line with is alone.
        return None


def _read_torchrun(environ: Mapping[str, str]) -> Launch:
    rank, world_size = _number(environ, "RANK", _TORCHRUN), _number(environ, "WORLD_SIZE", _TORCHRUN)
    _check_rank(environ, "RANK", rank, "WORLD_SIZE", world_size)
    local_rank = None
    if "LOCAL_RANK" in environ:
        local_rank = _number(environ, "LOCAL_RANK", _TORCHRUN)
        _check_rank(environ, "LOCAL_RANK", local_rank, "WORLD_SIZE", world_size)
    if world_size == 1:
        return Launch("torchrun", 0, 1, local_rank)
    addr = _text(environ, "MASTER_ADDR", ("RANK", "WORLD_SIZE"))
    return Launch("torchrun", rank, world_size, local_rank, addr, _port(environ, ("RANK", "WORLD_SIZE")))


def _read_slurm(environ: Mapping[str, str]) -> Launch:
    # A step's own size first: SLURM_NTASKS may be the whole allocation's.
    size_name = "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in environ else "SLURM_NTASKS"
    rank, world_size = (_number(environ, name, ("SLURM_PROCID",)) for name in ("SLURM_PROCID", size_name))
    _check_rank(environ, "SLURM_PROCID", rank, size_name, world_size)
    local_rank = None
    if "SLURM_LOCALID" in environ:
        local_rank = _number(environ, "SLURM_LOCALID", ("SLURM_PROCID",))
        _check_rank(environ, "SLURM_LOCALID", local_rank, size_name, world_size)
    if world_size == 1:
        return Launch("SLURM", 0, 1, local_rank)
    return Launch("SLURM", rank, world_size, local_rank, _slurm_addr(environ), _slurm_port(environ))


def _slurm_addr(environ: Mapping[str, str]) -> str:
    if environ.get("MASTER_ADDR"):
        return environ["MASTER_ADDR"]
    name = "SLURM_STEP_NODELIST" if "SLURM_STEP_NODELIST" in environ else "SLURM_NODELIST"
    return first_host(_text(environ, name, ("SLURM_PROCID", "SLURM_NTASKS")))


def _slurm_port(environ: Mapping[str, str]) -> int:
    if environ.get("MASTER_PORT"):
        return _port(environ, ("SLURM_PROCID",))
    job = _number(environ, "SLURM_JOB_ID", ("SLURM_PROCID", "SLURM_NTASKS"))
    step = _number(environ, "SLURM_STEP_ID", ()) if "SLURM_STEP_ID" in environ else 0
    # The factor keeps a hundred steps of a job apart from its neighbours' on the same host.
    return _FIRST_PORT + (101 * job + step) % _NUM_PORTS


def _check_rank(environ: Mapping[str, str], rank_name: str, rank: int, size_name: str, size: int) -> None:
    if rank < size:
        return
    raise DistributedError(
        f"{rank_name}={environ[rank_name]} must be below {size_name}={environ[size_name]}; unset what an "
        f"earlier launch left behind, or start all processes with one launcher"
    )


def _port(environ: Mapping[str, str], because: tuple[str, ...]) -> int:
    port = _number(environ, "MASTER_PORT", because)
    if not 0 < port < 65536:
        raise DistributedError(
            f"MASTER_PORT={environ['MASTER_PORT']} is no TCP port; it must lie in 1 to 65535"
        )
    return port


def _number(environ: Mapping[str, str], name: str, because: tuple[str, ...]) -> int:
    text = _text(environ, name, because)
    if not (text.isascii() and text.isdecimal()):
        raise DistributedError(
            f"{name}={text!r} is no number from 0 up; unset it, or start with torchrun or srun"
        )
    return int(text)


def _text(environ: Mapping[str, str], name: str, because: tuple[str, ...]) -> str:
    text = environ.get(name, "").strip()
    if text:
        return text
    given = ", ".join(f"{each}={environ[each]}" for each in because if each in environ and each != name)
    empty = f"{name} is {'empty' if name in environ else 'not set'}"
    raise DistributedError(
        f"{given} {'are' if ', ' in given else 'is'} set but {empty}; start with torchrun or srun, "
        f"or unset {'them' if ', ' in given else 'it'}"
        if given
        else f"{empty}; start with torchrun or srun"
    )
