"""``docs/export.md``: its commands can be typed, its programs run beside an exported file."""

import contextlib
import io
import re
import runpy
import shlex
from pathlib import Path

import pytest

from ding_cls.cli import _parser, main
from tests.inference.conftest import images as images
from tests.inference.conftest import trained as trained

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)


def test_every_command_can_be_typed() -> None:
    typed = re.findall(r"^ding-cls .*$", PAGE, re.M)
    assert len(typed) == 2
    for line in typed:
        _parser().parse_args(shlex.split(line)[1:])


@pytest.mark.slow
def test_the_programs_run(
    trained: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(PROGRAMS) == 3
    monkeypatch.syspath_prepend(tmp_path)
    Path("runs").mkdir()
    Path("runs/flowers").symlink_to(trained)
    Path("photos").symlink_to(images / "val")
    Path("rose.jpg").symlink_to(images / "val" / "birch" / "001.png")
    for words in ([], ["--format", "torch_export"]):
        out = "flowers.pt2" if words else "flowers.onnx"
        assert main(["export", "runs/flowers", "--out", out, *words]) == 0
    shown = []
    for number, program in enumerate(PROGRAMS):
        Path(f"program_{number}.py").write_text(program)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            runpy.run_path(f"program_{number}.py")
        shown.append(printed.getvalue().splitlines())
    assert shown[0] == shown[1]
    assert shown[2][0].startswith("True ")
    assert shown[2][1] == "Are the results equal? Yes"
