"""Every value of a deep inheritance knows the line, or the override, that set it last."""

from pathlib import Path

from ding_cls.config import apply_overrides
from ding_cls.config.reader.reader import read_config_with_origins
from tests.config.reader.files import write_files

FOUR_LEVELS = """\
--- _base_/models/model.py
width = 64
norm = dict(
    type='BN',
    eps=1e-5)
model = dict(
    type='Classifier',
    backbone=dict(
        type='ResNet',
        depth=18,
        stages=[1, 2, 3],
        norm=norm,
        stem=dict(kernel=7, pool=True)),
    head=dict(
        num_classes=1000, in_channels=width * 8,
        loss=dict(type='CE', weight=1.0)))
--- _base_/schedule.yaml
optimizer:
  type: SGD
  lr: 1e-1
  groups:
    - {name: bias, decay: 0}
    - name: norm
      decay: 0
lr_config: {policy: step, step: [30, 60]}
runner: {max_epochs: 100}
--- _base_/model.py
runtime = {}
--- level2/base.py
_base_ = [
    '../_base_/models/model.py', '../_base_/schedule.yaml',
    '../_base_/model.py']
model = dict(
    backbone=dict(depth=50, **dict(dilated=False)),
    head=dict(in_channels=_base_.model.head.in_channels * 4))
lr_config = dict(step=[_base_.runner.max_epochs // 2])
pipeline = [
    dict(type='Load'),
    dict(step='Normalize', **_base_.norm)]
--- level3.json
{
  "_base_": "level2/base.py",
  "optimizer": {
    "lr": 0.4,
    "groups": [{"name": "all", "decay": {{ _base_.runner.max_epochs }}}]
  },
  "model": {"head": {"loss":
    {"_delete_": true,
     "type": "Smooth"}}},
  "copy_of_norm": {{ _base_.norm }}
}
--- leaf.py
_base_ = './level3.json'
classes = 10

lr_config = dict(
    _delete_=True,
    policy='cosine',
    min_lr=0)
model = dict(
    head=dict(num_classes=classes),
    backbone=dict(stem=dict(
        kernel=3)))
runner = dict(max_epochs='{{ _base_.runner.max_epochs }}')
pipeline = [*_base_.pipeline[:1],
            dict(type='Flip', axes=[0, (1, 2)])]
model['neck'] = dict(type='GAP')
model['head']['topk'] = (1, 5)
"""

# path: (value, file, line), for every leaf; JSON has no lines.
LEAVES = {
    "width": (64, "_base_/models/model.py", 1),
    "norm.type": ("BN", "_base_/models/model.py", 3),
    "norm.eps": (1e-5, "_base_/models/model.py", 4),
    "model.type": ("Classifier", "_base_/models/model.py", 6),
    "model.backbone.type": ("ResNet", "_base_/models/model.py", 8),
    "model.backbone.depth": (50, "level2/base.py", 5),
    "model.backbone.stages": ([1, 2, 3], "_base_/models/model.py", 10),
    "model.backbone.norm.type": ("BN", "_base_/models/model.py", 3),
    "model.backbone.norm.eps": (1e-5, "_base_/models/model.py", 4),
    "model.backbone.stem.kernel": (3, "leaf.py", 11),
    "model.backbone.stem.pool": (True, "_base_/models/model.py", 12),
    "model.backbone.dilated": (False, "level2/base.py", 5),
    "model.head.num_classes": (10, "leaf.py", 9),
    "model.head.in_channels": (2048, "level2/base.py", 6),
    "model.head.loss.type": ("Smooth", "level3.json", None),
    "model.head.topk": ((1, 5), "leaf.py", 16),
    "model.neck.type": ("GAP", "leaf.py", 15),
    "optimizer.type": ("SGD", "_base_/schedule.yaml", 2),
    "optimizer.lr": (0.4, "level3.json", None),
    "optimizer.groups": ([{"name": "all", "decay": 100}], "level3.json", None),
    "optimizer.groups.0.name": ("all", "level3.json", None),
    "optimizer.groups.0.decay": (100, "level3.json", None),
    "lr_config.policy": ("cosine", "leaf.py", 6),
    "lr_config.min_lr": (0, "leaf.py", 7),
    "runner.max_epochs": (100, "leaf.py", 12),
    "runtime": ({}, "_base_/model.py", 1),
    "pipeline": ([{"type": "Load"}, {"type": "Flip", "axes": [0, (1, 2)]}], "leaf.py", 13),
    "pipeline.0.type": ("Load", "level2/base.py", 9),
    "pipeline.1.type": ("Flip", "leaf.py", 14),
    "pipeline.1.axes": ([0, (1, 2)], "leaf.py", 14),
    "pipeline.1.axes.1": ((1, 2), "leaf.py", 14),
    "copy_of_norm.type": ("BN", "_base_/models/model.py", 3),
    "copy_of_norm.eps": (1e-5, "_base_/models/model.py", 4),
    "classes": (10, "leaf.py", 2),
}


ORIGINS = {path: f"{file}:{line}" if line else file for path, (_, file, line) in LEAVES.items()}


def _at(value: object, path: str) -> object:
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, (list, tuple)) else value[key]  # type: ignore[index]
    return value


def test_every_leaf_of_four_levels_names_the_line_that_set_it_last(tmp_path: Path) -> None:
    config, origins = read_config_with_origins(write_files(tmp_path, FOUR_LEVELS))
    assert origins == ORIGINS
    assert {path: _at(config, path) for path in LEAVES} == {
        path: value for path, (value, _, _) in LEAVES.items()
    }


def test_two_overrides_take_over_their_leaves_and_no_others(tmp_path: Path) -> None:
    config, origins = read_config_with_origins(write_files(tmp_path, FOUR_LEVELS))
    words = ["model.backbone.depth=101", "optimizer={groups: [{name: rest}], clip: {norm: 5}}"]
    changed = apply_overrides(config, words, origins=origins)
    expected = dict(ORIGINS)
    del expected["optimizer.groups.0.decay"]
    expected |= {"model.backbone.depth": f"override {words[0]}"}
    expected |= dict.fromkeys(
        ["optimizer.groups", "optimizer.groups.0.name", "optimizer.clip.norm"], f"override {words[1]}"
    )
    assert origins == expected
    assert changed["model"]["backbone"]["depth"] == 101
    assert changed["optimizer"] == {
        "type": "SGD",
        "lr": 0.4,
        "groups": [{"name": "rest"}],
        "clip": {"norm": 5},
    }


def test_the_table_names_exactly_the_leaves(tmp_path: Path) -> None:
    config, origins = read_config_with_origins(write_files(tmp_path, FOUR_LEVELS))

    def leaves(value: object, path: str) -> list[str]:
        if isinstance(value, dict) and value:
            return [leaf for key, item in value.items() for leaf in leaves(item, f"{path}.{key}".lstrip("."))]
        inner = enumerate(value) if isinstance(value, (list, tuple)) else ()
        containers = [(index, item) for index, item in inner if isinstance(item, (dict, list, tuple))]
        return [path, *(leaf for index, item in containers for leaf in leaves(item, f"{path}.{index}"))]

    assert sorted(leaves(config, "")) == sorted(origins) == sorted(LEAVES)
