"""Stops by a signal, in real processes, with all that can become of a terminal."""

import errno
import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kill_campaign.processes import TIMEOUT_S, wait_for

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Stopped:
    """A process that was asked to stop.

    Attributes:
        pid: its number.
        code: its exit code; below 0 the signal that ended it, 124 where it did not end.
        output: the last of what it printed, where that went anywhere.
    """

    pid: int
    code: int
    output: str


# Runs ding-cls with these arguments in a folder, asks it to stop when the function says so, and waits for it.
Way = Callable[[Path, Sequence[str], Callable[[int], bool]], Stopped]


def ctrl_c_with_tee(folder: Path, arguments: Sequence[str], ready: Callable[[int], bool]) -> Stopped:
    """Type Ctrl-C where ``ding-cls ... 2>&1 | tee log`` runs: the whole pipe gets it, and tee ends first."""
    # The shell itself outlives the signal, to tell the code; what it starts gets it as ever.
    piped = f"{shlex.join(_command(arguments))} 2>&1 | tee tee.log"
    line = f"trap : INT; {piped}; echo ${{PIPESTATUS[0]}} > tee.code"
    code_file = folder / "tee.code"
    code_file.unlink(missing_ok=True)
    pid, terminal = _in_terminal(folder, ["bash", "-c", line])
    reader = threading.Thread(target=_drain, args=(terminal,), daemon=True)
    reader.start()
    if ready(pid):
        os.write(terminal, b"\x03")
    wait_for(pid, time.monotonic() + TIMEOUT_S)
    reader.join(5)
    os.close(terminal)
    code = int(code_file.read_text()) if code_file.is_file() else 124
    # A shell reports a death by signal so.
    return Stopped(
        pid, code - 256 if code > 255 else 128 - code if code > 128 else code, _tail(folder / "tee.log")
    )


def closed_terminal(folder: Path, arguments: Sequence[str], ready: Callable[[int], bool]) -> Stopped:
    """Close the terminal that it runs in: SIGHUP, and nothing can be written any more."""
    pid, terminal = _in_terminal(folder, _command(arguments))
    stop, gone = os.pipe()
    reader = threading.Thread(target=_drain, args=(terminal, stop), daemon=True)
    reader.start()
    ready(pid)
    os.write(gone, b"x")
    reader.join(5)
    for each in (terminal, stop, gone):
        os.close(each)
    return Stopped(pid, wait_for(pid, time.monotonic() + TIMEOUT_S), "(the terminal is gone)")


def with_redirections(number: signal.Signals, redirections: str) -> Way:
    """Return a stop by one signal, to the whole group, of a command with a shell's redirections."""

    def stop(folder: Path, arguments: Sequence[str], ready: Callable[[int], bool]) -> Stopped:
        line = f"exec {shlex.join(_command(arguments))} {redirections}"
        process = subprocess.Popen(["bash", "-c", line], cwd=folder, env=_environ(), start_new_session=True)
        if ready(process.pid):
            os.killpg(process.pid, number)
        return Stopped(process.pid, _code(process), _tail(folder / "out.txt"))

    return stop


def pipe_without_reader(folder: Path, arguments: Sequence[str], ready: Callable[[int], bool]) -> Stopped:
    """SIGTERM after the reader of stdout and stderr has gone, as ``| head -1`` goes."""
    process = subprocess.Popen(
        _command(arguments),
        cwd=folder,
        env=_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    process.stdout.readline()
    process.stdout.close()
    if ready(process.pid):
        os.kill(process.pid, signal.SIGTERM)
    return Stopped(process.pid, _code(process), "(the reader is gone)")


@dataclass(frozen=True)
class Stop:
    """A kind of stop.

    Attributes:
        count: how many of them a whole campaign has.
        what: what it is, in a table's words.
        way: how it is done.
        is_at_start: it comes before the first update.
    """

    count: int
    what: str
    way: Way
    is_at_start: bool = False


_FILE, _FULL = "> out.txt 2>&1", "> /dev/full 2> /dev/full"
STOPS = (
    Stop(8, "Ctrl-C on `2>&1 \\| tee log`", ctrl_c_with_tee),
    Stop(6, "SIGTERM, stderr closed", with_redirections(signal.SIGTERM, "> out.txt 2>&-")),
    Stop(2, "SIGINT, stdout and stderr closed", with_redirections(signal.SIGINT, ">&- 2>&-")),
    Stop(2, "SIGHUP, the terminal closed", closed_terminal),
    Stop(2, "SIGUSR1", with_redirections(signal.SIGUSR1, _FILE)),
    Stop(2, "SIGTERM, a pipe without a reader", pipe_without_reader),
    Stop(2, "SIGTERM, stdout and stderr full", with_redirections(signal.SIGTERM, _FULL)),
    Stop(1, "SIGTERM during the start", with_redirections(signal.SIGTERM, _FILE), is_at_start=True),
)


def wait_for_update(run: Path, update: int, delay_s: float) -> Callable[[int], bool]:
    """Return what waits until an update of a run is logged (0: until its folder is there), and a while more;
    it returns whether the process still runs."""

    def ready(pid: int) -> bool:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline and _is_running(pid):
            if last_logged(run) >= update and run.exists():
                time.sleep(delay_s)
                return _is_running(pid)
            time.sleep(0.002)
        return False

    return ready


def last_logged(run: Path) -> int:
    """Return the last update that has a row in ``metrics.jsonl``; 0 without one."""
    file = run / "log" / "metrics.jsonl"
    if not file.is_file():
        return 0
    # The last line may be half written.
    rows = [json.loads(line) for line in file.read_text().split("\n")[:-1] if line]
    return max((row["train_iter"] for row in rows if row["kind"] == "train"), default=0)


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "ding_cls", *arguments]


def _environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def _in_terminal(folder: Path, command: Sequence[str]) -> tuple[int, int]:
    """Start a command in a terminal of its own; return its number, and the terminal's other side."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.chdir(folder)
            os.execvpe(command[0], list(command), _environ())
        finally:
            os._exit(127)
    return pid, terminal


def _drain(terminal: int, stop: int | None = None) -> None:
    """Read what a terminal shows until its processes are gone, or a byte comes from ``stop``."""
    while True:
        try:
            ready = select.select([terminal] if stop is None else [terminal, stop], [], [])[0]
            if stop in ready or not os.read(terminal, 65536):
                return
        except OSError as error:
            if error.errno in (errno.EIO, errno.EBADF):
                return
            raise


def _is_running(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _code(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return 124


def _tail(file: Path) -> str:
    return (
        " | ".join(file.read_text(errors="replace").strip().splitlines()[-3:])[-300:]
        if file.is_file()
        else ""
    )
