"""``docs/evaluating.md``: its commands run, and its lists are those of the program."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import ding_cls
from ding_cls.answers.evaluation.records import COLUMNS
from ding_cls.cli import main
from tests.inference.conftest import images as images
from tests.inference.conftest import trained as trained
from tests.inference.onnx.tiny_network import write_file

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "evaluating.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M)
    for line in block.splitlines()
]


@pytest.fixture
def pets(trained: Path, images: Path) -> None:
    """The page's run, images and configs."""
    Path("runs").mkdir()
    Path("runs/pets").symlink_to(trained)
    Path("photos").symlink_to(images / "val")
    write_file(trained, Path("pets.onnx"))
    Path("other.py").write_text(f"policy = dict(collect=dict(eval_data_path={str(images / 'val')!r}))\n")


def test_the_commands_of_one_process_run(pets: None, capsys: pytest.CaptureFixture[str]) -> None:
    typed = [words for words in COMMANDS if words[:2] == ["ding-cls", "eval"]]
    assert len(typed) == 15
    skipped = ("--split", "runs/pets/ckpt/iteration_4.pth.tar", "net.py")
    run = [words[1:] for words in typed if not any(each in words for each in skipped)]
    assert len(run) == 12
    for words in run:
        assert main(words) == 0, words
    out = capsys.readouterr().out
    assert out.count("data: ") == 12
    assert out.count("written to results.") == 3


def test_the_comparisons_run(pets: None, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = [words[1:] for words in COMMANDS if words[:2] == ["ding-cls", "compare"]]
    assert len(typed) == 3
    for name in "abc":
        Path("runs", name).symlink_to(trained)
    for name in ("a.csv", "b.parquet"):
        ding_cls.evaluate("runs/a", out=name)
    for words in typed:
        assert main([each if each != "test" else "val" for each in words]) == 0, words
    assert capsys.readouterr().out.count("no difference shown: A and B are right on the same images") == 3


def test_the_files_hold_what_the_page_lists(pets: None) -> None:
    rows = dict(re.findall(r"^\| `(\.\w+)` \| (.*) \|$", PAGE, re.M))
    assert re.findall(r"`(\w+)`", rows[".csv"]) == list(COLUMNS)
    ding_cls.evaluate("runs/pets", out="results.npz")
    with np.load("results.npz") as arrays:
        assert re.findall(r"`(\w+)`", rows[".npz"]) == list(arrays)
    ding_cls.evaluate("runs/pets", out="results.json")
    keys = re.findall(r'^  "(\w+)": ', Path("results.json").read_text(), re.M)
    assert re.findall(r"`(\w+)`", rows[".json"]) == keys


def test_the_program_prints_the_runs_loss(pets: None, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)
    exec(compile(program, "evaluating.md", "exec"), {})
    loss, count = capsys.readouterr().out.split()
    assert (float(loss), int(count)) == (pytest.approx(ding_cls.evaluate("runs/pets")["loss"]), 20)
