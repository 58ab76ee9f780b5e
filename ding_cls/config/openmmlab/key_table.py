"""mmclassification's names for a config, row by row: ours, and how a value gets there.

Plain data for ``translate``; ``docs/second-spelling.md`` is drawn from it. A feature that is new here costs
one line: the row's ``LATER`` becomes the native key.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fate(StrEnum):
    """What becomes of a value that has no native key."""

    NO_EFFECT = "no effect"
    LATER = "not supported yet"


NO_EFFECT, LATER = Fate.NO_EFFECT, Fate.LATER


@dataclass(frozen=True, slots=True)
class When:
    """A condition on the whole config, in words and as a test."""

    words: str
    holds: Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One name of the second spelling.

    Attributes:
        old: its dotted path.
        new: the native path or paths; or what becomes of it. Keys of a dict that have no row of their own
            move along with it.
        help: what there is to know, in one line.
        convert: turns its value into the native one.
        types: types that ``convert`` takes; empty: any.
        nothing: values that ask for what happens anyway.
        only: the only values supported; empty: all.
        when: the row holds only then.
        is_general: gives way to another row with the same native path.
    """

    old: str
    new: str | tuple[str, ...] | Fate
    help: str = ""
    convert: Callable[[Any], Any] | None = None
    types: tuple[type, ...] = ()
    nothing: tuple[Any, ...] = ()
    only: tuple[Any, ...] = ()
    when: When | None = None
    is_general: bool = False

    @property
    def targets(self) -> tuple[str, ...]:
        """The native paths."""
        if isinstance(self.new, Fate):
            return ()
        return (self.new,) if isinstance(self.new, str) else self.new


FP16_HOOKS = ("Fp16OptimizerHook", "GradientCumulativeFp16OptimizerHook")
_PLAIN_OPTIMIZER_HOOKS = ("OptimizerHook", "DistOptimizerHook", "GradientCumulativeOptimizerHook")
_DISK = (None, {"backend": "disk"})

# mmcv capitalises a policy in lower case; names of two words must be written as its classes are.
_NAMES = (
    *("Fixed", "Step", "Exp", "Poly", "Inv", "Cyclic", "OneCycle", "CosineRestart", "CosineAnnealing"),
    *("CosineAnnealingCooldown", "FlatCosineAnnealing", "LinearAnnealing"),
)
_SCHEDULES = {name.lower(): name for name in _NAMES}


def section(cfg: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a top-level section; an empty one where it is missing or is no dict."""
    value = cfg.get(name)
    return value if isinstance(value, Mapping) else {}


def is_sgd(cfg: Mapping[str, Any]) -> bool:
    """Return whether the optimizer is SGD, whose momentum is a native key of its own."""
    return bool(section(cfg, "optimizer").get("type", "SGD") == "SGD")


def counts_iters(cfg: Mapping[str, Any]) -> bool:
    """Return whether the run's length is given in iterations."""
    return bool(section(cfg, "runner").get("type") == "IterBasedRunner")


def saves_by_epoch(cfg: Mapping[str, Any]) -> bool:
    """Return whether ``checkpoint_config.interval`` counts epochs."""
    return bool(section(cfg, "checkpoint_config").get("by_epoch", not counts_iters(cfg)))


def _passes_for_loss(cfg: Mapping[str, Any]) -> bool:
    phases = cfg.get("workflow")
    if not isinstance(phases, list | tuple) or len(phases) != 2:
        return False
    form = [list(each) if isinstance(each, list | tuple) else each for each in phases]
    lengths = [each[1] if isinstance(each, list) and len(each) == 2 else 0 for each in form]
    is_whole = all(type(each) is int and each > 0 for each in lengths)
    return is_whole and form[0][0] == "train" and form[1] == ["val", 1]


_SGD = When("the optimizer is SGD", is_sgd)
_BY_EPOCH = When("by_epoch=True, as it is with an EpochBasedRunner", saves_by_epoch)
_BY_ITER = When("by_epoch=False", lambda cfg: not saves_by_epoch(cfg))
_COUNTS_ITERS = When("the runner is an IterBasedRunner", counts_iters)
_COUNTS_EPOCHS = When("the runner is an EpochBasedRunner", lambda cfg: not counts_iters(cfg))
_NO_EVALUATION = When("it is None", lambda cfg: cfg.get("evaluation", {}) is None)
_LOSS_PASSES = When("it is [('train', k), ('val', 1)]", _passes_for_loss)


def _schedule(name: str) -> str:
    return _SCHEDULES.get(name.lower(), name)


def _interval(interval: int) -> int | bool:
    return interval if interval > 0 else False


def _update_name(template: str) -> str:
    return template.replace("{}", "{train_iter}")


def _is_cuda(device: str) -> bool:
    return device == "cuda"


def _dataset(datasets: Any) -> Any:
    return {"type": "ConcatDataset", "datasets": list(datasets)}


_LEARN, _LEARNER, _COLLECT = "policy.learn", "policy.learn.learner", "policy.collect"
_HOOK, _FILES, _EVALUATOR = f"{_LEARNER}.hook", f"{_LEARNER}.checkpoint", "policy.eval.evaluator"
_SAMPLER, _LOADER = f"{_COLLECT}.sampler", f"{_LEARNER}.dataloader"
_METRIC, _MODEL, _OPTIMIZER = "policy.eval.metric", "policy.model", f"{_LEARN}.optimizer"
_PARAMWISE = f"{_OPTIMIZER}.paramwise_cfg"
_NONE = (None,)
_TEMPLATE = ("checkpoint_config.filename_tmpl", f"{_FILES}.file_name")


def _rows(section: str, names: str, new: str | Fate, help: str = "", **about: Any) -> Iterator[Row]:
    """Yield a row for each of the names in a section; in a native section it has the same name."""
    for name in names.split():
        target = new if isinstance(new, Fate) else f"{new}.{name}"
        yield Row(f"{section}.{name}".lstrip("."), target, help, **about)


def _loader_rows(where: str) -> Iterator[Row]:
    """Yield what is the same for each of the four sections of loaders' settings."""
    yield from _rows(where, "persistent_workers pin_memory prefetch_factor", NO_EFFECT, "for speed alone")
    yield from _rows(where, "round_up", LATER)
    yield from _rows(where, "seed", LATER, nothing=_NONE)


TABLE: tuple[Row, ...] = (
    Row("model", _MODEL, "the network and its parts"),
    Row("model.pretrained", f"{_MODEL}.pretrained", nothing=_NONE),
    Row("model.init_cfg", f"{_MODEL}.init_cfg", "initial values, or type='Pretrained'", nothing=(None, [])),
    Row("model.train_cfg", f"{_MODEL}.train_cfg", nothing=(None, {})),
    Row("model.train_cfg.augments", f"{_LEARN}.batch_augments", nothing=(None, [])),
    Row("optimizer", _OPTIMIZER, "its class and further arguments"),
    Row("optimizer.lr", f"{_LEARN}.learning_rate"),
    Row("optimizer.weight_decay", f"{_LEARN}.weight_decay"),
    *_rows("optimizer", "momentum nesterov", _LEARN, when=_SGD),
    *_rows("optimizer", "paramwise_cfg constructor", _OPTIMIZER, nothing=_NONE),
    Row("paramwise_cfg", _PARAMWISE, "that of optimizer wins", nothing=_NONE, is_general=True),
    Row("optimizer_config.type", LATER, nothing=(*_PLAIN_OPTIMIZER_HOOKS, *FP16_HOOKS)),
    Row("optimizer_config.grad_clip", f"{_LEARN}.grad_clip", types=(dict,), nothing=_NONE),
    Row("optimizer_config.detect_anomalous_params", f"{_LEARN}.detect_anomalous_params"),
    Row(
        "optimizer_config.cumulative_iters",
        f"{_LEARN}.accumulation_steps",
        "an update is one batch here: batch_size is multiplied by it, and what counts iterations divided",
    ),
    Row("optimizer_config.update_interval", LATER, nothing=(1,)),
    Row("optimizer_config.loss_scale", f"{_LEARN}.loss_scale", "the precision is then fp16"),
    Row("optimizer_config.use_fp16", LATER, nothing=(False,)),
    *_rows(
        "optimizer_config", "distributed coalesce bucket_size_mb", NO_EFFECT, "gradients are reduced by DDP"
    ),
    Row("lr_config", f"{_LEARN}.lr_schedule", "the arguments, its warm-up among them", nothing=_NONE),
    Row("lr_config.policy", f"{_LEARN}.lr_schedule.type", "in any case", _schedule, types=(str,)),
    Row("momentum_config", f"{_LEARN}.momentum_schedule", "the schedule's arguments", nothing=_NONE),
    Row("momentum_config.policy", f"{_LEARN}.momentum_schedule.type", "", _schedule, types=(str,)),
    Row("fp16.loss_scale", f"{_LEARN}.loss_scale", "the precision is then fp16"),
    Row("runner.type", LATER, nothing=("EpochBasedRunner", "IterBasedRunner")),
    Row("runner.max_epochs", f"{_LEARN}.train_epoch"),
    Row("runner.max_iters", f"{_LEARN}.max_iters", "the run and its schedules end there"),
    Row("total_epochs", f"{_LEARN}.train_epoch"),
    *(
        Row("checkpoint_config.interval", f"{_HOOK}.{hook}", "-1: never", _interval, types=(int,), when=when)
        for hook, when in (("save_ckpt_after_epoch", _BY_EPOCH), ("save_ckpt_after_iter", _BY_ITER))
    ),
    Row("checkpoint_config.by_epoch", NO_EFFECT, "decides what interval counts", types=(bool,)),
    Row(
        "checkpoint_config.max_keep_ckpts",
        f"{_LEARNER}.keep_checkpoints",
        "-1: all",
        lambda count: max(count, 0),
        types=(int,),
    ),
    Row("checkpoint_config.save_last", f"{_HOOK}.save_ckpt_after_run"),
    Row("checkpoint_config.save_optimizer", f"{_FILES}.save_optimizer"),
    Row("checkpoint_config.out_dir", f"{_FILES}.out_dir", nothing=_NONE),
    Row("checkpoint_config.sync_buffer", LATER, nothing=(False,)),
    Row(*_TEMPLATE, "a further name; {} is the update", _update_name, (str,), _NONE, when=_COUNTS_ITERS),
    Row(*_TEMPLATE, "a further name; {} is the epoch", nothing=_NONE, when=_COUNTS_EPOCHS),
    Row("checkpoint_config.file_client_args", LATER, nothing=_DISK),
    Row("checkpoint_config.create_symlink", NO_EFFECT, "there are no links: --resume finds the newest"),
    Row("checkpoint_config.meta", NO_EFFECT, "every checkpoint holds classes, config and versions"),
    Row("checkpoint_config.type", LATER, nothing=("CheckpointHook",)),
    Row("log_config.interval", f"{_LEARNER}.log_show_freq"),
    Row(
        "log_config.hooks",
        f"{_LEARNER}.loggers",
        "lines and TensorBoard are always written",
        types=(list, tuple),
    ),
    Row("log_level", f"{_LEARNER}.log_level", nothing=_NONE),
    Row(
        "custom_hooks",
        f"{_LEARNER}.custom_hooks",
        "EMAHook becomes policy.learn.ema, PreciseBNHook precise_bn there, SwitchRecipeHook recipes",
        nothing=_NONE,
    ),
    Row(
        "workflow",
        f"{_EVALUATOR}.loss_interval",
        "a pass for the training loss of the evaluation data after each k epochs",
        lambda phases: phases[0][1],
        when=_LOSS_PASSES,
    ),
    Row("workflow", LATER, "an epoch of training, then evaluation", nothing=([["train", 1]], None)),
    Row("work_dir", "exp_name", nothing=_NONE),
    Row("resume_from", f"{_HOOK}.load_ckpt_before_run", nothing=_NONE),
    Row("load_from", f"{_MODEL}.pretrained", "of a checkpoint what its run evaluated", nothing=_NONE),
    Row("auto_resume", LATER, "the command line has --resume", nothing=(False, None)),
    Row("data.samples_per_gpu", (f"{_LEARN}.batch_size", "policy.eval.batch_size"), is_general=True),
    Row("data.workers_per_gpu", f"{_LOADER}.num_workers", is_general=True),
    Row("data.train_dataloader.samples_per_gpu", f"{_LEARN}.batch_size"),
    Row("data.train_dataloader.workers_per_gpu", f"{_LOADER}.num_workers"),
    Row("data.val_dataloader.samples_per_gpu", "policy.eval.batch_size"),
    Row("data.val_dataloader.workers_per_gpu", NO_EFFECT, "as many as for training"),
    Row("data.test_dataloader.samples_per_gpu", NO_EFFECT, "results do not depend on it"),
    Row("data.test_dataloader.workers_per_gpu", NO_EFFECT, "as many as for training"),
    Row("data.shuffle", LATER, nothing=(True,)),
    Row("data.train_dataloader.shuffle", LATER, nothing=(True,)),
    *_rows("data.val_dataloader", "shuffle drop_last", LATER, nothing=(False,)),
    *_rows("data.test_dataloader", "shuffle drop_last", LATER, nothing=(False,)),
    Row("data.drop_last", f"{_LOADER}.drop_last", "for training alone", is_general=True),
    Row("data.train_dataloader.drop_last", f"{_LOADER}.drop_last"),
    *_loader_rows("data"),
    *_loader_rows("data.train_dataloader"),
    *_loader_rows("data.val_dataloader"),
    *_loader_rows("data.test_dataloader"),
    Row("data.sampler_cfg", _SAMPLER, "of training", nothing=_NONE, is_general=True),
    Row("data.train_dataloader.sampler_cfg", _SAMPLER, nothing=_NONE),
    Row("data.val_dataloader.sampler_cfg", LATER, nothing=_NONE),
    Row("data.test_dataloader.sampler_cfg", LATER, nothing=_NONE),
    *_rows(
        "data",
        "train val test",
        _COLLECT,
        "the dataset; a list becomes a ConcatDataset",
        convert=_dataset,
        types=(list, tuple),
        nothing=_NONE,
    ),
    Row("data.train.data_prefix", f"{_COLLECT}.learn_data_path", nothing=(None, "")),
    Row("data.val.data_prefix", f"{_COLLECT}.eval_data_path", nothing=(None, "")),
    Row("sampler", _SAMPLER, "RepeatAugSampler", nothing=_NONE),
    Row("evaluation", f"{_EVALUATOR}.validate", "None: train without", lambda _: False, when=_NO_EVALUATION),
    Row(
        "evaluation.interval",
        f"{_EVALUATOR}.eval_interval",
        "epochs; with an IterBasedRunner updates",
        types=(int,),
    ),
    Row("evaluation.by_epoch", NO_EFFECT, "the runner decides, as in mmclassification"),
    *_rows("evaluation", "start rule greater_keys less_keys", _EVALUATOR, nothing=_NONE),
    Row(
        "evaluation.metric",
        f"{_METRIC}.metrics",
        "the metric is then ClassificationMetrics",
        nothing=("accuracy", ["accuracy"]),
    ),
    Row("evaluation.metric_options.topk", f"{_METRIC}.topk", "else acc1, acc5", nothing=(1, [1], [1, 5])),
    Row("evaluation.metric_options.thrs", f"{_METRIC}.thrs", nothing=(None, 0, 0.0)),
    Row("evaluation.metric_options.average_mode", f"{_METRIC}.average", nothing=("macro",)),
    *_rows("evaluation.metric_options", "thr k", _METRIC, "of several labels", nothing=_NONE),
    Row(
        "evaluation.save_best",
        f"{_EVALUATOR}.save_best",
        "the best is kept always",
        nothing=(None, False, True, "auto"),
    ),
    Row("evaluation.out_dir", f"{_FILES}.out_dir", "of all checkpoints", nothing=_NONE),
    Row("evaluation.file_client_args", LATER, nothing=_DISK),
    *_rows("evaluation", "dynamic_intervals test_fn indices", LATER, nothing=_NONE),
    Row("evaluation.broadcast_bn_buffer", LATER, nothing=(True,)),
    *_rows("evaluation", "gpu_collect tmpdir", NO_EFFECT, "sums are reduced, no results gathered"),
    Row("evaluation.logger", NO_EFFECT),
    Row("dist_params", NO_EFFECT, "nccl with CUDA, else gloo; address and port are the launcher's"),
    Row("find_unused_parameters", f"{_LEARN}.find_unused_parameters", types=(bool,), nothing=_NONE),
    Row("cudnn_benchmark", NO_EFFECT, "algorithms are not chosen by their speed here"),
    Row("mp_start_method", NO_EFFECT, "how workers start changes no result"),
    Row("opencv_num_threads", NO_EFFECT, "images are not read with OpenCV"),
    *_rows("", "deterministic diff_seed", LATER, nothing=(False, None)),
    *_rows("", "gpu_ids gpus", NO_EFFECT, "as there: CUDA_VISIBLE_DEVICES and the launcher choose"),
    Row("device", "policy.cuda", "", _is_cuda, nothing=(None, "auto"), only=("cuda", "cpu")),
    *_rows("", "launcher local_rank", NO_EFFECT, "the launcher's variables tell"),
    Row("profiler_config", LATER, nothing=_NONE),
    Row("auto_scale_lr", f"{_LEARN}.auto_scale_lr", "not enabled, lint compares the two", nothing=_NONE),
)

ROOTS = tuple(dict.fromkeys(row.old.partition(".")[0] for row in TABLE))

# One of these sets how to train; what else is missing then has mmclassification's default, not ours.
TRAINING = ("optimizer", "optimizer_config", "lr_config", "runner", "total_epochs")
