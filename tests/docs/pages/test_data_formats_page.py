"""``docs/data-formats.md``: its files are written, its commands run, and they print what it says."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from ding_cls.cli import main
from tests.data.datasets.test_cifar_mnist import write_mnist
from tests.docs.scripts import DOCS
from tests.harness import SETTINGS, tiny_parts

PAGE = (DOCS / "data-formats.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M))
TINY = tiny_parts("LinearClsHead", in_channels=8).replace("={", "={'_delete_': True, ")
# A composed network has a loss of its own.
OF_SEVERAL = "policy.model={'_delete_': True, 'name': 'shufflenet_v2_x0_5'}"
WORDS = [*SETTINGS, "policy.learn.learner.dataloader.num_workers=0"]


def blocks(section: str) -> list[tuple[str, str, str]]:
    """Return kind, file name and content of each block."""
    return re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```", section, re.S | re.M)


def picture(path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (10, 8)).save(path)


@pytest.fixture
def files(workdir: Path, request: pytest.FixtureRequest) -> list[tuple[str, str, str]]:
    """The files of one section, and images under the names that tables use; what the section says."""
    found = blocks(SECTIONS[request.param])
    write_mnist(workdir / "mnist")
    for number in range(1, 7):
        picture(f"img/{number}.png")
    for kind, name, content in found:
        if kind == "files":
            for path in content.split():
                picture(path)
        elif name:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(content, encoding="utf-8")
        if name.startswith("make_"):
            exec(compile(content, name, "exec"), {})
    return found


def test_every_section_has_a_command_and_what_it_prints() -> None:
    assert len(SECTIONS) == 10
    for name, section in SECTIONS.items():
        assert [kind for kind, _, _ in blocks(section)].count("bash") == 1, name
        assert [kind for kind, _, _ in blocks(section)].count("text") == 1, name
    linked = re.findall(r"\(#([\w-]+)\)", PAGE)
    assert {*linked} <= {name.lower().replace(" ", "-") for name in SECTIONS}


@pytest.mark.parametrize("files", list(SECTIONS), indirect=True)
def test_the_commands_print_what_the_page_says(files: list, capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = (content for kind, _, content in files if kind == "bash")
    (printed,) = (content for kind, _, content in files if kind == "text")
    are_several = any(word in command for word in ("several", "json", "voc"))
    (line,) = command.splitlines()
    _, *words = shlex.split(line)
    assert main([*words, *WORDS, OF_SEVERAL if are_several else TINY]) == 0
    lines = [" ".join(each.split()) for each in capsys.readouterr().out.splitlines()]
    for expected in printed.splitlines():
        assert " ".join(expected.split()) in lines
