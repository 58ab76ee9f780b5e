"""``ding-cls export``: one checkpoint, one file, and what is said of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ding_cls.answers.evaluation.summary import printable
from ding_cls.answers.prediction import Prediction
from ding_cls.checkpoint.keeper import checkpoint_file
from ding_cls.common.tables import checked_ending
from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.export.answer import answer_of, check_fits
from ding_cls.export.description import run_name
from ding_cls.export.files import ENDINGS, Format, export_file
from ding_cls.images import load_rgb
from ding_cls.inference import load
from ding_cls.inference.onnx.description import Layout
from ding_cls.pipeline.exporting.beside import check_int8, check_ours, write_int8, write_preprocess
from ding_cls.pipeline.exporting.images import evaluation_images, training_images


def export_checkpoint(
    checkpoint: str | os.PathLike[str],
    format: Format = "onnx",
    *,
    out: str | os.PathLike[str] | None = None,
    image: str | os.PathLike[str] | None = None,
    samples: int | None = None,
    layout: Layout = "uint8",
    int8: bool = False,
    data: str | os.PathLike[str] | None = None,
    split: str | None = None,
    batch_size: int | None = None,
    max_bad: int | None = None,
    allow_code: bool = False,
) -> Iterator[str]:
    """Write a checkpoint's network as a file that says the same; yield what is to be printed, as it is known.

    Args:
        checkpoint: a run's folder (its best one) or file.
        format: of the file.
        out: the file; None: the run's name, in the working directory.
        image: an image that the file answers at the end.
        samples: compare on so many images; None: on all.
        layout: what the file takes, as `ModelDescription` has it.
        int8: write a second ONNX file with integers of 8 bits, and say what that costs.
        data: as in `evaluate`, like all that is not named here.

    Raises:
        CheckpointError: as `load`.
        ConfigError: as `export_onnx`.
        DataError: likewise; or ``image`` cannot be read.
        ExportError: likewise.
    """
    file, target = _checked(checkpoint, format, out, samples=samples, batch_size=batch_size, int8=int8)
    if image is not None:
        load_rgb(image)
    predictor = load(checkpoint, allow_code=allow_code)
    if batch_size is not None:
        predictor.batch_size = batch_size
    images = evaluation_images(file, data=data, split=split, max_bad=max_bad, allow_code=allow_code)
    if int8:
        check_int8(format, target, images)
    if image is not None:
        check_fits(predictor, images.sources, image)
    if images.reason:
        yield f"compared on synthetic images: {images.reason}"
    if predictor.precision != "fp32":
        yield f"the run computes in {predictor.precision}; file and comparison are in float32"
    exported = export_file(predictor, target, format, images=images.sources, layout=layout, samples=samples)
    # OneFlow's line, as programs look for it; it is of ONNX alone.
    begin = "Convert to onnx success! >>" if format == "onnx" else f"{format}:"
    yield f"{begin} {printable(str(target))}"
    yield from exported.report.lines()
    if image is not None:
        yield from _answer(answer_of(exported, predictor, image))
    if format != "safetensors":
        yield write_preprocess(exported)
    if int8:
        training = training_images(file, allow_code=allow_code)
        yield from write_int8(predictor, target, images, training)


def _checked(
    checkpoint: str | os.PathLike[str],
    format: Format,
    out: str | os.PathLike[str] | None,
    *,
    samples: int | None,
    batch_size: int | None,
    int8: bool,
) -> tuple[Path, Path]:
    """Return the checkpoint's file and the one to write; refuse what cannot be done, before the work."""
    if Path(checkpoint).suffix.lower() in (".onnx", ".pt2") and os.path.isfile(checkpoint):
        raise CheckpointError(
            f"'{os.fspath(checkpoint)}' is an exported file already; name the run's folder or the checkpoint "
            "that it was made from"
        )
    for name, number in (("--samples", samples), ("--batch-size", batch_size)):
        if number is not None and number < 1:
            raise ConfigError(f"{name} {number} must be at least 1")
    file = checkpoint_file(checkpoint)
    target = Path(f"{run_name(file)}{ENDINGS[format]}" if out is None else out)
    checked_ending(target, (ENDINGS[format],))
    check_ours(target, format, is_named=out is not None, int8=int8)
    return file, target


def _answer(prediction: Prediction) -> Iterator[str]:
    """Yield what the network says of an image, a line for each label or task."""
    labels = np.atleast_1d(np.asarray(prediction.label, int))
    for label, score in zip(labels, np.atleast_1d(np.asarray(prediction.score, float)), strict=True):
        yield f"Class: {printable(prediction.names[label])}; score: {score:.4f}"
    if not len(labels):
        best = prediction.top(1)[0]
        name = printable(best.name)
        yield f"Class: none reaches its threshold; the highest is {name}; score: {best.score:.4f}"
