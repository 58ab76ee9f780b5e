"""The mark of a stop: who leaves it, who finds it."""

from pathlib import Path

import pytest

from ding_cls.cli.exits import guarded
from ding_cls.common.stops.mark import MARK, leave_stop_mark, was_stopped_before


def test_without_a_launcher_nothing_is_left(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(workdir))
    leave_stop_mark()
    assert list(workdir.iterdir()) == []
    assert not was_stopped_before()


def test_dist_train_sh_names_the_file(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, "mark")
    leave_stop_mark()
    assert Path("mark").is_file()


def test_a_rank_that_is_started_again_after_a_stop_ends_at_once(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(workdir))
    for name, value in (("RUN_ID", "a/b"), ("MAX_RESTARTS", "1"), ("RESTART_COUNT", "0")):
        monkeypatch.setenv(f"TORCHELASTIC_{name}", value)
    calls: list[str] = []
    leave_stop_mark()
    # Of another launcher: the first start takes no notice, and takes it away.
    assert guarded(lambda: calls.append("first"), is_debugging=False) == 0
    assert list(workdir.iterdir()) == []
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert guarded(lambda: calls.append("after a failure"), is_debugging=False) == 0
    leave_stop_mark()
    assert guarded(lambda: calls.append("after a stop"), is_debugging=False) == 75
    assert calls == ["first", "after a failure"]
