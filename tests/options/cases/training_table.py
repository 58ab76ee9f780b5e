"""Trials of every key below ``policy.learn`` and ``policy.eval``: the values, and what shows their effect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ding_cls.metrics import METRICS, IMetric
from ding_cls.models import BACKBONES, CLASSIFIERS
from tests.conftest import TinyNet
from tests.harness import TinyBackbone
from tests.options.trials import CLASSES

LEARN, JUDGE, LEARNER = "policy.learn", "policy.eval.evaluator", "policy.learn.learner"
NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Trial:
    """A run, and another one that it must differ from.

    Attributes:
        changes: the values to try.
        beside: what both runs have: the option would mean nothing otherwise.
        has_effect: whether anything differs: weights, states, rows, files, lines; None: it need not.
        stop_at: the run is stopped after this update by the learner itself, and all files are compared, for
            options that decide which files there are or when the run ends. 0: it is killed.
    """

    changes: Mapping[str, Any]
    beside: Mapping[str, Any] = field(default_factory=dict)
    has_effect: bool | None = True
    stop_at: int = 0


def learn(**values: Any) -> dict[str, Any]:
    return {f"{LEARN}.{name}": value for name, value in values.items()}


def judge(**values: Any) -> dict[str, Any]:
    return {f"{JUDGE}.{name}": value for name, value in values.items()}


def learner(**values: Any) -> dict[str, Any]:
    return {f"{LEARNER}.{name}": value for name, value in values.items()}


def saving(**values: Any) -> dict[str, Any]:
    return {f"{LEARNER}.checkpoint.{name}": value for name, value in values.items()}


def hooks(*described: dict[str, Any]) -> dict[str, Any]:
    return {f"{LEARNER}.custom_hooks": list(described)}


def headed(head: str, **arguments: Any) -> dict[str, Any]:
    """Return the setting of a network of parts with another head."""
    described = {"type": head, "in_channels": 8, "num_classes": CLASSES, **arguments}
    return {
        "policy.model": {**SPARE["policy.model"], "backbone": {"type": "TinyBackbone"}, "head": described}
    }


def whole(outputs: str = "logits") -> dict[str, Any]:
    """Return the setting of a network that brings no loss: ``policy.learn`` says what is minimised."""
    return {"policy.model": {"type": "TinyWhole", "outputs": outputs, "num_classes": CLASSES}}


@CLASSIFIERS.register_module()
class TinyWhole(TinyNet):
    """A network without parts that gives logits, shares or their logarithms."""

    def __init__(self, num_classes: int, outputs: str = "logits") -> None:
        super().__init__(num_classes)
        self.outputs = {"logits": nn.Identity(), "shares": nn.Softmax(1), "logs": nn.LogSoftmax(1)}[outputs]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.outputs(super().forward(images))


@BACKBONES.register_module()
class TinySpare(TinyBackbone):
    """With a parameter that takes no part."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Parameter(torch.ones(1))


@METRICS.register_module()
class OptionErrors(IMetric):
    """A user's metric, for which the largest size is best; its two numbers are each other's contrary."""

    def eval(self, inputs: torch.Tensor, label: torch.Tensor) -> dict[str, float]:
        size = inputs.double().square().mean().item()
        return {"size": size, "smallness": -size}

    def reduce_mean(self, inputs: list[dict[str, float]]) -> dict[str, float]:
        return {name: sum(each[name] for each in inputs) / len(inputs) for name in inputs[0]}

    def gt(self, metric1: dict[str, float], metric2: dict[str, float] | None) -> bool:
        return metric2 is None or metric1["size"] >= metric2["size"]


SPARE = {
    "policy.model": {
        "type": "ImageClassifier",
        "backbone": {"type": "TinySpare"},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "LinearClsHead", "in_channels": 8, "num_classes": CLASSES},
    }
}
# The test writes its weights.
TEACHER = {
    "teacher": "teacher.pth",
    "model": {
        "type": "ImageClassifier",
        "backbone": {"type": "TinyBackbone"},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "LinearClsHead", "in_channels": 8, "num_classes": CLASSES},
    },
}
BY_EPOCHS = learn(max_iters=None)
STEPS = learn(lr_schedule="step", decay_epoch=1)
EACH_UPDATE = judge(eval_interval=1, by_epoch=False)
OWN_METRIC = {"policy.eval.metric": {"type": "OptionErrors"}}
AT_THE_END = {"policy.learn.learner.hook": {"save_ckpt_after_run": True, "save_ckpt_after_iter": False}}
CUSTOM = {"custom_keys": {"head": {"lr_mult": 0.1, "decay_mult": 0.0}}}
LAYERS = {
    "policy.model": {
        "type": "ImageClassifier",
        "backbone": {"type": "TinyLayers"},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "LinearClsHead", "in_channels": 4, "num_classes": CLASSES},
    }
}


def paramwise(**settings: Any) -> dict[str, Any]:
    return learn(optimizer={"type": "SGD", "paramwise_cfg": settings})


OF_LEARN: dict[str, list[Trial]] = {
    "multi_gpu": [Trial(learn(multi_gpu=False), has_effect=False)],
    "bp_update_sync": [Trial(learn(bp_update_sync=False), has_effect=False)],
    "train_epoch": [
        Trial(learn(train_epoch=1), {**BY_EPOCHS, "policy.collect.synthetic_samples": 12}),
    ],
    "max_iters": [Trial(learn(max_iters=3), {**BY_EPOCHS, **learn(lr_schedule="cosine")})],
    "batch_size": [Trial(learn(batch_size=3))],
    "accumulation_steps": [Trial(learn(accumulation_steps=2)), Trial(learn(accumulation_steps=3))],
    "learning_rate": [Trial(learn(learning_rate=0.05))],
    "lr_schedule": [Trial(learn(lr_schedule=name), learn(decay_epoch=1)) for name in ("step", "cosine")]
    + [Trial(learn(lr_schedule="constant"), has_effect=False)],
    "momentum_schedule": [Trial(learn(momentum_schedule={"type": "OneCycle"}))],
    "weight_decay_schedule": [
        Trial(learn(weight_decay_schedule={"type": "CosineAnnealing", "eta_min": 0.5})),
    ],
    "auto_scale_lr": [
        Trial(learn(auto_scale_lr={"base_batch_size": 32, "enable": True})),
        Trial(learn(auto_scale_lr={"base_batch_size": 32}), has_effect=False),
    ],
    "decay_epoch": [Trial(learn(decay_epoch=1), learn(lr_schedule="step"))],
    "decay_rate": [Trial(learn(decay_rate=0.5), STEPS)],
    "min_lr": [Trial(learn(min_lr=0.05), learn(lr_schedule="cosine"))],
    "warmup_lr": [Trial(learn(warmup_lr=0.05), learn(warmup_epoch=1))],
    "warmup_epoch": [Trial(learn(warmup_epoch=1)), Trial(learn(warmup_epoch=0.7))],
    "weight_decay": [Trial(learn(weight_decay=value)) for value in (0.1, 0.0, None)],
    "optimizer": [Trial(learn(optimizer={"type": "AdamW"}))]
    + [
        Trial(paramwise(**settings), learn(weight_decay=0.1))
        for settings in (
            {"norm_decay_mult": 0.0},
            {"bias_decay_mult": 0.0},
            {"bias_lr_mult": 2.0},
            {"dwconv_decay_mult": 0.0, "bypass_duplicate": True},
            CUSTOM,
        )
    ],
    "loss": [Trial(learn(loss="BCE"), whole()), Trial(learn(loss={"type": "FocalLoss"}), whole())],
    "distill": [
        Trial(learn(distill=TEACHER)),
        Trial(learn(distill={**TEACHER, "alpha": 0.9, "temperature": 2.0})),
        Trial(learn(distill={**TEACHER, "feature_weight": 2.0, "feature_layers": "neck"})),
    ],
    "momentum": [Trial(learn(momentum=0.5)), Trial(learn(momentum=0.0))],
    "nesterov": [Trial(learn(nesterov=True))],
    "label_smoothing": [Trial(learn(label_smoothing=0.1), whole())],
    "batch_augments": [
        Trial(learn(batch_augments=[{"type": name, "alpha": 1.0, "prob": 1.0}]))
        for name in ("Mixup", "CutMix", "ResizeMix")
    ],
    "recipes": [
        Trial(learn(recipes=[{"action_iter": 1, "batch_augments": [{"type": "Mixup", "alpha": 1.0}]}])),
        Trial(learn(recipes=[{"action_epoch": 1, "loss": {"type": "FocalLoss"}}]), whole()),
    ],
    "grad_clip": [
        Trial(learn(grad_clip=given))
        for given in ({"max_norm": 0.05}, {"max_norm": 0.05, "norm_type": 1}, {"clip_value": 0.01})
    ],
    "sam": [Trial(learn(sam={"rho": 0.2, "adaptive": is_adaptive})) for is_adaptive in (False, True)],
    "ema": [
        Trial(learn(ema=given))
        for given in (
            {},
            {"decay": 0.5, "warm_up": 0},
            {"momentum": 0.1, "interval": 2},
            {"warm_up": 3, "evaluate": "raw"},
            {"warm_up": 3, "evaluate": "both"},
        )
    ],
    "swa": [
        Trial(learn(swa={"start_epoch": 0})),
        Trial(learn(swa={"start_epoch": 0, "lr": 0.01, "anneal_epochs": 2, "anneal_strategy": "linear"})),
    ],
    "precise_bn": [Trial(learn(precise_bn={})), Trial(learn(precise_bn={"num_samples": 4, "interval": 2}))],
    "freeze": [
        Trial(learn(freeze={})),
        Trial(learn(freeze={"patterns": ["backbone*"], "keep": ["backbone.norm"], "until_epoch": 1})),
        Trial(learn(freeze={"patterns": "body", "norm_eval": False})),
    ],
    "freeze_nonlinear_epoch": [Trial(learn(freeze_nonlinear_epoch=1))],
    "find_unused_parameters": [Trial(learn(find_unused_parameters=True), has_effect=False)],
    "detect_anomalous_params": [
        # It warns, in the run's log.
        Trial(learn(detect_anomalous_params=True), SPARE),
        Trial(learn(detect_anomalous_params=True), has_effect=False),
    ],
    "precision": [Trial(learn(precision=name)) for name in ("bf16", "fp16")],
    "loss_scale": [
        Trial(learn(loss_scale=given), learn(precision="fp16"))
        for given in (512.0, {"init_scale": 64.0, "growth_interval": 1})
    ],
    # Its effect takes numbers that are not finite: tests/faults/test_numbers.py.
    "max_bad_steps": [Trial(learn(max_bad_steps=3), has_effect=False)],
    "channels_last": [Trial(learn(channels_last=True), has_effect=None)],
}
OF_LEARNER: dict[str, list[Trial]] = {
    "train_iterations": [Trial(learner(train_iterations=3), BY_EPOCHS)],
    "dataloader.num_workers": [Trial({f"{LEARNER}.dataloader.num_workers": 1}, has_effect=False)],
    "dataloader.max_bad": [Trial({f"{LEARNER}.dataloader.max_bad": 1}, has_effect=False)],
    "dataloader.drop_last": [Trial({f"{LEARNER}.dataloader.drop_last": True}, learn(batch_size=3))],
    "log_policy": [Trial(learner(log_policy=False))],
    "log_show_freq": [Trial(learner(log_show_freq=2))],
    "is_multitask_pipeline": [Trial(learner(is_multitask_pipeline=True), has_effect=False)],
    "only_monitor_rank0": [Trial(learner(only_monitor_rank0=False), has_effect=False)],
    "keep_checkpoints": [Trial(learner(keep_checkpoints=2), stop_at=2)],
    "checkpoint.save_optimizer": [Trial(saving(save_optimizer=False), AT_THE_END, stop_at=2)],
    "checkpoint.out_dir": [Trial(saving(out_dir="elsewhere"), stop_at=2)],
    "checkpoint.file_name": [Trial(saving(file_name="{model}_{epoch}_{train_iter}.pth"), stop_at=2)],
    "checkpoint.best_name": [Trial(saving(best_name="{key}_{score:.5f}.pth"), stop_at=2)],
    "checkpoint.save_best_only": [Trial(saving(save_best_only=True), stop_at=2)],
    "checkpoint.save_one_only": [Trial(saving(save_one_only=True), stop_at=2)],
    # By name in test_training_parts.
    "hook": [Trial(learner(hook={"save_ckpt_after_epoch": 1}), stop_at=2)],
    "custom_hooks": [Trial(hooks({"type": "SyncBuffersHook", "priority": "LOW"}))],
    "loggers": [Trial(learner(loggers=[{"type": "EmptyCacheHook"}]))],
    "log_level": [Trial(learner(log_level="WARNING"))],
}
OF_EVAL: dict[str, list[Trial]] = {
    "batch_size": [Trial({"policy.eval.batch_size": 2}, has_effect=None)],
    "metric": [Trial({"policy.eval.metric": {"type": "Accuracy", "topk": [1, 2]}})],
    "evaluator.validate": [Trial(judge(validate=False), stop_at=2)],
    "evaluator.eval_freq": [Trial(judge(eval_freq=3), judge(eval_interval=None, eval_freq=1))],
    "evaluator.eval_interval": [
        Trial(judge(eval_interval=2)),
        Trial(judge(eval_interval=1), has_effect=None),
    ],
    "evaluator.by_epoch": [Trial(judge(by_epoch=False), judge(eval_interval=1))],
    "evaluator.start": [Trial(judge(start=2), EACH_UPDATE), Trial(judge(start=1), judge(eval_interval=1))],
    "evaluator.loss_interval": [Trial(judge(loss_interval=1))],
    # Its accuracy falls after the second update, its loss does not.
    "evaluator.save_best": [
        Trial(judge(save_best="loss"), {**EACH_UPDATE, **learn(learning_rate=1.0), "seed": 3})
    ],
    "evaluator.rule": [Trial(judge(rule="greater"), {**EACH_UPDATE, **judge(save_best="loss")})],
    "evaluator.greater_keys": [
        Trial(judge(greater_keys=["smallness"], save_best="smallness"), {**EACH_UPDATE, **OWN_METRIC}),
    ],
    "evaluator.less_keys": [
        Trial(judge(less_keys=["size"], save_best="size"), {**EACH_UPDATE, **OWN_METRIC}),
    ],
    "evaluator.early_stop_patience": [
        Trial(judge(early_stop_patience=1), judge(early_stop_min_delta=1e6), stop_at=1),
        Trial(judge(early_stop_patience=9), has_effect=None),
    ],
    "evaluator.early_stop_min_delta": [
        Trial(judge(early_stop_min_delta=1e6), judge(early_stop_patience=1, save_best="loss"), stop_at=1)
    ],
    "evaluator.stop_value": [
        Trial(judge(stop_value={"loss": 1e9}), stop_at=1),
        Trial(judge(stop_value={"loss": 0.0}), has_effect=False),
    ],
    "evaluator.multi_gpu": [Trial(judge(multi_gpu=True), has_effect=False)],
}
TRIALS: dict[str, list[Trial]] = {
    **{f"{LEARN}.{name}": trials for name, trials in OF_LEARN.items()},
    **{f"{LEARNER}.{name}": trials for name, trials in OF_LEARNER.items()},
    **{f"policy.eval.{name}": trials for name, trials in OF_EVAL.items()},
}
