"""The mark that a run under torchrun was stopped by a signal, which torchrun reports as any other failure.

``entry/dist_train.sh`` names the file and returns 75 where it is there. A rank that torchrun starts again
after a stop finds it, and ends at once instead of beginning anew.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

MARK = "DING_CLS_STOP_MARK"


def leave_stop_mark() -> None:
    """Say that this run was stopped; nothing where nobody would read it."""
    if (mark := _stop_mark()) is not None:
        with suppress(OSError):
            mark.touch()


def was_stopped_before() -> bool:
    """Return whether torchrun starts this rank again although the run was stopped by a signal."""
    mark = _stop_mark()
    if mark is None:
        return False
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        if MARK not in os.environ:
            # Left behind by an earlier launcher of the same number.
            with suppress(OSError):
                mark.unlink()
        return False
    return mark.exists()


def _stop_mark() -> Path | None:
    if MARK in os.environ:
        return Path(os.environ[MARK])
    if os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") == "0":
        return None
    run_id = os.environ.get("TORCHELASTIC_RUN_ID", "")
    # The launcher's process stays the same over its restarts.
    return Path(tempfile.gettempdir(), f"ding_cls_stopped_{os.getppid()}_{run_id.replace(os.sep, '_')}")
