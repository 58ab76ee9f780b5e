"""A run that is stopped anywhere and resumed equals one that was not."""

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.data import DATASETS, PIPELINES, CustomDataset
from ding_cls.errors import CheckpointError, RunStopped
from ding_cls.metrics import METRICS, IMetric
from ding_cls.models import build_classifier
from ding_cls.worker import HOOKS, BaseLearner, Hook, LearnerHook
from tests.data.pictures_options import batch_augments, training_pipeline
from tests.harness import UPDATES, assert_resumes_exactly, assert_same, outcome, run_tiny, tiny_parts

NAMED = {
    "type": "CustomDataset",
    "pipeline": [
        {"type": "LoadImageFromFile"},
        {"type": "RandomResizedCrop", "size": 8},
        {"type": "torchvision/ColorJitter", "brightness": 0.4, "hue": 0.1},
        {"type": "ResumeSpeckle"},
        {"type": "Normalize", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]},
    ],
}
# A network whose names tell its layers.
FEATURES = {
    "type": "ImageClassifier",
    "backbone": {"type": "TinyLayers"},
    "neck": {"type": "GlobalAveragePooling"},
    "head": {"type": "LinearClsHead", "in_channels": 4},
}
# Optimizers of libraries that may be missing.
LIBRARY_OPTIMIZERS = (
    "AdaBelief",
    "Adan",
    "LARS",
    "Lamb",
    "Lion",
    "Ranger",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "timm/Lamb",
)
SEESAW = {"type": "SeesawLoss", "num_classes": 4}
IN_PIECES = ("policy.learn.accumulation_steps=3", "policy.learn.precision=fp16")
# The test writes the file into the working directory.
TEACHER = {
    "teacher": "teacher.pth",
    "model": {
        "type": "ImageClassifier",
        "backbone": {"type": "TinyBackbone"},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "LinearClsHead", "in_channels": 8, "num_classes": 4},
    },
}
_JUDGE, _LEARNER = "policy.eval.evaluator", "policy.learn.learner"
_INSIDE = (f"{_JUDGE}.eval_interval=3", f"{_JUDGE}.by_epoch=False")
OPTIONS = {
    "evaluation every second epoch, by interval": (f"{_JUDGE}.eval_interval=2", f"{_JUDGE}.start=1"),
    "evaluation inside epochs": _INSIDE,
    "evaluation after each update": (f"{_JUDGE}.eval_interval=1", f"{_JUDGE}.by_epoch=False"),
    "evaluation inside epochs from a start": (*_INSIDE, f"{_JUDGE}.start=4"),
    "the best by its loss": (*_INSIDE, f"{_JUDGE}.save_best=loss"),
    "the best by a rule": (*_INSIDE, f"{_JUDGE}.save_best=loss", f"{_JUDGE}.rule=greater"),
    "patience that lasts": (*_INSIDE, f"{_JUDGE}.early_stop_patience=9"),
    "patience by mmengine's hook": (
        *_INSIDE,
        f"{_LEARNER}.custom_hooks=[{{'type': 'EarlyStoppingHook', 'monitor': 'loss', 'patience': 9}}]",
    ),
    "a pass for the training loss": (f"{_JUDGE}.loss_interval=1", "policy.learn.label_smoothing=0.1"),
    "updates counted, a cosine to their end": (
        "policy.learn.max_iters=10",
        "policy.learn.lr_schedule=cosine",
    ),
    "files without the optimizer": (f"{_LEARNER}.checkpoint.save_optimizer=False",),
    "files with further names": (
        f"{_LEARNER}.checkpoint.file_name=epoch_{{epoch}}.pth",
        f"{_LEARNER}.checkpoint.best_name={{model}}_e{{epoch}}_{{score:.5f}}.pth",
        f"{_LEARNER}.hook.save_ckpt_after_epoch=1",
    ),
    "an untrained network saved": (f"{_LEARNER}.hook.save_ckpt_before_run=True",),
    "hooks of mmcv": (
        f"{_LEARNER}.custom_hooks=[{{'type': 'ClassNumCheckHook'}}, {{'type': 'EmptyCacheHook'}}, "
        "{'type': 'SyncBuffersHook'}, {'type': 'IterTimerHook'}, {'type': 'DistSamplerSeedHook'}]",
    ),
    "batches of 8 and 7": ("policy.collect.try_to_train_items=38",),
    "batches of 8 and 7, in pieces, mixed, weighted": (
        "policy.collect.try_to_train_items=38",
        "policy.collect.train={'type': 'ResumeWeighted'}",
        "policy.learn.accumulation_steps=3",
        batch_augments("Mixup"),
    ),
    "batches of 3 and 2 in pieces of one": (
        "policy.collect.try_to_train_items=14",
        "policy.learn.batch_size=3",
        "policy.learn.accumulation_steps=3",
        tiny_parts("LinearClsHead", in_channels=8),
    ),
    "whole batches alone": (
        "policy.learn.batch_size=7",
        f"{_LEARNER}.dataloader.drop_last=True",
    ),
    "nesterov": ("policy.learn.nesterov=True",),
    "step decay": ("policy.learn.lr_schedule=step", "policy.learn.decay_epoch=1"),
    "accumulation": ("policy.learn.accumulation_steps=3",),
    "bf16": ("policy.learn.precision=bf16",),
    "fp16 with a scaler": ("policy.learn.precision=fp16",),
    "channels_last": ("policy.learn.channels_last=True",),
    "label smoothing": ("policy.learn.label_smoothing=0.1",),
    "a loss by name": ("policy.learn.loss={'type': 'LabelSmoothLoss', 'label_smooth_val': 0.1}",),
    "a loss of torch": ("policy.learn.loss={'type': 'MultiMarginLoss'}",),
    "a network of parts": (tiny_parts("LinearClsHead", in_channels=8),),
    "a stacked head with dropout": (
        tiny_parts("StackedLinearClsHead", in_channels=8, mid_channels=[6], dropout_rate=0.3),
    ),
    "a log-softmax head": (tiny_parts("LogSoftmaxHead", in_channels=8),),
    "a head with a margin": (tiny_parts("ArcFaceClsHead", in_channels=8, num_subcenters=2, scale=8.0),),
    "a trained pooling": (
        tiny_parts("CosineClsHead", in_channels=8, scale=8.0),
        "policy.model.neck.type=GeneralizedMeanPooling",
    ),
    "a pooling of cells": (
        tiny_parts("LinearClsHead", in_channels=16),
        "policy.model.neck={'type': 'GridAveragePooling', 'grid': [1, 2], '_delete_': True}",
    ),
    "dropout of a network by name": (
        "policy.model={'name': 'shufflenet_v2_x0_5', 'dropout': 0.5, 'in_channels': 1}",
    ),
    "blocks computed twice, some frozen": (
        tiny_parts("LinearClsHead", in_channels=32),
        "policy.model.backbone={'type': 'ResNet_CIFAR', 'depth': 18, 'base_channels': 4, 'stem_channels': 4, "
        "'with_cp': True, 'frozen_stages': 1, '_delete_': True}",
    ),
    "a backbone of torchvision": (
        tiny_parts("LinearClsHead", in_channels=576),
        "policy.model.backbone={'type': 'mobilenet_v3_small', 'out_indices': -1, '_delete_': True}",
    ),
    "a frozen body, freed": ("policy.learn.freeze_nonlinear_epoch=1",),
    "names frozen, then freed, under Adam": (
        "policy.learn.freeze={'patterns': ['stem', 'norm'], 'until_epoch': 1, 'norm_eval': False}",
        "policy.learn.optimizer.type=AdamW",
    ),
    "a frozen body for good": ("policy.learn.freeze={'patterns': 'body'}",),
    "a head with two losses, in pieces": (tiny_parts("TinyHead"), "policy.learn.accumulation_steps=3"),
    "a head that gives losses alone": (tiny_parts("OneCallTinyHead"),),
    "a checkpoint after each update": ("policy.learn.learner.hook.save_ckpt_after_iter=1",),
    "a log line every third update": ("policy.learn.learner.hook.log_show_after_iter=3",),
    "stop value reached": ("policy.eval.evaluator.stop_value={'acc1': 99.9}",),
    "evaluation every second epoch": ("policy.eval.evaluator.eval_freq=10",),
    "AdamW": ("policy.learn.optimizer.type=AdamW", "policy.learn.weight_decay=0.05"),
    "Adam in groups": ("policy.learn.optimizer={'type': 'Adam', 'paramwise_cfg': {'bias_lr_mult': 2.0}}",),
    "RMSprop": ("policy.learn.optimizer={'type': 'RMSprop', 'momentum': 0.9, 'centered': True}",),
    "ASGD": ("policy.learn.optimizer.type=ASGD",),
    "NAdam": ("policy.learn.optimizer.type=NAdam",),
    "Rprop": ("policy.learn.optimizer.type=Rprop", "policy.learn.weight_decay=None"),
    "a custom key": ("policy.learn.optimizer.paramwise_cfg={'custom_keys': {'head': {'lr_mult': 0.1}}}",),
    "Step with warm-up": (
        "policy.learn.lr_schedule={'type': 'Step', 'step': [1], 'warmup': 'linear', 'warmup_iters': 7}",
    ),
    "CosineAnnealing by update": (
        "policy.learn.lr_schedule={'type': 'CosineAnnealing', 'min_lr': 0.0, 'by_epoch': False}",
    ),
    "Poly with warm-up by epoch": (
        "policy.learn.lr_schedule={'type': 'Poly', 'by_epoch': False, 'warmup': 'exp', 'warmup_iters': 1, "
        "'warmup_by_epoch': True}",
    ),
    "OneCycle": ("policy.learn.lr_schedule={'type': 'OneCycle', 'max_lr': 0.2}",),
    "a hook with a state": ("policy.learn.learner.custom_hooks=[{'type': 'NudgeWeights', 'step': 0.01}]",),
    "a hook with methods and a state": (
        "policy.learn.learner.custom_hooks=[{'type': 'NudgeAtPositions', 'priority': 'LOWEST'}]",
    ),
    "two hooks of one class and a metric of one's own": (
        "policy.learn.learner.custom_hooks=[{'type': 'NudgeAtPositions'}, {'type': 'NudgeAtPositions'}]",
        "policy.eval.metric={'type': 'ErrorCount', 'scale': 3}",
    ),
    "Mixup": (batch_augments("Mixup"),),
    "CutMix between two sides": (batch_augments("CutMix(cutmix_minmax)"),),
    "ResizeMix in pieces": (batch_augments("ResizeMix"), "policy.learn.accumulation_steps=3"),
    "several mixtures, one of them not to the end": (batch_augments("several"),),
    "RandAugment": (training_pipeline("RandAugment"),),
    "AutoAugment by name": (training_pipeline("AutoAugment by name"),),
    "RandomCrop": (training_pipeline("RandomCrop"),),
    "RandomErasing": (training_pipeline("RandomErasing"),),
    "Lighting": (training_pipeline("Lighting"),),
    "EfficientNet's random crop": (training_pipeline("RandomResizedCrop(efficientnet_style)"),),
    "a pipeline by names": (f"policy.collect.train={NAMED!r}",),
    "repeated augmentation": ("policy.collect.sampler={'type': 'RepeatAug', 'num_repeats': 3}",),
    "classes drawn alike": ("policy.collect.sampler={'type': 'ClassBalanced', 'power': 0.5}",),
    "a repeated subset": (
        "policy.collect.train={'type': 'RepeatDataset', 'times': 2, 'dataset': {'type': 'SubsetDataset', "
        f"'num_samples': 20, 'dataset': {NAMED!r}}}}}",
    ),
    "weights of samples": ("policy.collect.train={'type': 'ResumeWeighted'}",),
    "weights of samples, in pieces": (
        "policy.collect.train={'type': 'ResumeWeighted'}",
        "policy.learn.accumulation_steps=3",
    ),
    **{
        f"the loss {name}": (f"policy.learn.loss={described!r}", *more)
        for name, described, more in (
            ("BCE by short form", "BCE", ()),
            ("Focalloss-2", "Focalloss-2", ()),
            ("CrossEntropyLoss by class counts", {"type": "CrossEntropyLoss", "class_weight": "auto"}, ()),
            ("FocalLoss", {"type": "FocalLoss"}, ()),
            ("AsymmetricLoss", {"type": "AsymmetricLoss"}, ()),
            ("SeesawLoss", SEESAW, ()),
            ("SeesawLoss in pieces, in fp16", SEESAW, IN_PIECES),
        )
    },
    "SeesawLoss in a head": (tiny_parts("LinearClsHead", in_channels=8, loss=SEESAW),),
    "distillation": (f"policy.learn.distill={TEACHER!r}",),
    "distillation by features, in pieces": (
        tiny_parts("LinearClsHead", in_channels=8),
        f"policy.learn.distill={ {**TEACHER, 'feature_weight': 2.0}!r}",
        "policy.learn.accumulation_steps=3",
    ),
    "metrics of all kinds": (
        "policy.eval.metric={'type': 'ClassificationMetrics', 'primary': 'f1', 'average': ['macro', 'none'], "
        "'metrics': ['loss', 'accuracy', 'f1', 'support', 'confusion', 'mAP', 'auroc', 'ece', 'brier']}",
    ),
    "AdamW in fp16": ("policy.learn.optimizer.type=AdamW", "policy.learn.precision=fp16"),
    "clipping by norm, in pieces, in fp16": (
        "policy.learn.grad_clip={'max_norm': 0.1}",
        "policy.learn.accumulation_steps=3",
        "policy.learn.precision=fp16",
    ),
    "clipping by value": ("policy.learn.grad_clip={'clip_value': 0.01}",),
    "a moving average": ("policy.learn.ema={'decay': 0.9, 'warm_up': 5}",),
    "a moving average with gaps, saved often": (
        "policy.learn.ema={'momentum': 0.2, 'warm_up': 0, 'interval': 3}",
        "policy.learn.learner.hook.save_ckpt_after_epoch=1",
    ),
    "another recipe from the second epoch": (
        "policy.learn.batch_augments=[{'type': 'Mixup', 'alpha': 0.8}]",
        f"{_JUDGE}.loss_interval=1",
        "policy.learn.recipes=[{'action_epoch': 1, 'batch_augments': [], "
        "'loss': {'type': 'SoftmaxFocalLoss', 'gamma': 2.0}}]",
    ),
    "another loss in a head, by update": (
        tiny_parts("LinearClsHead", in_channels=8),
        "policy.learn.ema={'decay': 0.5}",
        f"{_JUDGE}.loss_interval=1",
        f"{_LEARNER}.custom_hooks=[{{'type': 'SwitchRecipeHook', 'schedule': [{{'action_iter': 3, "
        "'loss': 'Focalloss-2'}, {'action_iter': 7, 'batch_augments': [{'type': 'Mixup', 'alpha': 0.8}]}]}]",
    ),
    "a moving average, and the weights in training judged too": (
        *_INSIDE,
        "policy.learn.ema={'decay': 0.5, 'warm_up': 3, 'evaluate': 'both'}",
        f"{_JUDGE}.save_best=raw_loss",
    ),
    "a moving average that is not evaluated": ("policy.learn.ema={'decay': 0.5, 'evaluate': 'raw'}",),
    "margins by class size that grow, averaged": (
        tiny_parts("ArcFaceClsHead", in_channels=8, scale=8.0),
        "policy.learn.ema={'decay': 0.5}",
        f"{_JUDGE}.loss_interval=1",
        f"{_LEARNER}.custom_hooks=[{{'type': 'SetAdaptiveMarginsHook'}}, {{'type': 'WarmupParamHook', "
        "'param_name': 'margins', 'module_name': 'head', 'warmup_epochs': 2}]",
    ),
    "a moving average in fp16": ("policy.learn.ema={}", "policy.learn.precision=fp16"),
    "SWA": ("policy.learn.swa={'start_epoch': 0, 'lr': 0.02, 'anneal_epochs': 2}",),
    "SWA from the second epoch, with precise BatchNorm": (
        "policy.learn.swa={'start_epoch': 1}",
        "policy.learn.precise_bn={'num_samples': 16}",
        "policy.learn.learner.hook.save_ckpt_after_epoch=1",
    ),
    "precise BatchNorm": ("policy.learn.precise_bn={'num_samples': 20}",),
    "a moving average with precise BatchNorm": (
        "policy.learn.ema={'decay': 0.5}",
        "policy.learn.precise_bn={}",
        "policy.learn.learner.hook.save_ckpt_after_epoch=1",
    ),
    "SAM": ("policy.learn.sam={'rho': 0.1}",),
    "SAM adaptive, in pieces, clipped, averaged": (
        "policy.learn.sam={'rho': 0.1, 'adaptive': True}",
        "policy.learn.accumulation_steps=2",
        "policy.learn.grad_clip={'max_norm': 0.5}",
        "policy.learn.ema={'decay': 0.5}",
    ),
    "a plateau": (
        "policy.learn.lr_schedule={'type': 'ReduceLROnPlateau', 'monitor': 'loss', 'mode': 'max', "
        "'factor': 0.5, 'patience': 0, 'warmup': 'linear', 'warmup_iters': 3}",
    ),
    "a plateau, by its short form": ("policy.learn.lr_schedule=default-0.5-0",),
    "restarts, by their short form": ("policy.learn.lr_schedule=SGDR-1-2",),
    "steps, by their short form": (
        "policy.learn.lr_schedule='multi-1,2-0.5'",
        "policy.learn.warmup_epoch=0.4",
    ),
    "a cycle of momentum": (
        "policy.learn.lr_schedule={'type': 'OneCycle', 'max_lr': 0.2}",
        "policy.learn.momentum_schedule={'type': 'OneCycle'}",
    ),
    "a schedule of Adam's beta": (
        "policy.learn.optimizer.type=Adam",
        "policy.learn.momentum_schedule={'type': 'LinearAnnealing', 'min_momentum': 0.5, 'by_epoch': False}",
    ),
    "a schedule of weight decay": (
        "policy.learn.weight_decay_schedule={'type': 'CosineAnnealing', 'eta_min': 0.1, 'by_epoch': False}",
        "policy.learn.optimizer.paramwise_cfg={'norm_decay_mult': 0.0}",
    ),
    "a rate by the global batch": ("policy.learn.auto_scale_lr={'base_batch_size': 32, 'enable': True}",),
    "rates by layer": (
        f"policy.model={FEATURES!r}",
        "policy.learn.optimizer={'constructor': 'LearningRateDecayOptimizerConstructor', "
        "'paramwise_cfg': {'layer_decay_rate': 0.5}}",
    ),
}


@DATASETS.register_module()
class ResumeWeighted(CustomDataset):
    """Class folders whose samples count more and more."""

    @property
    def sample_weights(self) -> list[float]:
        return [1.0 + index / 7 for index in range(len(self))]


@HOOKS.register_module()
class NudgeWeights(LearnerHook):
    """Moves the weights after each update, by as much as the losses so far say."""

    def __init__(
        self, name: str, priority: Any = "NORMAL", *, position: Any = "after_iter", step: float
    ) -> None:
        super().__init__(name, priority, position=position)
        self.step, self.total = step, 0.0

    def __call__(self, engine: BaseLearner) -> None:
        self.total += float(engine.outputs["total_loss"])
        nudge(engine.policy.get_attribute("model"), self.step * self.total)

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total}

    def load_state_dict(self, state: Any) -> None:
        self.total = state["total"]


@HOOKS.register_module()
class NudgeAtPositions(Hook):
    """Does so at every position whose calls a run has once, and keeps which they were."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def before_train_iter(self, engine: Any) -> None:
        self._nudge(engine, f"before {engine.train_iter}")

    def after_train_iter(self, engine: Any) -> None:
        if self.every_n_iters(engine, 2):
            self._nudge(engine, f"after {engine.train_iter}")

    def after_train_epoch(self, engine: Any) -> None:
        self._nudge(engine, f"epoch {engine.epoch}")

    def after_val_epoch(self, engine: Any) -> None:
        self._nudge(engine, f"evaluation {sorted(engine.eval_result)}")

    def _nudge(self, engine: Any, call: str) -> None:
        self.calls.append(call)
        nudge(engine.policy.get_attribute("model"), 0.001 * len(self.calls))

    def state_dict(self) -> dict[str, Any]:
        return {"calls": self.calls}

    def load_state_dict(self, state: Any) -> None:
        self.calls = list(state["calls"])


@METRICS.register_module()
class ErrorCount(IMetric):
    """A user's metric: three methods, arguments, a result that is no number, and its own idea of the best."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def eval(self, inputs: torch.Tensor, label: torch.Tensor) -> dict[str, Any]:
        return {"errors": self.scale * (inputs.argmax(1) != label).sum(), "guesses": inputs.argmax(1)}

    def reduce_mean(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        guesses = torch.cat([each["guesses"] for each in inputs])
        return {"errors": sum(each["errors"] for each in inputs), "guesses": guesses.bincount(minlength=4)}

    def gt(self, metric1: dict[str, Any], metric2: dict[str, Any] | None) -> bool:
        return metric2 is None or metric1["errors"] <= metric2["errors"]


@torch.no_grad()
def nudge(model: torch.nn.Module, step: float) -> None:
    for parameter in model.parameters():
        parameter.add_(step)


@PIPELINES.register_module()
class ResumeSpeckle:
    """A user's own step, which draws from NumPy and from Python."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        results["img"] = results["img"].copy()
        results["img"][np.random.randint(8), random.randrange(8)] = np.random.randint(256, size=3)
        return results


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_every_stop_in_two_epochs_is_bit_equal(picture_folder: Path, workdir: Path, workers: int) -> None:
    setting = f"policy.learn.learner.dataloader.num_workers={workers}"
    assert assert_resumes_exactly(picture_folder, setting) == UPDATES


@pytest.mark.slow
def test_stops_with_workers_are_bit_equal(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=2"
    assert assert_resumes_exactly(picture_folder, setting, stops=(3, 5)) == 2


# At the end of the first epoch and inside the second; at the first update and the last in the slow tier.
STOPS = pytest.mark.parametrize("stops", [(5, 7), pytest.param((1, 10), marks=pytest.mark.slow)])


# One of each kind: a state of its own, weights of its own in evaluation, another library.
QUICK_OPTIMIZERS = ("Lion", "ScheduleFreeSGD", "timm/Lamb")


@STOPS
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(each, marks=[] if each in QUICK_OPTIMIZERS else pytest.mark.slow)
        for each in LIBRARY_OPTIMIZERS
    ],
)
def test_every_library_optimizer_is_bit_equal(
    picture_folder: Path, workdir: Path, name: str, stops: tuple[int, ...]
) -> None:
    pytest.importorskip("timm" if name.startswith("timm/") else "pytorch_optimizer")
    settings = (
        "policy.learn.learner.dataloader.num_workers=0",
        f"policy.learn.optimizer.type={name}",
        "policy.learn.learner.hook.save_ckpt_after_epoch=1",
    )
    assert assert_resumes_exactly(picture_folder, *settings, stops=stops) == 2


# The others are slow, as is the resume of each option in three updates by tests/options.
QUICK = {
    "evaluation inside epochs",
    "updates counted, a cosine to their end",
    "accumulation",
    "fp16 with a scaler",
    "a head with two losses, in pieces",
    "names frozen, then freed, under Adam",
    "AdamW",
    "OneCycle",
    "a hook with a state",
    "several mixtures, one of them not to the end",
    "repeated augmentation",
    "weights of samples, in pieces",
    "the loss SeesawLoss in pieces, in fp16",
    "distillation by features, in pieces",
    "a moving average, and the weights in training judged too",
    "SWA from the second epoch, with precise BatchNorm",
    "SAM adaptive, in pieces, clipped, averaged",
    "a plateau",
}


def test_the_quick_ones_are_options() -> None:
    assert {*OPTIONS} > QUICK
    assert (len(OPTIONS), len(QUICK)) == (112, 18)


@STOPS
@pytest.mark.parametrize(
    "option", [pytest.param(each, marks=[] if each in QUICK else pytest.mark.slow) for each in OPTIONS]
)
def test_every_option_is_bit_equal(
    picture_folder: Path, workdir: Path, option: str, stops: tuple[int, ...]
) -> None:
    torch.manual_seed(3)
    torch.save(build_classifier(TEACHER["model"]).state_dict(), "teacher.pth")
    settings = ("policy.learn.learner.dataloader.num_workers=0", *OPTIONS[option])
    assert assert_resumes_exactly(picture_folder, *settings, stops=stops) == 2


SHORT = {
    "patience at its end": (
        (*_INSIDE, f"{_JUDGE}.early_stop_patience=1", f"{_JUDGE}.early_stop_min_delta=1000000.0"),
        6,
    ),
    "a stop value inside an epoch": ((*_INSIDE, f"{_JUDGE}.stop_value={{'acc1': 0.0}}"), 3),
    "updates that end inside an epoch": (
        ("policy.learn.max_iters=7", "policy.learn.lr_schedule={'type': 'OneCycle', 'max_lr': 0.2}"),
        7,
    ),
}


@pytest.mark.parametrize("option", SHORT)
def test_a_run_that_ends_early_is_bit_equal(picture_folder: Path, workdir: Path, option: str) -> None:
    settings, end = SHORT[option]
    settings = ("policy.learn.learner.dataloader.num_workers=0", *settings)
    result = run_tiny(picture_folder, "whole", *settings)
    expected = outcome("whole", last=end)
    assert result.history[-1]["train_iter"] == end
    for stop_at in (1, 2, end - 1, end):
        name = f"stopped_{stop_at}"
        with pytest.raises(RunStopped):
            run_tiny(picture_folder, name, *settings, stop_at=stop_at)
        run_tiny(picture_folder, name, *settings, resume=True)
        assert_same(outcome(name, last=end), expected, where=f"stopped after update {stop_at}")
        assert run_tiny(picture_folder, name, *settings, resume=True).was_complete
        assert_same(outcome(name, last=end), expected, where="looked at again")


def test_files_without_the_optimizer_are_told_apart(picture_folder: Path, workdir: Path) -> None:
    alone = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "run", alone, f"{_LEARNER}.checkpoint.save_optimizer=False")
    with pytest.raises(CheckpointError, match="saved without its optimizer"):
        run_tiny(picture_folder, "run", alone, resume=True)


def test_a_run_stopped_three_times_is_bit_equal(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "whole", setting)
    for number, stop_at in enumerate((2, 5, 9)):
        with pytest.raises(RunStopped):
            run_tiny(picture_folder, "thrice", setting, stop_at=stop_at, resume=number > 0)
    run_tiny(picture_folder, "thrice", setting, resume=True)
    assert_same(outcome("thrice"), outcome("whole"), where="stopped three times")


def test_workers_may_change_between_stop_and_resume(picture_folder: Path, workdir: Path) -> None:
    workers = "policy.learn.learner.dataloader.num_workers="
    run_tiny(picture_folder, "whole", workers + "0")
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "moved", workers + "0", stop_at=3)
    run_tiny(picture_folder, "moved", workers + "2", resume=True)
    assert_same(outcome("moved"), outcome("whole"), where="0, then 2 workers")


def test_evaluating_and_logging_change_nothing_in_training(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    often = run_tiny(picture_folder, "often", setting)
    seldom = run_tiny(
        picture_folder,
        "seldom",
        setting,
        "policy.eval.evaluator.eval_freq=1000",
        "policy.learn.learner.log_show_freq=7",
    )
    weights = often.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in seldom.model.state_dict().items())


def test_a_finished_run_resumes_to_nothing(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "whole", setting)
    before = outcome("whole")
    again = run_tiny(picture_folder, "whole", setting, resume=True)
    assert again.was_complete
    assert_same(outcome("whole"), before, where="resumed after its end")


def test_the_harness_notices_a_difference(picture_folder: Path, workdir: Path) -> None:
    setting = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "one", setting)
    run_tiny(picture_folder, "other", setting, "policy.learn.learning_rate=0.1000001")
    with pytest.raises(AssertionError, match=r"tensors differ|for "):
        assert_same(outcome("other"), outcome("one"), where="another rate")


HOOKS_OF_ALL_KINDS = (
    "policy.learn.learner.custom_hooks=[{'type': 'NudgeWeights', 'step': 0.01, 'priority': 'LOW'}, "
    "{'type': 'NudgeAtPositions'}, {'type': 'NudgeAtPositions', 'priority': 'HIGHEST'}]"
)


@pytest.mark.parametrize("inside", [(), (f"{_JUDGE}.eval_interval=2", f"{_JUDGE}.by_epoch=False")])
@pytest.mark.parametrize(
    "hooks",
    [pytest.param("policy.learn.learner.custom_hooks=[]", marks=pytest.mark.slow), HOOKS_OF_ALL_KINDS],
)
def test_every_periodic_checkpoint_resumes_bit_equal(
    picture_folder: Path, workdir: Path, hooks: str, inside: tuple[str, ...]
) -> None:
    alone = "policy.learn.learner.dataloader.num_workers=0"
    each_update = "policy.learn.learner.hook.save_ckpt_after_iter=1"
    run_tiny(picture_folder, "whole", alone, each_update, hooks, *inside)
    expected = outcome("whole")
    for position in range(1, UPDATES):
        # A kill right after this file was written: what came later is not there.
        folder = f"killed_{position}"
        shutil.copytree("whole", folder)
        for later in range(position + 1, UPDATES + 1):
            Path(folder, "ckpt", f"iteration_{later}.pth.tar").unlink()
        run_tiny(picture_folder, folder, alone, each_update, hooks, *inside, resume=True)
        assert_same(outcome(folder), expected, where=f"killed after update {position}")


def test_an_end_moved_further_out_goes_on_with_the_cut_epoch(picture_folder: Path, workdir: Path) -> None:
    alone = "policy.learn.learner.dataloader.num_workers=0"
    whole = run_tiny(picture_folder, "whole", alone)
    run_tiny(picture_folder, "cut", alone, "policy.learn.learner.train_iterations=7")
    later = "policy.learn.learner.train_iterations=1000000"
    moved = run_tiny(picture_folder, "cut", alone, later, resume=True)
    assert [(row["epoch"], row["train_iter"]) for row in moved.history] == [(0, 5), (1, 10)]
    for found, expected in zip(moved.history, whole.history, strict=True):
        assert found["train_loss"] == expected["train_loss"]
        assert found["val_loss"] == expected["val_loss"]


def test_a_resume_does_not_load_the_file_it_began_with(picture_folder: Path, workdir: Path) -> None:
    alone = "policy.learn.learner.dataloader.num_workers=0"
    run_tiny(picture_folder, "source", alone)
    load = f"policy.learn.learner.hook.load_ckpt_before_run=source/ckpt/iteration_{UPDATES // 2}.pth.tar"
    with pytest.raises(RunStopped):
        run_tiny(picture_folder, "run", alone, load, stop_at=7)
    assert read_checkpoint("run/ckpt/iteration_7.pth.tar")["last_iter"] == 7
    run_tiny(picture_folder, "run", alone, load, resume=True)
    assert_same(
        outcome("run")["checkpoint"]["model"], outcome("source")["checkpoint"]["model"], where="model"
    )
