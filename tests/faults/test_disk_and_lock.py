"""Full disks, unwritable folders and two processes for one run: whole processes, real file systems."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ding_cls.checkpoint import read_checkpoint
from tests.programs import run_forked

ROOT = Path(__file__).parents[2]
EACH = "policy.learn.learner.hook.save_ckpt_after_iter=1"
KEEP_ALL = "policy.learn.learner.keep_checkpoints=0"
CONFIG = """
exp_name = 'run'
policy = dict(
    cuda=False,
    model=dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=4, stem_channels=4),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', in_channels=32, num_classes=4),
    ),
    learn=dict(
        train_epoch=3,
        batch_size=8,
        learning_rate=0.05,
        warmup_epoch=0,
        learner=dict(log_show_freq=1, dataloader=dict(num_workers=0)),
    ),
    eval=dict(batch_size=7),
    collect=dict(image_size=8, resize_size=8),
)
"""


def command(verb: str, *words: str, ranks: int = 1) -> list[str]:
    module = ["-m", "ding_cls", verb, *words]
    if ranks == 1:
        return [sys.executable, *module]
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", "--no-python"]
    return [sys.executable, *launcher, sys.executable, *module]


def begin(folder: Path, verb: str, *words: str, ranks: int = 1) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(verb, *words, ranks=ranks),
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def done(process: subprocess.Popen[str]) -> tuple[int, str]:
    text, _ = process.communicate(timeout=120)
    assert "Traceback" not in text, text
    return process.returncode, text


def train(folder: Path, data: Path, *words: str, ranks: int = 1) -> subprocess.Popen[str]:
    return begin(folder, "train", config_beside(data), "--data", str(data), *words, ranks=ranks)


def config_beside(data: Path) -> str:
    """Return a config of a network whose checkpoint takes 0.4 MB."""
    file = data.parent / "tiny.py"
    file.write_text(CONFIG)
    return str(file)


def wait_for(path: Path, process: subprocess.Popen[str], *, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.02)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    mounted = mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False)
    if not mounted or mounted.returncode:
        pytest.skip("not run: a tmpfs cannot be mounted here (it needs root)")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Fill a disk but for so many bytes; return the file that does so."""
    ballast = disk / "ballast"
    size = shutil.disk_usage(disk).free - leave
    with open(ballast, "wb") as file:
        file.write(b"\0" * size)
    assert shutil.disk_usage(disk).free <= leave
    return ballast


@pytest.mark.slow
def test_a_second_process_is_refused_and_a_killed_ones_run_goes_on(
    picture_folder: Path, tmp_path: Path
) -> None:
    workers = "policy.learn.learner.dataloader.num_workers=2"
    first = train(tmp_path, picture_folder, "policy.learn.train_epoch=1000", EACH, KEEP_ALL, workers)
    wait_for(tmp_path / "run" / "ckpt" / "iteration_3.pth.tar", first)
    code, text = done(begin(tmp_path, "train", "--resume", "run"))
    assert code == 2
    (line,) = [each for each in text.splitlines() if "in use" in each]
    assert re.search(rf"/run' is in use by process {first.pid} on host \S+, since 2", line)
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    # At once: the workers that live on for a moment do not have the lock.
    code, text = done(begin(tmp_path, "train", "--resume", "run", "policy.learn.max_iters=1"))
    assert code == 0, text
    assert first.stdout is not None
    first.stdout.close()
    assert not list((tmp_path / "run").glob(".run.*"))
    rows = [json.loads(each) for each in (tmp_path / "run/log/metrics.jsonl").read_text().splitlines()]
    steps = [row["train_iter"] for row in rows if row["kind"] == "train"]
    assert len(steps) == len(set(steps))


@pytest.mark.slow
def test_torchrun_is_refused_on_all_ranks_alike(picture_folder: Path, tmp_path: Path) -> None:
    first = train(tmp_path, picture_folder, "policy.learn.train_epoch=1000", EACH, KEEP_ALL)
    wait_for(tmp_path / "run" / "ckpt" / "iteration_2.pth.tar", first)
    second = train(tmp_path, picture_folder, "--resume", "policy.multi_gpu=True", ranks=2)
    text, _ = second.communicate(timeout=120)
    assert second.returncode != 0
    assert text.count("is in use by process") == 1
    first.kill()
    first.communicate()
    assert first.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_disk_that_fills_costs_no_older_file_and_ends_the_run_with_exit_3(
    ranks: int, picture_folder: Path, disk: Path
) -> None:
    words = ["policy.learn.train_epoch=50", EACH, KEEP_ALL]
    process = train(
        disk, picture_folder, *words, *(["policy.multi_gpu=True"] if ranks > 1 else []), ranks=ranks
    )
    text, _ = process.communicate(timeout=200)
    assert process.returncode == (3 if ranks == 1 else 1), text
    assert ranks == 1 or "exitcode  : 3" in text, text
    failed = re.findall(r"could not be saved: needs ([\d.]+) MB, has ([\d.]+) MB at", text)
    assert len(failed) >= 3
    assert all(float(need) > float(has) for need, has in failed)
    assert text.count("training goes on") >= 2
    files = list((disk / "run" / "ckpt").iterdir())
    assert len(files) >= 3
    assert all(read_checkpoint(each)["last_iter"] >= 0 for each in files)
    if ranks == 2:
        return
    code, text = done(begin(disk, "train", "--resume", "run"))
    assert code == 3
    assert re.search(r"error: a checkpoint needs [\d.]+ MB, has [\d.]+ MB at", text)
    newest = max(int(each.name[10:-8]) for each in files if each.name.startswith("iteration"))
    for each in files:
        if each.name in ("iteration_1.pth.tar", "iteration_2.pth.tar"):
            each.unlink()
    assert newest > 2
    last = newest + 2
    code, text = done(
        begin(
            disk,
            "train",
            "--resume",
            "run",
            f"policy.learn.max_iters={last}",
            "policy.learn.learner.keep_checkpoints=1",
        )
    )
    assert code == 0, text


@pytest.mark.slow
def test_a_stop_on_a_full_disk_says_what_is_left(picture_folder: Path, disk: Path, tmp_path: Path) -> None:
    out_dir = f"policy.learn.learner.checkpoint.out_dir={disk}"
    # Files that are soon removed again may be missed between two looks.
    often = "policy.learn.learner.hook.save_ckpt_after_iter=100"
    process = train(tmp_path, picture_folder, "policy.learn.train_epoch=1000", out_dir, often)
    wait_for(disk / "run" / "iteration_100.pth.tar", process)
    fill(disk)
    process.send_signal(signal.SIGTERM)
    code, text = done(process)
    assert code == 3, text
    lines = [each for each in text.splitlines() if each.startswith("error: ")]
    assert len(lines) == 1, text
    assert re.search(r"stopped by SIGTERM after|it is the third save in a row that failed", lines[0])
    assert re.search(r"; the last checkpoint is '.*/iteration_", lines[0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_start_on_a_disk_that_takes_nothing_is_one_line(
    kind: str, picture_folder: Path, disk: Path
) -> None:
    if kind == "full":
        fill(disk)
    else:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    code, text = done(train(disk, picture_folder))
    assert code == 3, text
    assert sum(each.startswith("error: ") for each in text.splitlines()) == 1
    assert not (disk / "run").exists()


def test_no_file_may_grow_beyond_a_limit(picture_folder: Path, tmp_path: Path) -> None:
    words = [config_beside(picture_folder), "--data", str(picture_folder), EACH]
    process = run_forked(
        *("-m", "ding_cls", "train", *words),
        cwd=tmp_path,
        # As ``ulimit -f 40``.
        prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40 * 1024, 40 * 1024)),
    )
    text = process.stdout + process.stderr
    assert process.returncode == 3, text
    assert "could not be saved: File too large; it is the third save in a row that failed" in process.stderr
    assert "Traceback" not in text
    # What was trained is not thrown away with the checkpoints that could not be written.
    assert (tmp_path / "run" / "log" / "metrics.jsonl").stat().st_size > 0
