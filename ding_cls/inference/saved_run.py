"""What a checkpoint says about the run that wrote it: its network, classes, preprocessing and config.

It must not know what is done with them.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any, TypeGuard

from ding_cls.checkpoint.form import EVALUATED, check_form
from ding_cls.config import compile_config, deep_merge_dicts
from ding_cls.data import PipelinePreprocessing, preprocessing_from_state
from ding_cls.errors import CheckpointError
from ding_cls.models import MultiLabelClsHead

_LOGGER = logging.getLogger(__name__)

# Marks a network that was handed in: its name alone cannot build it again.
GIVEN = " (given)"

_OF_SEVERAL_LABELS = ("mAP", "CP", "CR", "CF1", "OP", "OR", "OF1", "exact_match")
# Their argument that says how many labels are guessed.
_LABELS_GUESSED = {"ClassificationMetrics": "k", "MultiLabelMetric": "topk", "ExactMatch": "topk"}
_METRICS_OF_SEVERAL_LABELS = ("MultiLabelMetric", "ExactMatch", "AveragePrecision")


def described_run(
    state: Mapping[str, Any], checkpoint: str | os.PathLike[str], *, has_model: bool, function: str
) -> tuple[dict[str, Any], Any]:
    """Return what a checkpoint says about its run, and the run's config, compiled for this machine.

    A warning says if its weights are those of an untrained network.

    Args:
        state: the checkpoint.
        checkpoint: how errors name it.
        has_model: the caller brings the network.
        function: the one of ``ding_cls`` that takes a network as ``model=``.

    Raises:
        CheckpointError: it does not say what it was made for, is malformed, or only the caller can build its
            network.
    """
    run = state.get("run")
    if not describes_run(run):
        raise CheckpointError(undescribed(checkpoint))
    check_form(state, EVALUATED, f"'{checkpoint}'")
    cfg = config_for_here(run["config"], checkpoint)
    if not has_model:
        check_buildable(cfg, checkpoint, function=function)
    if not state.get("last_iter", 1):
        _LOGGER.warning("'%s' was saved before its run's first update: it is not trained", checkpoint)
    return run, cfg


def describes_run(run: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether a checkpoint's ``run`` says which network, preprocessing and classes it was made for."""
    return isinstance(run, dict) and {"config", "class_names", "preprocessing"} <= run.keys()


def undescribed(checkpoint: str | os.PathLike[str]) -> str:
    """Return how to use a checkpoint that says nothing of a run, as a program with a loop of its own does."""
    return (
        f"'{checkpoint}' does not say which model and preprocessing it was made for; to evaluate it name the "
        f"config of its network in front: ding-cls eval CONFIG {checkpoint} (in Python config=); to predict "
        "with it name its network: --model NAME (in Python model='NAME')"
    )


def preprocessing_in(run: Mapping[str, Any], checkpoint: str | os.PathLike[str]) -> PipelinePreprocessing:
    """Return what a run does to an image.

    Raises:
        CheckpointError: what the checkpoint says of it cannot be used.
    """
    try:
        return preprocessing_from_state(run["preprocessing"])
    except Exception as error:  # a step gets its arguments from the file
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"run.preprocessing in '{checkpoint}' cannot be used: {reason}") from error


def check_buildable(cfg: Any, checkpoint: str | os.PathLike[str], *, function: str) -> None:
    """Refuse a network that only the program has that trained it.

    Raises:
        CheckpointError: it names ``function``, which takes a network as ``model=``.
    """
    # A network of parts has no name.
    name = str(cfg.policy.model.get("name", ""))
    if name.endswith(GIVEN):
        raise CheckpointError(
            f"the run of '{checkpoint}' was given a network of its own: {name}; hand it in: "
            f"ding_cls.{function}(..., model=network)"
        )


def has_several_labels(run: Mapping[str, Any], cfg: Any, network: Any) -> bool:
    """Return whether an image of a run may have several labels, each class by itself.

    Args:
        run: as `described_run` returns it.
        cfg: likewise.
        network: the run's.
    """
    if "label_kind" in run:
        return bool(run["label_kind"] == "several")
    # A checkpoint of an earlier version: what judges its network tells.
    metric = cfg.policy.eval.metric or {}
    names = metric.get("metrics") or ()
    wanted = [names] if isinstance(names, str) else [each for each in names if isinstance(each, str)]
    return (
        isinstance(getattr(network, "head", None), MultiLabelClsHead)
        or metric.get("type") in _METRICS_OF_SEVERAL_LABELS
        or any(each in _OF_SEVERAL_LABELS for each in wanted)
    )


def label_threshold(cfg: Any) -> float:
    """Return the probability from which on an image has a label, where it may have several: the threshold
    of the metric, of several metrics that of the first with one, else 0.5."""
    metric = cfg.policy.eval.metric or {}
    inner = metric.get("metrics") or ()
    described = [metric, *(each for each in inner if isinstance(each, Mapping))]
    found = (each.get("thr") for each in described)
    return float(next((each for each in found if each is not None), 0.5))


def label_topk(metric: Mapping[str, Any] | None) -> int | None:
    """Return how many of an image's labels a metric of several labels takes as guessed, the likeliest ones;
    None where it goes by a threshold.

    Args:
        metric: of a config, ``policy.eval.metric``.
    """
    found = metric or {}
    inner = found.get("metrics") or ()
    described = [found, *(each for each in inner if isinstance(each, Mapping))]
    counts = (each.get(_LABELS_GUESSED.get(each.get("type", ""), "")) for each in described)
    return next((each for each in counts if isinstance(each, int)), None)


def config_for_here(saved: Any, checkpoint: str | os.PathLike[str]) -> Any:
    """Return a run's config for this machine: its devices and processes, not the run's.

    Raises:
        CheckpointError: it cannot be used.
    """
    machine = {"policy": {"cuda": "auto", "multi_gpu": "auto", "learn": {"multi_gpu": "auto"}}}
    try:
        return compile_config(deep_merge_dicts(saved, machine), save_cfg=False)
    except Exception as error:  # the values are the file's
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"run.config in '{checkpoint}' cannot be used: {reason}") from error
