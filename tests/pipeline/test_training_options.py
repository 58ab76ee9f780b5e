"""Every option of optimization trains two steps in a run; the best file gives the numbers again."""

from pathlib import Path

import pytest
import torch

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.errors import RunStopped
from ding_cls.pipeline import evaluate, train
from tests.harness import SETTINGS, assert_same, in_older_layout, outcome, run_tiny, tiny_parts
from tests.options.cases.mixtures_table import LIBRARY_OPTIMIZERS, MIXTURES

LEARN = "policy.learn"
TRAINED: dict[str, tuple[str, ...]] = {
    "clip by norm": (f"{LEARN}.grad_clip={{'max_norm': 1.0}}",),
    "clip by value": (f"{LEARN}.grad_clip={{'clip_value': 0.1}}",),
    "ema": (f"{LEARN}.ema={{}}",),
    "mmcv's ema": (f"{LEARN}.learner.custom_hooks=[{{'type': 'EMAHook', 'momentum': 0.1}}]",),
    "swa": (f"{LEARN}.swa={{'start_epoch': 0}}",),
    "precise bn": (f"{LEARN}.precise_bn={{}}",),
    "mmcls's precise bn": (f"{LEARN}.learner.custom_hooks=[{{'type': 'PreciseBNHook'}}]",),
    "sam": (f"{LEARN}.sam={{}}",),
    "plateau": (f"{LEARN}.lr_schedule=default-0.1-3",),
    "step-4-0.8": (f"{LEARN}.lr_schedule=step-4-0.8",),
    "SGDR-5-2": (f"{LEARN}.lr_schedule=SGDR-5-2",),
    "multi-1,2-0.1": (f"{LEARN}.lr_schedule='multi-1,2-0.1'",),
    "momentum schedule": (f"{LEARN}.momentum_schedule={{'type': 'OneCycle'}}",),
    "weight decay schedule": (f"{LEARN}.weight_decay_schedule={{'type': 'CosineAnnealing', 'eta_min': 0}}",),
    "auto_scale_lr": (f"{LEARN}.auto_scale_lr={{'base_batch_size': 256, 'enable': True}}",),
}
# ``acc1`` may be the same twice by chance; ``loss`` is not.
AVERAGES = ("ema", "swa")


@pytest.mark.slow
@pytest.mark.parametrize("option", TRAINED)
def test_every_option_trains_two_steps(option: str, workdir: Path) -> None:
    result = train(
        synthetic=True,
        epochs=1,
        overrides=[
            *SETTINGS,
            tiny_parts("LinearClsHead", in_channels=8, num_classes=4),
            "policy.collect.synthetic_samples=16",
            "policy.collect.synthetic_eval_samples=8",
            "policy.learn.learner.dataloader.num_workers=0",
            *TRAINED[option],
        ],
    )
    (row,) = result.history
    assert (row["train_iter"], row["train_loss"] > 0) == (2, True)


def test_no_option_is_forgotten() -> None:
    assert len(TRAINED) == 15
    assert len(LIBRARY_OPTIMIZERS) == 9
    named = " ".join(setting for settings in MIXTURES.values() for setting in settings)
    for key in ("grad_clip", "ema", "swa", "precise_bn", "sam", "momentum_schedule", "weight_decay_schedule"):
        assert f"{LEARN}.{key}=" in named, key


@pytest.mark.parametrize("option", AVERAGES)
def test_the_best_file_gives_the_numbers_that_were_evaluated(
    option: str, picture_folder: Path, workdir: Path
) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    network = tiny_parts("LinearClsHead", in_channels=8)
    result = run_tiny(picture_folder, "averaged", setting, network, *TRAINED[option])
    plain = run_tiny(picture_folder, "plain", setting, network)
    judged = evaluate("averaged/ckpt/ckpt_best.pth.tar")
    assert {name: judged[name] for name in result.best} == result.best
    last = evaluate("averaged/ckpt/iteration_10.pth.tar")
    assert {name: last[name] for name in result.final} == result.final
    # Without this library the same weights are found, and those in training beside them.
    state = torch.load("averaged/ckpt/iteration_10.pth.tar", weights_only=True)
    assert_same(state["model"], result.model.state_dict(), where="judged")
    raw = torch.load("plain/ckpt/iteration_10.pth.tar", weights_only=True)["model"]
    assert_same(state["training_model"], raw, where="in training")
    assert result.final["loss"] != plain.final["loss"]
    assert [row["train_loss"] for row in result.history] == [row["train_loss"] for row in plain.history]


@pytest.mark.parametrize("option", AVERAGES)
def test_a_file_without_the_optimizer_is_judged_alike(
    option: str, picture_folder: Path, workdir: Path
) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    small = f"{LEARN}.learner.checkpoint.save_optimizer=False"
    network = tiny_parts("LinearClsHead", in_channels=8)
    result = run_tiny(picture_folder, "run", setting, small, network, *TRAINED[option])
    judged = evaluate("run/ckpt/iteration_10.pth.tar")
    assert {name: judged[name] for name in result.final} == result.final
    state = torch.load("run/ckpt/iteration_10.pth.tar", weights_only=True)
    assert (state["left_out"], "optimizer" in state) == (["optimizer"], False)


@pytest.mark.parametrize("option", AVERAGES)
def test_a_run_goes_on_from_a_file_of_the_older_layout(
    option: str, picture_folder: Path, workdir: Path
) -> None:
    settings = (
        "policy.learn.learner.dataloader.num_workers=0",
        tiny_parts("LinearClsHead", in_channels=8),
        *TRAINED[option],
    )
    run_tiny(picture_folder, "whole", *settings)
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "older", *settings, stop_at=7)
    file = Path("older/ckpt/iteration_7.pth.tar")
    state = read_checkpoint(file)
    older = in_older_layout(state)
    assert "model" in older["averaged"]
    write_checkpoint(file, older)
    found = evaluate(file)
    write_checkpoint("newer.pth.tar", state)
    assert found == evaluate("newer.pth.tar")
    run_tiny(picture_folder, "older", *settings, resume=True)
    assert_same(outcome("older"), outcome("whole"), where=option)


def test_a_run_begins_with_what_another_evaluated(
    picture_folder: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    network = tiny_parts("LinearClsHead", in_channels=8)
    first = run_tiny(picture_folder, "averaged", setting, network, f"{LEARN}.ema={{'decay': 0.5}}")
    file = "averaged/ckpt/iteration_10.pth.tar"
    untrained = (setting, network, f"{LEARN}.learner.train_iterations=0")
    init_cfg = f"policy.model.init_cfg={{'type': 'Pretrained', 'checkpoint': '{file}'}}"
    for number, source in enumerate((f"policy.model.pretrained={file}", init_cfg)):
        capsys.readouterr()
        second = run_tiny(picture_folder, f"next_{number}", *untrained, source)
        assert second.final == first.final
        assert "(its averaged weights, which its run evaluated)" in capsys.readouterr().out


def test_both_are_judged_as_each_is_alone(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    network = tiny_parts("LinearClsHead", in_channels=8)
    plain = run_tiny(picture_folder, "plain", setting, network)
    ema = run_tiny(picture_folder, "ema", setting, network, f"{LEARN}.ema={{'decay': 0.5}}")
    hook = "{'type': 'EMAHook', 'decay': 0.5, 'evaluate_on_origin': True}"
    both = run_tiny(picture_folder, "both", setting, network, f"{LEARN}.learner.custom_hooks=[{hook}]")
    assert both.final == ema.final | {f"raw_{name}": value for name, value in plain.final.items()}
    assert {name: both.best[name] for name in ema.best} == ema.best
    assert [row["val_raw_loss"] for row in both.history] == [row["val_loss"] for row in plain.history]
    judged = evaluate("both/ckpt/ckpt_best.pth.tar")
    assert {name: judged[name] for name in ema.best} == ema.best
