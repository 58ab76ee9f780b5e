"""Under a real SLURM: Debian's, started on loopback for these tests and stopped after them."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.distributed.ranks import LAUNCHER_VARIABLES, free_port

pytestmark = [pytest.mark.slurm, pytest.mark.dist, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
DAEMONS = ("munged", "slurmctld", "slurmd")
MAIN = "dizoo.image_classification.entry.imagenet_res18_main"
JOIN = """
import json, torch
from ding_cls.distributed import allreduce, dist_finalize, dist_init, local_rank
rank, world_size = dist_init(timeout=60)
mean = torch.tensor(float(rank))
allreduce(mean)
# In one write: the tasks' lines would run into each other.
print(json.dumps([rank, world_size, local_rank(), mean.item()]) + "\\n", end="", flush=True)
dist_finalize()
"""

CONFIG = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP OverSubscribe=FORCE:4
"""


def missing() -> str | None:
    if os.geteuid() != 0:
        return "starting SLURM's daemons needs root"
    absent = [name for name in (*DAEMONS, "srun", "sbatch") if which(name) is None]
    return f"{', '.join(absent)} missing (Debian: apt install slurm-wlm munge)" if absent else None


def which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def start(folder: Path, name: str, *arguments: str, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen([str(which(name)), *arguments], env=environ, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the environment in which srun and sbatch reach a node of this machine."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    host = socket.gethostname().partition(".")[0]
    (folder / "slurm.conf").write_text(
        CONFIG.format(host=host, folder=folder, ctld_port=free_port(), slurmd_port=free_port())
    )
    foreign = {name for name in os.environ if name.startswith("SLURM_")} | set(LAUNCHER_VARIABLES)
    environ = {name: value for name, value in os.environ.items() if name not in foreign}
    environ |= {
        "SLURM_CONF": str(folder / "slurm.conf"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    munge_files = [f"--{each}-file={folder}/munged.{each}" for each in ("pid", "log", "seed")]
    daemons = [
        start(
            folder,
            "munged",
            *("--force", "--foreground", f"--key-file={key}", f"--socket={folder}/munge.socket"),
            *munge_files,
            environ=environ,
        )
    ]
    try:
        wait_until(lambda: (folder / "munge.socket").exists(), folder)
        daemons += [start(folder, name, "-D", environ=environ) for name in ("slurmctld", "slurmd")]
        wait_until(lambda: node_state(environ) == "idle", folder)
        yield environ
    finally:
        subprocess.run(["scancel", "--user=root"], env=environ, check=False, timeout=60)
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in reversed(daemons):
            daemon.wait(30)


def node_state(environ: dict[str, str]) -> str:
    command = ["sinfo", "--noheader", "--format=%T"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False).stdout.strip()


def wait_until(condition: object, folder: Path) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            logs = "\n".join(f"{each.name}:\n{each.read_text()}" for each in sorted(folder.glob("*.log")))
            pytest.fail(f"SLURM did not come up within 60 s\n{logs}")
        time.sleep(0.2)


def launch(environ: dict[str, str], *command: str, cwd: Path) -> str:
    result = subprocess.run(
        command, env=environ, cwd=cwd, capture_output=True, text=True, check=False, timeout=400
    )
    assert result.returncode == 0, f"{shlex.join(command)}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def submit(environ: dict[str, str], *arguments: str, cwd: Path) -> str:
    """Return a batch job's output once it ended well; ``sbatch --wait`` would look every 32 seconds only."""
    job = launch(environ, "sbatch", "--parsable", "--output=job.out", *arguments, cwd=cwd).strip()
    deadline = time.monotonic() + 400
    while "JobState=COMPLETED" not in (record := launch(environ, "scontrol", "show", "job", job, cwd=cwd)):
        has_ended = not re.search("JobState=(PENDING|CONFIGURING|RUNNING|COMPLETING)", record)
        assert not has_ended, f"{record}\n{(cwd / 'job.out').read_text()}"
        assert time.monotonic() < deadline, record
        time.sleep(0.2)
    return (cwd / "job.out").read_text()


def test_two_tasks_of_srun_are_two_ranks(slurm: dict[str, str], tmp_path: Path) -> None:
    output = launch(slurm, "srun", "-n2", sys.executable, "-c", JOIN, cwd=tmp_path)
    assert sorted(json.loads(line) for line in output.splitlines()) == [[0, 2, 0, 0.5], [1, 2, 1, 0.5]]


def test_a_batch_script_is_alone_and_its_steps_are_not(slurm: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "join.py").write_text(JOIN)
    python = shlex.quote(sys.executable)
    (tmp_path / "job.sh").write_text(f"#!/bin/sh\n{python} join.py\nsrun {python} join.py\n")
    output = submit(slurm, "-n2", "job.sh", cwd=tmp_path)
    alone, *step = (json.loads(line) for line in output.splitlines())
    assert alone == [0, 1, 0, 0.0]
    assert sorted(step) == [[0, 2, 0, 0.5], [1, 2, 1, 0.5]]


SMALL = (
    "policy.multi_gpu=True",
    "policy.learn.train_epoch=1",
    "policy.learn.batch_size=4",
    "policy.eval.batch_size=4",
    "policy.collect.synthetic_samples=16",
    "policy.collect.synthetic_eval_samples=7",
    "policy.collect.image_size=32",
    "policy.collect.resize_size=32",
    "policy.learn.learner.dataloader.num_workers=0",
    "exp_name=under_slurm",
)


def test_the_main_job_runs_under_srun(slurm: dict[str, str], tmp_path: Path) -> None:
    launch(slurm, "srun", "-n2", sys.executable, "-m", MAIN, "--synthetic", *SMALL, cwd=tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["under_slurm"], "the ranks did not share one folder"
    assert (tmp_path / "under_slurm/ckpt/ckpt_best.pth.tar").is_file()
    # 16 samples in global batches of 2 x 4.
    assert (tmp_path / "under_slurm/ckpt/iteration_2.pth.tar").is_file()


def test_the_batch_launcher_finds_its_checkout_from_any_folder(slurm: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text("exp_name = 'x'\npolicy = dict(collect=dict(synthetic=True))\n")
    environ = slurm | {"VIRTUAL_ENV": sys.prefix}
    options = ["--gres=none", "--ntasks-per-node=2", "--cpus-per-task=1"]
    submit(environ, *options, str(ROOT / "entry/slurm_train.sh"), "config.py", *SMALL, cwd=tmp_path)
    assert (tmp_path / "under_slurm/ckpt/iteration_2.pth.tar").is_file()
