"""A bar on a terminal, and nothing anywhere else."""

import io
import sys

import pytest

from ding_cls.worker import BaseLearner
from tests.worker.learner.parts import QUIET, Counting, Loader, learner

pytestmark = pytest.mark.usefixtures("workdir")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_and_the_lines_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    engine, _ = learner(
        hook={"log_show_after_iter": 1, "save_ckpt_after_iter": False, "save_ckpt_after_run": False}
    )
    engine.start(Loader(3), max_epochs=2)
    text = terminal.getvalue()
    assert "epoch 0" in text
    assert "/6" in text
    assert text.count("Loss: ") == 6
    assert sys.stdout is terminal, "rich did not put the stream back"


def test_a_file_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    engine, _ = learner(
        hook={"log_show_after_iter": 1, "save_ckpt_after_iter": False, "save_ckpt_after_run": False}
    )
    engine.start(Loader(3), max_epochs=2)
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.count("Loss: ") == 6


def test_another_rank_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    engine = BaseLearner(QUIET, Counting().mode, dist_info=(1, 1), exp_name="run")
    engine.start(Loader(2), max_epochs=1)
    assert terminal.getvalue() == ""
