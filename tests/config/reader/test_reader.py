"""Config files are read as data: what is understood, what is refused and where, and which line set what."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from easydict import EasyDict

from ding_cls.config import read_config
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.errors import ConfigError

DI_STYLE = """\
'''A config in the manner of the zoo.'''
import os
import os.path as osp
from easydict import EasyDict

_root = osp.join('data', 'imagenet')
base = dict(
    batch_size=32,
    milestones=[30 * i for i in range(1, 4)],
)
imagenet_res18_config = dict(
    exp_name=f'imagenet_res{9 * 2:03d}',
    policy=dict(
        cuda=True,
        learn=dict(**base, learning_rate=0.1 * 2 ** -1, decay=round(1 / 3, 2)),
        collect={'learn_data_path': os.path.join(_root, 'train')},
    ),
)
imagenet_res18_config = EasyDict(imagenet_res18_config)
imagenet_res18_config.policy.learn.batch_size = 64
imagenet_res18_config['policy']['cuda'] = 'auto' if not _root else False

if __name__ == '__main__':
    from somewhere import main
    main(imagenet_res18_config)
"""


def _write(folder: Path, text: str, name: str = "recipe.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(_write(folder, text))
    return str(caught.value)


def test_a_config_of_the_zoo_reads_as_python_would_have_executed_it(tmp_path: Path) -> None:
    path = _write(tmp_path, DI_STYLE, "imagenet_res18_config.py")
    config = read_config(path)
    assert config == runpy.run_path(str(path))["imagenet_res18_config"]
    assert config.policy.learn.batch_size == 64
    assert config.policy.learn.milestones == [30, 60, 90]
    assert config.policy.collect.learn_data_path == "data/imagenet/train"
    assert config.policy.cuda is False
    assert isinstance(config.policy.learn, EasyDict)


def test_every_value_knows_the_line_that_set_it(tmp_path: Path) -> None:
    config, origins = read_config_with_origins(_write(tmp_path, DI_STYLE, "imagenet_res18_config.py"))
    assert type(config) is dict
    assert type(config["policy"]["learn"]) is dict
    lines = {
        "exp_name": 12,
        "policy.cuda": 21,
        "policy.learn.batch_size": 20,
        "policy.learn.milestones": 9,
        "policy.learn.learning_rate": 15,
        "policy.learn.decay": 15,
        "policy.collect.learn_data_path": 16,
    }
    assert origins == {path: f"imagenet_res18_config.py:{line}" for path, line in lines.items()}


def test_origins_go_into_lists_of_dicts_by_index_and_name_empty_dicts(tmp_path: Path) -> None:
    text = (
        "main_config = dict(\n    stages=[\n        dict(a=1),\n        {'a': 2},\n    ],\n    env={},\n)\n"
    )
    config, origins = read_config_with_origins(_write(tmp_path, text))
    assert config == {"stages": [{"a": 1}, {"a": 2}], "env": {}}
    assert origins == {
        "stages": "recipe.py:2",
        "stages.0.a": "recipe.py:3",
        "stages.1.a": "recipe.py:4",
        "env": "recipe.py:6",
    }


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
    config = read_config(_write(tmp_path, f"value = {expression}\n"))
    expected = eval(expression)
    assert config.value == expected
    assert repr(type(config.value)) == repr(EasyDict if isinstance(expected, dict) else type(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("other_config = dict(a=1)\nmain_config = dict(a=2)\nx = 1\n", {"a": 2}),
        ("x = 1\nrecipe = dict(a=x)\nsome_config = 3\n", {"a": 1}),
        ("x = 1\nsome_cfg = dict(a=x)\nsome_cfg['b'] = x\n", {"a": 1, "b": 1}),
        (
            "img_norm_cfg = dict(a=1)\nmodel = dict(b=img_norm_cfg)\n",
            {"img_norm_cfg": {"a": 1}, "model": {"b": {"a": 1}}},
        ),
        ("_hidden = 5\nexp_name = 'x'\npolicy = dict(n=_hidden)\n", {"exp_name": "x", "policy": {"n": 5}}),
        ("a: int = 3\nb = c = 4\n(d, [e]) = (5, [6])\npass\n", {"a": 3, "b": 4, "c": 4, "d": 5, "e": 6}),
        ("from __future__ import annotations\nfrom os import path\na = path.join('x', 'y')\n", {"a": "x/y"}),
        ("model = dict(a=1)\nlr_config = dict(b=2)\n", {"model": {"a": 1}, "lr_config": {"b": 2}}),
        ("import easydict\na = [1, 2]\na[0] = easydict.EasyDict(b=1)\n", {"a": [{"b": 1}, 2]}),
        ("", {}),
    ],
)
def test_the_config_is_chosen_by_name(tmp_path: Path, text: str, expected: dict[str, object]) -> None:
    assert read_config(_write(tmp_path, text)) == expected


def test_easydict_copies_and_dict_shares_as_in_python(tmp_path: Path) -> None:
    text = "from easydict import EasyDict\na = dict(x=dict(y=1))\nb = EasyDict(a)\nb.x.y = 2\n"
    text += "c = dict(a)\nc['x']['z'] = 3\n"
    config = read_config(_write(tmp_path, text))
    assert config == {"a": {"x": {"y": 1, "z": 3}}, "b": {"x": {"y": 2}}, "c": {"x": {"y": 1, "z": 3}}}


def test_keys_that_hide_dict_methods_are_refused_all_at_once(tmp_path: Path) -> None:
    text = "a = dict(keys=['img'],\n  b=[dict(\n    update={'pop': 2})])\nc = {'item': 1}\n"
    assert _refusal(tmp_path, text).splitlines() == [
        "a.keys: a key named 'keys' hides the dict method of that name; rename it (recipe.py:1)",
        "a.b.0.update: a key named 'update' hides the dict method of that name; rename it (recipe.py:3)",
        "a.b.0.update.pop: a key named 'pop' hides the dict method of that name; rename it (recipe.py:3)",
    ]


def test_the_arguments_of_a_part_may_be_called_like_dict_methods(tmp_path: Path) -> None:
    config = read_config(_write(tmp_path, "a = [dict(type='Collect', keys=['img'])]\n"))
    assert config["a"][0]["keys"] == ["img"]


def test_all_problems_of_a_file_come_together_and_what_follows_from_one_does_not(tmp_path: Path) -> None:
    text = (
        "import numpy as np\nimport os\na = np.pi\nb = [a, os.getcwd()]\nc = dict(x=b)\nc['y'] = 1\n"
        "d = c['x'][0]\ndef f():\n  return 1\ne = f()\ng = 1 / 0\nh = 3\n"
    )
    assert [
        re.sub(r"cannot.*allowed|allowed: .* \(", "... (", line)
        for line in _refusal(tmp_path, text).splitlines()
    ]
    lines = _refusal(tmp_path, text).splitlines()
    assert [line.rpartition("(")[2] for line in lines] == [
        "recipe.py:1)",
        "recipe.py:8)",
        "recipe.py:11)",
    ]


def test_what_could_be_read_is_returned_beside_the_problems(tmp_path: Path) -> None:
    problems: list[str] = []
    text = "a = open('x')\nb = dict(c=1, items=2)\nd = a\ne = 3\n"
    config, origins = read_config_with_origins(_write(tmp_path, text), problems=problems)
    assert config == {"b": {"c": 1, "items": 2}, "e": 3}
    assert origins == {"b.c": "recipe.py:2", "b.items": "recipe.py:2", "e": "recipe.py:4"}
    assert [line.rpartition(" ")[2] for line in problems] == ["(recipe.py:1)", "(recipe.py:2)"]
    assert problems[1].startswith("b.items: a key named 'items' hides")


def test_a_report_ends_after_fifty_problems(tmp_path: Path) -> None:
    lines = _refusal(tmp_path, "a = x\n" * 100).splitlines()
    assert len(lines) == 51
    assert lines[49].endswith("(recipe.py:50)")
    assert lines[50] == "... and perhaps more: reading stopped after 50 problems"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = 1\nopen('x', 'w')\n", r"open cannot be called .* \(recipe\.py:2\)"),
        (
            "import os\na = dict(\n    b=os.system('true'),\n)\n",
            r"os\.system cannot be called .* \(recipe\.py:3\)",
        ),
        ("import subprocess\n", r"subprocess cannot be imported .* \(recipe\.py:1\)"),
        ("from os import system\n", r"os\.system cannot be imported .* \(recipe\.py:1\)"),
        ("from . import x\n", r"ImportFrom is not allowed \(recipe\.py:1\)"),
        ("a = __import__('os')\n", r"__import__ cannot be called .* \(recipe\.py:1\)"),
        ("a = ().__class__.__bases__\n", r"tuple has no entry '__class__' \(recipe\.py:1\)"),
        ("import os\na = os.environ\n", r"os\.environ is not data.* \(recipe\.py:2\)"),
        ("a = os.path.join('x', 'y')\n", r"os\.path\.join cannot be called .* \(recipe\.py:1\)"),
        ("dict = 3\na = dict(b=1)\n", r"dict cannot be called .* \(recipe\.py:2\)"),
        ("a = [1].copy()\n", r"\[1\]\.copy cannot be called .* \(recipe\.py:1\)"),
        ("a = (\n    lambda: 1)\n", r"Lambda is not allowed \(recipe\.py:2\)"),
        ("a = b\n", r"b is not the name of a value that stands further up \(recipe\.py:1\)"),
        ("def f():\n    pass\n", r"FunctionDef is not allowed \(recipe\.py:1\)"),
        ("for i in [1]:\n    a = i\n", r"For is not allowed \(recipe\.py:1\)"),
        ("while True:\n    pass\n", r"While is not allowed \(recipe\.py:1\)"),
        ("if 1:\n    a = 1\n", r"If is not allowed \(recipe\.py:1\)"),
        ("a = [1]\na += [2]\n", r"AugAssign is not allowed \(recipe\.py:2\)"),
        ("a = {1, 2}\n", r"Set is not allowed \(recipe\.py:1\)"),
        ("a = b'x'\n", r"Constant is not allowed \(recipe\.py:1\)"),
        ("a = (-1) ** 0.5\n", r"complex .* \(recipe\.py:1\)"),
        ("a = 1\n\nb = a / 0\n", r"division by zero \(recipe\.py:3\)"),
        ("a = dict(b=1)\nc = a.d\n", r"dict has no entry 'd' \(recipe\.py:2\)"),
        ("a = [1]\na[3] = 1\n", r"list has no entry 3 to assign to \(recipe\.py:2\)"),
        ("a = '%d' % 3\n", r"operator Mod is not for str and int.* \(recipe\.py:1\)"),
        ("a = ~1\n", r"operator ~ is not allowed .* \(recipe\.py:1\)"),
        ("a = dict(b=1,\n  **[2])\n", r"\*\* needs a dict, not list \(recipe\.py:1\)"),
        ("a = int(x=1)\n", r"int\(\) takes no keywords .* \(recipe\.py:1\)"),
        ("a = [1, 2\n", r"was never closed \(recipe\.py:1\)"),
        ("dict(a=1)\n", r"value goes nowhere .* \(recipe\.py:1\)"),
        ("main_config = 3\n", r"main_config must be a dict, not int \(recipe\.py:1\)"),
        ("a = {\n  1: 2}\n", r"key 1 is not a string \(recipe\.py:2\)"),
        ("a = {'__class__': 2}\n", r"key '__class__' is reserved by Python \(recipe\.py:1\)"),
        ("_base_ = './other.py'\n", r"other\.py cannot be read: No such file .* \(recipe\.py:1\)"),
        ("a = dict(b=1, b=2)\n", r"keyword b is given twice \(recipe\.py:1\)"),
        ("x = dict(b=1)\na = dict(\n  b=2, **x)\n", r"keyword b is given twice \(recipe\.py:3\)"),
        ("a = dict(b=1)\na._base_ = {{b}}\n", r"Set is not allowed \(recipe\.py:2\)"),
        ("a = {{_base_.x}}\n", r"_base_ stands for the merged base files.* \(recipe\.py:1\)"),
        ("a = '{b.c}'.format(b=1)\n", r"field 'b\.c' of format.* \(recipe\.py:1\)"),
        ("a = '{}'.format([1])\n", r"a format string holds numbers and strings, not list \(recipe\.py:1\)"),
        ("a = '{} {}'.format(1)\n", r"field \{1\} of format\(\) has no value; it gets 1 .* \(recipe\.py:1\)"),
        ("a = '{x}'.format()\n", r"field \{x\} of format\(\) has no value; .*\(x=\.\.\.\) \(recipe\.py:1\)"),
        ("a = 'x'.encode()\n", r"'x'\.encode cannot be called .* \(recipe\.py:1\)"),
        ("a = 'x'.join(b=1)\n", r"join\(\) takes no keywords .* \(recipe\.py:1\)"),
        ("a = dict(b=1)\nc = a.join('x')\n", r"a\.join cannot be called .* \(recipe\.py:2\)"),
    ],
)
def test_what_is_not_data_is_refused_with_file_and_line(tmp_path: Path, text: str, reason: str) -> None:
    message = _refusal(tmp_path, text)
    assert "\n" not in message
    assert re.search(reason, message), message


def test_nothing_in_a_refused_file_is_executed(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    _refusal(tmp_path, f"a = open({str(witness)!r}, 'w').write('x')\n")
    _refusal(tmp_path, f"import os\na = [os.mkdir({str(witness)!r}) for i in [1]]\n")
    assert not witness.exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing.py", "missing.py cannot be read: No such file"), ("notes.txt", "its name must end in .py")],
)
def test_an_unreadable_file_is_named(tmp_path: Path, path: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_config(tmp_path / path)


def test_the_room_does_not_import_torch() -> None:
    code = "import sys, ding_cls.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
