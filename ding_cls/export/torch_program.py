"""A trained network as torch's exported program: runs where torch is, without the code of the network."""

from __future__ import annotations

import io
import os

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.export.network import exported_program, failures_named, quiet
from ding_cls.inference.onnx.description import KEY, ModelDescription
from ding_cls.inference.predictor import Predictor


def program_content(predictor: Predictor, example: torch.Tensor, description: ModelDescription) -> bytes:
    """Return a file that ``torch.export.load`` reads; ``extra_files={'ding_cls': ''}`` gets the description.

    Args:
        predictor: with one network.
        example: an image as its pipeline makes it.
        description: what the file says of itself.

    Raises:
        ConfigError: the pipeline cannot feed the layout.
        ExportError: the network cannot be exported.
    """
    program = exported_program(predictor, example, description.layout)
    buffer = io.BytesIO()
    with failures_named(predictor.model), quiet():
        torch.export.save(program, buffer, extra_files={KEY: description.to_json()})
    return buffer.getvalue()


class ProgramCandidate:
    """Maps batches of a predictor's preprocessing to logits by such a file.

    Args:
        file: as written.
        predictor: its preprocessing normalises images for a file that takes them so.
        description: of the file.
    """

    def __init__(
        self, file: str | os.PathLike[str], predictor: Predictor, description: ModelDescription
    ) -> None:
        with quiet(), failures_named(predictor.model), open(file, "rb") as opened:
            self._run = torch.export.load(io.BytesIO(opened.read())).module()
        self._normalize = predictor.preprocessing.normalize if description.layout == "float" else None

    def __call__(self, images: torch.Tensor) -> npt.NDArray[np.float32]:
        """Return the logits of a batch."""
        with torch.inference_mode():
            taken = images if self._normalize is None else self._normalize(images)
            logits: npt.NDArray[np.float32] = self._run(taken).numpy()
        return logits
