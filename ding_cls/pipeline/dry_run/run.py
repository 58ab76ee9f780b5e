"""A run looked at before it is begun: everything is built, a few updates are done, nothing is kept.

It must not touch the run's folder: what the parts insist on writing goes to a temporary one.
"""

import contextlib
import io
import logging
import logging.handlers
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ding_cls.checkpoint.state import size_of
from ding_cls.common.disk import free_bytes
from ding_cls.common.logs.log import forward_library_logs
from ding_cls.config import checked_config
from ding_cls.config.recipe import recipe_line
from ding_cls.config.saving import updates_saved
from ding_cls.data import EvalLoader
from ding_cls.models import MultiLabelClsHead
from ding_cls.pipeline.datasets.input_statistics import input_line
from ding_cls.pipeline.dry_run.report import DryRun, Timing, print_dry_run
from ding_cls.pipeline.run_context import Run, open_run
from ding_cls.pipeline.train import assemble, read_run_and_code
from ding_cls.policy import Policy
from ding_cls.worker.evaluation.schedule import EvalPlan

MAX_STEPS = 5
MAX_SECONDS = 60.0
MAX_POSITIONS = 2000

__all__ = ["DryRun", "Timing", "dry_run", "print_dry_run"]


def dry_run(
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    model: str | None = None,
    pretrained: bool | str | os.PathLike[str] = False,
    epochs: int | None = None,
    seed: int | None = None,
    synthetic: bool = False,
    exp_name: str | None = None,
    overrides: Sequence[str] = (),
    allow_code: bool = False,
    check_images: bool = False,
) -> DryRun:
    """Return what a run would be like: build everything as ``train`` would, do a few updates.

    The hooks are built and not called: a user's own may send their words anywhere.

    Args:
        model: as in ``train``, by its name.
        exp_name: as there; the folder is neither made nor touched. All others: as there.

    Raises:
        DingError: what the run would have raised.
    """
    read, settings = read_run_and_code(
        config,
        data=data,
        model=model,
        epochs=epochs,
        pretrained=pretrained,
        synthetic=synthetic,
        resume=False,
        exp_name=exp_name,
        overrides=overrides,
        allow_code=allow_code,
    )
    wanted = Path(checked_config(read, seed, **settings).exp_name)
    with tempfile.TemporaryDirectory(prefix="ding_cls_dry_run_") as temporary:
        cfg = {**read, "exp_name": os.path.join(temporary, "run")}
        # What a run says while it is built names the temporary folder.
        warned = logging.handlers.BufferingHandler(capacity=1000)
        warned.setLevel(logging.WARNING)
        heard = logging.Logger("dry run")
        heard.addHandler(warned)
        with (
            forward_library_logs(heard),
            contextlib.redirect_stdout(io.StringIO()),
            open_run(cfg, seed=seed, **settings) as run,
        ):
            report = _looked_at(run, model, wanted, check_images)
        return replace(
            report,
            remarks=(*report.remarks, *(each.getMessage() for each in warned.buffer)),
            recipe=recipe_line(run.cfg, settings["origins"]),
            input=input_line(run.cfg, settings["origins"]),
            was_checked=check_images,
        )


def _looked_at(run: Run, model: str | None, wanted: Path, check_images: bool) -> DryRun:
    """Build the parts of an open run and measure them."""
    memory = _PeakMemory(is_cuda=bool(run.cfg.policy.cuda) and torch.cuda.is_available())
    policy, learner, _, loader = assemble(run, model, check_images=check_images)
    run.connect(policy, learner, loader)
    (eval_loader,) = (each for each in run._loaders if isinstance(each, EvalLoader))
    mode, learn = policy.learn_mode, run.cfg.policy.learn
    mode.set_attribute("updates_per_epoch", len(loader))
    _load_weights(learner, learn.learner.hook)
    shapes: dict[str, str] = {}
    losses: list[torch.Tensor] = []

    def update(batch: Any) -> None:
        if not shapes:
            shapes.update(_shapes(batch, policy))
        losses.append(mode.forward(batch)["total_loss"])

    train_timing = _timed(loader, update)
    eval_timing = _timed(eval_loader, policy.eval_mode.forward)
    peak = memory.peak()
    network = mode.get_attribute("model")
    num_updates = min(run.max_epochs(loader) * len(loader), int(run.learner_cfg.train_iterations))
    num_classes = len(loader.dataset.classes)
    saves = updates_saved(learn.learner.hook, updates_per_epoch=len(loader), num_updates=num_updates)
    report = DryRun(
        run_folder=str(_free_name(wanted)),
        num_train=len(loader.dataset),
        num_eval=len(eval_loader.dataset),
        num_classes=num_classes,
        num_left_out=loader.num_left_out,
        shapes=shapes,
        num_parameters=sum(each.numel() for each in network.parameters()),
        num_trainable=sum(each.numel() for each in network.parameters() if each.requires_grad),
        loss=float(losses[0]),
        expected_loss=_expected_loss(run.cfg, network, num_classes),
        train_timing=train_timing,
        eval_timing=eval_timing,
        memory_bytes=peak,
        memory_kind=memory.kind,
        updates_per_epoch=len(loader),
        num_updates=num_updates,
        num_evaluations=_num_evaluations(run.cfg, len(loader), num_updates),
        eval_batches=len(eval_loader),
        batch_sizes=loader.sizes,
        learning_rates=_learning_rates(mode.get_attribute("lr_scheduler").apply, num_updates),
        checkpoint_bytes=size_of(mode.state_dict()),
        num_checkpoints=_num_checkpoints(run.cfg, saves),
        free_bytes=free_bytes(wanted),
        remarks=(),
    )
    return replace(report, remarks=(*_remarks(report), *map(str, run.findings(len(loader)))))


def _remarks(report: DryRun) -> Iterator[str]:
    """Yield what was measured and deserves a second look, a line each."""
    expected = report.expected_loss
    if not math.isfinite(report.loss):
        yield "the first loss is not finite: look at mean and std, the precision and the loss"
    elif expected is not None and report.loss > 1.5 * expected + 0.5:
        yield "the first loss is far above guessing: look at mean and std, and at the last layer's weights"
    elif expected is not None and report.loss < 0.5 * expected:
        yield "the first loss is far below guessing: these weights know the classes, or the targets leak"
    if report.num_checkpoints * report.checkpoint_bytes > report.free_bytes:
        yield "the checkpoints need more than is free; set policy.learn.learner.keep_checkpoints=1"
    timing = report.train_timing
    if timing.count and timing.data > timing.step:
        yield "waiting for data takes most of an update; raise policy.learn.learner.dataloader.num_workers"


def _timed(batches: Iterable[Any], use: Callable[[Any], Any]) -> Timing:
    """Use the first batches, at most ``MAX_STEPS`` after the first, and return their mean times.

    Starting the reading processes and allocating memory falls into the first, which is counted only where it
    is all there is.
    """
    began, iterator = time.perf_counter(), iter(batches)
    seconds: list[tuple[float, float]] = []
    while len(seconds) <= MAX_STEPS and time.perf_counter() - began < MAX_SECONDS:
        asked = time.perf_counter()
        batch = next(iterator, None)
        if batch is None:
            break
        received = time.perf_counter()
        use(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append((received - asked, time.perf_counter() - received))
    if not seconds:
        # A rank for which no batch is left.
        return Timing(0.0, 0.0, 0)
    kept = seconds[1:] or seconds
    data, step = (sum(each) / len(kept) for each in zip(*kept, strict=True))
    return Timing(data, step, len(seconds) - 1)


def _shapes(batch: Any, policy: Policy) -> dict[str, str]:
    prepare = policy.learn_mode.get_attribute("prepare_batch")
    prepared = batch if prepare is None else prepare(batch)
    return {
        "images": f"{_described(batch.images)}, in the network {_described(prepared.images)}",
        "targets": _described(prepared.targets),
        "logits": _described(policy.eval_mode.forward(batch)),
    }


def _described(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _load_weights(learner: Any, hooks: Mapping[str, Any]) -> None:
    """Begin with the checkpoint that the run's first hook would load."""
    if path := hooks.get("load_ckpt_before_run"):
        learner.load_checkpoint(path)


def _expected_loss(cfg: Any, network: torch.nn.Module, num_classes: int) -> float | None:
    """Return the loss of a network that only guesses; None: nobody knows."""
    loss = cfg.policy.learn.get("loss") or cfg.policy.model.get("head", {}).get("loss")
    if cfg.policy.learn.get("distill") is not None or isinstance(loss, str):
        return None
    if loss is None:
        # What the heads for several labels have by default: a sum over the classes.
        is_each = isinstance(getattr(network, "head", None), MultiLabelClsHead)
        return num_classes * math.log(2) if is_each else math.log(num_classes)
    is_of_one = loss.get("type") in ("CrossEntropyLoss", "LabelSmoothLoss")
    return math.log(num_classes) if is_of_one and not loss.get("use_sigmoid") else None


def _num_evaluations(cfg: Any, updates_per_epoch: int, num_updates: int) -> int:
    """Return how often a run evaluates: before it begins, between epochs where it is due, and at its end."""
    judge = cfg.policy.eval.evaluator
    plan, count, last = EvalPlan.of(judge), 0, -1
    step = 1 if plan.is_inside_epochs else updates_per_epoch
    for train_iter in [*range(0, num_updates, step), num_updates]:
        is_due = plan.is_due(train_iter, last=last, updates_per_epoch=updates_per_epoch)
        if is_due or train_iter == num_updates:
            count, last = count + 1, train_iter
    return count if judge.validate else 0


def _learning_rates(
    rate_at: Callable[[int], float], num_updates: int
) -> tuple[tuple[int, float], tuple[int, float], tuple[int, float]]:
    """Return update and learning rate at the begin, where it is highest first, and at the end."""
    last = max(num_updates - 1, 0)
    every = max(1, last // MAX_POSITIONS)
    rates = [(train_iter, rate_at(train_iter)) for train_iter in sorted({*range(0, last, every), last})]
    top = max(rates, key=lambda each: each[1])[0]
    around = range(max(0, top - every), min(last, top + every) + 1)
    highest = max(((train_iter, rate_at(train_iter)) for train_iter in around), key=lambda each: each[1])
    return rates[0], highest, rates[-1]


def _num_checkpoints(cfg: Any, saves: set[int]) -> int:
    """Return how many files lie in the run's folder at its end: those kept, and the best."""
    learner = cfg.policy.learn.learner
    if learner.checkpoint.save_best_only:
        return 1
    count = len(saves) + bool(learner.hook.get("save_ckpt_after_run"))
    kept = 1 if learner.checkpoint.save_one_only else learner.keep_checkpoints
    return min(count, kept or count) + 1


def _free_name(wanted: Path) -> Path:
    """Return the folder that a run would claim, see ``claim_folder``."""
    number = 1
    while (candidate := wanted if number == 1 else wanted.with_name(f"{wanted.name}_{number}")).exists():
        number += 1
    return candidate


class _PeakMemory:
    """The most memory in use at once since it was made, beyond what was in use then.

    Attributes:
        kind: which memory that is.
    """

    def __init__(self, *, is_cuda: bool) -> None:
        self._is_cuda = is_cuda
        self.kind = (
            "of the GPU at most" if is_cuda else "at most in this process; reading processes need their own"
        )
        if is_cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            # Linux counts the peak anew from here.
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._before = torch.cuda.memory_allocated() if is_cuda else _status("VmRSS")

    def peak(self) -> int:
        """Return the bytes."""
        now = torch.cuda.max_memory_allocated() if self._is_cuda else _status("VmHWM")
        return max(now - self._before, 0)


def _status(name: str) -> int:
    """Return a number of bytes that Linux knows of this process; 0 elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
