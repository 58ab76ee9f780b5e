"""Whom a rank says that it lost, and which errors of a rank are its own."""

import sys

import pytest

from ding_cls.common.process import launched_rank
from ding_cls.distributed.failure import announce, lost_rank, name_rank_in_errors, was_announced
from ding_cls.errors import ConfigError, DataError, DiskError, NumbersError, RankLostError

GONE = (
    "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:43684. "
    "This is typically caused by a remote worker crashing.",
    "[/pytorch/gloo/pair.cc:545] Read error [127.0.0.1]:55722: Connection reset by peer. This is typically",
    "[/pytorch/gloo/pair.cc:533] Write error [::1]:5: Broken pipe",
    "Failed to recv, got 0 bytes. Connection was likely closed. Did the remote server shutdown or crash?",
    "NCCL error: remote process exited or there was a network error",
)
SILENT = (
    "[/pytorch/gloo/unbound_buffer.cc:78] Timed out waiting 8000ms for recv operation to complete",
    "[/pytorch/gloo/pair.cc:495] Application timeout caused pair closure",
    "wait timeout after 300000ms, keys: /default_pg/0//1//cuda//0",
)


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "h", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert launched_rank() == 1


@pytest.mark.usefixtures("second_of_two")
def test_every_wording_of_a_lost_rank_is_one_line() -> None:
    for text in GONE:
        line = str(lost_rank(RuntimeError(text)))
        assert line.startswith("rank 1 lost rank 0, which was killed, or says itself why it ended")
        assert "This is typically" not in line
        assert "/pytorch" not in line
    for text in SILENT:
        assert str(lost_rank(RuntimeError(text))).startswith("rank 1 waited in vain for rank 0, which hangs")
    assert lost_rank(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    assert lost_rank(OSError("Connection reset by peer")) is None


@pytest.mark.usefixtures("second_of_two")
def test_a_rank_announces_its_own_error_once(capsys: pytest.CaptureFixture[str]) -> None:
    error = DataError("'a.png' is truncated")
    for _ in range(2):
        announce(error)
    assert capsys.readouterr().err == "error: rank 1 of 2 failed: 'a.png' is truncated\n"
    assert was_announced(error)
    later = DataError("told anew")
    later.__cause__ = error
    assert was_announced(later)
    announce(
        DataError(
            "Caught DataError in worker 0.\nOriginal Traceback (most\n  recent)\nDataError: 'a' is bad\n"
        )
    )
    assert capsys.readouterr().err == "error: rank 1 of 2 failed: DataError: 'a' is bad\n"
    # What all ranks find alike, whom it lost, and no error at all.
    alike = NumbersError("x", is_on_all_ranks=True)
    full = DiskError("x", is_on_all_ranks=True)
    silent = (ConfigError("x"), alike, full, RankLostError("x"), KeyboardInterrupt(), SystemExit(75), None)
    for other in silent:
        announce(other)
    announce(RuntimeError(GONE[0]))
    assert capsys.readouterr().err == ""


def test_a_single_process_announces_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    error = ValueError("x")
    announce(error)
    assert capsys.readouterr().err == ""
    assert not was_announced(error)
    assert lost_rank(RuntimeError(GONE[0])) is None


@pytest.mark.usefixtures("second_of_two")
def test_a_program_of_its_own_ends_with_a_named_rank(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: shown.append(error))
    name_rank_in_errors()
    hook = sys.excepthook
    name_rank_in_errors()
    assert sys.excepthook is hook
    own = ZeroDivisionError("broken")
    hook(type(own), own, None)
    lost = RuntimeError(GONE[0])
    hook(type(lost), lost, None)
    assert shown == [own]
    first, second = capsys.readouterr().err.splitlines()
    assert first == "error: rank 1 of 2 failed: ZeroDivisionError: broken"
    assert second.startswith("error: rank 1 lost rank 0")
