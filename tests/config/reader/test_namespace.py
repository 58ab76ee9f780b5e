"""Names, entries and templates of a file."""

import re
from pathlib import Path

import pytest

from ding_cls.config import read_config
from ding_cls.config.reader.reader import read_config_with_origins
from tests.config.reader.files import refusal, write_files


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = ().__class__.__bases__\n", r"tuple has no entry '__class__' \(recipe\.py:1\)"),
        ("a = b\n", r"b is not the name of a value that stands further up \(recipe\.py:1\)"),
        ("a = dict(b=1)\nc = a.d\n", r"dict has no entry 'd' \(recipe\.py:2\)"),
        ("a = [1]\na[3] = 1\n", r"list has no entry 3 to assign to \(recipe\.py:2\)"),
        ("a = dict(b=1,\n  **[2])\n", r"\*\* needs a dict, not list \(recipe\.py:1\)"),
        ("a = {{_base_.x}}\n", r"_base_ stands for the merged base files.* \(recipe\.py:1\)"),
    ],
)
def test_what_is_not_data_is_refused_with_file_and_line(tmp_path: Path, text: str, reason: str) -> None:
    message = refusal(tmp_path, text)
    assert "\n" not in message
    assert re.search(reason, message), message


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'{{_base_.lr}}'", 0.1),
        ("'{{ _base_.m.l }}'", [1, {"k": None}]),
        ("{{_base_.m}}", {"l": [1, {"k": None}], "s": "x"}),
        ("{{ _base_.m.l }}[0] + 1", 2),
        ("dict(**{{_base_.m}}, t=2)", {"l": [1, {"k": None}], "s": "x", "t": 2}),
        ("'runs/{{ _base_.m.s }}-{{_base_.lr}}'", "runs/x-0.1"),
        ("'{{ fileBasename }}|{{fileBasenameNoExtension}}|{{ fileExtname}}'", "leaf.py|leaf|.py"),
        ("{{ fileBasenameNoExtension }} + '_x'", "leaf_x"),
        ("f'{_base_.lr} {{ fileExtname }} {{ other }}'", "0.1 .py { other }"),
        ("'{{ fileFoo }} {{ x }} {{'", "{{ fileFoo }} {{ x }} {{"),
        ("_base_['m']['l'][1].k", None),
    ],
)
def test_a_base_value_keeps_its_type_wherever_it_is_written(
    tmp_path: Path, expression: str, value: object
) -> None:
    leaf = write_files(
        tmp_path,
        f"""\
--- b.py
lr = 0.1
m = dict(l=[1, dict(k=None)], s='x')
--- leaf.py
_base_ = ['b.py']
value = {expression}
""",
    )
    config = read_config(leaf)
    assert config.value == value
    assert isinstance(config.value, type(value))


def _variables(leaf: Path) -> set[str]:
    variables: set[str] = set()
    read_config_with_origins(leaf, variables=variables)
    return variables


def test_the_names_that_expressions_use_are_told(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        """\
--- base.py
dataset_type = 'ImageNet'
img_norm_cfg = dict(mean=[1.0])
train_pipeline = [dict(type='Normalize', **img_norm_cfg)]
data = dict(train=dict(type=dataset_type, pipeline=train_pipeline))
width = 2
height = dict(low=dict(depth=3))
total = 5
colour = 'red'
optimizer = dict(lr=0.1)
--- more.yaml
rate: 0.1
text: '{{ fileBasename }}'
--- leaf.py
_base_ = ['base.py', 'more.yaml']
a = _base_.width + _base_['height'].low.depth
b = '{{ _base_.total }}'
c = f'{_base_.colour}'
d = [i for i in [1] if i]
i = 1
e = [f for f in d]
f = 2
g = dict(h=1)
g['h'] = 2
g.k = 3
j = {{ _base_.rate }}
""",
    )
    of_base = {"dataset_type", "img_norm_cfg", "train_pipeline"}
    assert _variables(leaf) == {*of_base, "width", "height", "total", "colour", "rate", "d"}


def test_the_whole_base_stands_for_all_its_names(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path,
        """\
--- base.py
a = 1
b = dict(c=2)
--- leaf.py
_base_ = 'base.py'
d = dict(**_base_)
e = d
""",
    )
    assert _variables(leaf) == {"a", "b", "d"}


def test_a_name_beside_the_variable_that_is_the_config_is_no_key_of_it(tmp_path: Path) -> None:
    leaf = write_files(
        tmp_path, "--- leaf.py\nexp_name = 'x'\nmain_config = dict(exp_name=exp_name, seed=1)\n"
    )
    assert _variables(leaf) == set()
