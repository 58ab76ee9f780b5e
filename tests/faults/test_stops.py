"""A stop saves and exits with 75, whatever stdout and stderr are, whatever the signal, whenever it comes."""

import errno
import io
import json
import multiprocessing
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from ding_cls.checkpoint import read_checkpoint
from ding_cls.cli import _guarded
from ding_cls.errors import RunStopped
from ding_cls.metrics import ImageClassificationMetric
from ding_cls.pipeline import kfold, run_folder
from ding_cls.pipeline import run_context as run
from ding_cls.pipeline.kfold import plan as kfold_plan
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner, LearnerHook, MetricSerialEvaluator
from tests.conftest import TinyNet
from tests.faults.test_signals import ALONE, CONFIG, PYTHON, ROOT, act, ended, processes_of, signal_in
from tests.harness import SETTINGS, UPDATES, run_tiny

NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1")
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def unread_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def lost_terminal() -> int:
    main, terminal = pty.openpty()
    os.close(main)
    return terminal


# How a descriptor gets lost, and the error that a write to it meets, -1 for none; None: it is closed.
LOSSES: dict[str, tuple[Callable[[], int] | None, int]] = {
    "closed": (None, 0),
    "a pipe without a reader": (unread_pipe, errno.EPIPE),
    "a full disk": (lambda: os.open("/dev/full", os.O_WRONLY), errno.ENOSPC),
    "a terminal that is gone": (lost_terminal, errno.EIO),
}


def in_child(job: Callable[[], Any], loss: str | tuple[Callable[[], int], int]) -> int:
    """Run a job as the command line would, in a child whose stdout and stderr are lost; return its id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        os.setpgid(0, 0)
        make, expected = LOSSES[loss] if isinstance(loss, str) else loss
        # Two processes of a test session may inherit descriptors 3 and up; 1 and 2 are these alone.
        for number, name in ((1, "stdout"), (2, "stderr")):
            if make is None:
                os.close(number)
                setattr(sys, name, None)
                continue
            os.dup2(make(), number)
            setattr(sys, name, io.TextIOWrapper(open(number, "wb", closefd=False)))  # noqa: SIM115
            if expected >= 0:
                with pytest.raises(OSError, match=re.escape(os.strerror(expected))):
                    os.write(number, b"x")
        code = _guarded(job, is_debugging=False, argv=None)
        multiprocessing.util._exit_function()
    finally:
        os._exit(code)


def log_of(folder: str) -> str:
    return Path(folder, "log/learner/learner.txt").read_text()


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        pytest.param(
            loss,
            name,
            marks=() if (loss, name) == ("a pipe without a reader", "SIGINT") else pytest.mark.slow,
        )
        for loss in LOSSES
        for name in NAMES
    ],
)
def test_a_stop_saves_whatever_stdout_and_stderr_are(
    picture_folder: Path, workdir: Path, loss: str, name: str
) -> None:
    assert (
        ended(in_child(lambda: run_tiny(picture_folder, "run", ALONE, act(name, "after_iter", 3)), loss))
        == 75
    )
    assert read_checkpoint("run/ckpt/iteration_3.pth.tar")["last_iter"] == 3
    log = log_of("run")
    assert f"stopped by {name} after 3 updates" in log
    assert log.count("stdout cannot be written") == (0 if loss == "closed" else 1)
    assert "Traceback" not in log


@pytest.mark.slow
def test_a_reader_that_does_not_read_keeps_no_stop_from_saving(picture_folder: Path, workdir: Path) -> None:
    reader, writer = os.pipe()
    blocked = Path("blocked")

    class Fill(LearnerHook):
        def __call__(self, engine: Any) -> None:
            if engine.train_iter != 2:
                return
            os.set_blocking(writer, False)
            # A write of many bytes is refused while there is room for a log line: the last ones go in singly.
            for size in (1024, 1):
                with suppress(BlockingIOError):
                    while os.write(1, b" " * size):
                        pass
            os.set_blocking(writer, True)
            blocked.touch()

    original = BaseLearner.__init__

    def with_hook(self: BaseLearner, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.register_hook(Fill("fill", 1, position="after_iter"))

    def job() -> None:
        BaseLearner.__init__ = with_hook  # type: ignore[method-assign]
        run_tiny(picture_folder, "run", ALONE)

    child = in_child(job, (lambda: writer, -1))
    deadline = time.monotonic() + 60
    while not blocked.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    assert os.waitpid(child, os.WNOHANG) == (0, 0), "the fault did not happen"
    os.kill(child, signal.SIGTERM)
    assert ended(child) == 75
    os.close(reader)
    os.close(writer)
    # A line or two may still have found room.
    stopped = re.search(r"stopped by SIGTERM after (\d+) updates", log_of("run"))
    assert stopped is not None
    count = int(stopped[1])
    assert 2 <= count < UPDATES
    assert read_checkpoint(f"run/ckpt/iteration_{count}.pth.tar")["last_iter"] == count


def test_a_lost_stdout_costs_one_line_and_no_run(picture_folder: Path, workdir: Path) -> None:
    def job() -> None:
        run_tiny(picture_folder, "run", ALONE)
        print("a summary that nobody reads" * 10_000)

    assert ended(in_child(job, "a pipe without a reader")) == 0
    assert log_of("run").count("stdout cannot be written ([Errno 32] Broken pipe)") == 1
    assert len(log_of("run").splitlines()) > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_workers_outlive_a_signal_to_the_whole_job_until_the_run_is_saved(
    picture_folder: Path, workdir: Path, name: str
) -> None:
    workers = "policy.learn.learner.dataloader.num_workers=2"
    # The hook sends the signal to the process group.
    job = act(name, "before_iter", 2)
    child = in_child(lambda: run_tiny(picture_folder, "run", workers, job), "a full disk")
    assert ended(child) == 75
    assert processes_of(child) == []
    assert read_checkpoint("run/ckpt/iteration_3.pth.tar")["last_iter"] == 3


class Job(LearnerHook):
    """Sends a signal to every process of the job at one update, from a process outside its group."""

    def __init__(self, name: str) -> None:
        super().__init__("job", priority=98, position="before_iter")
        self._signal = name

    def __call__(self, engine: BaseLearner) -> None:
        if engine.train_iter == 2:
            subprocess.run(
                ["kill", f"-{self._signal}", "--", f"-{os.getpgrp()}"], check=True, process_group=0
            )
            # A worker that dies of it is noticed while the update runs.
            time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_programs_own_loaders_outlive_a_signal_to_the_whole_job(workdir: Path, name: str) -> None:
    def job() -> None:
        images = TensorDataset(torch.rand(40, 3, 8, 8), torch.arange(40) % 4)
        loaders = [DataLoader(images, batch_size=8, shuffle=True, num_workers=2) for _ in range(2)]
        policy = ImageClassificationPolicy({"cuda": False}, TinyNet())
        learner = BaseLearner({}, policy.learn_mode, exp_name="run")
        learner.register_hook(Job(name.removeprefix("SIG")))
        env = [loaders[1], ImageClassificationMetric()]
        evaluator = MetricSerialEvaluator({"eval_freq": 1}, env, policy.eval_mode, exp_name="run")
        learner.start(loaders[0], max_epochs=2, evaluator=evaluator)

    child = in_child(job, "a pipe without a reader")
    assert ended(child) == 75
    assert processes_of(child) == []
    assert read_checkpoint("run/ckpt/iteration_3.pth.tar")["last_iter"] == 3
    assert f"stopped by {name} after 3 updates" in log_of("run")


def stop_in(owner: Any, function: str, name: str) -> None:
    signal_in(owner, function, 1, signal.Signals[name])


# Where a signal comes before training began: the function that it comes in.
EARLY: dict[str, tuple[Any, str]] = {
    "as the folder is made": (run_folder, "create_unique_dir"),
    "as the folder is looked at": (run_folder, "_check_unused"),
    "as the config is saved": (run, "save_run_config"),
    "as the seed is set": (run, "set_pkg_seed"),
    "as the network is looked at": (run, "check_single_images"),
}


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        pytest.param(
            moment,
            name,
            marks=() if (moment, name) == ("as the folder is looked at", "SIGTERM") else pytest.mark.slow,
        )
        for moment in EARLY
        for name in NAMES
    ],
)
def test_a_stop_before_training_exits_75_and_leaves_no_folder(
    picture_folder: Path, workdir: Path, moment: str, name: str
) -> None:
    def job() -> None:
        stop_in(*EARLY[moment], name)
        run_tiny(picture_folder, "runs/new/run", ALONE)

    before = set(workdir.iterdir())
    assert ended(in_child(job, "a full disk")) == 75
    # Nor one above it.
    assert set(workdir.iterdir()) == before


@pytest.mark.slow
def test_a_stop_before_training_leaves_a_run_that_is_resumed_alone(
    picture_folder: Path, workdir: Path
) -> None:
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "run", ALONE, stop_at=3)
    before = {path: path.read_bytes() for path in Path("run").rglob("*.tar")}

    def job() -> None:
        stop_in(run, "check_single_images", "SIGTERM")
        run_tiny(picture_folder, "run", ALONE, resume=True)

    assert ended(in_child(job, "a full disk")) == 75
    assert {path: path.read_bytes() for path in Path("run").rglob("*.tar")} == before


def test_a_stop_before_training_raises_in_a_program(
    picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = {name: signal.getsignal(signal.Signals[name]) for name in NAMES}
    original = run.check_single_images

    def stopped(*args: Any) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        original(*args)

    monkeypatch.setattr(run, "check_single_images", stopped)
    with pytest.raises(
        RunStopped, match="stopped by SIGHUP before training began; nothing was saved"
    ) as raised:
        run_tiny(picture_folder, "run", ALONE)
    assert raised.value.code == 75
    assert list(workdir.glob("run*")) == []
    assert {name: signal.getsignal(signal.Signals[name]) for name in NAMES} == handlers


@pytest.mark.parametrize("moment", ["as the folder is made", "as its lists are written", "in its first fold"])
def test_a_cross_validation_that_has_trained_nothing_leaves_no_folder(
    moment: str, picture_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = {
        "as the folder is made": (kfold_plan, "create_unique_dir"),
        "in its first fold": (run, "set_pkg_seed"),
    }
    owner, function = owners.get(moment, (kfold_plan, "write_lists"))
    original = getattr(owner, function)

    def stopped(*args: Any, **kwargs: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, function, stopped)
    before = set(workdir.iterdir())
    with pytest.raises(
        RunStopped, match="by SIGTERM before training began; nothing was saved; start it again"
    ):
        kfold(
            data=picture_folder,
            model=TinyNet(),
            exp_name="runs/new/cv",
            num_splits=2,
            overrides=[*SETTINGS, ALONE],
        )
    assert set(workdir.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_cross_validation_stops_while_a_fold_is_judged(
    picture_folder: Path, workdir: Path, name: str
) -> None:
    def job() -> None:
        # A fold of two updates: evaluated before and after them, and then judged.
        count = iter(range(1_000_000))
        original = ImageClassificationPolicy._forward_eval

        def replaced(*args: Any, **kwargs: Any) -> Any:
            if Path("cv/fold_0/trained.json").exists() and next(count) == 0:
                os.kill(os.getpid(), signal.Signals[name])
            return original(*args, **kwargs)

        ImageClassificationPolicy._forward_eval = replaced  # type: ignore[method-assign]
        kfold(
            data=picture_folder,
            model=TinyNet(),
            epochs=1,
            exp_name="cv",
            num_splits=2,
            overrides=[*SETTINGS, ALONE],
        )

    assert ended(in_child(job, "a pipe without a reader")) == 75
    assert Path("cv/fold_0/trained.json").is_file()
    assert not Path("cv/fold_1").exists()
    kfold(
        data=picture_folder,
        model=TinyNet(),
        epochs=1,
        exp_name="cv",
        resume=True,
        num_splits=2,
        overrides=[*SETTINGS, ALONE],
    )
    assert Path("cv/fold_1/trained.json").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_a_second_signal_ends_at_once(workdir: Path, name: str) -> None:
    program = """
        import os, signal, sys, time
        from ding_cls.cli.exits import guarded
        from ding_cls.common.stops.signals import StopSignals
        def job():
            with StopSignals() as stop:
                os.kill(os.getpid(), signal.NAME)
                assert stop.received == "NAME"
                time.sleep(1.1 if "NAME" == "SIGHUP" else 0)
                os.kill(os.getpid(), signal.NAME)
                time.sleep(60)
        sys.exit(guarded(job, is_debugging=False))
    """
    lines = "\n".join(line[8:] for line in program.replace("NAME", name).splitlines())
    done = subprocess.run(
        [sys.executable, "-c", lines], env=ENVIRON, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == (130 if name == "SIGINT" else -signal.Signals[name])
    assert "Traceback" not in done.stderr


def started(command: str, rows: Path, **settings: Any) -> subprocess.Popen[str]:
    """Start a command and wait until its run made four updates."""
    process = subprocess.Popen(
        ["bash", "-c", command], env=ENVIRON, text=True, start_new_session=True, **settings
    )
    deadline = time.monotonic() + 200
    while not (rows.exists() and '"kind": "train", "train_iter": 4,' in rows.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


@pytest.mark.slow
def test_head_costs_one_line_and_exit_0(workdir: Path) -> None:
    Path("run.py").write_text(CONFIG.replace("NAME", "run"))
    train = f"{PYTHON} -m ding_cls train run.py policy.learn.max_iters=12 2>errors.txt"
    command = f"{train} | head -3; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=ENVIRON, capture_output=True, text=True, timeout=300)
    assert len(done.stdout.splitlines()) == 3
    assert done.returncode == 0
    assert Path("errors.txt").read_text() == ""
    assert log_of("run").count("stdout cannot be written") == 1
    assert read_checkpoint("run/ckpt/iteration_12.pth.tar")["last_iter"] == 12


@pytest.mark.slow
def test_a_signal_that_nohup_ignores_stays_ignored(workdir: Path) -> None:
    Path("run.py").write_text(CONFIG.replace("NAME", "run"))
    rows = Path("run/log/metrics.jsonl")
    command = f"exec nohup {PYTHON} -m ding_cls train run.py policy.learn.max_iters=20 > out.txt 2>&1"
    process = started(command, rows)
    os.kill(process.pid, signal.SIGHUP)
    assert process.wait(timeout=200) == 0
    assert "stopped by" not in log_of("run")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_dist_train_sh_returns_75(workdir: Path, name: str) -> None:
    Path("run.py").write_text(CONFIG.replace("NAME", "run"))
    script, environment = ROOT / "entry/dist_train.sh", Path(sys.executable).parents[1]
    command = f"VIRTUAL_ENV={shlex.quote(str(environment))} exec bash {shlex.quote(str(script))} run.py 2"
    with open("out.txt", "w") as output:
        process = started(command, Path("run/log/metrics.jsonl"), stdout=output, stderr=output)
    os.kill(process.pid, signal.Signals[name])
    assert process.wait(timeout=200) == 75
    assert f"stopped by {name} after" in Path("out.txt").read_text()
    rows = [json.loads(line) for line in Path("run/log/metrics.jsonl").read_text().splitlines()]
    last = max(row["train_iter"] for row in rows)
    assert read_checkpoint(f"run/ckpt/iteration_{last}.pth.tar")["last_iter"] == last
