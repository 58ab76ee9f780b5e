"""``docs/publish.md``: what it has typed can be typed, and what it shows of a card is on one."""

import re
import shlex
from pathlib import Path

from ding_cls.cli import _parser
from ding_cls.report.model_card import model_card
from tests.report.test_model_card import CARD

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "publish.md").read_text(encoding="utf-8")


def test_every_command_can_be_typed() -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.S | re.M)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert len(commands) == 6
    for command in commands:
        assert command[0] == "ding-cls"
        _parser().parse_args(command[1:])


def test_what_is_shown_of_a_card_is_on_one() -> None:
    (shown,) = [each for each in re.findall(r"^```text\n(.*?)^```", PAGE, re.S | re.M) if "license" in each]
    card = model_card(CARD).splitlines()
    fixed = [line for line in shown.splitlines() if line.startswith(("license", "library", "##", "| split"))]
    assert len(fixed) == 6
    assert not set(fixed) - set(card)
