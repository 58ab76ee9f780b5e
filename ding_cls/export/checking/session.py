"""An ONNX file in ONNX Runtime, as something to compare a predictor with.

It must not know what is compared.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.errors import CheckpointError, ExportError
from ding_cls.inference.onnx.description import KEY, Layout
from ding_cls.inference.onnx.seal import is_unharmed
from ding_cls.inference.onnx.session import runtime_session
from ding_cls.inference.predictor import Predictor


class OnnxCandidate:
    """Maps batches of a predictor's preprocessing to logits by ONNX Runtime, with as many threads as torch.

    Args:
        file: the ONNX file; or its content, as bytes.
        predictor: its preprocessing normalises images for a file that takes them so.

    Attributes:
        layout: as `ModelDescription` has it.
        size: height and width in pixels of the images that the file takes; None: any.
        entry: what the file says of itself, as JSON; None: nothing.
        is_whole: whether it has the bytes that it says.

    Raises:
        ConfigError: there is no ONNX Runtime.
        ExportError: the file cannot be loaded.
    """

    def __init__(self, file: str | os.PathLike[str] | bytes, predictor: Predictor) -> None:
        self._session = open_session(file)
        self._preprocessing = predictor.preprocessing
        taken = self._session.get_inputs()[0]
        self._name = taken.name
        self.layout: Layout = "uint8" if taken.type == "tensor(uint8)" else "float"
        sides = taken.shape[1:3] if self.layout == "uint8" else taken.shape[2:4]
        self.size = (sides[0], sides[1]) if all(isinstance(side, int) for side in sides) else None
        self.is_whole = isinstance(file, bytes) or is_unharmed(file)
        try:
            self.entry: str | None = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        except UnicodeDecodeError:
            self.entry, self.is_whole = "", False

    def __call__(self, images: torch.Tensor) -> npt.NDArray[np.float32]:
        """Return logits; see `ding_cls.export.checking.equality.Candidate`."""
        (logits, *_) = self._session.run(None, self.feed(images))
        found: npt.NDArray[np.float32] = logits
        return found

    def feed(self, images: torch.Tensor) -> dict[str, npt.NDArray[Any]]:
        """Return a batch as the file takes it, by the name of its input."""
        taken = images if self.layout == "uint8" else self._preprocessing.normalize(images)
        return {self._name: np.ascontiguousarray(taken.numpy())}


def open_session(file: str | os.PathLike[str] | bytes) -> Any:
    """Return a session of ONNX Runtime on the CPU, with as many threads as torch.

    Raises:
        ConfigError: there is no ONNX Runtime.
        ExportError: the file cannot be loaded.
    """
    if not isinstance(file, bytes) and not Path(file).is_file():
        raise ExportError(f"'{file}' does not exist (in '{Path.cwd()}')")
    source, name = (file, "the graph") if isinstance(file, bytes) else (os.fspath(file), f"'{file}'")
    try:
        return runtime_session(source, name, num_threads=torch.get_num_threads())
    except CheckpointError as error:
        raise ExportError(str(error)) from error
