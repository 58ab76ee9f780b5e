"""What a file of safetensors says of the weights in it: classes, preprocessing, and what an answer is.

A file of another program says nothing of these. It must not know networks.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ding_cls.data import PipelinePreprocessing
from ding_cls.errors import CheckpointError
from ding_cls.inference.onnx.description import KEY, ModelDescription
from ding_cls.inference.saved_run import preprocessing_in

PREPROCESSING = "preprocessing"
"""The metadata entry with the record of the run's preprocessing, as a checkpoint has it, in JSON."""

NETWORK = "network"
"""The metadata entry with the description of the network, in JSON."""


def described_weights(
    source: str | os.PathLike[str],
) -> tuple[ModelDescription, PipelinePreprocessing] | None:
    """Return what a file says of its weights, and what is done to an image; None where it says nothing.

    Raises:
        CheckpointError: what it says cannot be used.
    """
    about = _metadata(source)
    if not {KEY, PREPROCESSING} <= about.keys():
        return None
    description = ModelDescription.from_json(about[KEY], os.fspath(source))
    try:
        state = json.loads(about[PREPROCESSING])
    except ValueError as error:
        raise CheckpointError(f"the preprocessing in '{source}' cannot be read: {error}") from error
    return description, preprocessing_in({PREPROCESSING: state}, source)


def described_network(source: str | os.PathLike[str]) -> str:
    """Return the name of the network that a published file is for; empty where it says none, or more."""
    try:
        network = json.loads(_metadata(source).get(NETWORK, "null"))
    except ValueError:
        return ""
    is_name = isinstance(network, dict) and network.keys() == {"name"} and isinstance(network["name"], str)
    return network["name"] if is_name else ""


def _metadata(source: str | os.PathLike[str]) -> dict[str, str]:
    if Path(source).suffix != ".safetensors" or not os.path.isfile(source):
        return {}
    try:
        from safetensors import safe_open

        with safe_open(os.fspath(source), "pt") as file:
            return file.metadata() or {}
    except Exception:  # the reader of its weights says what is wrong
        return {}
