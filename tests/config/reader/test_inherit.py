"""Base files: how a config is merged into them, and what can be wrong with that."""

from pathlib import Path

import pytest
from easydict import EasyDict

from ding_cls.config import read_config
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.errors import ConfigError
from tests.config.reader.files import write_files


def _refusal(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    return str(caught.value).splitlines()


def test_a_native_file_inherits_the_variable_that_is_the_config(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        """\
--- base/resnet_config.py
from easydict import EasyDict
lr = 0.1
resnet_config = EasyDict(dict(exp_name='a', policy=dict(cuda=True, learn=dict(lr=lr, decay=[1]))))
--- small_config.py
_base_ = './base/resnet_config.py'
factor = 8
small_config = dict(policy=dict(learn=dict(lr=_base_.policy.learn.lr * factor)))
--- leaf.py
_base_ = 'small_config.py'
width = 2
main_config = dict(exp_name=f'{_base_.exp_name}_{width}')
""",
    )
    config = read_config(leaf)
    assert config == {"exp_name": "a_2", "policy": {"cuda": True, "learn": {"lr": 0.8, "decay": [1]}}}
    assert isinstance(config.policy.learn, EasyDict)


def test_over_top_level_names_a_name_like_the_files_is_a_section(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        """\
--- m.py
m = dict(a=1)
--- hook_cfg.py
_base_ = 'm.py'
hook_cfg = dict(b=2)
""",
    )
    assert read_config(leaf) == {"m": {"a": 1}, "hook_cfg": {"b": 2}}


def test_names_with_an_underscore_are_seen_by_heirs_and_left_out_of_the_config(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        """\
--- b.yaml
_norm: &norm {mean: [1.0]}
step: {type: N, <<: *norm}
--- a.py
_base_ = 'b.yaml'
_mine = 2
again = dict(k=_mine, **{{ _base_._norm }})
--- leaf.py
_base_ = 'a.py'
sum = _base_._mine + 1
""",
    )
    assert read_config(leaf) == {
        "step": {"type": "N", "mean": [1.0]},
        "again": {"k": 2, "mean": [1.0]},
        "sum": 3,
    }


def test_each_heir_has_its_own_copy_of_a_base(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        """\
--- common.py
a = dict(x=[1])
--- one.py
_base_ = 'common.py'
_base_.a.x[0] = 2
one = _base_.a
one['more'] = 5
--- leaf.py
_base_ = 'one.py'
again = dict(a=1)
""",
    )
    assert read_config(leaf) == {
        "a": {"x": [2], "more": 5},
        "one": {"x": [2], "more": 5},
        "again": {"a": 1},
    }


def test_bases_of_one_list_that_share_a_key_are_named_with_both_places(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        """\
--- _base_/b1.py
model = dict(a=1)
data = 3
--- _base_/b2.json
{
  "lr": 1,
  "data": 4}
--- sub/leaf.py
y = 1
_base_ = [
    '../_base_/b1.py',
    '../_base_/b2.json',
]
""",
    )
    (problem,) = _refusal(leaf)
    assert problem == (
        "data is set by two files of one _base_ list, ../_base_/b1.py:2 and ../_base_/b2.json; "
        "let one of them inherit from the other, or take it out of one (leaf.py:4)"
    )
    problems: list[str] = []
    assert read_config_with_origins(leaf, problems=problems)[0]["data"] == 4
    assert problems == [problem]


def test_bases_that_share_their_own_base_clash(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        "--- top.py\nx = 1\n--- l.py\n_base_ = 'top.py'\n--- r.py\n_base_ = 'top.py'\n"
        "--- leaf.py\n_base_ = ['l.py', 'r.py']\n",
    )
    (problem,) = _refusal(leaf)
    assert problem.startswith("x is set by two files of one _base_ list, top.py:1 and top.py:1;")


def test_a_circle_of_bases_is_drawn(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        "--- x/a.py\n_base_ = '../b.yaml'\n--- b.yaml\nk: 1\n_base_: ['leaf.py']\n"
        "--- leaf.py\n_base_ = 'x/a.py'\n",
    )
    assert _refusal(leaf) == [
        "base files inherit in a circle: leaf.py > x/a.py > b.yaml > leaf.py (b.yaml:2)"
    ]


def test_a_dict_over_a_plain_value_needs_delete(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        """\
--- b.py
o = dict(clip=None,
         n=dict(k=[1]))
--- leaf.py
_base_ = 'b.py'
o = dict(
    clip=dict(norm=1),
    n=dict(k=dict(z=1)))
""",
    )
    assert _refusal(leaf) == [
        "o.clip is a dict, but NoneType in the base file (b.py:1); "
        "put _delete_=True into the dict to replace it (leaf.py:3)",
        "o.n.k is a dict, but list in the base file (b.py:2); "
        "put _delete_=True into the dict to replace it (leaf.py:4)",
    ]


def test_the_problems_of_all_files_come_together_without_what_follows_from_them(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        """\
--- good.py
x = 1
--- bad.py
import torch
y = open('z')
z = 3
--- worse.py
a = = 1
--- leaf.py
_base_ = ['good.py', 'bad.py',
          'missing.py', '../b.txt',
          'worse.py']
k = _base_.y
l = {{ _base_.nothing }}
m = eval('1')
n = dict(items=3)
""",
    )
    problems = _refusal(leaf)
    assert [problem.rpartition(" (")[2] for problem in problems] == [
        "bad.py:1)",
        "bad.py:2)",
        "leaf.py:2)",
        "leaf.py:2)",
        "worse.py:1)",
        "leaf.py:6)",
        "leaf.py:7)",
    ]
    gathered: list[str] = []
    config, _ = read_config_with_origins(leaf, problems=gathered)
    assert gathered == problems
    assert config == {"x": 1, "z": 3, "n": {"items": 3}}
