"""What the pages point at is there: files, tests, names, commands."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from ding_cls.cli import _parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
        *(ROOT / "tests").glob("*.md"),
    ]
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMING = (ROOT / "docs" / "coming-from" / "di-engine.md").read_text(encoding="utf-8")
TRAPS = 10


def test_the_pages_are_found() -> None:
    names = {page.name for page in PAGES}
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "config.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    targets = [each for each in re.findall(r"\]\(([^)#]+)", text) if not each.startswith("http")]
    assert [each for each in targets if not (page.parent / each).exists()] == []


def test_each_of_the_ten_traps_names_tests_that_exist() -> None:
    section = COMING.split("## Known traps")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| trap")]
    assert len(rows) == TRAPS
    for row in rows:
        named = re.findall(r"\[`(\w+)`\]\(\.\./\.\./(tests/[\w/]+\.py)\)", row)
        assert named, row
        for name, file in named:
            assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.M), (name, file)


def test_every_known_name_is_where_the_page_says() -> None:
    table = COMING.split("| DI-engine | here | names |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    found = 0
    for theirs, ours, names in rows:
        module = importlib.import_module((theirs if ours == "the same" else ours).strip("`"))
        for name in re.findall(r"`(\w+)`", names):
            assert hasattr(module, name), f"{module.__name__}.{name}"
            found += 1
    assert found == 44


def test_every_command_of_the_readme_can_be_typed() -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", README, re.S | re.M)
    lines = [line for block in blocks for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("ding-cls ")]
    assert len(commands) == 33
    for command in commands:
        _parser().parse_args(command[1:])
    for line in lines:
        for script in re.findall(r"entry/\w+\.sh", line):
            assert (ROOT / script).is_file(), script
