"""Files of a trained network for other hands; each is there only if it says the same as the checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ding_cls.common.tables import checked_ending, published
from ding_cls.errors import ConfigError, ExportError
from ding_cls.export.checking.equality import EqualityReport, check_described, compare_logits
from ding_cls.export.checking.session import OnnxCandidate
from ding_cls.export.checking.stated import stated_preprocessing
from ding_cls.export.checking.tally import Candidate
from ding_cls.export.description import described
from ding_cls.export.network import check_exportable, example_image
from ding_cls.export.onnx import onnx_content
from ding_cls.export.torch_program import ProgramCandidate, program_content
from ding_cls.export.weights import WeightsCandidate, weights_content
from ding_cls.inference.onnx.description import Layout, ModelDescription
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import sources_of

Format = Literal["onnx", "torch_export", "safetensors"]
ENDINGS = {"onnx": ".onnx", "torch_export": ".pt2", "safetensors": ".safetensors"}
"""What a file of each format is called."""

_CONTENTS: dict[str, Callable[[Predictor, torch.Tensor, ModelDescription], bytes]] = {
    "onnx": onnx_content,
    "torch_export": program_content,
    "safetensors": weights_content,
}


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """What was written.

    Attributes:
        path: the file.
        format: its own.
        description: what it says of itself.
        report: what came of the comparison.
        unsaid: why it does not say the preprocessing; empty where it does.
    """

    path: str
    format: Format
    description: ModelDescription
    report: EqualityReport
    unsaid: str


def export_onnx(
    predictor: Predictor,
    out: str | os.PathLike[str],
    *,
    images: Any = None,
    layout: Layout = "uint8",
    samples: int | None = None,
) -> EqualityReport:
    """Write a predictor's network as an ONNX file: input ``images``, output ``logits``, any batch size.

    The file says by itself which classes, preprocessing, thresholds and run it is of
    (`ModelDescription`). It computes in float32, and is published only after ONNX Runtime has given the same
    logits as torch in float32 on the CPU.

    Args:
        predictor: of one network, as ``ding_cls.load`` returns it; it stays as it is.
        out: the file, ``.onnx``; one of that name is replaced.
        images: what both are compared on, as ``predictor(images)`` takes it, or a list of sources; None:
            synthetic images.
        layout: 'uint8': the graph takes cropped RGB ``(N, H, W, 3)`` and normalises; 'float': normalised
            ``(N, 3, H, W)``.
        samples: compare on so many of the images, spread evenly; None: all.

    Raises:
        CheckpointError: the checkpoint behind the predictor cannot be read any more.
        ConfigError: another ending, a layout that the pipeline cannot feed, or onnx is not installed.
        DataError: no image can be read, or the file cannot be written.
        ExportError: the network cannot be exported, or the file says something else; then nothing is
            published.
        ModelError: the network's output does not fit the classes.
    """
    return export_file(predictor, out, "onnx", images=images, layout=layout, samples=samples).report


def export_file(
    predictor: Predictor,
    out: str | os.PathLike[str],
    format: Format,
    *,
    images: Any = None,
    layout: Layout = "uint8",
    samples: int | None = None,
) -> ExportedFile:
    """Write a predictor's network in a format, and return what was written; see `export_onnx`.

    Weights alone take no images: their layout is that of the network.

    Raises:
        DingError: as there.
    """
    checked_ending(out, (ENDINGS[format],))
    check_exportable(predictor)
    if samples is not None and samples < 1:
        raise ConfigError(f"samples={samples} must be at least 1")
    sources = None if images is None else sources_of(images)
    example = example_image(predictor, sources)
    # As many logits as classes, or it says so.
    predictor.views([example[None]])
    stated, unsaid = stated_preprocessing(predictor, sources)
    layout = "float" if format == "safetensors" else layout
    description = described(predictor, example, layout, stated)
    content = _CONTENTS[format](predictor, example, description)
    with published(out) as file:
        file.write(content)
        file.flush()
        try:
            if format == "onnx":
                report = check_described(
                    predictor, file.name, sources, samples=samples, description=description
                )
            else:
                candidate = candidate_of(file.name, format, predictor, example, description)
                report = compare_logits(predictor, candidate, sources, samples=samples)
        except ExportError as error:
            # The file has a name for the time being, which nobody knows.
            raise ExportError(str(error).replace(file.name, os.fspath(out))) from error
        if not report.is_equal:
            raise ExportError(f"{'; '.join(report.lines())}; '{os.fspath(out)}' was not written")
    return ExportedFile(os.fspath(out), format, description, report, unsaid)


def candidate_of(
    file: str | os.PathLike[str],
    format: Format,
    predictor: Predictor,
    example: torch.Tensor,
    description: ModelDescription,
) -> Candidate:
    """Return a file as what maps batches of a predictor's preprocessing to logits.

    Args:
        file: as written.
        format: its own.
        predictor: what it was made of.
        example: an image as its pipeline makes it.
        description: what the file says of itself.

    Raises:
        ConfigError: what reads the format is not installed.
        ExportError: the file cannot be read.
    """
    if format == "onnx":
        return OnnxCandidate(file, predictor)
    if format == "torch_export":
        return ProgramCandidate(file, predictor, description)
    return WeightsCandidate(file, predictor, example)
