"""How a command ends: its exit code, and one line for each mistake that a user can mend."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from ding_cls.common.command import command_line
from ding_cls.common.disk import disk_error
from ding_cls.common.process import launched_rank, launched_world_size
from ding_cls.errors import ConfigError, DingError, RunStopped

# What gloo and nccl say on the ranks that are left when another one ended.
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "remote process exited")


def guarded(run: Callable[[], Any], *, is_debugging: bool, argv: Sequence[str] | None = None) -> int:
    """Run, and return the exit code: what ``run`` returned, 0 for None; an error's own after its line.

    Args:
        run: what is to be done.
        is_debugging: show an error's traceback.
        argv: what the command line was called with; None: the process's own arguments.
    """
    try:
        with command_line(argv):
            code = run()
    except DingError as error:
        if is_debugging:
            traceback.print_exc()
        # Every rank reads the same words and finds the same mistake in them: one says so.
        if launched_rank() == 0 or not isinstance(error, ConfigError):
            print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        line = disk_error(error)
        if line is None or is_debugging:
            raise
        print(f"error: {line}", file=sys.stderr)
        return line.exit_code
    except RuntimeError as error:
        if launched_world_size() == 1 or is_debugging or not any(sign in str(error) for sign in _LOST):
            raise
        print(
            f"rank {launched_rank()} lost another rank, which says above or below why it ended",
            file=sys.stderr,
        )
        return 1
    except RunStopped as stop:
        if launched_rank() == 0:
            print(stop.message, file=sys.stderr)
        return int(stop.code or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return code if isinstance(code, int) else 0


def print_text(text: str) -> None:
    """Print lines that somebody may pipe into ``head``: a reader that has had enough is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
