"""What an exported file says of itself, from the predictor and the checkpoint behind it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from ding_cls.answers.calibration import KEY as CALIBRATION
from ding_cls.checkpoint import read_checkpoint
from ding_cls.errors import CheckpointError
from ding_cls.inference.onnx.description import Layout, ModelDescription
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.saved_run import label_topk
from ding_cls.models import evaluated_part, weights_in


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
        CheckpointError: the checkpoint cannot be read any more, or has other weights by now.
    """
    state, sha256 = ({}, "") if predictor.checkpoint is None else _read(predictor.checkpoint)
    check_weights(predictor, state)
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
        run={"ding_cls": import_module("ding_cls").__version__, **_run(predictor.checkpoint, state, sha256)},
    )


def check_weights(predictor: Predictor, state: Mapping[str, Any]) -> None:
    """Refuse to say of a network that it is of a checkpoint which has other weights.

    Args:
        predictor: with one network.
        state: what its checkpoint holds now; of a predictor of no checkpoint anything.

    Raises:
        CheckpointError: its run has replaced the file, or the network was changed.
    """
    if predictor.checkpoint is None:
        return
    saved = {name.removeprefix("module."): each for name, each in weights_in(evaluated_part(state)).items()}
    for name, values in predictor.model.named_parameters():
        found = saved.get(name)
        is_same = found is not None and found.shape == values.shape
        if found is None or not (is_same and torch.allclose(found.to(values), values, 0, 0, equal_nan=True)):
            raise _replaced(predictor.checkpoint)


def run_name(checkpoint: Path) -> str:
    """Return what a file made of a checkpoint is called: as the run's folder, or as a file that is in
    none."""
    folder = checkpoint.resolve().parent
    return folder.parent.name if folder.name == "ckpt" else checkpoint.name.partition(".")[0]


def _read(checkpoint: Path) -> tuple[dict[str, Any], str]:
    """Return what a checkpoint holds, and the SHA-256 of the very same bytes."""
    try:
        with open(checkpoint, "rb") as file:
            state = read_checkpoint(checkpoint)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            is_same = os.path.samestat(os.fstat(file.fileno()), os.stat(checkpoint))
    except OSError as error:
        raise CheckpointError(f"'{checkpoint}' cannot be read any more: {error.strerror}") from error
    if not is_same:
        raise _replaced(checkpoint)
    return state, sha256


def _replaced(checkpoint: Path) -> CheckpointError:
    return CheckpointError(
        f"'{checkpoint}' has other weights now than the network: its run trains on and has replaced it; try "
        "again, or name an iteration_N.pth.tar (in Python, of a network that was changed on purpose: "
        "predictor.checkpoint = None)"
    )


def _run(checkpoint: Path | None, state: dict[str, Any], sha256: str) -> dict[str, Any]:
    """Return where a network came from, without a place on this machine."""
    if checkpoint is None:
        return {}
    data = state["run"].get("data")
    datasets = data if isinstance(data, Mapping) else {}
    return {
        "name": run_name(checkpoint),
        "checkpoint": checkpoint.name,
        "digest": {split: each["digest"] for split, each in datasets.items() if "digest" in each},
        "train_iter": state.get("last_iter"),
        "sha256": sha256,
    }
