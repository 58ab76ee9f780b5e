"""The family of errors: one base, one exit code each, messages that stay one line."""

import subprocess
import sys

import pytest

from ding_cls import errors
from ding_cls.errors import DingError, RunStopped

FAMILY = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, DingError)
]


def test_the_family_is_complete() -> None:
    assert {each.__name__ for each in FAMILY} >= {
        "DingError",
        "ConfigError",
        "DataError",
        "CheckpointError",
        "ModelError",
        "DistributedError",
    }


@pytest.mark.parametrize("kind", FAMILY)
def test_what_a_user_can_mend_ends_with_a_code_of_its_kind(kind: type[DingError]) -> None:
    assert kind.exit_code == {"DiskError": 3, "NumbersError": 4}.get(kind.__name__, 2)
    # A changed run's says what to do, too.
    assert str(kind("one line")).partition(";")[0] == "one line"
    with pytest.raises(DingError, match="one line"):
        raise kind("one line")


@pytest.mark.parametrize("kind", FAMILY)
def test_an_error_of_ours_is_none_of_pythons_own(kind: type[DingError]) -> None:
    """``except ValueError`` or ``except OSError`` around a call must not swallow it by accident."""
    assert not issubclass(kind, ValueError | OSError | RuntimeError | KeyError | SystemExit)


def test_siblings_do_not_catch_one_another() -> None:
    siblings = DingError.__subclasses__()
    assert not any(issubclass(a, b) for a in siblings for b in siblings if a is not b)


def test_a_stopped_run_is_no_error_and_carries_its_message() -> None:
    stopped = RunStopped("everything is saved")
    assert not isinstance(stopped, Exception)
    assert (stopped.code, str(stopped), stopped.message) == (75, "everything is saved", "everything is saved")


def test_a_program_that_leaves_a_stopped_run_alone_exits_75() -> None:
    lines = (
        "from ding_cls.errors import RunStopped",
        "try: raise RunStopped('saved')",
        "except Exception: pass",
    )
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (75, "", "")
