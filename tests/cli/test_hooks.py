"""``ding-cls hooks`` prints what a run of the config would call."""

from pathlib import Path

import pytest

from ding_cls.cli import main


def test_the_hooks_of_a_config_are_printed_by_position_and_priority(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.py").write_text("exp_name = 'run'\npolicy = dict(learn=dict(learner=dict(log_show_freq=7)))\n")
    assert main(["hooks", "c.py", "policy.learn.learner.hook.save_ckpt_after_iter=5"]) == 0
    out = capsys.readouterr().out
    assert "after_iter" in out
    for word in ("log_show", "save_ckpt"):
        assert word in out
    assert sorted(Path.cwd().iterdir()) == [Path.cwd() / "c.py"]


def test_a_config_is_needed(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hooks", "policy.cuda=False"]) == 2
    assert capsys.readouterr().err == "error: say which config: a file, or a run's folder\n"
