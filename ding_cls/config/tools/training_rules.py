"""Rules on how a network is trained: rates, schedules, losses, checkpoints, stop values.

Each rule is a pure function; it stays silent where it cannot know.
"""

import re
from collections.abc import Iterator, Mapping

from ding_cls.common.counting import counted
from ding_cls.config.saving import save_intervals, updates_saved
from ding_cls.config.tools.lint_rule import LintContext, LintFinding

_MIXERS = re.compile(r"mixup|cutmix|resizemix", re.I)


def softened_twice(cfg: LintContext) -> Iterator[LintFinding]:
    """Mixed targets that are smoothed too."""
    mixers = cfg.at("policy.learn.batch_augments")
    parts = [mixers] if isinstance(mixers, Mapping) else mixers or []
    names = [str(part.get("type")) for part in parts if isinstance(part, Mapping)]
    mixing = [name for name in names if _MIXERS.search(name)]
    for path, value in _smoothing(cfg):
        if mixing:
            yield LintFinding(
                "softened-twice",
                path,
                f"{' and '.join(mixing)} mixes the targets, and smoothing by {value:g} softens them again",
                "set one of them to 0, unless the recipe means both, as DeiT's and Swin's do",
            )


def rate_and_batch(cfg: LintContext) -> Iterator[LintFinding]:
    """A learning rate that was found with another global batch."""
    path = "policy.learn.learning_rate"
    scaling = cfg.at("policy.learn.auto_scale_lr") or {}
    if scaling.get("enable"):
        return
    base, origin = scaling.get("base_batch_size"), cfg.origin(path)
    named = _batch_in_name(origin)
    reference = base or named
    where = "policy.learn.auto_scale_lr.base_batch_size" if base else _file_of(origin)
    batch, lr = cfg.number("policy.learn.batch_size"), cfg.number(path)
    now = batch * cfg.processes
    if not isinstance(reference, int) or reference < 1 or not lr or now == reference:
        return
    mends = [f"set {path}={lr * now / reference:.4g}"]
    if batch and reference % batch == 0:
        count = int(reference // batch)
        mends.append(f"train with {count} processes (lint with --processes {count})")
    yield LintFinding(
        "rate-and-batch",
        path,
        f"{lr:g} belongs to a global batch of {reference} ({where}); "
        f"{counted(cfg.processes, 'process', 'processes')} x {batch:g} make {now:g}",
        ", or ".join(mends),
    )


def rate_too_high(cfg: LintContext) -> Iterator[LintFinding]:
    """A learning rate that no network survives."""
    path, kind = "policy.learn.learning_rate", str(cfg.at("policy.learn.optimizer.type") or "SGD")
    # Those that divide by the size of the gradients, or step by its sign; LARS and LAMB take large ones.
    is_adaptive = re.search(r"adam|adan|rms|lion", kind, re.I) is not None
    limit, usual = (1, "0.001") if is_adaptive else (5, "0.1")
    if cfg.number(path) >= limit and kind.upper() not in ("LARS", "LAMB"):
        yield LintFinding(
            "rate-too-high",
            path,
            f"{cfg.number(path):g} is far above what {kind} takes: the weights grow without bound",
            f"begin with {usual}",
        )


def decay_after_end(cfg: LintContext) -> Iterator[LintFinding]:
    """Steps of the learning rate that the run does not live to see."""
    schedule, path = cfg.at("policy.learn.lr_schedule"), "policy.learn.lr_schedule"
    if isinstance(schedule, Mapping) and str(schedule.get("type")).lower() == "step":
        by_epoch = schedule.get("by_epoch", True)
        length, unit = (cfg.epochs, "epoch") if by_epoch else (cfg.updates, "update")
        step = schedule.get("step")
        steps = list(step) if isinstance(step, (list, tuple)) else [step]
        late = [each for each in steps if isinstance(each, (int, float)) and length and each >= length]
        path = f"{path}.step"
    else:
        length, unit = cfg.epochs, "epoch"
        every = cfg.number("policy.learn.decay_epoch")
        late = [every] if schedule == "step" and length and every >= length else []
        path = "policy.learn.decay_epoch"
    if late:
        whole = " and ".join(f"{each:g}" for each in late)
        yield LintFinding(
            "decay-after-end",
            cfg.first_set(path, "policy.learn.train_epoch"),
            f"the run has {counted(length, unit)}, so the step of the learning rate at {whole} never comes",
            "bring it forward, train longer, or take another policy.learn.lr_schedule",
        )


def warmup_too_long(cfg: LintContext) -> Iterator[LintFinding]:
    """Warm-up as long as the run."""
    schedule = cfg.at("policy.learn.lr_schedule")
    path, length, unit = "policy.learn.warmup_epoch", cfg.epochs, "epoch"
    warmup = cfg.number(path)
    if isinstance(schedule, Mapping):
        path, warmup = "policy.learn.lr_schedule.warmup_iters", schedule.get("warmup_iters") or 0
        if not schedule.get("warmup"):
            return
        if not schedule.get("warmup_by_epoch"):
            length, unit = cfg.updates, "update"
    if warmup and length and warmup >= length:
        yield LintFinding(
            "warmup-too-long",
            cfg.first_set(path, "policy.learn.train_epoch"),
            f"warm-up takes {counted(warmup, unit)} and the run has {length:g}: it ends before the rate is "
            "reached",
            "shorten it to a tenth of the run, or train longer",
        )


def frozen_too_long(cfg: LintContext) -> Iterator[LintFinding]:
    """Layers that are to train later, and never do."""
    until = cfg.number("policy.learn.freeze.until_epoch")
    last_layer = cfg.number("policy.learn.freeze_nonlinear_epoch")
    for path, number, remedy in (
        ("policy.learn.freeze.until_epoch", until, "None freezes for good"),
        ("policy.learn.freeze_nonlinear_epoch", last_layer, "policy.learn.freeze.patterns=body for good"),
    ):
        if number and cfg.epochs and number >= cfg.epochs:
            yield LintFinding(
                "frozen-too-long",
                cfg.first_set(path, "policy.learn.train_epoch"),
                f"layers stay frozen for {counted(number, 'epoch')} and the run has {cfg.epochs:g}: "
                "they never train",
                f"set it lower, or train longer ({remedy})",
            )


def rate_upside_down(cfg: LintContext) -> Iterator[LintFinding]:
    """A warm-up that goes down, or an annealing that goes up."""
    schedule, lr = cfg.at("policy.learn.lr_schedule"), cfg.number("policy.learn.learning_rate")
    if lr == 0:
        return
    begin, end = "policy.learn.warmup_lr", "policy.learn.min_lr"
    is_warming = not isinstance(schedule, Mapping) and cfg.number("policy.learn.warmup_epoch") > 0
    if is_warming and cfg.number(begin) > lr:
        yield LintFinding(
            "rate-upside-down",
            cfg.first_set(begin, "policy.learn.learning_rate"),
            f"warm-up begins at {cfg.number(begin):g}, above the learning rate {lr:g}",
            f"set {begin}={lr / 10:.4g}, or policy.learn.warmup_epoch=0",
        )
    if isinstance(schedule, Mapping):
        end = "policy.learn.lr_schedule.min_lr"
    if (schedule == "cosine" or isinstance(schedule, Mapping)) and cfg.number(end) > lr:
        yield LintFinding(
            "rate-upside-down",
            cfg.first_set(end, "policy.learn.learning_rate"),
            f"the schedule ends at {cfg.number(end):g}, above the learning rate {lr:g}",
            f"set {end}=0",
        )


def clip_before_unscale(cfg: LintContext) -> Iterator[LintFinding]:
    """Gradients clipped while fp16 still has them multiplied by its loss scale."""
    if cfg.at("policy.learn.precision") != "fp16":
        return
    hooks = cfg.at("policy.learn.learner.custom_hooks") or []
    for index, hook in enumerate(hooks):
        kind = str(hook.get("type")) if isinstance(hook, Mapping) else ""
        if isinstance(hook, Mapping) and hook.get("grad_clip") and "fp16" not in kind.lower():
            yield LintFinding(
                "clip-before-unscale",
                f"policy.learn.learner.custom_hooks.{index}",
                f"{kind} clips gradients that are still multiplied by fp16's loss scale: nearly all are cut",
                "leave clipping to the policy, which divides by the scale first, or set "
                "policy.learn.precision=bf16",
            )


def frozen_at_random(cfg: LintContext) -> Iterator[LintFinding]:
    """Stages that are frozen with the weights they were born with."""
    stages = cfg.at("policy.model.backbone.frozen_stages")
    sources = (
        "policy.model.pretrained",
        "policy.model.init_cfg.checkpoint",
        "policy.model.backbone.init_cfg.checkpoint",
        "policy.model.backbone.pretrained",
        "policy.learn.learner.hook.load_ckpt_before_run",
    )
    if isinstance(stages, int) and stages >= 0 and not any(cfg.at(each) for each in sources):
        yield LintFinding(
            "frozen-at-random",
            "policy.model.backbone.frozen_stages",
            f"frozen_stages={stages} freezes weights that nothing is loaded into: they stay random",
            "load weights (policy.model.backbone.init_cfg, policy.model.pretrained), or set frozen_stages=-1",
        )


def nothing_saved_between(cfg: LintContext) -> Iterator[LintFinding]:
    """No checkpoint before the end of a run of more than one epoch."""
    section = "policy.learn.learner.hook"
    hooks, per_epoch = cfg.at(section) or {}, cfg.updates_per_epoch
    intervals = list(save_intervals(hooks))
    if per_epoch:
        is_due = bool(updates_saved(hooks, updates_per_epoch=per_epoch, num_updates=int(cfg.updates)))
    else:
        is_due = any(position != "after_epoch" or freq < cfg.epochs for position, freq, _ in intervals)
    if cfg.epochs <= 1 or is_due:
        return
    names = [f"{section}.{name}" for _, _, name in intervals]
    yield LintFinding(
        "nothing-saved-between",
        names[0] if names else section,
        f"no checkpoint is due within the run's {counted(cfg.epochs, 'epoch')}: after a crash it begins anew",
        "set policy.learn.learner.hook.save_ckpt_after_epoch=1",
    )


def average_too_late(cfg: LintContext) -> Iterator[LintFinding]:
    """Weights that are to be averaged from an epoch on that the run does not finish."""
    path = "policy.learn.swa.start_epoch"
    start = cfg.at(path)
    if start is not None and cfg.epochs and cfg.epochs < start + 1:
        yield LintFinding(
            "average-too-late",
            path,
            f"the run ends before the end of epoch {start}, counted from 0: nothing is averaged",
            "begin earlier, or train longer",
        )


def no_log_line(cfg: LintContext) -> Iterator[LintFinding]:
    """A first log line that is due after the end of the run."""
    path = "policy.learn.learner.log_show_freq"
    if 0 < cfg.updates < cfg.number(path):
        yield LintFinding(
            "no-log-line",
            path,
            f"the first log line is due after {cfg.number(path):g} updates, and the run has {cfg.updates:g}",
            "set it lower",
        )


def stop_value_in_the_wrong_unit(cfg: LintContext) -> Iterator[LintFinding]:
    """A stop value that the first evaluation meets, or none ever can."""
    path = "policy.eval.evaluator.stop_value"
    goals = cfg.at(path)
    if cfg.at("policy.eval.metric") is not None or goals is None:
        # Only our own metric's units are known here.
        return
    named = goals if isinstance(goals, Mapping) else {"acc1": goals}
    for name, goal in named.items():
        if not isinstance(goal, (int, float)) or isinstance(goal, bool):
            continue
        key = f"{path}.{name}" if isinstance(goals, Mapping) else path
        if name.startswith("acc") and 0 < goal <= 1:
            yield LintFinding(
                "stop-value",
                key,
                f"accuracies are percentages: {goal:g} is reached by {goal:g} % and stops the run early",
                f"for {goal * 100:g} % set {key}={goal * 100:g}",
            )
        elif (name.startswith("acc") and goal > 100) or (name == "loss" and goal <= 0):
            yield LintFinding(
                "stop-value",
                key,
                f"{name} never reaches {goal:g}: the run never stops early",
                "set a value it can reach, or None to train to the end",
            )


def best_by_what(cfg: LintContext) -> Iterator[LintFinding]:
    """Several figures, and no word on which of them makes a checkpoint the best."""
    path = "policy.eval.metric.metrics"
    names = cfg.at(path)
    is_several = isinstance(names, (list, tuple)) and len(names) > 1
    if is_several and "accuracy" not in names and not cfg.at("policy.eval.evaluator.save_best"):
        yield LintFinding(
            "best-by-what",
            path,
            f"evaluation measures {', '.join(map(str, names))}, and nothing says which figure makes the best",
            "set policy.eval.evaluator.save_best to one of them",
        )


def _smoothing(cfg: LintContext) -> Iterator[tuple[str, float]]:
    """Yield each place that smooths the targets, and by how much."""
    if value := cfg.number("policy.learn.label_smoothing"):
        yield "policy.learn.label_smoothing", value
    for path in ("policy.learn.loss", "policy.model.head.loss"):
        loss = cfg.at(path)
        if (
            isinstance(loss, Mapping)
            and loss.get("type") == "LabelSmoothLoss"
            and loss.get("label_smooth_val")
        ):
            yield f"{path}.label_smooth_val", loss["label_smooth_val"]


def _batch_in_name(origin: str) -> int | None:
    """Return the global batch in the name of the file that set a value: '8xb32', 'b32x8' or 'bs256'."""
    file = _file_of(origin)
    for pattern in (r"(\d+)xb(\d+)", r"_b(\d+)x(\d+)"):
        if match := re.search(pattern, file):
            return int(match[1]) * int(match[2])
    match = re.search(r"_bs(\d+)", file)
    return int(match[1]) if match else None


def _file_of(origin: str) -> str:
    """Return the file's name in an origin such as ``schedules/imagenet_bs256.py:2``."""
    return origin.rpartition(":")[0].rpartition("/")[2]
