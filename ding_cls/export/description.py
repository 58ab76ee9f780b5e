"""What an exported file says of itself, from the predictor and the checkpoint behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from ding_cls.answers.calibration import KEY as CALIBRATION
from ding_cls.checkpoint import read_checkpoint
from ding_cls.inference.onnx.description import Layout, ModelDescription
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.saved_run import label_topk


def described(
    predictor: Predictor, example: torch.Tensor, layout: Layout, stated: Mapping[str, Any]
) -> ModelDescription:
    """Return what a file says of itself.

    Args:
        predictor: with one network.
        example: as `example_image` returns it.
        layout: of the file.
        stated: its preprocessing, as `stated_preprocessing` returns it.

    Raises:
        CheckpointError: the checkpoint cannot be read any more.
    """
    state: dict[str, Any] = {} if predictor.checkpoint is None else read_checkpoint(predictor.checkpoint)
    config = state.get("run", {}).get("config", {})
    metric = config.get("policy", {}).get("eval", {}).get("metric")
    height, width = example.shape[-2:] if example.is_floating_point() else example.shape[:2]
    return ModelDescription(
        predictor.classes,
        height,
        width,
        layout=layout,
        preprocessing=stated,
        has_several_labels=predictor.has_several_labels,
        num_tasks=predictor.num_tasks,
        threshold=predictor.threshold,
        topk=label_topk(metric) if predictor.has_several_labels else None,
        calibration=state.get(CALIBRATION) or {},
        run={"ding_cls": import_module("ding_cls").__version__, **_run(predictor.checkpoint, state)},
    )


def run_name(checkpoint: Path) -> str:
    """Return what a file made of a checkpoint is called: as the run's folder, or as a file that is in
    none."""
    folder = checkpoint.resolve().parent
    return folder.parent.name if folder.name == "ckpt" else checkpoint.name.partition(".")[0]


def _run(checkpoint: Path | None, state: dict[str, Any]) -> dict[str, Any]:
    """Return where a network came from, without a place on this machine."""
    if checkpoint is None:
        return {}
    data = state["run"].get("data")
    datasets = data if isinstance(data, Mapping) else {}
    with open(checkpoint, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": run_name(checkpoint),
        "checkpoint": checkpoint.name,
        "digest": {split: each["digest"] for split, each in datasets.items() if "digest" in each},
        "train_iter": state.get("last_iter"),
        "sha256": sha256,
    }
