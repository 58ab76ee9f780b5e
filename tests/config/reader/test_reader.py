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
from tests.config.reader.files import refusal, write

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


def test_a_config_of_the_zoo_reads_as_python_would_have_executed_it(tmp_path: Path) -> None:
    path = write(tmp_path, DI_STYLE, "imagenet_res18_config.py")
    config = read_config(path)
    assert config == runpy.run_path(str(path))["imagenet_res18_config"]
    assert config.policy.learn.batch_size == 64
    assert config.policy.learn.milestones == [30, 60, 90]
    assert config.policy.collect.learn_data_path == "data/imagenet/train"
    assert config.policy.cuda is False
    assert isinstance(config.policy.learn, EasyDict)


def test_every_value_knows_the_line_that_set_it(tmp_path: Path) -> None:
    config, origins = read_config_with_origins(write(tmp_path, DI_STYLE, "imagenet_res18_config.py"))
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
    config, origins = read_config_with_origins(write(tmp_path, text))
    assert config == {"stages": [{"a": 1}, {"a": 2}], "env": {}}
    assert origins == {
        "stages": "recipe.py:2",
        "stages.0.a": "recipe.py:3",
        "stages.1.a": "recipe.py:4",
        "env": "recipe.py:6",
    }


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
    assert read_config(write(tmp_path, text)) == expected


def test_keys_that_hide_dict_methods_are_refused_all_at_once(tmp_path: Path) -> None:
    text = "a = dict(keys=['img'],\n  b=[dict(\n    update={'pop': 2})])\nc = {'item': 1}\n"
    assert refusal(tmp_path, text).splitlines() == [
        "a.keys: a key named 'keys' hides the dict method of that name; rename it (recipe.py:1)",
        "a.b.0.update: a key named 'update' hides the dict method of that name; rename it (recipe.py:3)",
        "a.b.0.update.pop: a key named 'pop' hides the dict method of that name; rename it (recipe.py:3)",
    ]


def test_the_arguments_of_a_part_may_be_called_like_dict_methods(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, "a = [dict(type='Collect', keys=['img'])]\n"))
    assert config["a"][0]["keys"] == ["img"]


def test_what_could_be_read_is_returned_beside_the_problems(tmp_path: Path) -> None:
    problems: list[str] = []
    text = "a = open('x')\nb = dict(c=1, items=2)\nd = a\ne = 3\n"
    config, origins = read_config_with_origins(write(tmp_path, text), problems=problems)
    assert config == {"b": {"c": 1, "items": 2}, "e": 3}
    assert origins == {"b.c": "recipe.py:2", "b.items": "recipe.py:2", "e": "recipe.py:4"}
    assert [line.rpartition(" ")[2] for line in problems] == ["(recipe.py:1)", "(recipe.py:2)"]
    assert problems[1].startswith("b.items: a key named 'items' hides")


def test_the_room_does_not_import_torch() -> None:
    code = "import sys, ding_cls.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("main_config = 3\n", r"main_config must be a dict, not int \(recipe\.py:1\)"),
        ("a = {\n  1: 2}\n", r"key 1 is not a string \(recipe\.py:2\)"),
        ("a = {'__class__': 2}\n", r"key '__class__' is reserved by Python \(recipe\.py:1\)"),
    ],
)
def test_what_is_not_data_is_refused_with_file_and_line(tmp_path: Path, text: str, reason: str) -> None:
    message = refusal(tmp_path, text)
    assert "\n" not in message
    assert re.search(reason, message), message
