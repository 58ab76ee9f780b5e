"""How a command ends: its exit code, and one line for each mistake that a user can mend."""

import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ding_cls.common.command import command_line
from ding_cls.common.disk import disk_error
from ding_cls.common.logs.streams import (
    TolerantStream,
    fill_standard_descriptors,
    forget_unwritten,
    tolerant_streams,
)
from ding_cls.common.process import launched_rank, launched_world_size
from ding_cls.common.stops.mark import was_stopped_before
from ding_cls.errors import ConfigError, DingError, DiskError, RunStopped, behind

EXIT_STOPPED = 75

# What pip installs with the library, and an ONNX file predicts without.
_NOT_IN_A_SLIM_PLACE = ("torch", "torchvision", "tensorboardX", "easydict", "yaml", "rich")


def guarded(
    run: Callable[[], Any],
    *,
    is_debugging: bool,
    argv: Sequence[str] | None = None,
    needs_stdout: bool = False,
) -> int:
    """Run, and return the exit code: what ``run`` returned, 0 for None; an error's own after its line.

    Whether stdout and stderr can be written changes neither what is done nor the exit code.

    Args:
        run: what is to be done.
        is_debugging: show an error's traceback.
        argv: what the command line was called with; None: the process's own arguments.
        needs_stdout: what is printed is what the command is for: a full disk there is an error, exit code 3.
    """
    fill_standard_descriptors()
    try:
        with tolerant_streams():
            code = _run(run, is_debugging=is_debugging, argv=argv)
            if code == 0 and needs_stdout and (failure := _failure_of_stdout()) is not None:
                print(f"error: the output could not be written: {failure}", file=sys.stderr)
                return DiskError.exit_code
            return code
    finally:
        forget_unwritten()


def _run(run: Callable[[], Any], *, is_debugging: bool, argv: Sequence[str] | None) -> int:
    if was_stopped_before():
        # torchrun takes a stop for a failure, and starts the ranks anew.
        return EXIT_STOPPED
    try:
        with command_line(argv):
            code = run()
    except DingError as error:
        if is_debugging:
            traceback.print_exc()
        _tell(error)
        return error.exit_code
    except RunStopped as stop:
        return _stopped(stop)
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        # What a signal raised may come out of C++ as another error, or meet one in the cleaning up.
        if (raised := behind(error, RunStopped)) is not None:
            return _stopped(raised)
        if behind(error, KeyboardInterrupt) is not None:
            return _interrupted()
        known = _line_of(error)
        if known is None or is_debugging:
            raise
        _tell(known)
        return known.exit_code
    return code if isinstance(code, int) else 0


def _line_of(error: Exception) -> DingError | None:
    """Return the one line for an error that is none of ours, such as a killed process; None: it has none."""
    if isinstance(error, ModuleNotFoundError) and error.name in _NOT_IN_A_SLIM_PLACE:
        return ConfigError(
            f"this needs {error.name}, which is not installed: pip install ding_cls; without it an ONNX file "
            "answers: ding-cls predict, eval or serve MODEL.onnx"
        )
    if isinstance(error, RuntimeError) and sys.modules.get("torch") is not None:
        from ding_cls.data.worker_loss import process_loss

        return process_loss(error)
    return disk_error(error)


def _tell(error: DingError) -> None:
    if launched_world_size() == 1 and sys.modules.get("torch") is None:
        # An ONNX file predicts where there is no torch.
        print(f"error: {error}", file=sys.stderr)
        return
    from ding_cls.distributed.failure import announce_before_group, was_announced

    if was_announced(error):
        return
    # Every rank reads the same words and finds the same mistake in them: one says so.
    if launched_rank() == 0 or not error.is_on_all_ranks:
        print(f"error: {error}", file=sys.stderr)
    else:
        announce_before_group(error)


def _stopped(stop: RunStopped) -> int:
    if launched_rank() == 0:
        print(stop.message, file=sys.stderr, flush=True)
        if getattr(sys.stderr, "failure", None) is not None:
            # Ctrl-C ends the reader of a pipe, such as tee, first; the terminal itself may still be there.
            with suppress(OSError), open("/dev/tty", "w", encoding="utf-8", errors="replace") as terminal:
                print(stop.message, file=terminal)
    return EXIT_STOPPED


def _interrupted() -> int:
    print("interrupted", file=sys.stderr)
    return 130


def _failure_of_stdout() -> Exception | None:
    sys.stdout.flush()
    failure = sys.stdout.failure if isinstance(sys.stdout, TolerantStream) else None
    # A reader that has had enough is no error.
    return None if isinstance(failure, BrokenPipeError) else failure
