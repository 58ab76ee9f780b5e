"""Flags of other training programs, and what says the same here: plain data and one look-up.

Names are written with underscores, without leading dashes, and without a group such as ``trainer.``.
"""

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import takewhile

# A '{}' takes the flag's first value, '{last}' its last, '{all}' all of them with commas between.
_TIMM_AND_TORCHVISION = {
    "lr": "policy.learn.learning_rate={}",
    "b": "policy.learn.batch_size={}",
    "vb": "policy.eval.batch_size={}",
    "validation_batch_size": "policy.eval.batch_size={}",
    "img_size": "policy.collect.image_size={}",
    "input_size": "policy.collect.image_size={last}",
    "train_crop_size": "policy.collect.image_size={}",
    "val_crop_size": "policy.collect.image_size={}",
    "val_resize_size": "policy.collect.resize_size={}",
    "mean": "policy.collect.mean=[{all}]",
    "std": "policy.collect.std=[{all}]",
    "scale": "policy.collect.crop_scale=[{all}]",
    "ratio": "policy.collect.crop_ratio=[{all}]",
    "hflip": "policy.collect.hflip={}",
    "opt": "policy.learn.optimizer.type={}",
    "opt_eps": "policy.learn.optimizer.eps={}",
    "opt_betas": "policy.learn.optimizer.betas=[{all}]",
    "sched": "policy.learn.lr_schedule={}",
    "lr_scheduler": "policy.learn.lr_schedule={}",
    "wd": "policy.learn.weight_decay={}",
    "warmup_epochs": "policy.learn.warmup_epoch={}",
    "lr_warmup_epochs": "policy.learn.warmup_epoch={}",
    "lr_step_size": "policy.learn.decay_epoch={}",
    "decay_epochs": "policy.learn.decay_epoch={}",
    "lr_gamma": "policy.learn.decay_rate={}",
    "lr_min": "policy.learn.min_lr={}",
    "smoothing": "policy.learn.label_smoothing={}",
    "mixup": "policy.learn.batch_augments={{type: Mixup, alpha: {}}}",
    "mixup_alpha": "policy.learn.batch_augments={{type: Mixup, alpha: {}}}",
    "cutmix": "policy.learn.batch_augments={{type: CutMix, alpha: {}}}",
    "cutmix_alpha": "policy.learn.batch_augments={{type: CutMix, alpha: {}}}",
    "bce_loss": "policy.learn.loss=BCE",
    "clip_grad": "policy.learn.grad_clip.max_norm={}",
    "clip_grad_norm": "policy.learn.grad_clip.max_norm={}",
    "amp": "policy.learn.precision=fp16",
    "amp_dtype": "policy.learn.precision={}",
    "channels_last": "policy.learn.channels_last=True",
    "model_ema": "policy.learn.ema.decay=0.9998",
    "model_ema_decay": "policy.learn.ema.decay={}",
    "model_ema_steps": "policy.learn.ema.interval={}",
    "drop": "policy.model.dropout={}",
    "drop_path": "policy.model.drop_path_rate={}",
    "num_classes": "policy.model.num_classes={}",
    "ra_sampler": "policy.collect.sampler.type=RepeatAug",
    "j": "policy.learn.learner.dataloader.num_workers={}",
    "workers": "policy.learn.learner.dataloader.num_workers={}",
    "log_interval": "policy.learn.learner.log_show_freq={}",
    "print_freq": "policy.learn.learner.log_show_freq={}",
    "checkpoint_hist": "policy.learn.learner.keep_checkpoints={}",
    "log_wandb": "policy.learn.learner.loggers=[{{type: WandbLoggerHook}}]",
    "device": "policy.cuda={}",
    "initial_checkpoint": "--pretrained {}",
    "weights": "--pretrained {}",
    "data_dir": "--data {}",
    "data_path": "--data {}",
    "output": "--work-dir {}",
    "output_dir": "--work-dir {}",
    "experiment": "exp_name={}",
    "metric": "policy.eval.metric={{type: ClassificationMetrics, metrics: [{}]}}",
    "model": "policy.model.name={}",
}
_MMCLASSIFICATION = {
    "resume_from": "--resume {}",
    "load_from": "--pretrained {}",
    "auto_resume": "--resume",
    "options": "--cfg-options {}",
    # Of its tools/visualizations.
    "dataset_size": "policy.collect.synthetic_samples={}",
}
_ONEFLOW = {
    "batch_size_per_device": "policy.learn.batch_size={}",
    "val_batch_size_per_device": "policy.eval.batch_size={}",
    "num_epochs": "--epochs {}",
    "num_epoch": "--epochs {}",
    "model_load_dir": "--pretrained {}",
    "model_save_dir": "--work-dir {}",
    "train_data_dir": "policy.collect.learn_data_path={}",
    "val_data_dir": "policy.collect.eval_data_path={}",
    "image_shape": "policy.collect.image_size={last}",
    "resize_shorter": "policy.collect.resize_size={}",
    "rgb_mean": "policy.collect.mean=[{all}]",
    "rgb_std": "policy.collect.std=[{all}]",
    "optimizer": "policy.learn.optimizer.type={}",
    "model_update": "policy.learn.optimizer.type={}",
    "lr_decay": "policy.learn.lr_schedule={}",
    "lr_decay_rate": "policy.learn.decay_rate={}",
    "gradient_clipping": "policy.learn.grad_clip.max_norm={}",
    "use_fp16": "policy.learn.precision=fp16",
    "channel_last": "policy.learn.channels_last=True",
    "loss_print_every_n_iter": "policy.learn.learner.log_show_freq={}",
    "save_epoch_interval": "policy.learn.learner.hook.save_ckpt_after_epoch={}",
}
_LIGHTNING_AND_TRANSFORMERS = {
    "max_epochs": "--epochs {}",
    "num_train_epochs": "--epochs {}",
    "max_steps": "policy.learn.max_iters={}",
    "per_device_train_batch_size": "policy.learn.batch_size={}",
    "per_device_eval_batch_size": "policy.eval.batch_size={}",
    "accelerator": "policy.cuda={}",
    "precision": "policy.learn.precision={}",
    "fp16": "policy.learn.precision=fp16",
    "bf16": "policy.learn.precision=bf16",
    "gradient_clip_val": "policy.learn.grad_clip.max_norm={}",
    "max_grad_norm": "policy.learn.grad_clip.max_norm={}",
    "optim": "policy.learn.optimizer.type={}",
    "lr_scheduler_type": "policy.learn.lr_schedule={}",
    "label_smoothing_factor": "policy.learn.label_smoothing={}",
    "dataloader_num_workers": "policy.learn.learner.dataloader.num_workers={}",
    "check_val_every_n_epoch": "policy.eval.evaluator.eval_interval={}",
    "log_every_n_steps": "policy.learn.learner.log_show_freq={}",
    "logging_steps": "policy.learn.learner.log_show_freq={}",
    "save_total_limit": "policy.learn.learner.keep_checkpoints={}",
    "model_name_or_path": "--model {}",
    "default_root_dir": "--work-dir {}",
    "ckpt_path": "--resume {}",
    "resume_from_checkpoint": "--resume {}",
    "fast_dev_run": "--dry-run",
}
FLAGS = {**_TIMM_AND_TORCHVISION, **_MMCLASSIFICATION, **_ONEFLOW, **_LIGHTNING_AND_TRANSFORMERS}

# Of programs that evaluate; they win over those above behind 'ding-cls eval'.
FLAGS_OF_EVAL = {
    "metrics": "--metric {}",
    "topk": "'policy.eval.metric={{type: Accuracy, topk: [{all}]}}'",
    "metric_options": "'policy.eval.metric={{type: Accuracy, topk: [1, 5]}}'",
    "b": "--batch-size {}",
    "data_dir": "--data {}",
    "data_path": "--data {}",
    "results_file": "--out {}",
    **dict.fromkeys(("checkpoint", "ckpt", "ckpt_path", "resume", "model_path"), "{}"),
}
# Flags of train, without which the config of a run is not whole.
_OF_A_RUN = {"data", "model", "pretrained", "epochs", "synthetic"}
_EXAMPLE_OF_EVAL = FLAGS_OF_EVAL["topk"].format(all="1, 5")

_PROCESSES = "start it as: torchrun --nproc-per-node={} -m ding_cls train ..."
_MACHINES = "start it on each machine as: torchrun --nnodes={} --nproc-per-node=N -m ding_cls train ..."
_DEVICES = "put CUDA_VISIBLE_DEVICES={all} before the command"
_LAUNCHED = "leave it out: the launcher's environment is read"
_PIECES = (
    "policy.learn.batch_size counts a whole update: set it {} times as large, and "
    "policy.learn.accumulation_steps={last}"
)
_SAME = "leave it out: a run is the same for the same seed"
NOTES = {
    "gpus": _PROCESSES,
    "devices": _PROCESSES,
    "gpu_num_per_node": _PROCESSES,
    "num_nodes": _MACHINES,
    "nnodes": _MACHINES,
    "node_ips": "leave it out: torchrun's --master-addr is the first of them",
    "gpu_ids": _DEVICES,
    "gpu_id": _DEVICES,
    "launcher": _LAUNCHED,
    "local_rank": _LAUNCHED,
    "strategy": _LAUNCHED,
    "deterministic": _SAME,
    "use_deterministic_algorithms": _SAME,
    "diff_seed": _SAME,
    "grad_accum_steps": _PIECES,
    "accumulate_grad_batches": _PIECES,
    "gradient_accumulation_steps": _PIECES,
    "crop_pct": "set policy.collect.resize_size to policy.collect.image_size / {}",
    "pin_mem": "leave it out: memory is pinned where there is a GPU",
    "aa": "name RandAugment or AutoAugment in policy.collect.train.pipeline",
    "auto_augment": "name RandAugment or AutoAugment in policy.collect.train.pipeline",
    "reprob": "name RandomErasing in policy.collect.train.pipeline",
    "random_erase": "name RandomErasing in policy.collect.train.pipeline",
    "evaluate": "a checkpoint is evaluated by: ding-cls eval CKPT",
    "test_only": "a checkpoint is evaluated by: ding-cls eval CKPT",
}

_CUDA = {"gpu": "True", "cuda": "True", "cpu": "False"}
_NAMED = "SGD Adam AdamW RMSprop NAdam RAdam Adagrad Adadelta Adamax Adafactor Lamb LARS Lion"
_OPTIMIZERS = {
    **{name.lower(): name for name in _NAMED.split()},
    "momentum": "SGD",
    "nesterov": "SGD",
    "adamw_torch": "AdamW",
}
_SCHEDULES = {
    "cosine": "cosine",
    "cosineannealinglr": "cosine",
    "step": "step",
    "steplr": "step",
    "constant": "constant",
    "none": "constant",
    "poly": "{type: Poly}",
    "polynomial": "{type: Poly}",
    "linear": "{type: LinearAnnealing}",
    "exponential": "{type: Exp, gamma: 0.97}",
    "exponentiallr": "{type: Exp, gamma: 0.97}",
    "plateau": "{type: ReduceLROnPlateau}",
}
_PRECISIONS = {
    **dict.fromkeys(("16", "16-mixed", "16-true", "float16", "half"), "fp16"),
    **dict.fromkeys(("bf16-mixed", "bf16-true", "bfloat16"), "bf16"),
    **dict.fromkeys(("32", "32-true", "float32", "no"), "fp32"),
}
# Their values in our words, by the key; others stay as they are.
_VALUES: dict[str, Mapping[str, str]] = {
    "policy.cuda": _CUDA,
    "policy.learn.optimizer.type": _OPTIMIZERS,
    "policy.learn.lr_schedule": _SCHEDULES,
    "policy.learn.precision": _PRECISIONS,
    "policy.collect.hflip": {"0": "False", "0.0": "False", "0.5": "True", "1": "True", "1.0": "True"},
}
# Groups that Lightning's command line puts before a flag.
_GROUP = re.compile(r"(trainer|model|data|optimizer|lr_scheduler)\.(\w+\.)*")
# '-b64' is '-b 64'.
_JOINED = re.compile(r"-([a-z])(\d.*)")
_NUMBER = re.compile(r"-?[\d.][\d.e-]*")


def hint(
    flags: Sequence[str], argv: Sequence[str], *, options: Sequence[str] = (), has_keys: bool = True
) -> str:
    """Return what to say of flags that there are not: the words that mean the same, ready to be pasted.

    Args:
        flags: as they were typed, with a value after ``=`` where it stood there.
        argv: all words of the command; values are looked for behind the flags.
        options: what there is.
        has_keys: the verb takes keys of a config; else the options alone are compared.
    """
    if not has_keys:
        return _near(flags, options)
    if list(argv[:2]) == ["config", "lint"] and {_parts(flag, argv)[0] for flag in flags} <= _OF_A_RUN:
        typed = shlex.join(argv[2:])
        return f"; lint reads a file alone; for the same with the data: ding-cls train {typed} --dry-run"
    words: list[str] = []
    notes: list[str] = []
    of_verb = FLAGS_OF_EVAL if list(argv[:1]) == ["eval"] else {}
    for flag in flags:
        name, values = _parts(flag, argv)
        if name in of_verb:
            words.append(_filled(of_verb[name], [shlex.quote(each) for each in values] or ["VALUE"]))
        elif name in NOTES:
            notes.append(f"{flag.partition('=')[0]}: {_filled(NOTES[name], values or ['N'])}")
        elif word := _word(name, values, is_alone=len(flags) == 1):
            words.append(word)
    words = _mixed_by_one_key(words)
    if not words and not notes and (near := _near(flags, options)):
        return near
    if not words and not notes:
        words = [_EXAMPLE_OF_EVAL if of_verb else "policy.learn.batch_size=64"]
    are_keys = all("=" in each for each in words)
    about = "config keys are written key=value" if are_keys else "here that is"
    return "; ".join(["", *([f"{about}: {' '.join(words)}"] if words else []), *notes])


def _near(flags: Sequence[str], options: Sequence[str]) -> str:
    """Return the option that a misspelt one is near to, as a question; empty where there is none."""
    for flag in flags:
        if near := difflib.get_close_matches(flag.partition("=")[0].lower(), options, n=1, cutoff=0.75):
            return f"; did you mean {near[0]}?"
    return ""


def _parts(flag: str, argv: Sequence[str]) -> tuple[str, list[str]]:
    """Return a flag's name as the tables have it, and its values."""
    if joined := _JOINED.fullmatch(flag):
        return joined[1], [joined[2]]
    name, has_value, value = flag.lstrip("-").partition("=")
    name = _GROUP.sub("", name.replace("-", "_"))
    if has_value:
        return name, [value]
    behind = argv[argv.index(flag) + 1 :] if flag in argv else []
    # Of several values each is a number: a name behind the first is a word of its own.
    first = [each for each in behind[:1] if not each.startswith("-") or _NUMBER.fullmatch(each)]
    return name, [*first, *takewhile(_NUMBER.fullmatch, behind[1:])] if first else []


def _word(name: str, values: Sequence[str], *, is_alone: bool) -> str:
    """Return the word that says a flag here; empty where there is none. One alone shows its alternatives."""
    from ding_cls.config.suggestions import keys_named

    template = FLAGS.get(name)
    if template is None:
        keys = keys_named(name)
        value = values[0] if values else "VALUE"
        return " or ".join(shlex.quote(f"{key}={value}") for key in (keys if is_alone else keys[:1]))
    key, _, rest = template.partition("=")
    known = _VALUES.get(key, {})
    ours = [known.get(each.lower(), each) for each in values] or ["VALUE"]
    if name == "lr_decay" and re.fullmatch(r"[\d.]+", ours[0]):
        key = "policy.learn.decay_rate"
    if template.startswith("--"):
        return _filled(template, [shlex.quote(each) for each in ours])
    return shlex.quote(f"{key}={_filled(rest, ours)}")


def _mixed_by_one_key(words: list[str]) -> list[str]:
    """Return the words with one list of all that mixes images: the last of two values of one key wins."""
    key = "'policy.learn.batch_augments="
    mixing = [each for each in words if each.startswith(key)]
    if len(mixing) < 2:
        return words
    listed = ", ".join(each.removeprefix(key).removesuffix("'") for each in mixing)
    return [*(each for each in words if each not in mixing), f"{key}[{listed}]'"]


def _filled(template: str, values: Sequence[str]) -> str:
    return template.format(values[0], last=values[-1], all=",".join(values))
