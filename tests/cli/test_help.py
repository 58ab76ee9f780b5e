"""``--help`` of each verb."""

import argparse
import shlex
from collections.abc import Iterator

import pytest

from ding_cls.cli import _parser
from ding_cls.cli.arguments import parse

JUDGING = {"eval", "compare", "report", "predict", "calibrate", "doctor", "curves", "logs", "lr-find"}


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _parsers(each)


def test_no_line_is_wider_than_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    helps = [each.format_help() for each in _parsers(_parser())]
    assert len(helps) > 20
    assert [line for text in helps for line in text.splitlines() if len(line) > 80] == []


def test_an_example_can_be_typed() -> None:
    examples = {each.prog: each.epilog for each in _parsers(_parser()) if each.epilog}
    wanted = [*JUDGING, *(f"show {each}" for each in ("pipeline", "lr", "model"))]
    assert {f"ding-cls {each}" for each in wanted} <= examples.keys()
    for prog, text in examples.items():
        words = shlex.split(text.removeprefix("Example: "))
        assert text.startswith(f"Example: {prog} ")
        assert callable(parse(_parser(), words[1:]).verb)
