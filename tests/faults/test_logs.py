"""Whole runs whose logs fail, and runs that are killed between a row and a save: training goes on, rows stand
once."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ding_cls.common.logs.append import AppendedFile
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner import register_learner_hook
from tests.common.logs.test_events import points
from tests.conftest import write_pictures
from tests.contract.test_known_program import CLASSES, PROGRAM, ROOT
from tests.faults.test_signals import ALONE, EACH, assert_continues, ended, start
from tests.harness import UPDATES, outcome, run_tiny

FIRST = "policy.learn.learner.hook.save_ckpt_before_run=True"
OUT_DIR = "policy.learn.learner.checkpoint.out_dir={}/checkpoints"
INSIDE = ("policy.eval.evaluator.eval_interval=3", "policy.eval.evaluator.by_epoch=False")


class Wordy(LearnerHook):
    """Logs more than a page of memory at each update."""

    def __call__(self, engine: BaseLearner) -> None:
        engine.tb_logger.add_text("words", "w" * 5000, engine.train_iter)
        engine.record("words", {"text": "w" * 5000})


register_learner_hook("wordy", Wordy)
WORDY = "policy.learn.learner.hook.wordy={'type': 'wordy', 'position': 'after_iter', 'priority': 5}"


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], check=False)
    if done.returncode:
        pytest.skip("not run: a tmpfs cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def rows_of(run: str) -> Counter[tuple[str, int]]:
    lines = Path(run, "log", "metrics.jsonl").read_text().splitlines()
    return Counter((row["kind"], row["train_iter"]) for row in map(json.loads, lines))


def assert_each_once(run: str, whole: str = "whole") -> None:
    """All rows and all TensorBoard events of the uninterrupted run are there, once."""
    assert rows_of(run) == rows_of(whole)
    assert set(rows_of(run).values()) == {1}
    seen, expected = (Counter(points(Path(each, "log", "serial"))) for each in (run, whole))
    assert seen == expected
    assert set(seen.values()) == {1}


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with suppress(OSError), open(disk / "ballast", "ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def at_append(number: int, act: Callable[[], Any]) -> None:
    """Do something before the n-th record of any log of numbers; lines of text do not count."""
    original, count = AppendedFile.append, iter(range(1, 1_000_000))

    def replaced(self: AppendedFile, record: bytes) -> None:
        if self.path.suffix != ".txt" and next(count) == number:
            act()
        original(self, record)

    AppendedFile.append = replaced  # type: ignore[method-assign]


def killed_at_write(number: int, data: Path, *settings: str) -> None:
    """Run in a child that is killed before its n-th record of any log."""

    def job() -> None:
        at_append(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
        run_tiny(data, "run", *settings)

    assert ended(start(job, Path("output.txt"))) == -signal.SIGKILL


def test_an_evaluation_before_the_first_update_stands_once_after_a_kill(
    picture_folder: Path, workdir: Path
) -> None:
    run_tiny(picture_folder, "whole", ALONE, FIRST)
    # The file's head, the evaluator's event, the row; the kill comes with the first update's.
    killed_at_write(4, picture_folder, ALONE, FIRST)
    assert rows_of("run") == {("eval", 0): 1}
    assert points(Path("run/log/serial")) == [(f"evaluator/{name}", 0) for name in ("loss", "acc1", "acc5")]
    run_tiny(picture_folder, "run", ALONE, resume=True)
    assert_each_once("run")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [(FIRST, EACH), (FIRST, EACH, *INSIDE), (FIRST,)])
def test_after_kills_at_any_write_each_row_and_event_stands_once(
    settings: tuple[str, ...], picture_folder: Path, workdir: Path
) -> None:
    run_tiny(picture_folder, "whole", ALONE, *settings)
    whole = outcome("whole")
    kills = 0
    for trial in range(6):
        draw = random.Random(f"{settings} {trial}")
        number = draw.randint(4, 12)
        killed_at_write(number, picture_folder, ALONE, *settings)
        kills += 1
        # A second kill, in the run that goes on.
        if draw.random() < 0.5:

            def job(number: int = draw.randint(3, 9)) -> None:
                at_append(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
                run_tiny(picture_folder, "run", ALONE, *settings, resume=True)

            assert ended(start(job, Path("output.txt"))) == -signal.SIGKILL
            kills += 1
        assert_continues(picture_folder, "run", whole, ALONE, *settings)
        assert_each_once("run")
        Path("run").rename(f"run_of_trial_{trial}")
    assert kills > 6


@pytest.mark.slow
def test_a_run_that_is_extended_has_each_epoch_once(picture_folder: Path, workdir: Path) -> None:
    run_tiny(picture_folder, "whole", ALONE, "policy.learn.max_iters=9")
    run_tiny(picture_folder, "run", ALONE, "policy.learn.max_iters=7")
    assert ("epoch", 7) in rows_of("run")
    run_tiny(picture_folder, "run", ALONE, "policy.learn.max_iters=9", resume=True)
    seen, events = rows_of("run"), Counter(points(Path("run/log/serial")))
    assert set(seen.values()) == set(events.values()) == {1}
    # The evaluation of the end that was is kept.
    assert seen - rows_of("whole") == {("eval", 7): 1}
    assert {step for tag, step in events if tag.startswith("epoch/")} == {0, 1}


@pytest.mark.slow
@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_full_disk_under_the_logs_costs_one_line_each(
    is_stopped: bool, full_disk: Path, picture_folder: Path, workdir: Path
) -> None:
    name = str(full_disk / "run")
    out_dir = OUT_DIR.format(workdir)

    def job() -> None:
        at_append(6, lambda: fill(full_disk))
        if is_stopped:
            at_append(20, lambda: os.kill(os.getpid(), signal.SIGTERM))
        run_tiny(picture_folder, name, ALONE, WORDY, out_dir)

    code = ended(start(job, Path("output.txt")))
    # At its end the run removes the file that names its process.
    assert os.statvfs(full_disk).f_bavail <= 1
    text = Path("output.txt").read_text()
    assert code == (75 if is_stopped else 0), text
    assert text.count("metrics.jsonl' cannot be written: No space left on device") == 1
    assert len(re.findall(r"events.out.tfevents.*' cannot be written: No space left on device", text)) == 1
    # Room comes back, and the run goes on.
    (full_disk / "ballast").unlink()
    if is_stopped:
        run_tiny(picture_folder, name, ALONE, WORDY, out_dir, resume=True)
        assert ("epoch", UPDATES) in rows_of(name)
        assert set(rows_of(name).values()) == {1}


@pytest.mark.slow
def test_room_that_comes_back_brings_all_that_was_kept(
    full_disk: Path, picture_folder: Path, workdir: Path
) -> None:
    run_tiny(picture_folder, "whole", ALONE, WORDY)

    def job() -> None:
        at_append(6, lambda: fill(full_disk))
        at_append(20, (full_disk / "ballast").unlink)
        run_tiny(picture_folder, str(full_disk / "run"), ALONE, WORDY, OUT_DIR.format(workdir))
        assert_each_once(str(full_disk / "run"))

    assert ended(start(job, Path("output.txt"))) == 0, Path("output.txt").read_text()


@pytest.mark.slow
def test_a_known_program_with_its_own_writer_outlives_a_full_disk(full_disk: Path, workdir: Path) -> None:
    write_pictures(workdir / "pictures" / "train", classes=CLASSES, per_class=2, size_px=40)
    write_pictures(workdir / "pictures" / "val", classes=CLASSES, per_class=1, size_px=40)
    fill(full_disk)
    program = (
        "import runpy, sys, tensorboardX, ding_cls.worker\n"
        f"writer, sys.argv = tensorboardX.SummaryWriter, {[str(PROGRAM), 'pictures', 'run']}\n"
        f"tensorboardX.SummaryWriter = lambda folder: writer({str(full_disk)!r})\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert os.statvfs(full_disk).f_bavail == 0
    # The numbers of the first log line at the latest find no room.
    assert done.stderr.count("cannot be written: No space left on device") == 1
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 200
