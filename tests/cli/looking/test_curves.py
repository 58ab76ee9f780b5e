"""``ding-cls curves`` and ``ding-cls logs``."""

import json
from pathlib import Path

import pytest

from ding_cls.cli import main
from ding_cls.cli.looking.curves import _names

pytest.importorskip("matplotlib")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runs, which is the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        log = tmp_path / "runs" / name / "log"
        log.mkdir(parents=True)
        row = {"kind": "epoch", "train_iter": 5, "train_loss": 1.0, "seconds": 1.0}
        (log / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


def test_curves_lie_in_the_runs_folder(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["curves", "runs/one"]) == 0
    assert capsys.readouterr().out == "written to runs/one/curves.png\n"
    assert (runs / "runs/one/curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_of_runs_stands_for_all_of_them(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "runs", "--out", "all.svg"]) == 0
    printed = capsys.readouterr().out
    assert "one" in printed
    assert "two" in printed
    assert printed.endswith("\nwritten to all.svg\n")
    assert (runs / "all.svg").is_file()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["curves", "runs/one", "--out", "a.jpg"], "must end in .png, .svg or .pdf"),
        (["curves", "runs/one", "runs/two"], "of several: ding-cls logs runs/one runs/two"),
        (["curves", "runs"], "does not exist; name the folder of a run"),
        (["logs", "runs/one", "runs/one/"], "a run is named twice: runs/one"),
        (["logs", "."], "'.' is no run's folder, and there is none in it"),
        (["logs", "nowhere"], "'nowhere' does not exist"),
    ],
)
def test_what_is_no_run_is_named(
    runs: Path, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert problem in capsys.readouterr().err


def test_names_leave_out_what_all_begin_with() -> None:
    assert _names(["runs/a", "runs/b"]) == ["a", "b"]
    assert _names(["x/run", "y/run"]) == ["x/run", "y/run"]
    assert _names(["runs/a/"]) == ["a"]
