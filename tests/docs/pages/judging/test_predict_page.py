"""``docs/predict.md``: its programs run, and its commands can be typed."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import ding_cls
from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.cli import _parser
from tests.inference.conftest import images as images
from tests.inference.conftest import trained as trained

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "predict.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M)


@pytest.fixture
def pets(trained: Path, images: Path) -> list[str]:
    """The page's runs, and its two images."""
    Path("runs").mkdir()
    Path("runs/pets").symlink_to(trained)
    shutil.copytree(trained, "runs/more")
    other = read_checkpoint("runs/more/ckpt/ckpt_best.pth.tar")
    other["model"]["head.fc.bias"] += 1 - torch.arange(4.0)
    write_checkpoint("runs/more/ckpt/ckpt_best.pth.tar", other)
    Path("photos").mkdir()
    for name, source in (("cat", "ash"), ("dog", "cedar")):
        Image.open(images / "val" / source / "000.png").save(f"photos/{name}.jpg")
    return ["photos/cat.jpg", "photos/dog.jpg"]


def test_the_pages_programs_print_what_the_records_say(
    pets: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    assert len(PROGRAMS) == 4
    printed = []
    for program in PROGRAMS:
        exec(compile(program, "predict.md", "exec"), {})
        printed.append(capsys.readouterr().out.splitlines())
    records = ding_cls.load("runs/pets", device="cpu")(pets)
    assert printed[0] == [f"{each.path} {each.label} {each.name} {each.score} (4,)" for each in records]
    assert printed[1] == [str([each.name for each in records])]
    assert abs(float(printed[2][0])) < 1e-6
    label, score, name = printed[3][0].split(maxsplit=2)
    assert (int(label), name) == (records[0].label, records[0].name)
    assert float(score) == pytest.approx(records[0].score, abs=1e-6)


def test_the_plain_pytorch_has_six_lines_and_the_same_probabilities(pets: list[str]) -> None:
    program = PROGRAMS[1]
    assert len([line for line in program.splitlines() if line]) == 6
    names: dict = {}
    exec(compile(program, "predict.md", "exec"), names)
    records = ding_cls.load("runs/pets")(pets)
    expected = torch.stack([torch.from_numpy(each.probabilities) for each in records])
    assert torch.allclose(names["probabilities"], expected, atol=1e-6)


def test_every_command_of_the_page_can_be_typed() -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M)
    lines = [line.rpartition("| ")[2] for block in blocks for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines]
    assert len(commands) == 16
    for command in commands:
        assert command[:2] == ["ding-cls", "predict"]
        _parser().parse_args(command[1:])
