"""Run a program as Python would, in a fork of this process: all that it imports is there already."""

import os
import runpy
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import torch


def run_forked(
    *words: str,
    cwd: Path | None = None,
    prepare: Callable[[], object] | None = None,
    timeout_s: float = 120,
) -> CompletedProcess[str]:
    """Run ``python WORDS``: ``-m MODULE ARGUMENTS`` or ``FILE ARGUMENTS``.

    Args:
        words: what would stand behind the interpreter's name.
        cwd: the directory it begins in; without one, this process's.
        prepare: called in the fork first, say to set limits or filters of warnings.
        timeout_s: after so many seconds it is killed.

    Returns:
        exit code, stdout and stderr, as of ``subprocess.run``.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if not child:
            code = 99
            try:
                os.chdir(cwd or Path.cwd())
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.stdin = open(os.devnull)  # noqa: SIM115
                sys.stdout, sys.stderr = (open(each, "w", closefd=False) for each in (1, 2))  # noqa: SIM115
                code = exit_code(words, prepare)
            finally:
                for stream in (sys.stdout, sys.stderr):
                    stream.flush()
                os._exit(code)
        code = ended(child, timeout_s)
        for each in (out, err):
            each.seek(0)
        printed = (out.read(), err.read())
    return CompletedProcess(words, code, *printed)


def exit_code(words: tuple[str, ...], prepare: Callable[[], object] | None) -> int:
    """Run a program as the main one; return the code that the interpreter would end with."""
    try:
        warnings.resetwarnings()
        torch.manual_seed(0)
        if prepare is not None:
            prepare()
        if words[0] == "-m":
            sys.argv = list(words[1:])
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(words)
            sys.path.insert(0, str(Path(words[0]).parent))
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def ended(child: int, timeout_s: float) -> int:
    """Wait for a child; return its exit code, negative for a signal."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
