"""``docs/slim.md``: its commands and its program run on an ONNX file."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from ding_cls.cli import main
from ding_cls.inference.onnx.steps import written_preprocess
from tests.image_files import write_images
from tests.onnx_files import DESCRIPTION, write_onnx

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "slim.md").read_text(encoding="utf-8")


@pytest.fixture
def flowers(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's file, what the export leaves beside it, and photos."""
    write_onnx(Path("flowers.onnx"))
    Path("flowers_preprocess.py").write_text(written_preprocess(DESCRIPTION), encoding="utf-8")
    write_images(Path("photos"))[0].rename("photos/rose.jpg")
    Path("photos/broken.jpg").write_text("hello")
    monkeypatch.syspath_prepend(workdir)


def test_the_commands_run(flowers: None, capsys: pytest.CaptureFixture[str]) -> None:
    typed = [shlex.split(line) for line in re.findall(r"^ding-cls .*$", PAGE, re.M)]
    assert len(typed) == 2
    for words in typed:
        assert main(words[1:]) == 0
    shown = re.search(r"```text\n(.*?)```", PAGE, re.S)
    assert shown is not None
    out = capsys.readouterr().out
    assert shown[1].splitlines()[1] in out.splitlines()
    assert "photos/rose.jpg" in out.splitlines()
    assert Path("answers.csv").is_file()


def test_the_program_runs_without_this_library(flowers: None, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)
    assert "ding_cls" not in program
    # Another page's program is called so too.
    sys.modules.pop("flowers_preprocess", None)
    try:
        exec(compile(program, "slim.md", "exec"), {})
    finally:
        sys.modules.pop("flowers_preprocess", None)
    assert re.fullmatch(r"\[\[.*\]\]\n", capsys.readouterr().out)
