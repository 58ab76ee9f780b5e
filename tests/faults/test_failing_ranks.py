"""A rank that fails: the first line names it and its error; the others say whom they lost, and all end."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from ding_cls.checkpoint import keeper
from ding_cls.cli import _guarded
from ding_cls.distributed import dist_init
from ding_cls.errors import ConfigError
from ding_cls.pipeline import evaluate
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner import register_learner_hook
from tests.conftest import TinyNet
from tests.distributed.ranks import LAUNCHER_VARIABLES, free_port
from tests.faults.test_signals import ALONE, WITH_WORKERS, ended
from tests.faults.test_workers import PROOF, kill_worker
from tests.harness import run_tiny

TOGETHER = "policy.multi_gpu=True"


def broken(*args: Any, **kwargs: Any) -> Any:
    raise ZeroDivisionError("broken on purpose")


class FailOn(LearnerHook):
    """Fails on one rank at one update, in a way of many."""

    def __init__(self, name: str, priority: int, *, position: Any, ext_args: Mapping[str, Any]) -> None:
        super().__init__(name, priority, position=position)
        self._rank, self._how = ext_args["rank"], ext_args["how"]

    def __call__(self, engine: BaseLearner) -> None:
        if engine.rank != self._rank or engine.train_iter != 2:
            return
        Path("failed_at.txt").write_text(repr(time.time()))
        if self._how == "hook":
            broken()
        if self._how == "mistake":
            raise ConfigError("mistaken on purpose")
        if self._how in ("SIGKILL", "SIGSTOP"):
            os.kill(os.getpid(), getattr(signal, self._how))


register_learner_hook("fail_on", FailOn)


def fail_on(rank: int, how: str) -> str:
    extra = {"rank": rank, "how": how}
    hook = {"type": "fail_on", "position": "before_iter", "priority": 98, "ext_args": extra}
    return f"policy.learn.learner.hook.fail={hook}"


def fail_in(owner: Any, name: str, call: int, error: Exception | None = None) -> None:
    """Fail at the n-th call of a function, with an error of one's own or another."""
    original, count = getattr(owner, name), iter(range(1, 1_000_000))

    def replaced(*args: Any, **kwargs: Any) -> Any:
        if next(count) == call:
            Path("failed_at.txt").write_text(repr(time.time()))
            raise error or ZeroDivisionError("broken on purpose")
        return original(*args, **kwargs)

    setattr(owner, name, replaced)


# The second evaluation begins with a rank's third batch, or second: rank 0 has two of three.
PLACES: dict[str, Callable[[int], None]] = {
    "forward": lambda rank: fail_in(ImageClassificationPolicy, "_forward_learn", 3),
    "eval": lambda rank: fail_in(ImageClassificationPolicy, "_forward_eval", 3 - rank),
    "save": lambda rank: fail_in(keeper, "write_checkpoint", 1),
}


def start_rank(rank: int, world_size: int, port: int, job: Callable[[], Any], *, own_main: bool) -> int:
    """Run a job as one rank in a child; all write to one screen. Return its id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        values = (str(rank), str(world_size), str(rank), "127.0.0.1", str(port))
        os.environ.update(zip(LAUNCHER_VARIABLES, values, strict=True))
        with open("screen.txt", "a", buffering=1) as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            sys.stdout, sys.stderr = file, file
            try:
                if own_main:
                    job()
                    code = 0
                else:
                    code = _guarded(job, is_debugging=False, argv=None)
            except BaseException:
                # As Python itself ends a program.
                sys.excepthook(*sys.exc_info())
                code = 1
    finally:
        os._exit(code)


def run_all(job: Callable[[], Any], *, own_main: bool = False, world_size: int = 2) -> list[int]:
    """Return the exit codes of all ranks; a stopped one is killed when the others have ended."""
    port = free_port()
    children = [start_rank(each, world_size, port, job, own_main=own_main) for each in range(world_size)]
    deadline = time.monotonic() + 100
    codes: dict[int, int] = {}
    while len(codes) < world_size and time.monotonic() < deadline:
        for rank, child in enumerate(children):
            if rank not in codes:
                pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
                if pid and not os.WIFSTOPPED(status):
                    codes[rank] = os.waitstatus_to_exitcode(status)
        if len(codes) == world_size - 1 and Path("stopped.txt").exists():
            (left,) = {*range(world_size)} - {*codes}
            os.kill(children[left], signal.SIGKILL)
            Path("stopped.txt").unlink()
        time.sleep(0.05)
    for rank, child in enumerate(children):
        if rank not in codes:
            os.kill(child, signal.SIGKILL)
            codes[rank] = 100 + ended(child)
    return [codes[each] for each in range(world_size)]


def lines_of_errors() -> list[str]:
    """Return what the screen shows from the first error on."""
    lines = Path("screen.txt").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if re.search("error|Traceback", line))
    return lines[first:]


def errors_on_screen() -> list[str]:
    """Return the lines from the first error on, less the log lines of a rank that trains a little longer."""
    return [each for each in lines_of_errors() if not each.startswith("Epoch ")]


def assert_prompt(seconds: float = 15) -> None:
    assert time.time() - float(Path("failed_at.txt").read_text()) < seconds


def assert_named_first(rank: int) -> None:
    lines = lines_of_errors()
    assert lines[0] == f"error: rank {rank} of 2 failed: ZeroDivisionError: broken on purpose"
    of_others = [each for each in lines if f"rank {1 - rank} " in each]
    assert len(of_others) == 1
    assert "this ended training after" in of_others[0]
    # The one that failed says so, and no other.
    assert sum("an error ended training after" in each for each in lines) == 1


def test_the_rank_that_raises_is_named_first(picture_folder: Path, workdir: Path) -> None:
    codes = run_all(lambda: run_tiny(picture_folder, "run", ALONE, TOGETHER, fail_on(1, "hook")))
    assert_prompt()
    assert codes == [2, 1]
    assert_named_first(1)
    (line,) = [each for each in lines_of_errors() if each.startswith("error: rank 0 ")]
    assert line.startswith(
        "error: rank 0 ends because rank 1 of 2 failed: ZeroDivisionError: broken on purpose;"
    )


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", ["hook", "forward", "eval", "save"])
def test_wherever_it_raises(picture_folder: Path, workdir: Path, rank: int, how: str) -> None:
    if how == "save" and rank == 1:
        pytest.skip("not run: rank 0 alone saves")

    def job() -> None:
        if os.environ["RANK"] == str(rank) and how in PLACES:
            PLACES[how](rank)
        run_tiny(picture_folder, "run", ALONE, TOGETHER, *([] if how in PLACES else [fail_on(rank, how)]))

    codes = run_all(job)
    assert_prompt()
    assert codes[rank] == 1
    assert codes[1 - rank] == 2
    assert_named_first(rank)


@pytest.mark.slow
def test_a_rank_that_fails_while_judging_is_named_first(picture_folder: Path, workdir: Path) -> None:
    run_tiny(picture_folder, "whole", ALONE)

    def job() -> None:
        if os.environ["RANK"] == "1":
            fail_in(ImageClassificationPolicy, "_forward_eval", 1)
        evaluate("whole", model=TinyNet(), data=picture_folder, overrides=[ALONE, "policy.cuda=False"])

    assert run_all(job) == [2, 1]
    assert_prompt()
    lines = lines_of_errors()
    assert lines[0] == "error: rank 1 of 2 failed: ZeroDivisionError: broken on purpose"
    (line,) = [each for each in lines if each.startswith("error: rank 0")]
    assert line == "error: rank 0 ends because rank 1 of 2 failed: ZeroDivisionError: broken on purpose"


@pytest.mark.slow
@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")]
)
def test_memory_that_runs_out_on_one_rank_is_one_line_with_what_to_try(
    picture_folder: Path, workdir: Path, error: Exception
) -> None:
    def job() -> None:
        if os.environ["RANK"] == "1":
            fail_in(ImageClassificationPolicy, "_forward_learn", 3, error)
        run_tiny(picture_folder, "run", ALONE, TOGETHER)

    assert run_all(job) == [2, 2]
    assert_prompt()
    first, second = errors_on_screen()
    assert first.startswith("error: rank 1 of 2 failed: out of memory")
    assert "policy.learn.batch_size is 8: try policy.learn.accumulation_steps=2 (the same batch in " in first
    assert "policy.learn.batch_size=4, or smaller images; this ended training after 2 updates" in first
    assert second.startswith("error: rank 0 ends because rank 1 of 2 failed: out of memory")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_worker_of_one_rank_is_named_with_its_rank(
    picture_folder: Path, workdir: Path, rank: int
) -> None:
    kill = kill_worker(signal.SIGKILL, at=2, which=-1, rank=rank)
    Path("failed_at.txt").write_text(repr(time.time()))
    assert run_all(lambda: run_tiny(picture_folder, "run", WITH_WORKERS, TOGETHER, kill)) == [2, 2]
    assert_prompt()
    assert PROOF.read_text() == "-9"
    first, second = errors_on_screen()
    assert first.startswith(f"error: rank {rank} of 2 failed: a data loading worker (pid ")
    assert "was killed by signal 9 (SIGKILL)" in first
    assert "this ended training after 3 updates" in first
    assert second.startswith(f"error: rank {1 - rank} ")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_is_lost_in_one_line(picture_folder: Path, workdir: Path, rank: int) -> None:
    codes = run_all(lambda: run_tiny(picture_folder, "run", ALONE, TOGETHER, fail_on(rank, "SIGKILL")))
    assert_prompt()
    assert codes[rank] == -signal.SIGKILL
    assert codes[1 - rank] == 2
    (line,) = errors_on_screen()
    assert line.startswith(f"error: rank {1 - rank} lost rank {rank}, which was killed, or says itself why")
    assert re.search(r"\((Connection|Read error|Broken)[^()]*\); this ended training after 2 updates", line)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_stopped_rank_is_waited_for_in_vain(picture_folder: Path, workdir: Path, rank: int) -> None:
    Path("stopped.txt").touch()

    def job() -> None:
        dist_init("gloo", timeout=8)
        run_tiny(picture_folder, "run", ALONE, TOGETHER, fail_on(rank, "SIGSTOP"))

    codes = run_all(job)
    assert_prompt(8 * 1.5 + 10)
    assert codes[rank] == -signal.SIGKILL
    assert codes[1 - rank] == 2
    (line,) = errors_on_screen()
    assert line.startswith(f"error: rank {1 - rank} waited in vain for rank {rank}, which hangs, is stopped")


@pytest.mark.slow
def test_a_program_with_its_own_main_names_the_rank_too(picture_folder: Path, workdir: Path) -> None:
    def job() -> None:
        rank, _ = dist_init("gloo")
        for step in range(4):
            if (rank, step) == (1, 2):
                Path("failed_at.txt").write_text(repr(time.time()))
                broken()
            torch.distributed.all_reduce(torch.zeros(3))

    assert run_all(job, own_main=True) == [1, 1]
    assert_prompt()
    lines = lines_of_errors()
    assert lines[0] == "error: rank 1 of 2 failed: ZeroDivisionError: broken on purpose"
    # torch prefixes each line of it.
    assert lines[1].endswith("Traceback (most recent call last):")
    assert lines[-1] == "error: rank 0 ends because rank 1 of 2 failed: ZeroDivisionError: broken on purpose"
    assert sum("Traceback" in each for each in lines) == 1


@pytest.mark.slow
def test_a_mistake_that_one_rank_alone_finds_in_training_is_named(
    picture_folder: Path, workdir: Path
) -> None:
    codes = run_all(lambda: run_tiny(picture_folder, "run", ALONE, TOGETHER, fail_on(1, "mistake")))
    assert_prompt()
    assert codes == [2, 2]
    lines = lines_of_errors()
    assert lines[0] == "error: rank 1 of 2 failed: mistaken on purpose"
    (line,) = [each for each in lines if each.startswith("error: rank 0")]
    assert line.startswith("error: rank 0 ends because rank 1 of 2 failed: mistaken on purpose; this ended")


@pytest.mark.slow
@pytest.mark.parametrize("is_alone", [True, False])
def test_a_mistake_before_the_ranks_have_met_is_said_once(workdir: Path, is_alone: bool) -> None:
    def job() -> None:
        if not is_alone or os.environ["RANK"] == "1":
            raise ConfigError("mistaken on purpose")
        dist_init("gloo", timeout=10)

    assert run_all(job) == [2, 2]
    line, *rest = lines_of_errors()
    assert line == f"error: {'rank 1 of 2 failed: ' if is_alone else ''}mistaken on purpose"
    # Rank 0 has waited for the other.
    assert any("could not join" in each for each in rest) == is_alone
    assert sum("mistaken" in each for each in rest) == 0


@pytest.mark.slow
def test_what_all_ranks_come_to_is_said_once(picture_folder: Path, workdir: Path) -> None:
    rate, limit = "policy.learn.learning_rate=1e30", "policy.learn.max_bad_steps=3"
    assert run_all(lambda: run_tiny(picture_folder, "run", ALONE, TOGETHER, rate, limit)) == [4, 4]
    text = Path("screen.txt").read_text()
    assert text.count("of 3 updates in a row") == 1
    assert text.count("the loss or a gradient is not finite") == 1
    assert text.count("an error ended training after ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_one_rank_cannot_read_is_named_with_what_finds_such(
    picture_folder: Path, workdir: Path, workers: int
) -> None:
    broken_file = sorted((picture_folder / "train").rglob("*.png"))[7]
    broken_file.write_bytes(broken_file.read_bytes()[:60])
    reading = f"policy.learn.learner.dataloader.num_workers={workers}"
    assert run_all(lambda: run_tiny(picture_folder, "run", reading, TOGETHER)) == [2, 2]
    lines = lines_of_errors()
    assert re.match(
        rf"error: rank [01] of 2 failed: '{re.escape(str(broken_file))}' .* is truncated", lines[0]
    )
    assert lines[0].count("--check-images at the start, or ding-cls doctor DATA, finds all such images") == 1
    assert lines[0].count("policy.learn.learner.dataloader.max_bad=N") == 1
    assert "; this ended training after " in lines[0]
    assert len(lines) == 2
    assert lines[1].count("this ended training after ") == 1
