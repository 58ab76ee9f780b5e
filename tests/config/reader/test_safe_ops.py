"""What may be computed: the same as in Python, or an error before it is built."""

import re
from pathlib import Path

import pytest

from ding_cls.config import read_config
from tests.config.reader.files import refusal, write


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = (-1) ** 0.5\n", r"complex .* \(recipe\.py:1\)"),
        ("a = 1\n\nb = a / 0\n", r"division by zero \(recipe\.py:3\)"),
        ("a = '%d' % 3\n", r"operator Mod is not for str and int.* \(recipe\.py:1\)"),
        ("a = '{b.c}'.format(b=1)\n", r"field 'b\.c' of format.* \(recipe\.py:1\)"),
        ("a = '{}'.format([1])\n", r"a format string holds numbers and strings, not list \(recipe\.py:1\)"),
        ("a = '{} {}'.format(1)\n", r"field \{1\} of format\(\) has no value; it gets 1 .* \(recipe\.py:1\)"),
        ("a = '{x}'.format()\n", r"field \{x\} of format\(\) has no value; .*\(x=\.\.\.\) \(recipe\.py:1\)"),
        ("a = 'x'.join(b=1)\n", r"join\(\) takes no keywords .* \(recipe\.py:1\)"),
    ],
)
def test_what_is_not_data_is_refused_with_file_and_line(tmp_path: Path, text: str, reason: str) -> None:
    message = refusal(tmp_path, text)
    assert "\n" not in message
    assert re.search(reason, message), message


@pytest.mark.parametrize(
    "expression",
    [
        "10 ** 10 ** 10",
        "2 ** 2049",
        "'a' * 50001",
        "[0] * 10 ** 9",
        "range(50001)",
        "'x'.join(['a' * 30000, 'b' * 30000])",
        "round(1, -101)",
        "f'{1:>100}'",
        "'{:.100f}'.format(1.0)",
        "('x' * 2000).replace('x', 'y' * 1001)",
        "[[1]] == [[1]]",
        "1 << 3",
    ],
)
def test_what_could_be_huge_is_refused_before_it_is_built(tmp_path: Path, expression: str) -> None:
    assert refusal(tmp_path, f"a = {expression}\n").endswith(" (recipe.py:1)")


@pytest.mark.parametrize(
    "expression",
    [
        "2 ** 1000",
        "'a' * 50000",
        "f'{1:>99}'",
        "'x'.join(['a', 'b'])",
        "('x' * 20).replace('x', 'y' * 1000)",
        "[1, 'a'] == [1, 'a']",
        "'a' in dict(a=[[1]])",
    ],
)
def test_what_is_small_has_pythons_value(tmp_path: Path, expression: str) -> None:
    assert read_config(write(tmp_path, f"a = {expression}\n")).a == eval(expression)
