"""Statements: which define names, which are refused, and that the others are read all the same."""

import re
from pathlib import Path

import pytest

from tests.config.reader.files import refusal


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import subprocess\n", r"subprocess cannot be imported .* \(recipe\.py:1\)"),
        ("from os import system\n", r"os\.system cannot be imported .* \(recipe\.py:1\)"),
        ("from . import x\n", r"ImportFrom is not allowed \(recipe\.py:1\)"),
        ("def f():\n    pass\n", r"FunctionDef is not allowed \(recipe\.py:1\)"),
        ("for i in [1]:\n    a = i\n", r"For is not allowed \(recipe\.py:1\)"),
        ("while True:\n    pass\n", r"While is not allowed \(recipe\.py:1\)"),
        ("if 1:\n    a = 1\n", r"If is not allowed \(recipe\.py:1\)"),
        ("a = [1]\na += [2]\n", r"AugAssign is not allowed \(recipe\.py:2\)"),
        ("a = [1, 2\n", r"was never closed \(recipe\.py:1\)"),
        ("dict(a=1)\n", r"value goes nowhere .* \(recipe\.py:1\)"),
    ],
)
def test_what_is_not_data_is_refused_with_file_and_line(tmp_path: Path, text: str, reason: str) -> None:
    message = refusal(tmp_path, text)
    assert "\n" not in message
    assert re.search(reason, message), message


def test_all_problems_of_a_file_come_together_and_what_follows_from_one_does_not(tmp_path: Path) -> None:
    text = (
        "import numpy as np\nimport os\na = np.pi\nb = [a, os.getcwd()]\nc = dict(x=b)\nc['y'] = 1\n"
        "d = c['x'][0]\ndef f():\n  return 1\ne = f()\ng = 1 / 0\nh = 3\n"
    )
    assert [
        re.sub(r"cannot.*allowed|allowed: .* \(", "... (", line)
        for line in refusal(tmp_path, text).splitlines()
    ]
    lines = refusal(tmp_path, text).splitlines()
    assert [line.rpartition("(")[2] for line in lines] == [
        "recipe.py:1)",
        "recipe.py:8)",
        "recipe.py:11)",
    ]


def test_nothing_in_a_refused_file_is_executed(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    refusal(tmp_path, f"a = open({str(witness)!r}, 'w').write('x')\n")
    refusal(tmp_path, f"import os\na = [os.mkdir({str(witness)!r}) for i in [1]]\n")
    assert not witness.exists()
