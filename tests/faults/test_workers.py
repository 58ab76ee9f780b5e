"""Data loading workers that are killed: one line with signal and image, nothing lost, nothing left."""

import multiprocessing
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import get_worker_info

from ding_cls.data.datasets.folder import ImageNetDataset
from ding_cls.inference import images, load
from ding_cls.pipeline import evaluate
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner import register_learner_hook
from tests.conftest import TinyNet
from tests.faults.test_signals import ALONE, EACH, WITH_WORKERS, assert_continues, ended, processes_of, start
from tests.harness import outcome, run_tiny

PROOF = Path("killed.txt")
CAUSES = {
    signal.SIGKILL: "memory ran out",
    signal.SIGSEGV: "a crash of the library that reads the image",
    signal.SIGBUS: "shared memory is full",
}


class KillWorker(LearnerHook):
    """Kills a data loading worker inside an update, and proves it by its exit code."""

    def __init__(self, name: str, priority: int, *, position: Any, ext_args: Mapping[str, Any]) -> None:
        super().__init__(name, priority, position=position)
        self._at, self._number, self._which = ext_args["at"], ext_args["number"], ext_args["which"]
        self._rank = ext_args["rank"]

    def __call__(self, engine: BaseLearner) -> None:
        if engine.train_iter == self._at and engine.rank == self._rank:
            # In the order of their start: evaluation's first, which are idle now.
            worker = sorted(multiprocessing.active_children(), key=lambda each: each.pid or 0)[self._which]
            os.kill(worker.pid or 0, self._number)
            worker.join()
            PROOF.write_text(str(worker.exitcode))


register_learner_hook("kill_worker", KillWorker)


def kill_worker(number: int, at: int, which: int, rank: int = 0) -> str:
    extra = {"at": at, "number": int(number), "which": which, "rank": rank}
    hook = {"type": "kill_worker", "position": "before_iter", "priority": 98, "ext_args": extra}
    return f"policy.learn.learner.hook.kill={hook}"


def die_at(owner: Any, name: str, index: int, number: int = signal.SIGKILL) -> None:
    """Have the worker that comes to this sample die of a signal; no other process does."""
    original = getattr(owner, name)

    def replaced(self: Any, asked: int) -> Any:
        if asked == index and get_worker_info() is not None:
            PROOF.write_text(str(-number))
            os.kill(os.getpid(), number)
        return original(self, asked)

    setattr(owner, name, replaced)


def fall(job: Callable[[], Any], output: Path = Path("output.txt")) -> str:
    """Run a job that loses a worker, as the command line would; return its one line."""
    began = time.monotonic()
    child = start(job, output)
    assert ended(child) == 2
    assert time.monotonic() - began < 60
    assert processes_of(child) == []
    text = output.read_text()
    assert int(PROOF.read_text()) < 0
    assert "Traceback" not in text
    (line,) = [each for each in text.splitlines() if each.startswith("error")]
    assert line == text.splitlines()[-1]
    assert line.startswith("error: a data loading worker (pid ")
    return line


def test_a_worker_killed_inside_an_update_is_one_line_and_nothing_is_lost(
    picture_folder: Path, workdir: Path
) -> None:
    run_tiny(picture_folder, "whole", ALONE, EACH)
    whole = outcome("whole")
    settings = (WITH_WORKERS, EACH, kill_worker(signal.SIGKILL, at=7, which=-1))
    line = fall(lambda: run_tiny(picture_folder, "stopped", *settings))
    assert PROOF.read_text() == "-9"
    assert "was killed by signal 9 (SIGKILL), most likely because memory ran out" in line
    assert re.search(r"the last image it read is '/[^']*\.(png|jpg)'", line)
    assert "policy.learn.learner.dataloader.num_workers=1 (now 2)" in line
    assert line.endswith(
        "this ended training after 8 updates; the last checkpoint is 'stopped/ckpt/iteration_8.pth.tar'"
    )
    assert line.removeprefix("error: ") in Path("stopped/log/learner/learner.txt").read_text()
    assert_continues(picture_folder, "stopped", whole, ALONE, EACH)


@pytest.mark.slow
@pytest.mark.parametrize("number", CAUSES)
@pytest.mark.parametrize("which", [0, -1])
def test_each_signal_is_named_whichever_worker_it_ends(
    picture_folder: Path, workdir: Path, number: signal.Signals, which: int
) -> None:
    line = fall(
        lambda: run_tiny(picture_folder, "stopped", WITH_WORKERS, kill_worker(number, at=2, which=which))
    )
    assert PROOF.read_text() == str(-number)
    assert f"signal {int(number)} ({number.name})" in line
    assert CAUSES[number] in line


@pytest.mark.slow
def test_the_image_that_kills_is_the_one_that_is_named(picture_folder: Path, workdir: Path) -> None:
    def job() -> None:
        die_at(ImageNetDataset, "load", 27, signal.SIGSEGV)
        run_tiny(picture_folder, "stopped", WITH_WORKERS)

    line = fall(job)
    names = sorted(str(each) for each in (picture_folder / "train").rglob("*.*"))
    assert re.search(r"read is '(.*?)'", line)[1] == names[27]


@pytest.mark.slow
def test_evaluation_prediction_and_the_check_of_images_name_theirs(
    picture_folder: Path, workdir: Path
) -> None:
    run_tiny(picture_folder, "whole", ALONE)
    names = sorted(str(each) for each in (picture_folder / "val").rglob("*.*"))

    def judge() -> None:
        die_at(ImageNetDataset, "load", 5)
        evaluate("whole", model=TinyNet(), data=picture_folder, overrides=[WITH_WORKERS], batch_size=4)

    assert f"'{names[5]}'" in fall(judge)

    def predict() -> None:
        original = images.read_rgb

        def deadly(*args: Any, number: int) -> Any:
            if number == 6 and get_worker_info() is not None:
                PROOF.write_text("-9")
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, number=number)

        images.read_rgb = deadly
        load("whole", model=TinyNet())(names, batch_size=2, num_workers=2)

    line = fall(predict)
    assert f"'{names[6]}'" in line
    assert "--workers or num_workers=1 (now 2)" in line

    def check() -> None:
        from ding_cls.data import image_check

        die_at(image_check._Faults, "__getitem__", 3)
        run_tiny(picture_folder, "checked", WITH_WORKERS, "policy.learn.learner.dataloader.max_bad=1")

    assert "the last image it read is" in fall(check)


@pytest.mark.slow
def test_full_shared_memory_ends_a_run_that_used_to_hang(picture_folder: Path, workdir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not run: mounting a small /dev/shm needs root")

    def job() -> None:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        # A name space of its own, so that nobody else's shared memory is touched.
        private, recursive, new_mounts = 1 << 18, 1 << 14, 0x20000
        assert libc.unshare(new_mounts) == 0
        assert libc.mount(b"none", b"/", None, private | recursive, None) == 0
        assert libc.mount(b"t", b"/dev/shm", b"tmpfs", 0, b"size=600k") == 0
        big = ("policy.collect.image_size=128", "policy.collect.resize_size=128")
        try:
            run_tiny(picture_folder, "stopped", WITH_WORKERS, *big)
        finally:
            size = os.statvfs("/dev/shm")
            PROOF.write_text(f"{size.f_blocks * size.f_frsize}")

    output = Path("output.txt")
    child = start(job, output)
    assert ended(child) == 2
    assert int(PROOF.read_text()) == 600 << 10
    assert processes_of(child) == []
    line = output.read_text().splitlines()[-1]
    assert line.startswith("error: data loading workers cannot go on: shared memory is full ('/dev/shm' has ")
    assert "num_workers=1 (now 2), or 0 to read in the main process" in line
    assert "Traceback" not in output.read_text()


class _Labelled(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    def __len__(self) -> int:
        return 400

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.full((3, 8, 8), index / 400), index % 4


@pytest.mark.slow
def test_a_programs_own_loader_and_learner_get_the_line_too(workdir: Path) -> None:
    class Kill(LearnerHook):
        def __call__(self, engine: BaseLearner) -> None:
            if engine.train_iter == 3:
                PROOF.write_text("-9")
                os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
                time.sleep(5)

    def job() -> None:
        cfg = ImageClassificationPolicy.default_config()
        cfg.cuda = False
        policy = ImageClassificationPolicy(cfg, model=TinyNet())
        learner = BaseLearner({}, policy.learn_mode, exp_name="own")
        learner.register_hook(Kill("kill", 50, position="before_iter"))
        learner.start(torch.utils.data.DataLoader(_Labelled(), batch_size=8, num_workers=2), max_epochs=1)

    line = fall(job)
    assert "was killed by signal 9 (SIGKILL), most likely because memory ran out" in line
    assert "use fewer workers: num_workers of the DataLoader; this ended training after 3 updates" in line
