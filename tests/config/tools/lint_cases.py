"""Configs with traps in them, and what lint finds there."""

from pathlib import Path

from ding_cls.config.tools.inspected import inspect_config
from ding_cls.config.tools.lint import lint

Case = tuple[str, int, str, str]

# A pipeline for each split, in which the cases change a word or two.
PIPELINES = """\
_backbone = dict(type='ResNet', depth=18)
_norm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
_train = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', size=224),
    dict(type='RandomFlip'),
    dict(type='Normalize', **_norm),
]
_val = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', size=(256, -1)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='Normalize', **_norm),
]
policy = dict(
    model=dict(type='ImageClassifier', backbone=_backbone, head=dict(type='LinearClsHead', in_channels=512)),
    collect=dict(
        learn_data_path='train',
        eval_data_path='val',
        train=dict(type='ImageNet', pipeline=_train),
        val=dict(type='ImageNet', pipeline=_val),
    ),
)
"""
# The same parts in the second spelling, where it has words of its own.
MM = """\
optimizer = dict(type='SGD', lr=0.1)
runner = dict(type='EpochBasedRunner', max_epochs=100)
lr_config = dict(policy='step', step=[30, 60])
checkpoint_config = dict(interval=1)
evaluation = dict(metric='accuracy')
"""


def learn(text: str, *, learner: str = "") -> str:
    return f"policy = dict(learn=dict({text}, learner=dict({learner})))"


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def found(folder: Path, text: str, *, processes: int = 1, name: str = "case.py") -> list[tuple[str, str]]:
    """Return rule and place of all that is found in a config file."""
    file = folder / name
    file.write_text(text)
    inspected = inspect_config(file)
    return [(each.rule, inspected.origin(each.path)) for each in lint(inspected, processes=processes)]


def check_case(case: Case, folder: Path) -> None:
    """Check that a rule finds its trap at its line, and none in the config's nearest relative."""
    rule, line, sprung, missed = case
    assert (rule, f"case.py:{line}") in found(folder, sprung)
    assert rule not in [name for name, _ in found(folder, missed)]
