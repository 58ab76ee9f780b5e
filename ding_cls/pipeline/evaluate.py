"""Evaluating a checkpoint on a split or a folder of images."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import torch

from ding_cls.answers.evaluation.files import OUT_ENDINGS, write_report
from ding_cls.answers.evaluation.report import Evaluation
from ding_cls.common.logs.log import text_logger
from ding_cls.common.process import launched_rank, launched_world_size
from ding_cls.common.tables import checked_ending
from ding_cls.data import EvalLoader, build_eval_loader
from ding_cls.distributed import dist_finalize, dist_init, get_rank, get_world_size
from ding_cls.inference.members import is_onnx
from ding_cls.inference.onnx.evaluation import evaluate_onnx
from ding_cls.inference.saved_run import label_threshold
from ding_cls.inference.sources import refuse_overwriting
from ding_cls.metrics.analysis.bootstrap import lean_metric
from ding_cls.pipeline.checks.both_sets import other_labels
from ding_cls.pipeline.checks.labels import check_metric, labels_of, measures_cross_entropy, metric_for
from ding_cls.pipeline.datasets.data_file import table_lines
from ding_cls.pipeline.datasets.left_out import warn_left_out
from ding_cls.pipeline.evaluation.calibrated import calibration_of, with_temperature
from ding_cls.pipeline.evaluation.inputs import (
    Config,
    EvalInputs,
    Metrics,
    eval_policy,
    evaluated_set,
    read_inputs,
)
from ding_cls.pipeline.evaluation.mirrored import with_mirrored
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.evaluation.sample_records import Recorder, files_of
from ding_cls.pipeline.image_check import readable_split
from ding_cls.worker import MetricSerialEvaluator

_LOGGER = logging.getLogger(__name__)


def evaluate(
    checkpoint: str | os.PathLike[str],
    *,
    config: Config | None = None,
    data: str | os.PathLike[str] | None = None,
    split: str | None = None,
    batch_size: int | None = None,
    metric: Metrics | None = None,
    overrides: Sequence[str] = (),
    model: torch.nn.Module | None = None,
    out: str | os.PathLike[str] | None = None,
    allow_code: bool = False,
    max_bad: int | None = None,
    calibrated: bool = False,
    tta: bool = False,
) -> dict[str, Any]:
    """Return loss, acc1, acc5 and the number of samples of a checkpoint, exactly, on any number of processes.

    Args:
        checkpoint: a run's folder (its best one) or file; with a ``config`` also weights alone; an ONNX file.
        config: a config file, a run's folder, or nested dicts: data and metric are its own.
        data: folder of the split's folder, or of class folders; a table; arrays (``.npz``); None: the run's.
        split: 'train', 'val' or 'test'; None: 'val', or the whole of a folder of classes.
        batch_size: samples per process and batch; None: the run's.
        metric: other results: names in ``METRICS``, short ones such as 'f1', or ``dict(type=, ...)``.
        overrides: values as ``'policy.eval.metric.topk=[1, 3]'``; they win over all else.
        model: the network, for a run that was given a network instead of a name.
        out: ``.csv``, ``.parquet`` (a row per sample), ``.json`` (more), ``.npz`` (logits): `write_report`.
        allow_code: import the modules that the run's ``custom_imports`` names.
        max_bad: how many images may be unreadable; above 0 every one is opened first, and so many are left
            out, and counted in ``n_bad``. None takes the run's, and of its own data leaves out the same.
        calibrated: divide the logits by the temperature that ``ding-cls calibrate`` left in the checkpoint.
        tta: metrics and ``.npz`` get the mean over each image and its mirror image, as `mean_logits` has it.

    Raises:
        CheckpointError: the file is missing, damaged, says not what it was made for, or has no calibration.
        ConfigError: no such metric, one that does not fit, an override without effect, another ending.
        DataError: the folder is missing, empty, or has other classes; ``out`` cannot be written.
    """
    ending = "" if out is None else checked_ending(out, OUT_ENDINGS)
    is_file = model is None and is_onnx(checkpoint)
    report: Evaluation = (evaluate_onnx if is_file else partial(evaluate_checkpoint, model=model))(
        checkpoint,
        config=config,
        data=data,
        split=split,
        batch_size=batch_size,
        metric=metric,
        overrides=overrides,
        keep_predictions=ending == ".npz",
        intervals=ending == ".json",
        allow_code=allow_code,
        max_bad=max_bad,
        calibrated=calibrated,
        tta=tta,
        out=out,
    )
    if out is not None and launched_rank() == 0:
        write_report(out, report)
    return {**report.result, "num_samples": report.num_samples}


def evaluate_checkpoint(
    checkpoint: str | os.PathLike[str],
    *,
    config: Config | None = None,
    data: str | os.PathLike[str] | None = None,
    split: str | None = None,
    batch_size: int | None = None,
    metric: Metrics | None = None,
    overrides: Sequence[str] = (),
    model: torch.nn.Module | None = None,
    keep_predictions: bool = False,
    intervals: bool = True,
    allow_code: bool = False,
    max_bad: int | None = None,
    calibrated: bool = False,
    tta: bool = False,
    out: str | os.PathLike[str] | None = None,
) -> EvaluationReport:
    """Return all that `evaluate` finds out.

    Args:
        checkpoint: as there, like all that is not named here.
        keep_predictions: keep the logits of every sample too.
        intervals: find out the 95 % intervals of the results.
        out: where all of it will be written, which is never over what is read.

    Raises:
        DingError: as there.
    """
    options: dict[str, Any] = {"metric": metric, "overrides": overrides, "allow_code": allow_code}
    inputs = read_inputs(checkpoint, config=config, has_model=model is not None, **options)
    if launched_world_size() > 1:
        dist_init("gloo" if inputs.cfg.policy.cuda is False else None)
    try:
        dataset, found_split = evaluated_set(inputs, data, split)
        _check_out(out, config, dataset)
        is_other = data is not None and launched_rank() == 0
        for line in table_lines([dataset], is_training=False) if is_other else ():
            text_logger("run").info(line)
        warn_left_out(dataset)
        check_metric(inputs.cfg.policy.eval.metric, dataset)
        is_its_own = config is None and data is None and max_bad is None
        saved = inputs.bad_images.get(found_split or "") if is_its_own else None
        loader = _readable_loader(inputs.cfg, dataset, batch_size, saved=saved, max_bad=max_bad)
        with closing(loader):
            return _evaluated(
                inputs,
                loader,
                found_split,
                model,
                keep_logits=keep_predictions,
                calibrated=calibrated,
                intervals=intervals,
                tta=tta,
            )
    finally:
        dist_finalize()


def _check_out(out: str | os.PathLike[str] | None, config: Config | None, dataset: Any) -> None:
    if out is not None:
        given = [] if isinstance(config, Mapping) else [config]
        refuse_overwriting(out, [*given, *files_of(dataset)])


def _readable_loader(
    cfg: Any, dataset: Any, batch_size: int | None, *, saved: Any, max_bad: int | None
) -> EvalLoader:
    """Return this process's share of the samples, less those that may be left out."""
    loading = cfg.policy.learn.learner.dataloader
    allowed = loading.max_bad if max_bad is None else max_bad
    return build_eval_loader(
        readable_split(dataset, saved, max_bad=allowed, num_workers=loading.num_workers),
        cfg.policy.eval.batch_size if batch_size is None else batch_size,
        num_workers=loading.num_workers,
        rank=get_rank(),
        world_size=get_world_size(),
    )


def _evaluated(
    inputs: EvalInputs,
    loader: EvalLoader,
    split: str | None,
    model: torch.nn.Module | None,
    *,
    keep_logits: bool,
    calibrated: bool,
    intervals: bool,
    tta: bool,
) -> EvaluationReport:
    """Pass all images through the network, once."""
    dataset, labels = loader.dataset, labels_of(loader.dataset)
    classes = inputs.class_names or tuple(dataset.classes)
    policy = eval_policy(inputs, classes, model, labels)
    if line := other_labels(inputs.label_kind, dataset):
        _LOGGER.warning("%s", line)
    mode, calibration = policy.eval_mode, None
    if calibrated:
        calibration = calibration_of(inputs, loader.dataset, classes, labels)
        mode = with_temperature(mode, calibration)
    if tta:
        mode = with_mirrored(mode, has_several_labels=labels.kind == "several")
    described = inputs.cfg.policy.eval.metric
    metric = metric_for(described, dataset)
    lean = lean_metric(metric, len(dataset) * len(classes)) if intervals else None
    keeps = keep_logits or (lean is not None and lean.needs_scores)
    threshold = label_threshold(inputs.cfg)
    recorder = Recorder(mode, labels, keep_logits=keeps, metric=lean, threshold=threshold)
    evaluator = MetricSerialEvaluator({}, [loader, metric], recorder.mode, exp_name=None)
    last_iter = (inputs.state or {}).get("last_iter")
    train_iter = last_iter if isinstance(last_iter, int) else 0
    is_of_both = policy.eval_mode.get_attribute("minimises_cross_entropy")
    began = time.perf_counter()
    _, result = evaluator.eval(None, train_iter)
    records, sums = recorder.gathered(), recorder.gathered_sums()
    seconds = time.perf_counter() - began
    scores = {name: torch.from_numpy(getattr(records, name)) for name in ("logits", "targets")}
    return EvaluationReport(
        result=result,
        num_samples=evaluator.num_evaluated,
        records=records,
        dataset=dataset,
        split=split,
        classes=classes,
        checkpoint=inputs.checkpoint,
        train_iter=train_iter,
        cfg=inputs.cfg,
        seconds=seconds,
        is_other_loss=measures_cross_entropy(described) and not is_of_both,
        calibration=calibration,
        intervals=sums.intervals(result, scores if keeps else None)
        if sums is not None and launched_rank() == 0
        else {},
        tta=tta,
    )
