"""Every key of a config, with its default, type, choices and meaning: plain data.

The classes take their ``config`` from here (``defaults(POLICY)``), ``compile_config`` checks against it. A
key that a user's own class declares in its ``config`` is known too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Tree: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One value of the tree.

    Attributes:
        default: the value when the config is silent.
        types: accepted types; an int is accepted where float is, a bool is never an int.
        choices: accepted values, in words; others of ``types`` are refused. Empty: any.
        minimum: the smallest accepted number.
        help: one line, with the unit.
        example: what may stand behind the key's path on a command line; of several, with ' or ' between them.
    """

    default: Any
    types: tuple[type, ...]
    help: str
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    example: str = ""


@dataclass(frozen=True, slots=True)
class Free:
    """A mapping whose keys belong to whoever reads it (hooks by name, a metric's stop values)."""

    default: Mapping[str, Any]
    help: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Either:
    """A mapping with free keys, or one plain value: of ``types``, and of ``choices`` where there are any, or
    a string that fits ``pattern``."""

    default: Any
    types: tuple[type, ...]
    help: str
    choices: tuple[Any, ...] = ()
    pattern: str = ""
    example: str = ""


NONE = type(None)
# This design's configs write 'never' as an interval of a thousand million updates.
NEVER = 1e9
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos")

LEARNER: Tree = {
    "train_iterations": Key(
        int(1e9),
        (int, float),
        "stop after this many updates; no schedule ends with them (max_iters)",
        minimum=0,
    ),
    "dataloader": {
        "num_workers": Key(
            2, (int,), "loader processes for each of training and evaluation; 0: none", minimum=0
        ),
        "max_bad": Key(0, (int,), "leave out up to so many unreadable images; 0: one is an error", minimum=0),
        "drop_last": Key(
            False, (bool,), "whole batches alone; False: all samples, batches of near-equal size"
        ),
    },
    "log_policy": Key(True, (bool,), "log the policy's summary at the start"),
    "log_show_freq": Key(10, (int, float), "updates between two log lines", minimum=1),
    "is_multitask_pipeline": Key(False, (bool,), "accepted for compatibility; has no effect"),
    "only_monitor_rank0": Key(True, (bool,), "accepted for compatibility; only rank 0 writes"),
    "keep_checkpoints": Key(3, (int,), "how many iteration_N files to keep; 0: all", minimum=0),
    "checkpoint": {
        "save_optimizer": Key(
            True, (bool,), "False: files without it, which no run can go on from; a stop saves all the same"
        ),
        "out_dir": Key(
            None, (str, NONE), "checkpoints lie in the folder of the run's name in it; None: in the run's"
        ),
        "file_name": Key(
            None,
            (str, NONE),
            "further name of iteration_N files, of {model} {epoch} {train_iter}; None: none",
        ),
        "best_name": Key(
            None, (str, NONE), "further name of ckpt_best, of these and {key} {score:.5f}; None: none"
        ),
        "save_best_only": Key(False, (bool,), "write ckpt_best alone, and what a stopped run goes on from"),
        "save_one_only": Key(False, (bool,), "keep the newest of each kind; the same as keep_checkpoints=1"),
    },
    "hook": Free(
        {
            "load_ckpt_before_run": "",
            "log_show_after_iter": int(1e9),
            "save_ckpt_after_iter": 1000,
            "save_ckpt_after_run": True,
        },
        "hooks by short key TYPE_POSITION or as dict(name=, type=, priority=, position=, ext_args=)",
    ),
    "log_level": Key(
        "INFO", (str,), "which of the learner's lines show", choices=("DEBUG", "INFO", "WARNING", "ERROR")
    ),
    "loggers": Key(
        [],
        (list, tuple),
        "experiment trackers, each dict(type='MlflowLoggerHook' or 'WandbLoggerHook', ...)",
        example="=[{type: WandbLoggerHook}]",
    ),
    "custom_hooks": Key(
        [], (list, tuple), "further hooks, each dict(type=, priority='NORMAL', ...) with its own arguments"
    ),
}

LEARN: Tree = {
    "multi_gpu": Key(
        "auto", (bool, str), "the same switch as policy.multi_gpu", choices=("auto", True, False)
    ),
    "bp_update_sync": Key(
        True, (bool,), "accepted for compatibility: gradients are always overlapped and in step"
    ),
    "train_epoch": Key(200, (int,), "epochs", minimum=0),
    "max_iters": Key(
        None, (int, NONE), "updates in all, in place of train_epoch; schedules end with them", minimum=0
    ),
    "batch_size": Key(32, (int,), "training samples per process and update", minimum=1),
    "accumulation_steps": Key(
        1, (int,), "pieces an update's batch is computed in, one after the other", minimum=1
    ),
    "learning_rate": Key(0.01, (float,), "learning rate after warm-up", minimum=0),
    "lr_schedule": Either(
        "step",
        (str,),
        "what follows warm-up, as a word or short form; or dict(type=, ...) with a warm-up of its own: as an "
        "override it sets back the warmup_lr, decay_epoch and the like of the file",
        choices=("step", "cosine", "constant"),
        pattern=r"step-\d+-[\d.]+|multi-\d+(,\d+)*-[\d.]+|SGDR-\d+-\d+|default-[\d.]+-\d+",
        example="=step-4-0.8 or multi-3,5-0.1 or SGDR-5-2 or default-0.1-3",
    ),
    "momentum_schedule": Either(
        None,
        (NONE,),
        "dict(type=, ...) of a schedule of momentum, or of Adam's first beta; None: constant",
        example="={type: CosineAnnealing, min_momentum: 0.85}",
    ),
    "weight_decay_schedule": Either(
        None,
        (NONE,),
        "dict(type='CosineAnnealing', eta_min=) of a schedule of weight decay; None: constant",
        example="={type: CosineAnnealing, eta_min: 1e-5}",
    ),
    "auto_scale_lr": Either(
        None,
        (NONE,),
        "dict(base_batch_size=, enable=True): learning_rate in proportion to the global batch; "
        "without enable=True it is left alone, and lint compares them",
        example="={base_batch_size: 256, enable: True}",
    ),
    "decay_epoch": Key(30, (int, float), "step: epochs between two decays", minimum=1e-9),
    "decay_rate": Key(0.1, (float,), "step: factor of each decay", minimum=0),
    "min_lr": Key(0.0, (float,), "cosine: learning rate at the end", minimum=0),
    "warmup_lr": Key(1e-4, (float,), "learning rate at the first update, where warm-up begins", minimum=0),
    "warmup_epoch": Key(3, (int, float), "epochs of linear warm-up; 0: none", minimum=0),
    "weight_decay": Key(
        1e-4, (float, NONE), "L2 penalty of all parameters; None: the optimizer's own default", minimum=0
    ),
    "optimizer": Free(
        {"type": "SGD"},
        "class of the optimizer and its further arguments; constructor= and paramwise_cfg= group parameters",
        example=".type=Lion",
    ),
    "loss": Either(
        None,
        (NONE, str),
        "dict(type=, ...) of the loss, or CE, BCE, Focalloss-2; None: cross-entropy, or what the head brings",
    ),
    "distill": Either(
        None,
        (NONE,),
        "dict(teacher=CHECKPOINT, alpha=0.5, temperature=4, feature_weight=0): knowledge distillation",
        example=".teacher=runs/large/ckpt/ckpt_best.pth.tar",
    ),
    "momentum": Key(0.9, (float,), "SGD momentum", minimum=0),
    "nesterov": Key(False, (bool,), "Nesterov momentum"),
    "label_smoothing": Key(0.0, (float,), "share of the target that all classes share, up to 1", minimum=0),
    "batch_augments": Either(
        [],
        (list, tuple),
        "pictures mixed with each other: dict(type='Mixup', alpha=0.8, prob=0.5) or several",
        example="={type: Mixup, alpha: 0.8}",
    ),
    "recipes": Key(
        [],
        (list, tuple),
        "what changes on the way: each dict(action_epoch= or action_iter=, batch_augments=, loss=)",
        example="=[{action_epoch: 90, batch_augments: []}]",
    ),
    "grad_clip": Either(
        None,
        (NONE,),
        "gradient clipping: dict(max_norm=, norm_type=2) of the whole, or dict(clip_value=) of each value",
        example=".max_norm=1",
    ),
    "sam": Either(
        None,
        (NONE,),
        "dict(rho=0.05, adaptive=False): sharpness-aware, two backward passes an update",
        example=".rho=0.05",
    ),
    "ema": Either(
        None,
        (NONE,),
        "dict(decay= or momentum=0.0002, warm_up=100, interval=1, evaluate='ema'): a moving average of the "
        "weights is evaluated; 'both': they too, as raw_acc1 and so on; 'raw': they alone",
        example=".decay=0.999",
    ),
    "swa": Either(
        None,
        (NONE,),
        "dict(start_epoch=, lr=None, anneal_epochs=10, anneal_strategy='cos'): evaluate the mean of the last "
        "epochs' weights",
        example=".start_epoch=20",
    ),
    "precise_bn": Either(
        None,
        (NONE,),
        "dict(num_samples=8192, interval=1): BatchNorm's statistics anew at the end of every interval epochs",
        example=".interval=1",
    ),
    "freeze": Either(
        None,
        (NONE,),
        "dict(patterns='body', keep=[], until_epoch=None, norm_eval=True): parameters that stay as they are",
        example=".patterns=body",
    ),
    "freeze_nonlinear_epoch": Key(
        0, (int,), "epochs in which only the last layer is trained; freeze says more", minimum=0
    ),
    "find_unused_parameters": Key(
        False, (bool,), "several processes: let parameters take no part in the loss, at some cost"
    ),
    "detect_anomalous_params": Key(False, (bool,), "log which parameters take no part in the loss"),
    "precision": Key(
        "fp32", (str,), "arithmetic; fp16 on a CPU takes cuda=False", choices=("fp32", "bf16", "fp16")
    ),
    "loss_scale": Either(
        "dynamic",
        (float,),
        "fp16's, by torch's GradScaler: 'dynamic'; a number that stays as it is; or dict(init_scale=65536, "
        "growth_factor=2, backoff_factor=0.5, growth_interval=2000)",
        pattern="dynamic",
    ),
    "max_bad_steps": Key(10, (int,), "updates in a row, not finite, that end a run: exit code 4", minimum=1),
    "channels_last": Key(False, (bool,), "keep images and weights in NHWC memory order"),
    "learner": LEARNER,
}

COLLECT: Tree = {
    "learn_data_path": Key("", (str,), "folder of training pictures, one sub-folder per class"),
    "eval_data_path": Key("", (str,), "folder of validation pictures, with the same sub-folders"),
    "image_size": Key(224, (int,), "side of the square the network sees, in px; unset: its own", minimum=1),
    "resize_size": Key(
        256, (int,), "evaluation: shorter side before the crop, in px; unset: follows image_size", minimum=1
    ),
    "interpolation": Key("bilinear", (str,), "how images are resized; unset: the network's", choices=FILTERS),
    "crop_scale": Key(
        [0.08, 1.0], (list, tuple), "training: smallest and largest share of the area a crop covers"
    ),
    "crop_ratio": Key([3 / 4, 4 / 3], (list, tuple), "training: range of a crop's width / height"),
    "train": Either(
        None, (NONE,), "dict(type=, pipeline=, ...) of the training set; None: the folder learn_data_path"
    ),
    "val": Either(
        None, (NONE,), "dict(type=, pipeline=, ...) of the validation set; None: the folder eval_data_path"
    ),
    "test": Either(None, (NONE,), "dict(type=, pipeline=, ...) of a test set; training does not use it"),
    "quarantine": Key("", (str,), "CSV list of files that no dataset takes, as ding-cls doctor writes it"),
    "hflip": Key(True, (bool,), "training: mirror every second picture, by chance"),
    "mean": Key([0.485, 0.456, 0.406], (list, tuple), "taken from R, G, B in [0, 1]; unset: the network's"),
    "std": Key([0.229, 0.224, 0.225], (list, tuple), "divides R, G, B after that; unset: the network's"),
    "try_to_train_items": Key(
        0, (int,), "train on so many samples, each class by its share; 0: on all", minimum=0
    ),
    "sampler": Either(
        None,
        (NONE,),
        "dict(type=, ...) of what an epoch shows: RepeatAug, ClassBalanced; None: each sample once",
        example=".type=RepeatAug",
    ),
    "synthetic": Key(False, (bool,), "generate images instead of reading any"),
    "synthetic_samples": Key(1280, (int,), "generated training images", minimum=1),
    "synthetic_eval_samples": Key(320, (int,), "generated validation images", minimum=1),
}

EVALUATOR: Tree = {
    "validate": Key(True, (bool,), "evaluate at all; False: train without"),
    "eval_freq": Key(
        50, (int, float), "updates between two evaluations, looked at between epochs", minimum=1
    ),
    "eval_interval": Key(
        None, (int, NONE), "epochs (by_epoch=False: updates) between two; None: eval_freq decides", minimum=1
    ),
    "by_epoch": Key(
        True, (bool,), "eval_interval and start count epochs; False: updates, inside an epoch too"
    ),
    "start": Key(
        None, (int, NONE), "epochs (or updates) before the first one; None: none, it comes first", minimum=0
    ),
    "loss_interval": Key(
        0,
        (int,),
        "epochs between two passes for the training loss of the evaluation data, val_total_loss; 0: none",
        minimum=0,
    ),
    "save_best": Key(
        None,
        (str, bool, NONE),
        "key of the results that decides which is best, ties by the lower loss; None: as the metric says",
    ),
    "rule": Key(
        None,
        (str, NONE),
        "direction of save_best; None: as the metric says",
        choices=("greater", "less", None),
    ),
    "greater_keys": Key([], (list, tuple), "keys of a metric of one's own of which more is better"),
    "less_keys": Key([], (list, tuple), "keys of a metric of one's own of which less is better"),
    "early_stop_patience": Key(
        None, (int, NONE), "stop after so many evaluations without a better one; None: never", minimum=1
    ),
    "early_stop_min_delta": Key(
        0.0, (float,), "by how much the deciding key must get better to count", minimum=0
    ),
    "stop_value": Either(
        None, (int, float, NONE), "stop when the named keys reach these values; None: never"
    ),
    "multi_gpu": Key(None, (bool, NONE), "accepted for compatibility: the process group decides"),
}

POLICY: Tree = {
    "type": Key("image_classification", (str,), "accepted for compatibility; has no effect"),
    "cuda": Key(
        "auto", (bool, str), "train on CUDA; auto: where there is one", choices=("auto", True, False)
    ),
    "multi_gpu": Key(
        "auto",
        (bool, str),
        "one process per device, with DDP; auto: under a launcher",
        choices=("auto", True, False),
    ),
    "model": Free(
        {"name": "resnet18", "num_classes": None, "pretrained": False},
        "name of the network, its number of classes (None: as in the data), pretrained (False, True or a "
        "file), and any other argument of its constructor; or type= of a classifier and its parts",
    ),
    "learn": LEARN,
    "collect": COLLECT,
    "eval": {
        "batch_size": Key(32, (int,), "evaluation samples per process and batch", minimum=1),
        "metric": Either(
            None,
            (NONE,),
            "dict(type=, ...) of the metric; None: loss, acc1 and acc5",
            example=".type=Accuracy",
        ),
        "evaluator": EVALUATOR,
    },
}

ROOT: Tree = {
    "exp_name": Key("default_experiment", (str,), "the run's folder: everything the run writes lies in it"),
    "seed": Key(0, (int,), "seed of everything random"),
    "env": Free({}, "accepted for compatibility; has no effect"),
    "custom_imports": Free(
        {}, "dict(imports=[...]): modules with the user's own parts; imported only with --allow-code"
    ),
    "policy": POLICY,
}


def defaults(tree: Tree) -> dict[str, Any]:
    """Return the default values of a schema tree as nested plain dicts, copied."""
    values: dict[str, Any] = {}
    for name, entry in tree.items():
        if isinstance(entry, dict):
            values[name] = defaults(entry)
        elif isinstance(entry.default, Mapping):
            values[name] = dict(entry.default)
        else:
            values[name] = list(entry.default) if isinstance(entry.default, list) else entry.default
    return values
