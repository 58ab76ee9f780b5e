"""``ding-cls lr-find``."""

from pathlib import Path

import pytest

from ding_cls.cli import main
from tests.pipeline.dry_run.test_run import SETTINGS

pytest.importorskip("matplotlib")
LAUNCH = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "x", "MASTER_PORT": "1"}


@pytest.mark.slow
def test_it_prints_a_rate_and_draws(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["lr-find", "--data", str(picture_folder), "--model", "lenet5", "--out", "rates.png"]
    assert main([*words, *SETTINGS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "updates, rates 1.0e-07 to " in lines[0]
    assert "the config's rate is 0.001" in lines[1]
    assert lines[-1] == "written to rates.png"
    assert [path.name for path in workdir.iterdir()] == ["rates.png"]


def test_it_runs_in_one_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in LAUNCH.items():
        monkeypatch.setenv(name, value)
    assert main(["lr-find", "--synthetic"]) == 2
    assert "lr-find runs in one process, and 2 were started" in capsys.readouterr().err
