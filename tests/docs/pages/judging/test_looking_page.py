"""``docs/looking.md``: its commands can be typed, and print what it says."""

import re
import shlex
from pathlib import Path

import pytest

from ding_cls.cli import _parser, main
from ding_cls.cli.arguments import parse

DOCS = Path(__file__).resolve().parents[4] / "docs"
PAGE = (DOCS / "looking.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M) for line in block.splitlines()
]
OUTPUTS = re.findall(r"^```text\n(.*?)^```", PAGE, re.S | re.M)


def test_every_command_can_be_typed() -> None:
    assert len(COMMANDS) == 12
    for command in COMMANDS:
        program, *words = shlex.split(command, comments=True)
        assert program == "ding-cls"
        assert callable(parse(_parser(), words).verb)


def test_the_pictures_are_small() -> None:
    pictures = re.findall(r"\]\((images/\w+\.png)\)", PAGE)
    assert len(pictures) == 2
    assert all((DOCS / each).stat().st_size < 60_000 for each in pictures)


@pytest.mark.slow
def test_the_network_is_printed_as_on_the_page(
    workdir: Path, capsys: pytest.CaptureFixture[str], picture_folder: Path
) -> None:
    (picture_folder / "train" / "oak").mkdir()
    picture = (picture_folder / "train" / "ash" / "000.png").read_bytes()
    (picture_folder / "train" / "oak" / "0.png").write_bytes(picture)
    (command,) = [each for each in COMMANDS if "freeze" in each]
    words = shlex.split(command.replace("flowers", str(picture_folder)))[1:]
    assert main([*words, "policy.cuda=False"]) == 0
    assert capsys.readouterr().out == OUTPUTS[2]
