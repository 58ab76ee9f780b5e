"""The same files give the same config as in mmengine, whose loader executes them."""

import random
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config, DictAction

from ding_cls.config import apply_overrides
from ding_cls.config.reader.reader import read_config_with_origins
from tests.config.reader.files import write_files

MM = Path(__file__).parents[1] / "assets" / "mm"
LEAVES = sorted((MM / "resnet").glob("*.py"))


def _public(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out names with an underscore: they are a file's own here, and keys in mmengine."""
    return {key: value for key, value in values.items() if not key.startswith("_")}


def _theirs(path: Path) -> dict[str, Any]:
    return _public(Config.fromfile(path).to_dict())


def _ours(path: Path) -> dict[str, Any]:
    return read_config_with_origins(path)[0]


# Each case is a few files; the last one is read.
CORPUS = {
    "no base": """
--- leaf.py
x = 1
y = dict(a=[1, (2, 'b')], c=None)
""",
    "new keys beside the base's": """
--- b.py
x = dict(a=1)
--- leaf.py
_base_ = './b.py'
x = dict(b=2)
y = 3
""",
    "four levels": """
--- d.py
model = dict(backbone=dict(type='A', depth=1, stages=[1, 2]), head=dict(n=10, loss=dict(w=1.0)))
--- c.py
_base_ = ['d.py']
model = dict(backbone=dict(depth=2), neck=dict(type='N'))
--- b.py
_base_ = './c.py'
model = dict(head=dict(loss=dict(w=2.0, s=0.1)))
--- leaf.py
_base_ = 'b.py'
model = dict(backbone=dict(stages=[3]), head=dict(n=2))
""",
    "several bases": """
--- b1.py
model = dict(a=1)
lr_config = dict(policy='step')
--- b2.py
data = dict(a=1)
--- sub/b3.py
runner = dict(max_epochs=1)
--- leaf.py
_base_ = [
  './b1.py', 'b2.py',
  './sub/b3.py']
model = dict(b=2)
lr_config = dict(step=[1])
""",
    "bases up and down the tree": """
--- _base_/m.py
m = dict(a=dict(b=1))
--- _base_/deep/n.py
_base_ = '../m.py'
m = dict(a=dict(c=2))
--- x/y/a.py
_base_ = ['../../_base_/deep/n.py']
m = dict(a=dict(d=3))
""",
    "delete": """
--- b.py
opt = dict(type='SGD', lr=0.1, momentum=0.9)
--- leaf.py
_base_ = 'b.py'
opt = dict(_delete_=True, type='Adam', lr=1e-3)
""",
    "delete deep down": """
--- b.py
m = dict(a=dict(b=dict(c=dict(d=1, e=2), f=3), g=4), h=5)
--- leaf.py
_base_ = 'b.py'
m = dict(a=dict(b=dict(c=dict(_delete_=True, z=0))))
""",
    "delete inside delete": """
--- b.py
m = dict(a=dict(b=dict(c=1)))
--- leaf.py
_base_ = 'b.py'
m = dict(_delete_=True, a=dict(_delete_=True, b=2))
""",
    "delete where nothing is": """
--- b.py
m = dict(a=1)
--- leaf.py
_base_ = 'b.py'
n = dict(_delete_=True, a=1)
m = dict(k=[dict(_delete_=True)])
""",
    "delete is False": """
--- b.py
m = dict(a=1)
--- leaf.py
_base_ = 'b.py'
m = dict(_delete_=False, b=1)
""",
    "delete at two levels": """
--- c.py
m = dict(a=1, n=dict(x=1))
--- b.py
_base_ = 'c.py'
m = dict(_delete_=True, b=2, n=dict(y=2))
--- leaf.py
_base_ = 'b.py'
m = dict(c=3, n=dict(_delete_=True, z=3))
""",
    "delete over a plain value": """
--- b.py
m = dict(clip=None, n=3)
--- leaf.py
_base_ = 'b.py'
m = dict(clip=dict(_delete_=True, norm=1), n=dict(_delete_=True))
""",
    "lists and tuples are replaced": """
--- b.py
steps = [1, 2, 3]
t = (1, 2)
d = dict(p=[dict(a=1), dict(b=2)])
x = dict(a=1)
--- leaf.py
_base_ = 'b.py'
steps = [9]
t = ()
d = dict(p=[dict(c=1)])
x = [1]
""",
    "plain values over dicts": """
--- b.py
x = dict(a=1)
y = dict(b=dict(c=1))
--- leaf.py
_base_ = 'b.py'
x = None
y = dict(b=5)
""",
    "empty dicts": """
--- b.py
x = dict(a=1)
y = {}
--- leaf.py
_base_ = 'b.py'
x = {}
y = dict(b={})
""",
    "variables": """
--- b.py
size = 224
norm = dict(mean=[1.0], std=[2.0])
test = [dict(type='N', **norm), dict(size=size)]
data = dict(train=dict(p=test), val=dict(p=test))
--- leaf.py
_base_ = 'b.py'
norm = dict(mean=[3.0])
test = [dict(type='N', **norm)]
data = dict(val=dict(p=test))
""",
    "a shared variable, changed later": """
--- leaf.py
a = dict(x=dict(y=1))
b = a
b['x']['y'] = 2
c = dict(a)
c['z'] = 3
d = [a, a]
d[0]['w'] = 4
""",
    "comprehensions": """
--- b.py
n = 3
stages = [dict(i=i, w=2 ** i) for i in range(n) if i != 1]
by = {f's{i}': dict(w=i) for i in range(2)}
--- leaf.py
_base_ = 'b.py'
stages = [dict(s, k=j) for j, s in [(1, dict(a=1)), (2, dict(b=2))]]
by = {k: dict(w=9) for k in ['s1', 's2']}
flat = [x for row in [[1, 2], [3]] for x in row]
""",
    "Python's own": """
--- b.py
base = 1
--- leaf.py
_base_ = 'b.py'
import os
import os.path as osp
a = osp.join('x', 'y') + os.path.join('z')
b = f'{a}/{3:02d}_{0.5:.2f}'
c = int(1e9)
d = '{}_{n:>3}'.format(a, n=2)
e = [round(x) for x in [1.4, 2.6][::-1]]
f = dict([('a', 1)], b=2)
g = dict(dict(a=1), **dict(c=3))
h = [*range(2), *(7, 8)]
j = 1 if h else 2
k = 'a b'.split()
del_ = -3 // 2 % 5
l = [1] * 3 + [2]
m = 'x' if not None else ''
n = 'A'.lower() + ','.join(['p', 'q'])
""",
    "base values as expressions": """
--- b.py
lr = 0.1
m = dict(a=dict(n=[1, 2, dict(z=5)]))
p = [dict(t='a'), dict(t='b'), dict(t='c')]
--- leaf.py
_base_ = ['b.py']
lr2 = _base_.lr * 8
k = _base_.m.a.n[2]['z']
p = _base_.p[:1] + [dict(t='x')]
q = [dict(s, u=1) for s in _base_.p if s['t'] != 'b']
part = _base_.m.a
part.more = 1
""",
    "base values that are changed": """
--- b.py
m = dict(a=dict(n=1), b=[dict(x=1)])
use = dict(m=m)
--- leaf.py
_base_ = 'b.py'
_base_.m.a.n = 5
_base_['m']['b'][0]['x'] = 6
t = _base_.m.a
t['_delete_'] = True
""",
    "base values in braces": """
--- c.py
num = 10
m = dict(head=dict(n=num))
--- b.py
_base_ = 'c.py'
m = dict(head=dict(k={{_base_.num}}))
--- leaf.py
_base_ = 'b.py'
other = {{ _base_.m.head }}
m = dict(aux=[{{ _base_.m.head.n }}, ({{_base_.num}},)])
n = other
""",
    "file names": """
--- sub/base_cfgs.py
where = '{{ fileBasename }}'
--- sub/leaf.py
_base_ = './base_cfgs.py'
a = '{{ fileDirname }}'
b = '{{fileBasename}}'
c = './w/{{ fileBasenameNoExtension }}/x'
d = '{{fileExtname }}'
e = f'{{ fileBasename }}-{3}'
f = dict(g=['{{ fileDirname }}/{{ fileBasename }}'])
h = '{{ fileOther }}'
""",
    "YAML and JSON": r"""
--- c.json
{"lr": 1e-3, "m": {"a": [1, {"b": null}], "u": "\u00e9\ud83d\ude00/"}, "on": true}
--- b.yaml
_base_: ./c.json
m: {k: 1.5e+3, d: [yes, ~, 0x10, 'x', 012]}
x: &x {p: 1, q: {r: 2}}
y: {<<: *x, p: 3}
z: [*x, *x]
prose: >
  one
  two
--- leaf.py
_base_ = ['b.yaml']
m = dict(a=[2])
x = dict(_delete_=True, s=_base_.x.q.r)
""",
    "braces in YAML and JSON": """
--- c.py
n = 10
m = dict(h=dict(n=n))
l = [1, 2]
--- b.json
{"_base_": ["./c.py"], "k": {{ _base_.n }}, "m": {"h": {"j": [{{_base_.m.h}}, {{_base_.l}}]}}}
--- a.yml
_base_: [./b.json]
q: {{ _base_.m.h.n }}
r: [{{_base_.l}}, 5]
s:
  - {{ _base_.k }}
t: ./w/{{ fileBasenameNoExtension }}
u: {v: {{ _base_.l }} }
""",
    "the file is called like its variable": """
--- model.py
model = dict(a=1)
""",
    "the last name ends like a config": """
--- schedule.py
optimizer = dict(lr=1)
lr_config = dict(policy='step')
--- leaf.py
_base_ = 'schedule.py'
optimizer = dict(lr=2)
my_hook_cfg = dict(a=1)
""",
}


@pytest.mark.parametrize("name", CORPUS)
def test_a_file_of_the_corpus_gives_the_dict_that_mmengine_gives(tmp_path: Path, name: str) -> None:
    leaf = write_files(tmp_path, CORPUS[name])
    ours = _ours(leaf)
    assert ours == _theirs(leaf)
    assert repr(ours) == repr(_as_plain(ours))


def _as_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_plain(item) for key, item in value.items()}
    return type(value)(map(_as_plain, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("leaf", LEAVES, ids=[leaf.stem for leaf in LEAVES])
def test_a_leaf_of_the_known_layout_gives_the_dict_that_mmengine_gives(leaf: Path) -> None:
    assert len(LEAVES) == 4
    assert _ours(leaf) == _theirs(leaf)


KEYS = ("a", "b", "c", "d")


def _random_dict(rng: random.Random, depth: int, *, is_child: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if is_child and depth < 4 and rng.random() < 0.2:
        values["_delete_"] = rng.random() < 0.8
    for key in rng.sample(KEYS, rng.randint(1, len(KEYS))):
        # A key holds dicts in all files, or plain values in all: else mmengine raises.
        if key in "ab" and depth:
            values[key] = _random_dict(rng, depth - 1, is_child=is_child)
        else:
            values[key] = rng.choice([rng.randint(0, 99), None, "x", [1, {"k": rng.random()}], (1, 2), True])
    return values


@pytest.mark.parametrize("seed", range(20))
def test_random_chains_of_deep_dicts_merge_as_in_mmengine(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    text = ""
    for level in range(4):
        text += f"--- level{level}.py\n" + (f"_base_ = './level{level - 1}.py'\n" if level else "")
        for section in ("s1", "s2"):
            text += f"{section} = {_random_dict(rng, 4, is_child=level > 0)!r}\n"
    leaf = write_files(tmp_path, text)
    assert _ours(leaf) == _theirs(leaf)


OPTIONS = [
    ["a.b=5", "a.new.deep=x"],
    ["d.0.e=7", "d.1.g.h=[1,2]"],
    ["workflow=[(train,1),(val,1)]"],
    ["workflow=[(train,1), (val, 1)]"],
    ["l=a,b,c"],
    ["l=1,2.5,true,None,x"],
    ["l=[a,b]", "a.b=(1,)"],
    ["l=(1)", "a.b=[1]"],
    ["l=[(1,2,3),[a,b],c]"],
    ["l=[]", "a.b=()"],
    ["a.b=1e-4", "l=-3", "n=False", "t=TRUE"],
    ["a.b=nan_model", "n=s3://bucket/x.pth"],
    ["a.b=inf", "n=-inf"],
    ["a.b='q'", 'n="r"'],
    ["a.b=x=y"],
    ["n=", "a.b=ResNet_50-v1.5"],
    ["a.c.k=3", "a.c.j=4"],
    ["a=3"],
    ["n=1,"],
    ["d.0=5", "d=[x]"],
]


@pytest.mark.parametrize("words", OPTIONS, ids=map(" ".join, OPTIONS))
def test_cfg_options_set_what_mmengine_sets(words: list[str]) -> None:
    cfg = {
        "a": {"b": 1, "c": {"k": 2}},
        "d": [{"e": 1}, {"f": 2, "g": {}}],
        "l": [0],
        "n": None,
        "workflow": [],
    }
    parser = ArgumentParser()
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    options = parser.parse_args(["--cfg-options", *words]).cfg_options
    theirs = Config(cfg)
    if "d.0=5" in words:
        # mmengine cannot replace one element by a plain value.
        options.pop("d.0")
    theirs.merge_from_dict(options)
    assert apply_overrides(cfg, words) == theirs.to_dict()


def test_a_dict_among_the_options_merges_as_in_mmengine() -> None:
    cfg = {"a": {"b": 1, "c": {"k": 2}}, "d": [{"e": 1}, {"f": 2}]}
    for words, options in (
        (["a={'c': {'j': 3}, 'z': 0}"], {"a": {"c": {"j": 3}, "z": 0}}),
        (["a=dict(c=dict(j=3),z=0)"], {"a": {"c": {"j": 3}, "z": 0}}),
        (["a.c={_delete_: true, j: 3}"], {"a.c": {"_delete_": True, "j": 3}}),
        (["d.1={'e': 5}"], {"d.1": {"e": 5}}),
    ):
        theirs = Config(cfg)
        theirs.merge_from_dict(options)
        assert apply_overrides(cfg, words) == theirs.to_dict()
