"""The evaluated weights of a network alone, as safetensors."""

from __future__ import annotations

import json
import os

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.export.network import exported_network, failures_named
from ding_cls.inference.described_weights import PREPROCESSING
from ding_cls.inference.onnx.description import KEY, ModelDescription
from ding_cls.inference.predictor import Predictor
from ding_cls.models.weights.writing import safetensors_content


def weights_content(predictor: Predictor, example: torch.Tensor, description: ModelDescription) -> bytes:
    """Return a file of the network's weights, under the network's own names.

    Args:
        predictor: with one network.
        example: not used.
        description: an entry of the file's metadata.

    Raises:
        ConfigError: safetensors is not installed.
        ExportError: the weights cannot be written.
    """
    return safetensors_content(predictor.model.state_dict(), weights_metadata(predictor, description))


def weights_metadata(predictor: Predictor, description: ModelDescription) -> dict[str, str]:
    """Return what a file of weights says of itself.

    Args:
        predictor: of the weights.
        description: what any exported file says; ``preprocessing`` beside it is the run's whole pipeline,
            also where that is more than `ding_cls.inference.onnx.preprocess` can do.
    """
    return {
        "format": "pt",
        KEY: description.to_json(),
        PREPROCESSING: json.dumps(predictor.preprocessing.state_dict()),
    }


class WeightsCandidate:
    """Maps batches of a predictor's preprocessing to logits by a copy of its network with such weights.

    Args:
        file: as written.
        predictor: of the network.
        example: an image as its pipeline makes it.
    """

    def __init__(self, file: str | os.PathLike[str], predictor: Predictor, example: torch.Tensor) -> None:
        # It has written the file.
        from safetensors.torch import load

        self._network = exported_network(predictor, example, "float")
        self._preprocessing = predictor.preprocessing
        state = self._network.model.state_dict()
        for each in state.values():
            each.zero_()
        with failures_named(predictor.model), open(file, "rb") as opened:
            # In place: the versions of the modules stay, which some networks ask for.
            state.update(load(opened.read()))
            self._network.model.load_state_dict(state)

    def __call__(self, images: torch.Tensor) -> npt.NDArray[np.float32]:
        """Return the logits of a batch."""
        with torch.inference_mode():
            normalised = self._preprocessing.normalize(images)
            logits: npt.NDArray[np.float32] = self._network(normalised).numpy()
        return logits
