"""Trials of every loss, optimizer, schedule, metric and hook by name."""

from typing import Any

from ding_cls.config.defaults import LEARN as SCHEMA
from ding_cls.optim import OPTIMIZERS
from tests.optim.test_library_optimizers import UNUSABLE as NO_LIBRARYS
from tests.optim.test_optimizers import OF_TORCH
from tests.options.cases.training_table import (
    EACH_UPDATE,
    LAYERS,
    Trial,
    headed,
    hooks,
    learn,
    learner,
    whole,
)
from tests.options.trials import CLASSES

# Losses


def loss(kind: str, outputs: str = "logits", **arguments: Any) -> Trial:
    return Trial(learn(loss={"type": kind, **arguments}), whole(outputs))


def of_shares(kind: str, outputs: str = "logits", **arguments: Any) -> Trial:
    """With targets that are mixtures, which losses of elements want."""
    mixed = learn(batch_augments={"type": "Mixup", "alpha": 1.0})
    plain = {**mixed, **learn(loss={"type": "CrossEntropyLoss", "use_soft": True})}
    return Trial(learn(loss={"type": kind, **arguments}), {**whole(outputs), **plain})


OF_LOSSES: dict[str, list[Trial]] = {
    "AsymmetricLoss": [loss("AsymmetricLoss"), of_shares("AsymmetricLoss", gamma_neg=2.0, clip=0.0)],
    "BCELoss": [of_shares("BCELoss", "shares")],
    "BCEWithLogitsLoss": [of_shares("BCEWithLogitsLoss")],
    "CrossEntropyLoss": [
        loss("CrossEntropyLoss", class_weight=[1.0, 2.0, 3.0, 4.0]),
        loss("CrossEntropyLoss", class_weight="auto"),
        loss("CrossEntropyLoss", use_sigmoid=True, loss_weight=2.0),
    ],
    "FocalLoss": [loss("FocalLoss"), of_shares("FocalLoss", gamma=1.0, alpha=0.5)],
    "HingeEmbeddingLoss": [of_shares("HingeEmbeddingLoss")],
    "HuberLoss": [of_shares("HuberLoss", delta=0.1)],
    "KLDivLoss": [of_shares("KLDivLoss", "logs", reduction="batchmean", loss_weight=2.0)],
    "L1Loss": [of_shares("L1Loss")],
    "LabelSmoothLoss": [
        loss("LabelSmoothLoss", label_smooth_val=0.1, mode=mode)
        for mode in ("original", "classy_vision", "multi_label")
    ]
    + [loss("LabelSmoothLoss", label_smooth_val=0.1, use_sigmoid=True)],
    "MSELoss": [of_shares("MSELoss")],
    "MultiLabelSoftMarginLoss": [of_shares("MultiLabelSoftMarginLoss")],
    "MultiMarginLoss": [loss("MultiMarginLoss")],
    "NLLLoss": [loss("NLLLoss", "logs", loss_weight=2.0)],
    "PoissonNLLLoss": [of_shares("PoissonNLLLoss")],
    "SeesawLoss": [loss("SeesawLoss", num_classes=CLASSES)],
    "SmoothL1Loss": [of_shares("SmoothL1Loss", beta=0.5)],
    "SoftMarginLoss": [of_shares("SoftMarginLoss")],
    "SoftmaxFocalLoss": [loss("SoftmaxFocalLoss", gamma=2.0)],
}
# What keeps each of the others from being ``policy.learn.loss``, in the words of the refusal.
NO_LOSSES = {
    "AdaptiveLogSoftmaxWithLoss": ("has weights of its own to learn", {"in_features": 4, "n_classes": 4}),
    "LinearCrossEntropyLoss": ("has weights of its own to learn", {"in_features": 4, "num_classes": 4}),
    # Class numbers in rows that end with -1: no data set here gives such targets.
    "MultiLabelMarginLoss": (None, {}),
}
SHORT_LOSSES = [Trial(learn(loss=text), whole()) for text in ("BCE", "Focalloss-2", "CEV2-1.5")] + [
    Trial(learn(loss="CE"), whole(), has_effect=False)
]


# Optimizers

KNOWN = [
    "AdaBelief",
    "Adan",
    "LARS",
    "Lamb",
    "Lion",
    "Prodigy",
    "Ranger",
    "ScheduleFreeAdamW",
    "ScheduleFreeRAdam",
]
KNOWN += ["ScheduleFreeSGD", "timm/Lamb", "timm/Lars", "timm/Muon", "timm/NAdamW"]
# In the default tier.
FEW = ("Adafactor", "Adam", "RMSprop", "Rprop", "SGD", "timm/Muon")
REFUSED = {"LBFGS", "SparseAdam", "Muon"}
TRAINED = sorted(OF_TORCH - REFUSED) + KNOWN
# In a run their random numbers are those of the position.
RESUMES_IN_A_RUN = {"Gravity", "Kron"}
OF_BUILDERS: dict[str, Trial] = {
    "DefaultOptimizerConstructor": Trial(
        learn(
            optimizer={
                "type": "SGD",
                "constructor": "DefaultOptimizerConstructor",
                "paramwise_cfg": {"bias_lr_mult": 2.0},
            }
        )
    ),
    **{
        name: Trial(
            learn(optimizer={"type": "SGD", "constructor": name, "paramwise_cfg": {rate: 0.5}}), LAYERS
        )
        for name, rate in (
            ("LearningRateDecayOptimizerConstructor", "layer_decay_rate"),
            ("LearningRateDecayOptimWrapperConstructor", "decay_rate"),
        )
    },
}


def optimizer(name: str) -> Trial:
    # As torch has it for SGD alone.
    return Trial(
        learn(optimizer={"type": name}, weight_decay=None), has_effect=None if name == "SGD" else True
    )


def every_optimizer() -> list[str]:
    """Return what can be tried; all else is refused, as tests/optim/test_library_optimizers.py shows."""
    unusable = (NO_LIBRARYS - RESUMES_IN_A_RUN) | REFUSED
    return sorted(name for name in OPTIMIZERS.names() if name not in unusable and name not in TRAINED)


# Schedules

UPDATES_COUNT = {"by_epoch": False}
OF_SCHEDULES: dict[str, list[dict[str, Any]]] = {
    "CosineAnnealing": [{"min_lr": 0.01}, {"min_lr_ratio": 0.1, **UPDATES_COUNT}],
    "CosineAnnealingCooldown": [
        {"min_lr": 0.01, "cool_down_time": 1},
        {"min_lr": 0.01, "cool_down_time": 1, "cool_down_ratio": 0.5, **UPDATES_COUNT},
    ],
    "CosineAnnealingWarmRestarts": [{"T_0": 2, "T_mult": 2, "eta_min": 0.01}, {"T_0": 2, **UPDATES_COUNT}],
    "CosineRestart": [
        {"periods": [2], "min_lr": 0.01},
        {"periods": [1, 2], "restart_weights": [1, 0.5], "min_lr_ratio": 0.1, **UPDATES_COUNT},
    ],
    "Cyclic": [{"target_ratio": (2, 0.1), "anneal_strategy": "linear"}],
    "Exp": [{"gamma": 0.5}, {"gamma": 0.5, **UPDATES_COUNT}],
    "Fixed": [{}],
    "FlatCosineAnnealing": [{"min_lr": 0.01, "start_percent": 0.3, **UPDATES_COUNT}],
    "Inv": [{"gamma": 0.5}, {"gamma": 0.5, "power": 2.0, **UPDATES_COUNT}],
    "LinearAnnealing": [{"min_lr": 0.01}, {"min_lr_ratio": 0.1, **UPDATES_COUNT}],
    "OneCycle": [{"max_lr": 0.2}, {"max_lr": 0.2, "three_phase": True}],
    "Poly": [{"power": 2.0}, {"min_lr": 0.01, **UPDATES_COUNT}],
    "ReduceLROnPlateau": [{"monitor": "loss", "mode": "max", "factor": 0.5, "patience": 0}],
    "Step": [{"step": 1}, {"step": [1, 2], "gamma": 0.5, "min_lr": 0.03, **UPDATES_COUNT}],
}
OF_MOMENTUM: dict[str, dict[str, Any]] = {
    "CosineAnnealing": {"min_momentum": 0.5, **UPDATES_COUNT},
    "Cyclic": {"target_ratio": (0.5, 1.0)},
    "LinearAnnealing": {"min_momentum_ratio": 0.5},
    "OneCycle": {},
    "Step": {"step": 1},
}
OF_WEIGHT_DECAY: dict[str, dict[str, Any]] = {
    "CosineAnnealing": {"eta_min": 1.0, **UPDATES_COUNT},
    "CosineAnnealingWeightDecay": {"eta_min_ratio": 100.0},
    "LinearAnnealing": {"eta_min": 1.0},
    "Step": {"step": 1, "gamma": 100.0},
}
SHORT = ("step-1-0.8", "SGDR-5-2", "multi-1,2-0.1", "default-0.5-0")
WARMUPS: list[dict[str, Any]] = [
    {"warmup": ramp, "warmup_iters": length, "warmup_by_epoch": by_epoch, "warmup_ratio": 0.25}
    for ramp in ("constant", "linear", "exp")
    for length, by_epoch in ((2, False), (1, True))
]


def by_name(schedule: dict[str, Any]) -> dict[str, Any]:
    # It has a warm-up of its own: the native one is as if nobody had said anything.
    return learn(lr_schedule=schedule, warmup_epoch=SCHEMA["warmup_epoch"].default)


SCHEDULED: dict[str, Trial] = {
    **{
        f"{name}-{number}": Trial(
            by_name({"type": name, **arguments}),
            EACH_UPDATE if name == "ReduceLROnPlateau" else {},
            has_effect=name != "Fixed",
        )
        for name, modes in OF_SCHEDULES.items()
        for number, arguments in enumerate(modes)
    },
    **{text: Trial(learn(lr_schedule=text), EACH_UPDATE) for text in SHORT},
    "a short form after a warm-up": Trial(learn(warmup_epoch=1), learn(lr_schedule="step-1-0.8")),
    **{
        f"warm-up {number}": Trial(by_name({"type": "Exp", "gamma": 0.5, **warmup}))
        for number, warmup in enumerate(WARMUPS)
    },
    **{
        f"momentum {name} {kind}": Trial(
            learn(momentum_schedule={"type": name, **arguments}), learn(optimizer={"type": kind})
        )
        for name, arguments in OF_MOMENTUM.items()
        for kind in ("SGD", "AdamW")
    },
    **{
        f"weight decay {name}": Trial(
            learn(weight_decay_schedule={"type": name, **arguments}),
            learn(weight_decay=0.01, optimizer={"type": "SGD", "paramwise_cfg": {"norm_decay_mult": 0.0}}),
        )
        for name, arguments in OF_WEIGHT_DECAY.items()
    },
}


# Metrics and hooks

OF_METRICS: dict[str, dict[str, Any]] = {
    "Accuracy": {"topk": [1, 2], "thrs": [0.0, 0.3]},
    "Auroc": {},
    "AveragePrecision": {},
    "BrierScore": {},
    "CalibrationError": {"num_bins": 5},
    "ClassificationMetrics": {"metrics": ["loss", "accuracy", "f1", "confusion", "mAP"], "primary": "f1"},
    "ConfusionMatrix": {},
    "ExactMatch": {"topk": 1},
    "MultiLabelMetric": {"topk": 1},
    "NegativeLogLikelihood": {},
    "SingleLabelMetric": {"average": ["macro", "none"]},
    "TorchMetric": {"metric": "MulticlassAccuracy", "num_classes": CLASSES},
    "VOCAveragePrecision": {"mode": "11points"},
}
# Of several tasks a picture: tests/options/test_data_options.py and tests/metrics/test_runs.py.
OF_TASKS = {"MultiTasksMetric", "StringAccuracy"}
OF_HOOKS: dict[str, Trial] = {
    "EarlyStoppingHook": Trial(
        hooks({"type": "EarlyStoppingHook", "patience": 1, "min_delta": 1e6, "monitor": "loss"}),
        stop_at=1,
    ),
    "EmptyCacheHook": Trial(hooks({"type": "EmptyCacheHook", "before_epoch": True, "after_iter": True})),
    "MlflowLoggerHook": Trial(learner(loggers=[{"type": "MlflowLoggerHook", "tracking_uri": "file:mlruns"}])),
    "ProfilerHook": Trial(hooks({"type": "ProfilerHook", "by_epoch": False, "activities": ["cpu"]})),
    "SetAdaptiveMarginsHook": Trial(
        hooks({"type": "SetAdaptiveMarginsHook", "margin_min": 0.1, "power": -0.5}), headed("ArcFaceClsHead")
    ),
    "WarmupParamHook": Trial(
        hooks({"type": "WarmupParamHook", "module_name": "loss", "param_name": "gamma", "warmup_iters": 3}),
        {**whole(), **learn(loss={"type": "FocalLoss"})},
    ),
    "SyncBuffersHook": Trial(hooks({"type": "SyncBuffersHook"})),
    "load_ckpt": Trial(learner(hook={"load_ckpt_before_run": "begin/ckpt/iteration_1.pth.tar"}), stop_at=2),
    "log_reduce": Trial(
        learner(hook={"log_reduce_after_iter": 1, "save_ckpt_after_run": True}),
        learner(hook={"save_ckpt_after_run": True}),
        stop_at=2,
    ),
    "log_show": Trial(
        learner(hook={"log_show_after_iter": 2, "save_ckpt_after_run": True}),
        learner(hook={"save_ckpt_after_run": True}),
        stop_at=2,
    ),
    "save_ckpt": Trial(learner(hook={"save_ckpt_after_epoch": 1, "save_ckpt_after_run": True}), stop_at=1),
}
# Only code can hand a function in, and W&B is stood in for: test_known_hooks.py and test_tracking.py in
# tests/worker/learner.
NO_HOOKS = {"ClosureHook", "WandbLoggerHook", "MMClsWandbHook"}
# Hooks of mmcv by name that are keys here.
MMCV = {
    "ClassNumCheckHook": Trial(hooks({"type": "ClassNumCheckHook"}), has_effect=False),
    "DistSamplerSeedHook": Trial(hooks({"type": "DistSamplerSeedHook"}), has_effect=False),
    "IterTimerHook": Trial(hooks({"type": "IterTimerHook"}), has_effect=False),
    "TensorboardLoggerHook": Trial(learner(loggers=[{"type": "TensorboardLoggerHook"}]), has_effect=False),
    "TextLoggerHook": Trial(learner(loggers=[{"type": "TextLoggerHook"}]), has_effect=False),
    "EMAHook": Trial(hooks({"type": "EMAHook", "momentum": 0.1})),
    "PreciseBNHook": Trial(hooks({"type": "PreciseBNHook", "num_samples": 4})),
}
