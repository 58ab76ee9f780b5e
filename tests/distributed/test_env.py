"""Joining and leaving: what dist_init makes of the environment and of its arguments."""

import os
import socket
import time

import pytest
import torch
import torch.distributed as dist

from ding_cls.distributed import (
    allreduce,
    dist_finalize,
    dist_init,
    env,
    get_rank,
    get_world_size,
    local_rank,
)
from ding_cls.errors import DistributedError
from tests.distributed.ranks import free_port, run_ranks, warm_processes

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURM_NTASKS": "2",
    "SLURM_NODELIST": "127.0.0.1",
}


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*TORCHRUN, "ENVIRONMENT", *(each for each in os.environ if each.startswith("SLURM_"))]:
        monkeypatch.delenv(name, raising=False)


def pretend_cuda(monkeypatch: pytest.MonkeyPatch, num_devices: int) -> list[int]:
    """Show ``num_devices`` devices; the list receives the index of each that is made the current one."""
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: num_devices > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_devices)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: chosen.append(device.index))
    return chosen


def setenv(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"MASTER_ADDR": "nowhere", "MASTER_PORT": "1"},
        {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"},
        SLURM | {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "1"},
        SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"},
    ],
)
def test_a_single_process_makes_no_group(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    setenv(monkeypatch, environ)
    assert dist_init() == (0, 1)
    assert dist_init("gloo") == (0, 1)
    assert not dist.is_initialized()
    assert (get_rank(), get_world_size(), local_rank()) == (0, 1, 0)
    dist_finalize()
    dist_finalize()


def test_one_process_by_arguments_makes_no_group() -> None:
    assert dist_init(rank=0, world_size=1) == (0, 1)
    assert not dist.is_initialized()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"rank": 0}, "rank=0 and world_size=None"),
        ({"world_size": 2}, "rank=None and world_size=2"),
        ({"rank": 2, "world_size": 2, "addr": "a", "port": 1}, r"rank=2; it must lie in \[0, world_size=2\)"),
        ({"rank": -1, "world_size": 2, "addr": "a", "port": 1}, "rank=-1"),
        ({"rank": 0, "world_size": 2}, "addr=None and port=None"),
        ({"rank": 0, "world_size": 2, "addr": "a", "port": 70000}, "port=70000"),
    ],
)
def test_incomplete_arguments_are_named(arguments: dict[str, int], named: str) -> None:
    with pytest.raises(DistributedError, match=named):
        dist_init("gloo", **arguments)


@pytest.mark.parametrize("environ", [TORCHRUN, SLURM])
@pytest.mark.parametrize("argument", [{"rank": 0}, {"world_size": 3}, {"addr": "other"}, {"port": 9}])
def test_arguments_that_contradict_the_launcher_are_an_error_naming_both(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], argument: dict[str, int]
) -> None:
    setenv(monkeypatch, environ)
    (name, value), launcher = next(iter(argument.items())), "SLURM" if environ is SLURM else "torchrun"
    with pytest.raises(DistributedError, match=f"got {name}={value}, but {launcher}.* says {name}="):
        dist_init("gloo", **argument)


def test_a_half_set_environment_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(DistributedError, match="RANK=0 is set but WORLD_SIZE is not set"):
        dist_init()


def test_nccl_without_cuda_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cuda(monkeypatch, 0)
    with pytest.raises(DistributedError, match="backend='nccl' needs CUDA"):
        dist_init("nccl")


@pytest.mark.parametrize(
    ("environ", "num_devices", "index"),
    [
        ({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}, 4, 0),
        ({}, 4, 0),
        (SLURM | {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "1"}, 2, 0),
    ],
)
def test_the_device_follows_the_local_rank(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], num_devices: int, index: int
) -> None:
    setenv(monkeypatch, environ)
    chosen = pretend_cuda(monkeypatch, num_devices)
    dist_init()
    assert chosen == [index]


@pytest.mark.parametrize(
    ("environ", "num_devices", "index", "backend"),
    [
        (TORCHRUN, 4, 1, "nccl"),
        (TORCHRUN | {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, 4, 1, "nccl"),
        ({name: TORCHRUN[name] for name in TORCHRUN if name != "LOCAL_RANK"}, 4, 1, "nccl"),
        (SLURM | {"SLURM_PROCID": "5", "SLURM_NTASKS": "8"}, 4, 1, "nccl"),
        (SLURM | {"SLURM_GPUS_PER_TASK": "1"}, 1, 0, "nccl"),
        (TORCHRUN, 0, None, "gloo"),
    ],
)
def test_device_and_backend_of_a_rank_among_many(
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    num_devices: int,
    index: int | None,
    backend: str,
) -> None:
    setenv(monkeypatch, environ)
    chosen, asked = pretend_cuda(monkeypatch, num_devices), []
    monkeypatch.setattr(dist, "init_process_group", lambda name, **options: asked.append((name, options)))
    rank = int(environ.get("RANK", environ.get("SLURM_PROCID", "")))
    world_size = int(environ.get("WORLD_SIZE", environ.get("SLURM_NTASKS", "")))
    assert dist_init(timeout=7) == (rank, world_size)
    assert chosen == ([] if index is None else [index])
    name, options = asked[0]
    assert name == backend
    assert options["device_id"] == (None if index is None else torch.device("cuda", index))
    assert options["timeout"].total_seconds() == 7
    assert (options["rank"], options["world_size"]) == (rank, world_size)
    expected = "env://" if "RANK" in environ else f"tcp://127.0.0.1:{20000 + 707}"
    assert options["init_method"] == expected


def test_fewer_devices_than_processes_is_an_error_naming_both(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, TORCHRUN)
    pretend_cuda(monkeypatch, 1)
    with pytest.raises(DistributedError, match=r"LOCAL_RANK=1, but this process sees 1 CUDA device"):
        dist_init()


def test_gloo_processes_may_share_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, TORCHRUN)
    chosen = pretend_cuda(monkeypatch, 1)
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **__: None)
    assert dist_init("gloo") == (1, 2)
    assert chosen == [0]


@pytest.mark.slow
def test_a_master_that_never_comes_is_one_line_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, TORCHRUN | {"MASTER_PORT": str(free_port())})
    begin = time.monotonic()
    with pytest.raises(
        DistributedError, match=r"rank 1 of 2 \(torchrun, gloo\).*MASTER_ADDR=127.0.0.1"
    ) as caught:
        dist_init("gloo", timeout=1)
    assert time.monotonic() - begin < 10
    assert "\n" not in str(caught.value)
    assert not dist.is_initialized()


def join_twice() -> tuple[object, ...]:
    again = dist_init("gloo", addr="ignored", rank=9)
    before = dist.is_initialized()
    # A rank that leaves while another still connects would be told of as a failure.
    dist.barrier()
    dist_finalize()
    dist_finalize()
    return again, before, dist.is_initialized(), get_world_size()


@pytest.mark.dist
def test_joining_twice_is_harmless_and_leaving_is_real() -> None:
    assert run_ranks(join_twice, 2) == [((rank, 2), True, False, 1) for rank in range(2)]


def join_by_arguments(rank: int, port: int) -> float:
    assert dist_init("gloo", "127.0.0.1", port, rank, 2, timeout=60) == (rank, 2)
    mean = torch.tensor(float(rank))
    allreduce(mean)
    dist_finalize()
    return mean.item()


@pytest.mark.dist
def test_two_processes_join_by_arguments_alone() -> None:
    with warm_processes(2) as pool:
        assert list(pool.map(join_by_arguments, range(2), [free_port()] * 2)) == [0.5, 0.5]


def test_a_taken_port_is_one_line_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        launched(monkeypatch, RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        began = time.monotonic()
        with pytest.raises(
            DistributedError, match=f"^MASTER_PORT={port} is taken on this machine by another"
        ):
            dist_init("gloo")
        assert time.monotonic() - began < 30


@pytest.mark.slow
def test_an_unknown_host_is_one_line_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(env, "_ADDRESS_S", 1.5)
    launched(monkeypatch, RANK="1", WORLD_SIZE="2", MASTER_ADDR="no.such.host.invalid", MASTER_PORT="29500")
    began = time.monotonic()
    with pytest.raises(DistributedError, match=r"MASTER_ADDR=no\.such\.host\.invalid, is not known"):
        dist_init("gloo")
    assert 1.5 <= time.monotonic() - began < 30


@pytest.mark.slow
def test_who_waits_for_whom_is_printed_after_a_while(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(env, "_PATIENCE_S", 0.5)
    port = str(free_port())
    launched(monkeypatch, RANK="1", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    with pytest.raises(DistributedError, match="could not join"):
        dist_init("gloo", timeout=2)
    line = f"rank 1 of 2 waits for rank 0 at MASTER_ADDR=127.0.0.1 MASTER_PORT={port}, for 2 s at most"
    assert line in capfd.readouterr().err


def launched(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
