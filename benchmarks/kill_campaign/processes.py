"""Processes that are forked off one that has imported everything already.

Importing torch takes seconds; a fork takes none. The parent does no arithmetic with tensors, so that no
thread of torch is lost in a fork. A child notes what it is doing in memory that it shares with the parent,
which can be read after a SIGKILL: whether that hit a save, an evaluation or the start.
"""

import json
import math
import mmap
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import torch

# What a child would import for itself is imported here, once.
import torch._dynamo

import ding_cls.pipeline  # noqa: F401
from ding_cls.checkpoint.keeper import CheckpointKeeper
from ding_cls.cli import main
from ding_cls.worker import BaseLearner, MetricSerialEvaluator

TIMEOUT_S = 120.0


def newest(run: Path) -> int | None:
    """Return the number of the newest checkpoint that is published; None where there is none."""
    files = CheckpointKeeper(run / "ckpt").iterations()
    return int(re.findall(r"\d+", files[0].name)[0]) if files else None


class Phase(IntEnum):
    """What a child is doing."""

    START = 0
    TRAINING = 1
    EVALUATION = 2
    SAVE = 3


class Marks:
    """What a child does, in memory that outlives it.

    Attributes:
        phase: what it is doing.
        updates: how many updates are finished.
        began_at: the update it resumed at; -1 where it did not.
        saved: the number of its latest checkpoint that is whole; -1 without one.
        begun: how many saves, or evaluations, have begun, and the nanoseconds that all of them took.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        # Eight bytes are stored at once: a kill leaves the old number or the new one.
        self._cells = memoryview(self._memory).cast("q")
        self._cells[2] = self._cells[3] = -1

    @property
    def phase(self) -> Phase:
        return Phase(self._cells[0])

    @property
    def updates(self) -> int:
        return self._cells[1]

    @property
    def began_at(self) -> int:
        return self._cells[2]

    @property
    def saved(self) -> int:
        return self._cells[3]

    def begun(self, phase: Phase) -> int:
        return self._cells[8 + phase]

    def mean_s(self, phase: Phase) -> float:
        return self._cells[16 + phase] / max(self._cells[8 + phase], 1) / 1e9

    def watch(self) -> None:
        """Note from now on what this process does."""
        cells = self._cells

        def noted(
            owner: Any, name: str, phase: Phase, *, after: Callable[[Any, Any], None] | None = None
        ) -> None:
            real = getattr(owner, name)

            @wraps(real)
            def call(self: Any, *given: Any, **named: Any) -> Any:
                before, began = cells[0], time.monotonic_ns()
                cells[0] = phase
                cells[8 + phase] += 1
                try:
                    result = real(self, *given, **named)
                    if after is not None:
                        after(self, result)
                    return result
                finally:
                    cells[16 + phase] += time.monotonic_ns() - began
                    # Its first update or evaluation is the end of its start.
                    has_begun = phase in (Phase.TRAINING, Phase.EVALUATION)
                    cells[0] = Phase.TRAINING if has_begun and before == Phase.START else before

            setattr(owner, name, call)

        def loaded(learner: Any, _: Any) -> None:
            cells[2] = cells[1] = learner.train_iter

        def updated(learner: Any, _: Any) -> None:
            cells[1] = learner.train_iter

        def saved(_: Any, path: Any) -> None:
            if number := re.fullmatch(r"iteration_(\d+)\.pth\.tar", Path(path).name):
                cells[3] = int(number[1])

        noted(BaseLearner, "load_checkpoint", Phase.START, after=loaded)
        noted(BaseLearner, "train", Phase.TRAINING, after=updated)
        noted(MetricSerialEvaluator, "eval", Phase.EVALUATION)
        noted(CheckpointKeeper, "save", Phase.SAVE, after=saved)


@dataclass
class Session:
    """One process of a run, from its start to its end.

    Attributes:
        code: its exit code; below 0 the signal that ended it.
        marks: what it did.
        pid: its number, and that of its process group.
        seconds: how long it took.
        output: the file with all that it printed.
    """

    code: int
    marks: Marks
    pid: int
    seconds: float
    output: Path

    @property
    def tail(self) -> str:
        """The last lines of its output, in one."""
        return " | ".join(self.output.read_text(errors="replace").strip().splitlines()[-3:])[-400:]


def run_session(
    folder: Path,
    arguments: Sequence[str],
    output: Path,
    *,
    strike: Callable[[int, Marks, float], None] | None = None,
) -> Session:
    """Run ``ding-cls`` in a fork of this process.

    Args:
        folder: its working directory.
        arguments: what ``ding-cls`` is called with.
        output: the file for what it prints.
        strike: called with its number, its marks and when it began: kills it, or does not.
    """
    marks = Marks()
    sys.stdout.flush()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become(folder, arguments, output, marks)
    if strike is not None:
        strike(pid, marks, began)
    code = wait_for(pid, began + TIMEOUT_S)
    return Session(code, marks, pid, time.monotonic() - began, output)


def _become(folder: Path, arguments: Sequence[str], output: Path, marks: Marks) -> None:
    """Be ``ding-cls``: of the parent nothing is left but what it imported."""
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        torch.set_num_threads(1)
        marks.watch()
        code = main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait_for(pid: int, deadline: float) -> int:
    """Return a child's exit code; past the deadline it is killed, with its group, and the code is 124."""
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 124


def has_ended(pid: int) -> bool:
    """Return whether a child has ended; its exit code can still be asked for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def in_fork(work: Callable[[], Any]) -> Any:
    """Return what ``work`` gives, done in a fork: plain values. Tensors are left to it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            torch.set_num_threads(1)
            answer = {"result": work()}
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        with os.fdopen(writer, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        answer = json.load(file)
    os.waitpid(pid, 0)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["result"]


def log_uniform(draws: np.random.Generator, low: float, high: float) -> float:
    """Return a number between ``low`` and ``high`` whose logarithm is evenly spread."""
    return math.exp(draws.uniform(math.log(low), math.log(max(high, low * 1.01))))
