"""Judging a checkpoint on a folder of pictures."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.keeper import checkpoint_file
from ding_cls.common.files import atomic_write
from ding_cls.common.process import launched_rank, launched_world_size
from ding_cls.config.user_code import import_user_code
from ding_cls.data import AnyPreprocessing, EvalLoader, build_eval_loader, preprocessing_from_state
from ding_cls.distributed import dist_finalize, dist_init, get_rank, get_world_size
from ding_cls.errors import DataError
from ding_cls.inference.saved_run import described_run
from ding_cls.pipeline.build import build_datasets, build_network
from ding_cls.pipeline.image_check import FACT, readable_split
from ding_cls.pipeline.label_kinds import metric_for
from ding_cls.pipeline.splits import evaluation_set
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import MetricSerialEvaluator


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a checkpoint makes of a split.

    Attributes:
        result: what the metric says of all samples.
        num_samples: how many these are.
        predictions: ``sample_ids``, ``targets`` and ``logits`` in the order of the data, on the CPU; empty
            where nobody asked for them.
        dataset: the split.
        classes: the class names.
        train_iter: updates that the checkpoint's weights have seen.
        cfg: the run's config, for this machine.
    """

    result: dict[str, Any]
    num_samples: int
    predictions: Mapping[str, torch.Tensor]
    dataset: Any
    classes: tuple[str, ...]
    train_iter: int
    cfg: Any


def evaluate(
    checkpoint: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    split: str = "val",
    batch_size: int | None = None,
    model: torch.nn.Module | None = None,
    out: str | os.PathLike[str] | None = None,
    allow_code: bool = False,
    max_bad: int | None = None,
) -> dict[str, Any]:
    """Return loss, acc1, acc5 and the number of samples of a checkpoint, exactly, on any number of processes.

    Preprocessing, class numbers and metric are the run's own; another metric gives its own results.

    Args:
        checkpoint: a file that a run of this library wrote, or a run's folder: its best one.
        data: folder with the split's folder in it; None takes the folder that the run was trained on.
        split: 'train', 'val' or 'test'.
        batch_size: samples per process and batch; None takes the run's.
        model: the network, for a run that was given a network instead of a name.
        out: an ``.npz`` file for ``sample_ids``, ``targets`` and ``logits`` in the order of the data.
        allow_code: import the modules that the run's ``custom_imports`` names.
        max_bad: how many images may be unreadable; above 0 every one is opened first, and so many are left
            out, and counted in ``n_bad``. None takes the run's, and of its own data leaves out the same.

    Raises:
        CheckpointError: the file is missing, damaged, or does not say what it was made for.
        DataError: the folder is missing, empty, or has classes that the checkpoint lacks; ``out`` cannot be
            written.
    """
    judged = judge(
        checkpoint,
        data=data,
        split=split,
        batch_size=batch_size,
        model=model,
        keep_predictions=out is not None,
        allow_code=allow_code,
        max_bad=max_bad,
    )
    if out is not None and launched_rank() == 0:
        write_arrays(Path(out), judged.predictions)
    return {**judged.result, "num_samples": judged.num_samples}


def judge(
    checkpoint: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    split: str = "val",
    batch_size: int | None = None,
    model: torch.nn.Module | None = None,
    keep_predictions: bool = False,
    allow_code: bool = False,
    max_bad: int | None = None,
) -> Judgement:
    """Return all that `evaluate` finds out; with ``keep_predictions`` the logits of every sample too.

    Raises:
        CheckpointError: as there.
        DataError: as there.
    """
    checkpoint = checkpoint_file(checkpoint)
    state = read_checkpoint(checkpoint)
    run, cfg = described_run(state, checkpoint, has_model=model is not None, function="evaluate")
    import_user_code(cfg, is_allowed=allow_code)
    if launched_world_size() > 1:
        dist_init()
    loader: EvalLoader | None = None
    try:
        preprocessing = preprocessing_from_state(run["preprocessing"])
        dataset = _dataset(cfg, data, split, preprocessing, run["class_names"])
        loading = cfg.policy.learn.learner.dataloader
        saved = run.get(FACT, {}).get(split) if data is None and max_bad is None else None
        allowed = loading.max_bad if max_bad is None else max_bad
        dataset = readable_split(dataset, saved, max_bad=allowed, num_workers=loading.num_workers)
        loader = build_eval_loader(
            dataset,
            cfg.policy.eval.batch_size if batch_size is None else batch_size,
            num_workers=loading.num_workers,
            rank=get_rank(),
            world_size=get_world_size(),
        )
        policy = _policy(cfg, run, model)
        policy.eval_mode.load_state_dict(state)
        evaluator = MetricSerialEvaluator(
            {}, [loader, metric_for(cfg.policy.eval.metric, dataset)], policy.eval_mode, exp_name=None
        )
        evaluator.keep_predictions = keep_predictions
        train_iter = int(state.get("last_iter", 0))
        _, result = evaluator.eval(None, train_iter)
        classes = tuple(run["class_names"])
        predictions = evaluator.predictions
        return Judgement(result, evaluator.num_evaluated, predictions, dataset, classes, train_iter, cfg)
    finally:
        if loader is not None:
            loader.close()
        dist_finalize()


def _policy(cfg: Any, run: Mapping[str, Any], model: torch.nn.Module | None) -> ImageClassificationPolicy:
    """Return a policy that can judge, with the run's classes and preprocessing, its weights not loaded."""
    network = model
    if network is None:
        network, _ = build_network(cfg, len(run["class_names"]), load_weights=False)
    policy = ImageClassificationPolicy(cfg.policy, model=network, enable_field=["eval"])
    policy.eval_mode.set_attribute("class_names", tuple(run["class_names"]))
    preprocessing = preprocessing_from_state(run["preprocessing"])
    policy.eval_mode.set_attribute("prepare_batch", preprocessing.prepare)
    return policy


def _dataset(
    cfg: Any,
    data: str | os.PathLike[str] | None,
    split: str,
    preprocessing: AnyPreprocessing,
    classes: list[str],
) -> Any:
    if data is None and cfg.policy.collect.synthetic:
        if split == "test":
            raise DataError("a run on synthetic images has no test split; it has 'train' and 'val'")
        train_set, eval_set = build_datasets(cfg)
        return train_set if split == "train" else eval_set
    return evaluation_set(cfg, split, classes, preprocessing=preprocessing, data=data)


def write_arrays(out: Path, values: Mapping[str, Any]) -> None:
    """Publish tensors and arrays as an ``.npz`` file.

    Raises:
        DataError: it cannot be written.
    """
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in values.items()}
    try:
        with atomic_write(out) as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise DataError(f"the predictions cannot be written to '{out}': {error.strerror}") from error
