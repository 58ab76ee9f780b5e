"""``docs/confidence.md``: its commands can be typed, and its outputs are what the programs print."""

import re
import shlex

from ding_cls.answers.proportions import expected_share, wilson
from ding_cls.cli import _parser
from tests.docs.scripts import DOCS

PAGE = (DOCS / "confidence.md").read_text(encoding="utf-8")


def test_every_command_of_the_page_can_be_typed() -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M)
    commands = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    assert len(commands) == 6
    for command in commands:
        assert command[0] == "ding-cls"
        _parser().parse_args(command[1:])


def test_its_intervals_are_those_of_its_counts() -> None:
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in PAGE.splitlines() if "│" in line]
    assert len(rows) == 4
    for coverage, _, wrong, interval in rows:
        kept = round(20 * float(coverage))
        low, high = wilson(round(kept * float(wrong) / 100), kept)
        assert interval == f"{low:.2f} to {high:.2f}"
    low, high = wilson(548, 559)
    assert f"98.0 % ({low:.1f} to {high:.1f}) of 559" in PAGE


def test_its_least_numbers_are_so() -> None:
    assert 1 - expected_share(0, 18) == 0.95
    assert "at least 18 images" in PAGE
    assert 0.95**59 < 0.05 < 0.95**58
