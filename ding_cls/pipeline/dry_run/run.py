"""A run looked at before it is begun: everything is built, a few updates are done, nothing is kept.

It must not touch the run's folder.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ding_cls.checkpoint.state import size_of
from ding_cls.common.disk import free_bytes
from ding_cls.common.files import numbered_names
from ding_cls.config.recipe import recipe_line
from ding_cls.config.saving import updates_saved
from ding_cls.data import EvalLoader
from ding_cls.models import MultiLabelClsHead
from ding_cls.pipeline.datasets.data_file import table_lines
from ding_cls.pipeline.datasets.input_statistics import input_line
from ding_cls.pipeline.dry_run.forecast import learning_rates, num_checkpoints, num_evaluations
from ding_cls.pipeline.dry_run.measure import PeakMemory, timed
from ding_cls.pipeline.dry_run.report import DryRun, Timing, print_dry_run
from ding_cls.pipeline.dry_run.temporary import load_first_weights, temporary_run
from ding_cls.pipeline.run_context import Run
from ding_cls.pipeline.train import assemble
from ding_cls.policy import Policy

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
    arguments = {
        "data": data,
        "model": model,
        "epochs": epochs,
        "pretrained": pretrained,
        "synthetic": synthetic,
        "exp_name": exp_name,
        "overrides": overrides,
        "allow_code": allow_code,
    }
    with temporary_run(config, seed=seed, arguments=arguments) as (run, origins, wanted, warned):
        report = _report(run, model, wanted, check_images)
    return replace(
        report,
        remarks=(*report.remarks, *(each.getMessage() for each in warned.buffer)),
        recipe=recipe_line(run.cfg, origins),
        input=input_line(run.cfg, origins),
        was_checked=check_images,
    )


def _report(run: Run, model: str | None, wanted: Path, check_images: bool) -> DryRun:
    """Build the parts of an open run and measure them."""
    memory = PeakMemory(is_cuda=bool(run.cfg.policy.cuda) and torch.cuda.is_available())
    policy, learner, _, loader = assemble(run, model, check_images=check_images)
    run.connect(policy, learner, loader)
    (eval_loader,) = (each for each in run._loaders if isinstance(each, EvalLoader))
    mode, learn = policy.learn_mode, run.cfg.policy.learn
    mode.set_attribute("updates_per_epoch", len(loader))
    load_first_weights(run, learner)
    shapes: dict[str, str] = {}
    losses: list[torch.Tensor] = []

    def update(batch: Any) -> None:
        if not shapes:
            shapes.update(_shapes(batch, policy))
        losses.append(mode.forward(batch)["total_loss"])

    train_timing = timed(loader, update)
    eval_timing = timed(eval_loader, policy.eval_mode.forward)
    peak = memory.peak()
    network = mode.get_attribute("model")
    num_updates = run.num_updates(loader)
    num_classes = len(loader.dataset.classes)
    saves = updates_saved(learn.learner.hook, updates_per_epoch=len(loader), num_updates=num_updates)
    report = DryRun(
        run_folder=str(next(each for each in numbered_names(wanted) if not each.exists())),
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
        num_evaluations=num_evaluations(run.cfg, len(loader), num_updates),
        eval_batches=len(eval_loader),
        batch_sizes=loader.sizes,
        learning_rates=learning_rates(mode.get_attribute("lr_scheduler").apply, num_updates),
        checkpoint_bytes=size_of(mode.state_dict()),
        num_checkpoints=num_checkpoints(run.cfg, saves),
        free_bytes=free_bytes(wanted),
        remarks=(),
        tables=tuple(table_lines([loader.dataset, eval_loader.dataset])),
    )
    found = map(str, run.findings(len(loader)))
    return replace(report, remarks=(*_remarks(report), *run.remarks, *found))


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
