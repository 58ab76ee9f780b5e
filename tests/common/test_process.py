"""What torchrun's and SLURM's variables mean, combination by combination."""

import pytest

from ding_cls.common.process import (
    Launch,
    first_host,
    in_slurm_step,
    launched_rank,
    launched_world_size,
    read_launcher,
)
from ding_cls.errors import DistributedError

MASTER = {"MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "29500"}
TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", **MASTER}
SLURM = {
    "SLURM_JOB_ID": "42",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_NTASKS": "8",
    "SLURM_NODELIST": "gpu[07-08]",
}
SLURM_PORT = 20000 + 101 * 42
BATCH_SCRIPT = {"ENVIRONMENT": "BATCH", "SLURM_JOB_ID": "42", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
SALLOC_SHELL = {"SLURM_JOB_ID": "42", "SLURM_NTASKS": "8", "SLURM_NODELIST": "gpu[07-08]"}

GOOD: list[tuple[str, dict[str, str], Launch | None]] = [
    ("nothing", {}, None),
    ("a master alone", MASTER, None),
    ("a salloc shell", SALLOC_SHELL, None),
    ("a batch script", BATCH_SCRIPT, None),
    ("a batch script of eight tasks", BATCH_SCRIPT | SALLOC_SHELL, None),
    ("torchrun", TORCHRUN, Launch("torchrun", 3, 4, 1, "10.0.0.7", 29500)),
    ("torchrun with one process", {"RANK": "0", "WORLD_SIZE": "1"}, Launch("torchrun", 0, 1)),
    (
        "a cluster that gives no local rank",
        {"RANK": "1", "WORLD_SIZE": "2", **MASTER},
        Launch("torchrun", 1, 2, None, "10.0.0.7", 29500),
    ),
    ("torchrun inside srun", SLURM | TORCHRUN, Launch("torchrun", 3, 4, 1, "10.0.0.7", 29500)),
    ("srun", SLURM, Launch("SLURM", 5, 8, 1, "gpu07", SLURM_PORT)),
    (
        "srun in a batch script",
        {"ENVIRONMENT": "BATCH", **SLURM},
        Launch("SLURM", 5, 8, 1, "gpu07", SLURM_PORT),
    ),
    (
        "the second step of a job",
        SLURM | {"SLURM_STEP_ID": "1"},
        Launch("SLURM", 5, 8, 1, "gpu07", SLURM_PORT + 1),
    ),
    (
        "a step smaller than its allocation",
        SLURM | {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "gpu08"},
        Launch("SLURM", 1, 2, 1, "gpu08", SLURM_PORT),
    ),
    (
        "srun with a master of one's own",
        SLURM | MASTER,
        Launch("SLURM", 5, 8, 1, "10.0.0.7", 29500),
    ),
    (
        "one task",
        {"SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "1"},
        Launch("SLURM", 0, 1),
    ),
]


def without(environ: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


BAD: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("a rank without a size", {"RANK": "0"}, ("RANK=0", "WORLD_SIZE")),
    ("a size without a rank", {"WORLD_SIZE": "2"}, ("WORLD_SIZE=2", "RANK is not set")),
    ("a local rank alone", {"LOCAL_RANK": "1"}, ("LOCAL_RANK=1", "RANK is not set")),
    ("an empty rank", TORCHRUN | {"RANK": ""}, ("RANK is empty", "WORLD_SIZE=4")),
    ("a stale rank", TORCHRUN | {"RANK": "4"}, ("RANK=4", "WORLD_SIZE=4")),
    ("a stale local rank", TORCHRUN | {"LOCAL_RANK": "9"}, ("LOCAL_RANK=9", "WORLD_SIZE=4")),
    ("no processes", TORCHRUN | {"RANK": "0", "WORLD_SIZE": "0"}, ("RANK=0", "WORLD_SIZE=0")),
    ("a rank in words", TORCHRUN | {"RANK": "three"}, ("RANK='three'",)),
    ("a negative rank", TORCHRUN | {"RANK": "-1"}, ("RANK='-1'",)),
    ("a size with a unit", TORCHRUN | {"WORLD_SIZE": "4gpus"}, ("WORLD_SIZE='4gpus'",)),
    ("no master", without(TORCHRUN, "MASTER_ADDR"), ("RANK=3", "WORLD_SIZE=4", "MASTER_ADDR is not set")),
    ("no port", without(TORCHRUN, "MASTER_PORT"), ("RANK=3", "WORLD_SIZE=4", "MASTER_PORT is not set")),
    ("a port too high", TORCHRUN | {"MASTER_PORT": "70000"}, ("MASTER_PORT=70000",)),
    ("a half-set torchrun inside srun", SLURM | {"RANK": "0"}, ("RANK=0", "WORLD_SIZE")),
    ("a task without a size", without(SLURM, "SLURM_NTASKS"), ("SLURM_PROCID=5", "SLURM_NTASKS")),
    ("a stale task", SLURM | {"SLURM_NTASKS": "4"}, ("SLURM_PROCID=5", "SLURM_NTASKS=4")),
    ("a task in words", SLURM | {"SLURM_PROCID": "x"}, ("SLURM_PROCID='x'",)),
    ("a task without nodes", without(SLURM, "SLURM_NODELIST"), ("SLURM_PROCID=5", "SLURM_NODELIST")),
    ("nodes without a name", SLURM | {"SLURM_NODELIST": "[01-02"}, ("[01-02",)),
    ("a task without a job", without(SLURM, "SLURM_JOB_ID"), ("SLURM_PROCID=5", "SLURM_JOB_ID")),
]


@pytest.mark.parametrize(("environ", "expected"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_a_complete_environment_is_read(environ: dict[str, str], expected: Launch | None) -> None:
    assert read_launcher(environ) == expected


@pytest.mark.parametrize(("environ", "named"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_half_set_or_stale_environment_gets_one_line_that_names_it(
    environ: dict[str, str], named: tuple[str, ...]
) -> None:
    with pytest.raises(DistributedError) as caught:
        read_launcher(environ)
    message = str(caught.value)
    assert all(name in message for name in named), message
    assert "\n" not in message


def test_the_sweep_is_as_large_as_it_says() -> None:
    assert (len(GOOD), len(BAD)) == (15, 20)


@pytest.mark.parametrize(
    ("nodelist", "host"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("node[01-03,7],other", "node01"),
        ("other,node[01-03]", "other"),
        ("gpu-a[7,9-12]", "gpu-a7"),
        ("rack[2-3]node[04-05]", "rack2node04"),
        ("n[010-012].cluster.example.org", "n010.cluster.example.org"),
    ],
)
def test_the_first_host_of_a_node_list(nodelist: str, host: str) -> None:
    assert first_host(nodelist) == host


@pytest.mark.parametrize("nodelist", ["", ",a", "[1-2", "a[]"])
def test_a_node_list_without_a_host_is_refused(nodelist: str) -> None:
    with pytest.raises(DistributedError, match="names no host"):
        first_host(nodelist)


def test_ports_of_neighbouring_jobs_and_steps_differ() -> None:
    ports = set()
    for job in range(5000, 5010):
        for step in range(10):
            environ = SLURM | {"SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)}
            launch = read_launcher(environ)
            assert launch is not None
            assert launch.port is not None
            assert 20000 <= launch.port < 32768
            ports.add(launch.port)
    assert len(ports) == 100


def test_labels_come_from_the_launcher(monkeypatch: pytest.MonkeyPatch, no_launcher: None) -> None:
    assert (launched_rank(), launched_world_size()) == (0, 1)
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    assert in_slurm_step()
    assert (launched_rank(), launched_world_size()) == (5, 8)
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert (launched_rank(), launched_world_size()) == (3, 4)


def test_labels_do_not_fail_on_a_half_set_environment(
    monkeypatch: pytest.MonkeyPatch, no_launcher: None
) -> None:
    monkeypatch.setenv("RANK", "3")
    assert (launched_rank(), launched_world_size()) == (0, 1)


@pytest.fixture
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*TORCHRUN, *SLURM, "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST", "ENVIRONMENT"}:
        monkeypatch.delenv(name, raising=False)
