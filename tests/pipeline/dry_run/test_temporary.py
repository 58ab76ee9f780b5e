"""A temporary run is the run that would be, less its traces."""

import logging
from pathlib import Path

import pytest

from ding_cls.config.tree import put
from ding_cls.pipeline.dry_run.temporary import temporary_run
from tests.pipeline.dry_run.test_run import SETTINGS, tree

ARGUMENTS = {
    "model": "lenet5",
    "pretrained": False,
    "epochs": None,
    "synthetic": False,
    "exp_name": "wanted",
    "overrides": SETTINGS,
    "allow_code": False,
}


def test_it_is_silent_keeps_warnings_and_leaves_nothing(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {**ARGUMENTS, "data": picture_folder}
    with temporary_run(
        None,
        seed=1,
        arguments=arguments,
        change=lambda cfg: put(cfg, "policy.learn.learning_rate", 0.25),
    ) as opened:
        folder = Path(opened.run.cfg.exp_name)
        assert folder.is_dir()
        assert opened.wanted == Path("wanted")
        assert opened.run.cfg.policy.learn.learning_rate == 0.25
        logging.getLogger("ding_cls").warning("told")
        print("not told")
    assert [each.getMessage() for each in opened.warned.buffer][-1] == "told"
    assert not folder.exists()
    assert tree(workdir) == {}
    assert capsys.readouterr().out == ""
