"""Mixtures of options as they meet in a run: each is stopped at single updates of two epochs, and resumed.

The settings are those of a command line; what a user brings is in ``own_parts``.
"""

from tests.data.pictures_options import batch_augments, training_pipeline
from tests.harness import tiny_parts
from tests.options.cases import own_parts  # noqa: F401  it registers them
from tests.options.cases.training_table import JUDGE, LEARNER, TEACHER

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
INSIDE = (f"{JUDGE}.eval_interval=3", f"{JUDGE}.by_epoch=False")
MIXTURES: dict[str, tuple[str, ...]] = {
    "evaluation every second epoch, by interval": (f"{JUDGE}.eval_interval=2", f"{JUDGE}.start=1"),
    "evaluation inside epochs": INSIDE,
    "evaluation after each update": (f"{JUDGE}.eval_interval=1", f"{JUDGE}.by_epoch=False"),
    "evaluation inside epochs from a start": (*INSIDE, f"{JUDGE}.start=4"),
    "the best by its loss": (*INSIDE, f"{JUDGE}.save_best=loss"),
    "the best by a rule": (*INSIDE, f"{JUDGE}.save_best=loss", f"{JUDGE}.rule=greater"),
    "patience that lasts": (*INSIDE, f"{JUDGE}.early_stop_patience=9"),
    "patience by mmengine's hook": (
        *INSIDE,
        f"{LEARNER}.custom_hooks=[{{'type': 'EarlyStoppingHook', 'monitor': 'loss', 'patience': 9}}]",
    ),
    "a pass for the training loss": (f"{JUDGE}.loss_interval=1", "policy.learn.label_smoothing=0.1"),
    "updates counted, a cosine to their end": (
        "policy.learn.max_iters=10",
        "policy.learn.lr_schedule=cosine",
    ),
    "files without the optimizer": (f"{LEARNER}.checkpoint.save_optimizer=False",),
    "files with further names": (
        f"{LEARNER}.checkpoint.file_name=epoch_{{epoch}}.pth",
        f"{LEARNER}.checkpoint.best_name={{model}}_e{{epoch}}_{{score:.5f}}.pth",
        f"{LEARNER}.hook.save_ckpt_after_epoch=1",
    ),
    "an untrained network saved": (f"{LEARNER}.hook.save_ckpt_before_run=True",),
    "hooks of mmcv": (
        f"{LEARNER}.custom_hooks=[{{'type': 'ClassNumCheckHook'}}, {{'type': 'EmptyCacheHook'}}, "
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
        f"{LEARNER}.dataloader.drop_last=True",
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
        f"{JUDGE}.loss_interval=1",
        "policy.learn.recipes=[{'action_epoch': 1, 'batch_augments': [], "
        "'loss': {'type': 'SoftmaxFocalLoss', 'gamma': 2.0}}]",
    ),
    "another loss in a head, by update": (
        tiny_parts("LinearClsHead", in_channels=8),
        "policy.learn.ema={'decay': 0.5}",
        f"{JUDGE}.loss_interval=1",
        f"{LEARNER}.custom_hooks=[{{'type': 'SwitchRecipeHook', 'schedule': [{{'action_iter': 3, "
        "'loss': 'Focalloss-2'}, {'action_iter': 7, 'batch_augments': [{'type': 'Mixup', 'alpha': 0.8}]}]}]",
    ),
    "a moving average, and the weights in training judged too": (
        *INSIDE,
        "policy.learn.ema={'decay': 0.5, 'warm_up': 3, 'evaluate': 'both'}",
        f"{JUDGE}.save_best=raw_loss",
    ),
    "a moving average that is not evaluated": ("policy.learn.ema={'decay': 0.5, 'evaluate': 'raw'}",),
    "margins by class size that grow, averaged": (
        tiny_parts("ArcFaceClsHead", in_channels=8, scale=8.0),
        "policy.learn.ema={'decay': 0.5}",
        f"{JUDGE}.loss_interval=1",
        f"{LEARNER}.custom_hooks=[{{'type': 'SetAdaptiveMarginsHook'}}, {{'type': 'WarmupParamHook', "
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
    **{
        f"the optimizer {name}": (
            f"policy.learn.optimizer.type={name}",
            "policy.learn.learner.hook.save_ckpt_after_epoch=1",
        )
        for name in LIBRARY_OPTIMIZERS
    },
}
# Resumed in the default tier; the others in the slow one.
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
    # One of each kind: a state of its own, weights of its own in evaluation, another library.
    "the optimizer Lion",
    "the optimizer ScheduleFreeSGD",
    "the optimizer timm/Lamb",
}
