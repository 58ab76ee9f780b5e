"""Rules on numbers of another unit: each finds its trap at its line, and none elsewhere."""

from pathlib import Path

import pytest

from tests.config.tools.lint_cases import PIPELINES, Case, changed, check_case, found, learn

MEAN, STD = "mean=[123.675, 116.28, 103.53]", "std=[58.395, 57.12, 57.375]"
SMALL_MEAN, SMALL_STD = "mean=[0.485, 0.456, 0.406]", "std=[0.229, 0.224, 0.225]"


def collect(text: str) -> str:
    return f"policy = dict(collect=dict({text}))"


def steps(text: str) -> str:
    return f"""\
_steps = [
    dict(type='LoadImageFromFile'),
    {text},
]
policy = dict(collect=dict(train=dict(type='ImageNet', pipeline=_steps)))
"""


THEIRS = "dict(type='ToDtype', dtype='float32', scale=True), dict(type='torchvision/Normalize', {})"
UNSCALED = "dict(type='ToDtype', dtype='float32'), dict(type='torchvision/Normalize', {})"
ALBU = "dict(type='Albu', transforms=[dict(type='Normalize', {})])"
LOSS = "loss=dict(type='LabelSmoothLoss', label_smooth_val={})"
# Rule, line, a config that has stepped into it, and its nearest relative that has not.
CASES: list[Case] = [
    ("mean-and-std", 1, collect(f"{MEAN}, {STD}"), collect(f"{SMALL_MEAN}, {SMALL_STD}")),
    ("mean-and-std", 1, collect(MEAN), collect(SMALL_MEAN)),
    ("mean-and-std", 1, collect(STD), collect("mean=[0, 0, 0], std=[1, 1, 1]")),
    ("mean-and-std", 2, changed(PIPELINES, (f"{MEAN}, {STD}", f"{SMALL_MEAN}, {SMALL_STD}")), PIPELINES),
    (
        "mean-and-std",
        2,
        changed(PIPELINES, (STD, SMALL_STD)),
        # Caffe's networks take no standard deviation.
        changed(PIPELINES, (STD, "std=[1, 1, 1]")),
    ),
    ("mean-and-std", 2, changed(PIPELINES, (MEAN, SMALL_MEAN)), changed(PIPELINES, (MEAN, "mean=[0, 0, 0]"))),
    (
        "mean-and-std",
        3,
        steps(THEIRS.format(f"{MEAN}, {STD}")),
        steps(THEIRS.format(f"{SMALL_MEAN}, {SMALL_STD}")),
    ),
    (
        "mean-and-std",
        3,
        steps(UNSCALED.format(f"{SMALL_MEAN}, {SMALL_STD}")),
        steps(UNSCALED.format(f"{MEAN}, {STD}")),
    ),
    (
        "mean-and-std",
        3,
        steps(ALBU.format(f"{MEAN}, {STD}")),
        steps(ALBU.format(f"{MEAN}, {STD}, max_pixel_value=1")),
    ),
    ("smoothing", 1, learn("label_smoothing=1"), learn("label_smoothing=0.3")),
    ("smoothing", 1, learn(LOSS.format(10)), learn(LOSS.format(0.1))),
    ("factor-above-one", 1, learn("momentum=90"), learn("momentum=0.99")),
    ("factor-above-one", 1, learn("weight_decay=5"), learn("weight_decay=0.3")),
    (
        "factor-above-one",
        1,
        learn("weight_decay=5, optimizer=dict(type='AdamW')"),
        learn("weight_decay=5, optimizer=dict(type='timm/Lion')"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{each[0]}" for number, each in enumerate(CASES)])
def test_a_rule_finds_its_trap_and_nothing_else(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_one_normalisation_in_two_pipelines_is_one_finding(tmp_path: Path) -> None:
    text = changed(PIPELINES, (f"{MEAN}, {STD}", f"{SMALL_MEAN}, {SMALL_STD}"))
    assert [rule for rule, _ in found(tmp_path, text)].count("mean-and-std") == 1
