"""Each known trap is found where it is, named with its line, and not found where it is not."""

from pathlib import Path

import pytest

from ding_cls.config.tools.inspected import read_subject
from ding_cls.config.tools.lint import RULES, lint, show_findings
from dizoo.image_classification.entry import digits_res18_config, imagenet_res18_config

ASSETS = Path(__file__).parents[1] / "assets" / "mm" / "resnet"
RECIPES = [Path(str(module.__file__)) for module in (digits_res18_config, imagenet_res18_config)]

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
# What may stand behind the sections of PIPELINES.
LAST = "        val=dict(type='ImageNet', pipeline=_val),\n    ),\n"
WITHOUT_WORKERS = "dict(learner=dict(dataloader=dict(num_workers=0)))"


def learn(text: str, *, learner: str = "") -> str:
    return f"policy = dict(learn=dict({text}, learner=dict({learner})))"


def mixing(loss: str) -> str:
    mixer, head = "learn=dict(batch_augments=[dict(type='Mixup')])", f"head=dict(type='H', loss={loss})"
    return f"policy = dict({mixer}, model=dict(type='ImageClassifier', {head}))"


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


# Rule, line, a config that has stepped into it, and its nearest relative that has not.
CASES: list[tuple[str, int, str, str]] = [
    (
        "rate-and-batch",
        2,
        "auto_scale_lr = dict(base_batch_size=256)\n" + learn("batch_size=64, learning_rate=0.1"),
        "auto_scale_lr = dict(base_batch_size=64)\n" + learn("batch_size=64, learning_rate=0.1"),
    ),
    ("rate-too-high", 1, learn("learning_rate=10"), learn("learning_rate=4.8")),
    (
        "rate-too-high",
        1,
        learn("optimizer=dict(type='AdamW'), learning_rate=1"),
        learn("optimizer=dict(type='AdamW'), learning_rate=0.5"),
    ),
    ("rate-too-high", 1, learn("learning_rate=10"), learn("optimizer=dict(type='LARS'), learning_rate=10")),
    (
        "decay-after-end",
        1,
        learn("train_epoch=30, decay_epoch=30"),
        learn("train_epoch=31, decay_epoch=30"),
    ),
    (
        "decay-after-end",
        3,
        changed(MM, ("step=[30, 60]", "step=[30, 60, 100]")),
        changed(MM, ("step=[30, 60]", "step=[30, 60, 99]")),
    ),
    (
        "decay-after-end",
        1,
        learn("train_epoch=9, lr_schedule=dict(type='Step', step=9)"),
        learn("train_epoch=9, lr_schedule='cosine'"),
    ),
    (
        "frozen-too-long",
        1,
        learn("train_epoch=3, warmup_epoch=1, freeze=dict(until_epoch=3)"),
        learn("train_epoch=3, warmup_epoch=1, freeze=dict(until_epoch=2)"),
    ),
    (
        "frozen-too-long",
        1,
        learn("train_epoch=3, warmup_epoch=1, freeze_nonlinear_epoch=5"),
        learn("train_epoch=3, warmup_epoch=1, freeze=dict(patterns='body')"),
    ),
    (
        "warmup-too-long",
        1,
        learn("train_epoch=3, lr_schedule='cosine'"),
        learn("train_epoch=4, lr_schedule='cosine'"),
    ),
    (
        "warmup-too-long",
        3,
        changed(MM, ("step=[30, 60]", "step=[30], warmup='linear', warmup_iters=100, warmup_by_epoch=True")),
        # As many updates are a part of the first epoch, for all that a config can tell.
        changed(MM, ("step=[30, 60]", "step=[30], warmup='linear', warmup_iters=100")),
    ),
    (
        "warmup-too-long",
        1,
        learn("lr_schedule=dict(type='Fixed', warmup='exp', warmup_iters=50)", learner="train_iterations=50"),
        learn("lr_schedule=dict(type='Fixed', warmup='exp', warmup_iters=49)", learner="train_iterations=50"),
    ),
    (
        "warmup-too-long",
        1,
        learn("max_iters=50, lr_schedule=dict(type='Fixed', warmup='exp', warmup_iters=50)"),
        learn("max_iters=50, train_epoch=1"),
    ),
    (
        "rate-upside-down",
        1,
        learn("learning_rate=5e-5, warmup_lr=1e-4"),
        learn("learning_rate=5e-5, warmup_lr=1e-4, warmup_epoch=0"),
    ),
    (
        "rate-upside-down",
        1,
        learn("learning_rate=0.01, min_lr=0.02, lr_schedule='cosine'"),
        learn("learning_rate=0.01, min_lr=0.02, lr_schedule='constant'"),
    ),
    (
        "rate-upside-down",
        1,
        learn("learning_rate=0.01, lr_schedule=dict(type='CosineAnnealing', min_lr=0.02)"),
        learn("learning_rate=0.01, lr_schedule=dict(type='CosineAnnealing', min_lr=0.01)"),
    ),
    (
        "clip-before-unscale",
        1,
        learn(
            "precision='fp16'",
            learner="custom_hooks=[dict(type='OptimizerHook', grad_clip=dict(max_norm=1))]",
        ),
        learn(
            "precision='bf16'",
            learner="custom_hooks=[dict(type='OptimizerHook', grad_clip=dict(max_norm=1))]",
        ),
    ),
    (
        "softened-twice",
        1,
        mixing("dict(type='LabelSmoothLoss', label_smooth_val=0.1)"),
        mixing("dict(type='CrossEntropyLoss', use_soft=True)"),
    ),
    (
        "frozen-at-random",
        1,
        changed(PIPELINES, ("depth=18", "depth=18, frozen_stages=0")),
        changed(
            PIPELINES,
            ("depth=18", "depth=18, frozen_stages=0, init_cfg=dict(type='Pretrained', checkpoint='w.pth')"),
        ),
    ),
    (
        "frozen-at-random",
        1,
        changed(PIPELINES, ("depth=18", "depth=18, frozen_stages=1")),
        changed(PIPELINES, ("depth=18", "depth=18, frozen_stages=-1")),
    ),
    (
        "nothing-saved-between",
        1,
        learn("train_epoch=40", learner="hook=dict(save_ckpt_after_iter=False)"),
        learn("train_epoch=40"),
    ),
    (
        "nothing-saved-between",
        4,
        changed(MM, ("checkpoint_config = dict(interval=1)", "checkpoint_config = dict(interval=100)")),
        changed(MM, ("checkpoint_config = dict(interval=1)", "checkpoint_config = dict(interval=99)")),
    ),
    (
        "nothing-saved-between",
        1,
        learn(
            "train_epoch=40",
            learner="hook=dict(save_ckpt_after_iter=0, "
            "mine=dict(type='save_ckpt', position='after_epoch', ext_args=dict(freq=40)))",
        ),
        learn(
            "train_epoch=40",
            learner="hook=dict(save_ckpt_after_iter=0, "
            "mine=dict(type='save_ckpt', position='after_epoch', ext_args=dict(freq=4)))",
        ),
    ),
    (
        "stop-value",
        1,
        "policy = dict(eval=dict(evaluator=dict(stop_value=dict(loss=0.5, acc1=0.9))))",
        "policy = dict(eval=dict(evaluator=dict(stop_value=dict(loss=0.5, acc1=90))))",
    ),
    (
        "stop-value",
        1,
        "policy = dict(eval=dict(evaluator=dict(stop_value=0.75)))",
        "policy = dict(eval=dict(metric=dict(type='Share'), evaluator=dict(stop_value=0.75)))",
    ),
    (
        "stop-value",
        1,
        "policy = dict(eval=dict(evaluator=dict(stop_value=dict(acc5=101))))",
        "policy = dict(eval=dict(evaluator=dict(stop_value=dict(acc5=100))))",
    ),
    (
        "best-by-what",
        5,
        changed(MM, ("'accuracy'", "['precision', 'recall']")),
        changed(MM, ("'accuracy'", "['precision', 'recall'], save_best='recall'")),
    ),
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
        "random-evaluation",
        12,
        changed(PIPELINES, ("type='CenterCrop', crop_size=224", "type='RandomCrop', size=224")),
        PIPELINES,
    ),
    (
        "judged-on-training-data",
        21,
        changed(PIPELINES, ("eval_data_path='val'", "eval_data_path='train'")),
        changed(
            PIPELINES,
            ("eval_data_path='val'", "eval_data_path='train'"),
            ("pipeline=_val", "pipeline=_val, test_mode=True"),
        ),
    ),
    (
        "judged-on-training-data",
        1,
        "policy = dict(collect=dict(learn_data_path='a', eval_data_path='a'))",
        "policy = dict(collect=dict(learn_data_path='a', eval_data_path='a', synthetic=True))",
    ),
    (
        "judged-on-training-data",
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
]


def found(folder: Path, text: str, *, processes: int = 1, name: str = "case.py") -> list[tuple[str, str]]:
    """Return rule and place of all that is found in a config file."""
    file = folder / name
    file.write_text(text)
    subject = read_subject(file)
    return [(each.rule, subject.origin(each.path)) for each in lint(subject, processes=processes)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_trap_is_found_at_its_line_and_its_neighbour_is_none(
    case: tuple[str, int, str, str], tmp_path: Path
) -> None:
    rule, line, sprung, missed = case
    assert (rule, f"case.py:{line}") in found(tmp_path, sprung)
    assert rule not in [name for name, _ in found(tmp_path, missed)]


def test_lighting_orders_the_channels_of_files_before_they_are_normalised(tmp_path: Path) -> None:
    noise = "dict(type='Lighting', eigval=[1, 2, 3], eigvec=[[1, 0, 0], [0, 1, 0], [0, 0, 1]]),"
    lit = f"    {noise}\n    dict(type='Normalize', **dict(_norm, to_rgb=False)),\n]\n_val"
    plain = "    dict(type='Normalize', **_norm),\n]\n_val"
    assert found(tmp_path, changed(PIPELINES, (plain, lit))) == found(tmp_path, PIPELINES)
    kept = changed(PIPELINES, (plain, lit.replace("]]),", "]], to_rgb=False),")))
    rules = [rule for rule, _ in found(tmp_path, kept)]
    assert {"swapped-channels", "unequal-normalisation"} <= set(rules)


@pytest.mark.parametrize("kind", ["Rotate", "Cutout", "AutoAugment", "Lighting", "TrivialAugmentWide"])
def test_chance_has_no_place_in_evaluation_under_any_name(kind: str, tmp_path: Path) -> None:
    text = changed(PIPELINES, ("dict(type='CenterCrop', crop_size=224)", f"dict(type='{kind}')"))
    assert "random-evaluation" in [rule for rule, _ in found(tmp_path, text)]


def test_a_single_mixture_is_smoothed_twice_too(tmp_path: Path) -> None:
    smoothed = "label_smoothing=0.1, batch_augments"
    for mixer in ("dict(type='BatchCutMix', alpha=1.0)", "[dict(type='Identity'), dict(type='ResizeMix')]"):
        rules = [rule for rule, _ in found(tmp_path, learn(f"{smoothed}={mixer}"))]
        assert "softened-twice" in rules
    assert "softened-twice" not in [
        rule for rule, _ in found(tmp_path, learn(f"{smoothed}=[dict(type='Identity')]"))
    ]


def test_every_rule_has_a_case() -> None:
    assert len({rule for rule, *_ in CASES}) == len(RULES) == 20


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_our_recipes_are_clean(recipe: Path) -> None:
    assert lint(read_subject(recipe), processes=1) == []


@pytest.mark.parametrize("name", ["resnet18_8xb32_in1k", "resnet18_8xb16_cifar10"])
def test_recipes_for_eight_processes_are_clean_with_eight(name: str) -> None:
    subject = read_subject(ASSETS / f"{name}.py")
    assert [each.rule for each in lint(subject, processes=1)] == ["rate-and-batch"]
    assert lint(subject, processes=8) == []


@pytest.mark.parametrize(
    ("name", "global_batch"),
    [("resnet50_8xb32_in1k.py", 256), ("res_b32x8_cub.py", 256), ("imagenet_bs1024_adamw.py", 1024)],
)
def test_the_batch_that_a_rate_belongs_to_stands_in_the_name_of_its_file(
    name: str, global_batch: int, tmp_path: Path
) -> None:
    text = learn("batch_size=32, learning_rate=0.1")
    assert [rule for rule, _ in found(tmp_path, text, name=name)] == ["rate-and-batch"]
    assert found(tmp_path, text, name=name, processes=global_batch // 32) == []
    # An override has no file's name: nobody knows which batch it was meant for.
    subject = read_subject(tmp_path / name, ["policy.learn.learning_rate=0.0125"])
    assert lint(subject, processes=1) == []


def test_a_finding_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(learn("batch_size=64, learning_rate=0.1", learner="dataloader=dict(num_workers=0)"))
    subject = read_subject(file, ["auto_scale_lr.base_batch_size=256"])
    assert show_findings(lint(subject, processes=1), subject) == (
        "mine.py:1: rate-and-batch: policy.learn.learning_rate: 0.1 belongs to a global batch of 256 "
        "(auto_scale_lr.base_batch_size); 1 process x 64 make 64; set policy.learn.learning_rate=0.025, or "
        "train with 4 processes (lint with --processes 4)\n"
        "mine.py:1: loading-in-the-way: policy.learn.learner.dataloader.num_workers: no process reads ahead: "
        "the device waits while each batch of pictures is decoded; set "
        "policy.learn.learner.dataloader.num_workers to the number of CPU cores per process, at most 8"
    )


def test_a_config_that_cannot_be_used_is_looked_at_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(learn("lr_rate=0.1, train_epoch=3, lr_schedule='cosine'"))
    subject = read_subject(file)
    assert [each.rule for each in lint(subject, processes=1)] == ["warmup-too-long"]
    _, problems = subject.tree_as_it_is
    assert problems.startswith("policy.learn.lr_rate is not a known key")


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
    (finding,) = lint(read_subject(file), processes=1)
    assert finding.what == "evaluation sees 224 px, training 160 x 192 px (mine.py:5)"
