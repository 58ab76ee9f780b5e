"""Rules on the data of training and evaluation: each finds its trap at its line, and none elsewhere."""

from pathlib import Path

import pytest

from ding_cls.config.tools.inspected import inspect_config
from ding_cls.config.tools.lint import lint
from tests.config.tools.lint_cases import PIPELINES, Case, changed, check_case, found, learn

# What may stand behind the sections of PIPELINES.
LAST = "        val=dict(type='ImageNet', pipeline=_val),\n    ),\n"
WITHOUT_WORKERS = "dict(learner=dict(dataloader=dict(num_workers=0)))"
ARRAYS = """\
_norm = [
    dict(type='Resize', size=32),
    dict(
        type='Normalize',
        mean=[100, 110, 120], std=[50],
    ),
]
_data = dict(type='NpzDataset', data_prefix='d.npz', pipeline=_norm)
policy = dict(collect=dict(train=_data, val=_data))
"""
# Rule, line, a config that has stepped into it, and its nearest relative that has not.
CASES: list[Case] = [
    (
        "unequal-sizes",
        12,
        changed(PIPELINES, ("crop_size=224", "crop_size=160")),
        # What size (256, -1) leaves, the picture decides.
        changed(PIPELINES, ("    dict(type='CenterCrop', crop_size=224),\n", "")),
    ),
    (
        "unequal-normalisation",
        13,
        changed(
            PIPELINES,
            (
                "crop_size=224),\n    dict(type='Normalize', **_norm)",
                "crop_size=224),\n    dict(type='Normalize', mean=[0, 0, 0], std=_norm['std'], to_rgb=True)",
            ),
        ),
        changed(
            PIPELINES,
            (
                "crop_size=224),\n    dict(type='Normalize', **_norm)",
                "crop_size=224),\n    dict(type='Normalize', mean=(123.675, 116.28, 103.53), "
                "std=_norm['std'], to_rgb=True)",
            ),
        ),
    ),
    (
        "squashed",
        11,
        changed(PIPELINES, ("size=(256, -1)", "size=256")),
        changed(
            PIPELINES,
            ("size=(256, -1)", "size=224"),
            ("    dict(type='CenterCrop', crop_size=224),\n", ""),
        ),
    ),
    (
        "crop-far-from-resize",
        12,
        changed(PIPELINES, ("crop_size=224", "crop_size=112")),
        changed(PIPELINES, ("crop_size=224", "crop_size=180")),
    ),
    (
        "crop-far-from-resize",
        12,
        changed(PIPELINES, ("crop_size=224", "crop_size=(300, 300)")),
        changed(PIPELINES, ("size=(256, -1)", "size=(300, -1), adaptive_side='long'")),
    ),
    (
        "crop-far-from-resize",
        12,
        changed(PIPELINES, ("size=(256, -1)", "size=(400, 512)")),
        changed(
            PIPELINES,
            ("size=(256, -1)", "size=400"),
            ("crop_size=224", "crop_size=224, efficientnet_style=True"),
        ),
    ),
    (
        "crop-far-from-resize",
        1,
        "policy = dict(collect=dict(image_size=64, resize_size=256))",
        "policy = dict(collect=dict(image_size=64))",
    ),
    (
        "swapped-channels",
        2,
        changed(PIPELINES, ("to_rgb=True", "to_rgb=False")),
        changed(
            PIPELINES,
            ("to_rgb=True", "to_rgb=False"),
            ("mean=[123.675, 116.28, 103.53]", "mean=[103.53, 116.28, 123.675]"),
        ),
    ),
    (
        "swapped-arrays",
        5,
        changed(ARRAYS, ("std=[50]", "std=[50, 60, 70], to_rgb=True")),
        changed(ARRAYS, ("std=[50]", "std=[50, 60, 70], to_rgb=False")),
    ),
    (
        "swapped-arrays",
        5,
        changed(ARRAYS, ("std=[50]", "std=[50, 60, 70], to_rgb=True")),
        changed(ARRAYS, ("std=[50]", "std=[50, 60, 70], to_rgb=True"), ("NpzDataset", "MNIST")),
    ),
    (
        "random-evaluation",
        12,
        changed(PIPELINES, ("type='CenterCrop', crop_size=224", "type='RandomCrop', size=224")),
        PIPELINES,
    ),
    (
        "evaluated-on-training-data",
        21,
        changed(PIPELINES, ("eval_data_path='val'", "eval_data_path='train'")),
        changed(
            PIPELINES,
            ("eval_data_path='val'", "eval_data_path='train'"),
            ("pipeline=_val", "pipeline=_val, test_mode=True"),
        ),
    ),
    (
        "evaluated-on-training-data",
        1,
        "policy = dict(collect=dict(learn_data_path='a', eval_data_path='a'))",
        "policy = dict(collect=dict(learn_data_path='a', eval_data_path='a', synthetic=True))",
    ),
    (
        "evaluated-on-training-data",
        1,
        "policy = dict(collect=dict(learn_data_path='a', eval_data_path='./b/../a/'))",
        "policy = dict(collect=dict(learn_data_path='a', eval_data_path='./b/../a/b'))",
    ),
    (
        "evaluated-on-training-data",
        1,
        "_all = dict(type='CustomDataset', data_prefix='a')\n"
        "policy = dict(collect=dict(train=dict(type='RepeatDataset', dataset=_all), val=dict(_all)))",
        "_fold = dict(type='KFoldDataset', dataset=dict(type='CustomDataset', data_prefix='a'))\n"
        "policy = dict(collect=dict(train=_fold, val=_fold))",
    ),
    (
        "loading-in-the-way",
        1,
        learn("batch_size=8", learner="dataloader=dict(num_workers=0)"),
        learn("batch_size=8", learner="dataloader=dict(num_workers=0)")[:-1]
        + ", collect=dict(image_size=32, resize_size=32))",
    ),
    (
        "loading-in-the-way",
        23,
        changed(PIPELINES, (LAST, f"{LAST}    learn={WITHOUT_WORKERS},\n")),
        changed(
            PIPELINES,
            (LAST, f"{LAST}    learn={WITHOUT_WORKERS},\n"),
            ("RandomResizedCrop', size=224", "RandomCrop', size=32"),
        ),
    ),
    (
        "size-without-effect",
        18,
        changed(PIPELINES, ("learn_data_path='train',", "learn_data_path='train', image_size=96,")),
        learn("batch_size=8")[:-1] + ", collect=dict(image_size=96))",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_trap_is_found_at_its_line_and_its_neighbour_is_none(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_lighting_orders_the_channels_of_files_before_they_are_normalised(tmp_path: Path) -> None:
    noise = "dict(type='Lighting', eigval=[1, 2, 3], eigvec=[[1, 0, 0], [0, 1, 0], [0, 0, 1]]),"
    lit = f"    {noise}\n    dict(type='Normalize', **dict(_norm, to_rgb=False)),\n]\n_val"
    plain = "    dict(type='Normalize', **_norm),\n]\n_val"
    assert found(tmp_path, changed(PIPELINES, (plain, lit))) == found(tmp_path, PIPELINES)
    kept = changed(PIPELINES, (plain, lit.replace("]]),", "]], to_rgb=False),")))
    rules = [rule for rule, _ in found(tmp_path, kept)]
    assert {"swapped-channels", "unequal-normalisation"} <= set(rules)


@pytest.mark.parametrize(("to_rgb", "is_told"), [("", False), ("to_rgb=False, ", True)])
def test_files_are_rgb_where_to_rgb_is_left_out(tmp_path: Path, to_rgb: str, is_told: bool) -> None:
    usual = "mean=_norm['mean'], std=_norm['std']"
    text = changed(
        PIPELINES,
        (
            "crop_size=224),\n    dict(type='Normalize', **_norm)",
            f"crop_size=224),\n    dict(type='Normalize', {to_rgb}{usual})",
        ),
    )
    assert ("unequal-normalisation" in [rule for rule, _ in found(tmp_path, text)]) == is_told


@pytest.mark.parametrize("kind", ["Rotate", "Cutout", "AutoAugment", "Lighting", "TrivialAugmentWide"])
def test_chance_has_no_place_in_evaluation_under_any_name(kind: str, tmp_path: Path) -> None:
    text = changed(PIPELINES, ("dict(type='CenterCrop', crop_size=224)", f"dict(type='{kind}')"))
    assert "random-evaluation" in [rule for rule, _ in found(tmp_path, text)]


def test_wrappers_around_a_data_set_are_looked_into(tmp_path: Path) -> None:
    text = changed(
        PIPELINES,
        (
            "train=dict(type='ImageNet', pipeline=_train)",
            "train=dict(type='RepeatDataset', times=3, "
            "dataset=dict(type='ConcatDataset', datasets=[dict(type='ImageNet', pipeline=_train)]))",
        ),
        ("RandomResizedCrop', size=224", "RandomResizedCrop', size=(160, 192)"),
    )
    file = tmp_path / "mine.py"
    file.write_text(text)
    (finding,) = lint(inspect_config(file), processes=1)
    assert finding.what == "evaluation sees 224 px, training 160 x 192 px (mine.py:5)"


@pytest.mark.parametrize(("name", "is_told"), [("mine.py", True), ("total_config.py", False)])
def test_a_size_that_a_run_has_saved_is_no_wish(tmp_path: Path, name: str, is_told: bool) -> None:
    file = tmp_path / name
    file.write_text(
        changed(PIPELINES, ("learn_data_path='train',", "learn_data_path='train', image_size=96,"))
    )
    rules = [each.rule for each in lint(inspect_config(file), processes=1)]
    assert ("size-without-effect" in rules) == is_told
