"""Rules on how a network is trained: each finds its trap at its line, and nothing where there is none."""

from pathlib import Path

import pytest

from ding_cls.config.tools.inspected import inspect_config
from ding_cls.config.tools.lint import lint
from tests.config.tools.lint_cases import MM, PIPELINES, Case, changed, check_case, found, learn


def mixing(loss: str) -> str:
    mixer, head = "learn=dict(batch_augments=[dict(type='Mixup')])", f"head=dict(type='H', loss={loss})"
    return f"policy = dict({mixer}, model=dict(type='ImageClassifier', {head}))"


# Rule, line, a config that has stepped into it, and its nearest relative that has not.
CASES: list[Case] = [
    (
        "rate-and-batch",
        1,
        learn("batch_size=64, learning_rate=0.1, auto_scale_lr=dict(base_batch_size=256)"),
        learn("batch_size=64, learning_rate=0.1, auto_scale_lr=dict(base_batch_size=64)"),
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
        "average-too-late",
        1,
        learn("train_epoch=4, swa=dict(start_epoch=4)"),
        learn("train_epoch=4, swa=dict(start_epoch=3)"),
    ),
    (
        "no-log-line",
        1,
        learn("max_iters=9", learner="log_show_freq=10"),
        learn("max_iters=9", learner="log_show_freq=9"),
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
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_trap_is_found_at_its_line_and_its_neighbour_is_none(case: Case, tmp_path: Path) -> None:
    check_case(case, tmp_path)


def test_a_single_mixture_is_smoothed_twice_too(tmp_path: Path) -> None:
    smoothed = "label_smoothing=0.1, batch_augments"
    for mixer in ("dict(type='BatchCutMix', alpha=1.0)", "[dict(type='Identity'), dict(type='ResizeMix')]"):
        rules = [rule for rule, _ in found(tmp_path, learn(f"{smoothed}={mixer}"))]
        assert "softened-twice" in rules
    assert "softened-twice" not in [
        rule for rule, _ in found(tmp_path, learn(f"{smoothed}=[dict(type='Identity')]"))
    ]


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
    inspected = inspect_config(tmp_path / name, ["policy.learn.learning_rate=0.0125"])
    assert lint(inspected, processes=1) == []
