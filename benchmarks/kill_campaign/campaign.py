"""Runs that are killed or stopped, resumed until they are finished, and compared with uninterrupted ones."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from kill_campaign.compare import Differences, compare_runs
from kill_campaign.figures import Figures
from kill_campaign.mixtures import MIXTURES, Mixture, prepare, words
from kill_campaign.processes import (
    TIMEOUT_S,
    Marks,
    Phase,
    Session,
    has_ended,
    in_fork,
    log_uniform,
    newest,
    run_session,
)
from kill_campaign.stops import STOPS, Stop, last_logged, wait_for_update

STOPPED = 75
IN_A_ROW = 6
# Where kills are aimed, in turn: a save and an evaluation are short, and would be met too seldom by chance.
AIMS = (Phase.TRAINING, Phase.SAVE, Phase.EVALUATION, Phase.SAVE, Phase.TRAINING, Phase.START)
# What is broken on purpose, and what must be said then.
SABOTAGES = {
    "bit": "bits differ",
    "state": "bits differ",
    "row": "rows doubled",
    "file": "updates lost",
    "no-kill": "kills were proved",
}
# How long a process may outlive one that was killed: torch's loader processes look every five seconds.
ORPHANS_S = 15.0


class Campaign:
    """Runs in one folder, and what came of them.

    Args:
        folder: an empty one.
        seed: of all that is drawn.
        sabotage: what is broken on purpose, once a run; empty: nothing.
    """

    def __init__(self, folder: Path, *, seed: int = 0, sabotage: str = "") -> None:
        self._folder, self._sabotage = folder, sabotage
        self._draws = np.random.default_rng(seed)
        self._whole: dict[str, Session] = {}
        self._start_s: dict[str, float] = {}
        self._groups: list[int] = []
        self._sessions = 0
        prepare(folder)

    def kill(self, mixtures: Sequence[Mixture], number: int) -> Figures:
        """Kill runs of each mixture in turn until there were so many kills."""
        figures, began = Figures(), time.monotonic()
        for index in range(number):
            if figures.faults >= number:
                break
            mixture = mixtures[index % len(mixtures)]
            self._kill_one(mixture, f"{mixture.key}_{index}", min(number - figures.faults, IN_A_ROW), figures)
        if figures.faults < number:
            figures.fail(f"{figures.faults} kills were proved by the exit code -9, {number} were wanted")
        self._count_orphans(figures)
        figures.seconds = time.monotonic() - began
        return figures

    def stop(self, mixtures: Sequence[Mixture], number: int) -> Figures:
        """Stop runs of each mixture in turn, so many in all, each in another way."""
        figures, began = Figures(), time.monotonic()
        # Spread, so that few have something of all.
        every = [stop for stop in STOPS for _ in range(stop.count)]
        for index in range(number):
            stop = every[index * 7 % len(every)]
            mixture = mixtures[index % len(mixtures)]
            count = figures.kinds.setdefault(stop.what, [0, 0])
            failures = len(figures.failures)
            self._stop_one(mixture, f"{mixture.key}_stop_{index}", stop, figures)
            count[0] += 1
            count[1] += len(figures.failures) == failures
        self._count_orphans(figures)
        figures.seconds = time.monotonic() - began
        return figures

    def _kill_one(self, mixture: Mixture, name: str, kills: int, figures: Figures) -> None:
        """Kill a run so many times in a row, let it finish, and compare it."""
        whole = self._uninterrupted(mixture)
        run, published, first = self._folder / name, None, figures.faults
        for index in range(kills + 1):
            aim, is_new = AIMS[(first + index) % len(AIMS)], published is None
            strike = None if index == kills else self._strike(aim, mixture, whole, is_new=is_new)
            session = self._session(mixture, run.name, resume=not is_new, strike=strike)
            self._check_begun(run.name, session, published, figures)
            if session.code != -signal.SIGKILL:
                break
            figures.faults += 1
            figures.phases[session.marks.phase] += 1
            published = self._check_files(mixture, run, session, published, figures)
            if published is None:
                # Nothing was saved yet: the run begins anew, in a folder of its own.
                figures.anew += 1
                run = self._folder / f"{name}_{index}"
            elif self._sabotage in SPOILS and published > 0:
                in_fork(partial(SPOILS[self._sabotage], run, published))
        if session.code != 0:
            figures.fail(f"{run.name}: exit code {session.code}: {session.tail}")
            return
        self._check_end(mixture, run, figures)

    def _stop_one(self, mixture: Mixture, name: str, stop: Stop, figures: Figures) -> None:
        """Stop a run once, let it finish, and compare it."""
        self._uninterrupted(mixture)
        run, update = self._folder / name, 0 if stop.is_at_start else int(self._draws.integers(2, 26))
        delay_s = float(self._draws.uniform(0, 0.05))
        stopped = stop.way(
            self._folder, words(mixture, name, resume=False), wait_for_update(run, update, delay_s)
        )
        self._groups.append(stopped.pid)
        figures.faults += 1
        what = f"{name}, {stop.what}"
        if stopped.code != STOPPED:
            figures.fail(f"{what}: exit code {stopped.code}: {stopped.output}")
        logged, published = last_logged(run), newest(run)
        if lost := max(logged - (published or 0), 0):
            figures.lost += lost
            figures.fail(f"{what}: {lost} updates lost of {logged}")
        if published is None and run.exists():
            figures.fail(f"{what}: a folder without a checkpoint is left")
            return
        session = self._session(mixture, name, resume=published is not None)
        self._check_begun(name, session, published, figures)
        if session.code != 0:
            figures.fail(f"{what}: resumed, exit code {session.code}: {session.tail}")
            return
        self._check_end(mixture, run, figures)

    def _uninterrupted(self, mixture: Mixture) -> Session:
        """Return the session of the run without a fault; it is run once.

        Raises:
            RuntimeError: it failed: there is nothing to compare with.
        """
        if mixture.key not in self._whole:

            def note_start(pid: int, marks: Marks, began: float) -> None:
                _wait(pid, lambda: marks.phase != Phase.START)
                self._start_s[mixture.key] = time.monotonic() - began

            session = self._session(mixture, f"whole_{mixture.key}", resume=False, strike=note_start)
            if session.code != 0:
                raise RuntimeError(
                    f"mixture {mixture.key} without a fault: exit code {session.code}: {session.tail}"
                )
            self._whole[mixture.key] = session
        return self._whole[mixture.key]

    def _session(
        self,
        mixture: Mixture,
        name: str,
        *,
        resume: bool,
        strike: Callable[[int, Marks, float], None] | None = None,
    ) -> Session:
        self._sessions += 1
        output = self._folder / f"{name}.{self._sessions}.txt"
        session = run_session(self._folder, words(mixture, name, resume=resume), output, strike=strike)
        self._groups.append(session.pid)
        return session

    def _strike(
        self, aim: Phase, mixture: Mixture, whole: Session, *, is_new: bool
    ) -> Callable[[int, Marks, float], None] | None:
        """Return what kills a child once, at a random instant of a phase, or after it.

        Args:
            aim: the phase.
            mixture: what it trains.
            whole: the session without a fault, for how long things take.
            is_new: the run has no checkpoint yet, and shall seldom be killed before its first.
        """
        if self._sabotage == "no-kill":
            return None
        start_s = self._start_s[mixture.key]
        # What is broken on purpose is a checkpoint in the middle.
        aim, number = (
            (Phase.SAVE, 9) if self._sabotage else (aim, int(self._draws.integers(1 + 2 * is_new, 9)))
        )
        training_s = whole.seconds - start_s
        low, high = {
            Phase.START: (0.001, start_s),
            Phase.TRAINING: (0.2 * training_s if is_new else 0.003, training_s),
        }.get(aim, (1e-5, 1.2 * whole.marks.mean_s(aim)))
        delay_s = log_uniform(self._draws, low, high)

        def strike(pid: int, marks: Marks, began: float) -> None:
            if aim == Phase.TRAINING:
                _wait(pid, lambda: marks.phase != Phase.START)
            elif aim != Phase.START:
                _wait(pid, lambda: marks.begun(aim) >= number)
            _pause(delay_s)
            # A child that has ended keeps its number until it is waited for.
            os.kill(pid, signal.SIGKILL)

        return strike

    def _check_begun(self, name: str, session: Session, published: int | None, figures: Figures) -> None:
        """Check that a session went on from the newest checkpoint, if it came that far."""
        if published is None or (session.marks.began_at < 0 and session.code != 0):
            return
        figures.resumes += 1
        if lost := published - max(session.marks.began_at, 0):
            figures.lost += lost
            figures.fail(f"{name}: {lost} updates lost: {published} were saved")

    def _check_files(
        self, mixture: Mixture, run: Path, session: Session, before: int | None, figures: Figures
    ) -> int | None:
        """Return the newest checkpoint after a kill; check that no older one is the newest now."""
        published, marks = newest(run), session.marks
        saved = max(marks.saved, -1 if before is None else before)
        if lost := max(saved - (-1 if published is None else published), 0):
            figures.lost += lost
            figures.fail(f"{run.name}: {lost} updates lost: iteration_{saved} was saved and is gone")
        repeated = max(marks.updates - (published or 0), 0)
        figures.repeated = max(figures.repeated, repeated)
        if repeated > mixture.save_every:
            figures.fail(f"{run.name}: {repeated} updates unsaved, at most {mixture.save_every} were to be")
        return published

    def _check_end(self, mixture: Mixture, run: Path, figures: Figures) -> None:
        """Compare a finished run with the uninterrupted one."""
        if self._sabotage == "row":
            rows = run / "log" / "metrics.jsonl"
            rows.write_text(rows.read_text() + rows.read_text().splitlines()[0] + "\n")
        whole = self._folder / f"whole_{mixture.key}"
        try:
            # Tensors are left to a fork.
            found = Differences(**in_fork(lambda: vars(compare_runs(run, whole))))
        except RuntimeError as error:
            figures.fail(f"{run.name} cannot be compared: {error}")
            return
        figures.runs += 1
        figures.total.add(found)
        if not found.is_equal:
            figures.fail(f"{run.name}: {found.summary}")
        else:
            print(f"{run.name}: equal, {found.tensors} tensors, {found.num_rows} rows", flush=True)
        left = sorted(str(each.relative_to(run)) for each in run.rglob(".*.tmp"))
        figures.leftovers += len(left)
        if left:
            figures.fail(f"{run.name}: temporary files are left: {', '.join(left)}")

    def _count_orphans(self, figures: Figures) -> None:
        """Wait until the processes of all sessions are gone."""
        deadline = time.monotonic() + ORPHANS_S
        while (left := _processes_of(set(self._groups))) and time.monotonic() < deadline:
            time.sleep(0.1)
        figures.orphans = len(left)
        if left:
            figures.fail(f"processes are left after {ORPHANS_S:g} s: {', '.join(map(str, left))}")


def _flip_bit(run: Path, number: int) -> None:
    """Flip one bit of one weight of a checkpoint, which stays a good file."""
    state, file = _read(run, number)
    weights = state.get("training_model", state["model"])
    tensor = next(each for each in weights.values() if each.dtype == torch.float32)
    tensor.view(torch.int32).view(-1)[0] ^= 1 << 20
    write_checkpoint(file, state)


def _drop_state(run: Path, number: int) -> None:
    """Drop what the optimizer has learned."""
    state, file = _read(run, number)
    state["optimizer"]["state"] = {}
    write_checkpoint(file, state)


def _remove(run: Path, number: int) -> None:
    _read(run, number)[1].unlink()


SPOILS = {"bit": _flip_bit, "state": _drop_state, "file": _remove}


def _read(run: Path, number: int) -> tuple[dict[str, Any], Path]:
    file = run / "ckpt" / f"iteration_{number}.pth.tar"
    return read_checkpoint(file), file


def _wait(pid: int, condition: Callable[[], bool]) -> None:
    """Wait until a condition holds or a child has ended."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition() and not has_ended(pid) and time.monotonic() < deadline:
        time.sleep(2e-5)


def _pause(seconds: float) -> None:
    """Wait; short times to the microsecond."""
    end = time.monotonic() + seconds
    if seconds > 0.002:
        time.sleep(seconds - 0.001)
    while time.monotonic() < end:
        pass


def _processes_of(groups: set[int]) -> list[int]:
    """Return the processes of some groups that are still there; those that nobody waited for are not."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, group = file.read_text().rpartition(")")[2].split()[:3]
            if int(group) in groups and state != "Z":
                found.append(int(file.parent.name))
    return found


def missed_sabotages() -> list[str]:
    """Return which of the things broken on purpose were not reported as what they are."""
    missed = []
    for name, sign in SABOTAGES.items():
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
            figures = Campaign(Path(folder), sabotage=name).kill(MIXTURES[2:], 1)
        if not any(sign in each for each in figures.failures):
            missed.append(name)
    return missed
