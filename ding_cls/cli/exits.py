"""How a command ends: its exit code, and one line for each mistake that a user can mend."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from ding_cls.common.command import command_line
from ding_cls.common.process import launched_rank
from ding_cls.errors import ConfigError, DingError, RunStopped


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
        _tell(error)
        return error.exit_code
    except RuntimeError as error:
        from ding_cls.data.worker_loss import process_loss

        known = process_loss(error)
        if known is None or is_debugging:
            raise
        _tell(known)
        return known.exit_code
    except RunStopped as stop:
        if launched_rank() == 0:
            print(stop.message, file=sys.stderr)
        return int(stop.code or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return code if isinstance(code, int) else 0


def _tell(error: DingError) -> None:
    from ding_cls.distributed.failure import was_announced

    # Every rank reads the same words and finds the same mistake in them: one says so.
    if not was_announced(error) and (launched_rank() == 0 or not isinstance(error, ConfigError)):
        print(f"error: {error}", file=sys.stderr)


def print_text(text: str) -> None:
    """Print lines that somebody may pipe into ``head``: a reader that has had enough is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
