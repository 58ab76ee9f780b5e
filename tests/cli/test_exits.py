"""Every end has its exit code, and a user's mistake one line."""

import errno
from collections.abc import Callable
from typing import Any

import pytest

from ding_cls.cli.exits import EXIT_STOPPED, guarded
from ding_cls.errors import ConfigError, DiskError, NumbersError, RunStopped


def raises(error: BaseException, cause: BaseException | None = None) -> Callable[[], Any]:
    def run() -> None:
        raise error from cause

    return run


@pytest.mark.parametrize(("returned", "code"), [(None, 0), ("a result", 0), (0, 0), (3, 3)])
def test_an_int_is_the_code_and_anything_else_is_0(returned: Any, code: int) -> None:
    assert guarded(lambda: returned, is_debugging=False) == code


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("policy.x is unknown"), 2, "error: policy.x is unknown\n"),
        (DiskError("the disk is full"), 3, "error: the disk is full\n"),
        (NumbersError("the loss is not finite"), 4, "error: the loss is not finite\n"),
        (RunStopped("stopped; go on with: x", cause="SIGTERM"), EXIT_STOPPED, "stopped; go on with: x\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_an_error_is_its_line_and_its_code(
    error: BaseException, code: int, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raises(error), is_debugging=False) == code
    assert capfd.readouterr().err == line


def test_debug_shows_the_traceback_before_the_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(raises(ConfigError("wrong")), is_debugging=True) == 2
    err = capfd.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("error: wrong\n")


def test_a_full_disk_behind_any_error_is_exit_3(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(raises(OSError(errno.ENOSPC, "No space left on device", "a/b")), is_debugging=False) == 3
    assert capfd.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("cause", "code"), [(RunStopped("stopped", cause="SIGINT"), EXIT_STOPPED), (KeyboardInterrupt(), 130)]
)
def test_a_stop_that_comes_out_as_another_error_is_a_stop(cause: BaseException, code: int) -> None:
    assert (
        guarded(raises(SystemError("returned a result with an exception set"), cause), is_debugging=False)
        == code
    )


def test_a_bug_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(raises(ZeroDivisionError()), is_debugging=False)
