"""Expressions over data: their values, what is refused and where."""

import re
from pathlib import Path

import pytest
from easydict import EasyDict

from ding_cls.config import read_config
from tests.config.reader.files import refusal, write


@pytest.mark.parametrize(
    "expression",
    [
        "{'a': None, **{'b': True}, 'c': (1, 'x', 2.5)}",
        "dict([('a', 1), ('b', 2)], c=3)",
        "[*range(3), *'ab'] + [10 ** 3, 7 // 2, 7 % 4, -2, +3, 7 / 2, 2 - 3, 1e-4]",
        "['x'] * 3 + 2 * ['y'] + list((1, 2)) + list({'k': 1})",
        "tuple(i * j for i in range(3) if i for j in (1, 2) if j > 1)",
        "{f'layer{i}': [j for j in range(i)] for i in range(3)}",
        "[int(1e9), int('7'), int('ff', 16), float('inf'), str(3), bool([]), len('abc'), round(2.567, 1)]",
        "f'{0.5:.3f} {7!r:>4} {\"a\"!s}' 'tail'",
        "[1 if 2 > 1 else 0, 1 < 2 < 3, 'a' in ['a'], 2 not in (1, 2), None is None, not 0]",
        "[1 and 0, 0 or 'z', 0 and 1, 2 or 3]",
        "[[1, 2, 3][1:], 'abc'[-1], {'k': {'v': 5}}['k']['v'], (1, 2)[0]]",
        "[a + b for a, b in [(1, 2), (3, 4)]]",
        "'{} {n:>{w}} {{}} {!r:.3}'.format(1, 'abc', n=2.5, w=6) + '{1}{0}'.format('a', 3)",
        "['a,b'.split(','), ' x '.strip(), 'A'.lower(), 'a'.upper(), '-'.join(['a', 'b'])]",
        "'aa'.replace('a', 'bc')",
        "['abc'.startswith('ab'), 'abc'.endswith('b'), 'a  b'.split(), 'x.y'.strip('x')]",
    ],
)
def test_expressions_have_the_value_that_python_gives_them(tmp_path: Path, expression: str) -> None:
    config = read_config(write(tmp_path, f"value = {expression}\n"))
    expected = eval(expression)
    assert config.value == expected
    assert repr(type(config.value)) == repr(EasyDict if isinstance(expected, dict) else type(expected))


def test_easydict_copies_and_dict_shares_as_in_python(tmp_path: Path) -> None:
    text = "from easydict import EasyDict\na = dict(x=dict(y=1))\nb = EasyDict(a)\nb.x.y = 2\n"
    text += "c = dict(a)\nc['x']['z'] = 3\n"
    config = read_config(write(tmp_path, text))
    assert config == {"a": {"x": {"y": 1, "z": 3}}, "b": {"x": {"y": 2}}, "c": {"x": {"y": 1, "z": 3}}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = 1\nopen('x', 'w')\n", r"open cannot be called .* \(recipe\.py:2\)"),
        (
            "import os\na = dict(\n    b=os.system('true'),\n)\n",
            r"os\.system cannot be called .* \(recipe\.py:3\)",
        ),
        ("a = __import__('os')\n", r"__import__ cannot be called .* \(recipe\.py:1\)"),
        ("import os\na = os.environ\n", r"os\.environ is not data.* \(recipe\.py:2\)"),
        ("a = os.path.join('x', 'y')\n", r"os\.path\.join cannot be called .* \(recipe\.py:1\)"),
        ("dict = 3\na = dict(b=1)\n", r"dict cannot be called .* \(recipe\.py:2\)"),
        ("a = [1].copy()\n", r"\[1\]\.copy cannot be called .* \(recipe\.py:1\)"),
        ("a = (\n    lambda: 1)\n", r"Lambda is not allowed \(recipe\.py:2\)"),
        ("a = {1, 2}\n", r"Set is not allowed \(recipe\.py:1\)"),
        ("a = b'x'\n", r"Constant is not allowed \(recipe\.py:1\)"),
        ("a = ~1\n", r"operator ~ is not allowed .* \(recipe\.py:1\)"),
        ("a = int(x=1)\n", r"int\(\) takes no keywords .* \(recipe\.py:1\)"),
        ("a = dict(b=1, b=2)\n", r"keyword b is given twice \(recipe\.py:1\)"),
        ("x = dict(b=1)\na = dict(\n  b=2, **x)\n", r"keyword b is given twice \(recipe\.py:3\)"),
        ("a = dict(b=1)\na._base_ = {{b}}\n", r"Set is not allowed \(recipe\.py:2\)"),
        ("a = 'x'.encode()\n", r"'x'\.encode cannot be called .* \(recipe\.py:1\)"),
        ("a = dict(b=1)\nc = a.join('x')\n", r"a\.join cannot be called .* \(recipe\.py:2\)"),
    ],
)
def test_what_is_not_data_is_refused_with_file_and_line(tmp_path: Path, text: str, reason: str) -> None:
    message = refusal(tmp_path, text)
    assert "\n" not in message
    assert re.search(reason, message), message
