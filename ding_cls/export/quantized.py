"""An exported network in int8, and what that costs: it does not say the same, so that it is judged.

It must not know how the network was exported.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.answers.proportions import wilson
from ding_cls.common.tables import published
from ding_cls.errors import ConfigError, DataError, ExportError
from ding_cls.export.checking.rates import rates
from ding_cls.export.checking.session import OnnxCandidate
from ding_cls.export.network import quiet
from ding_cls.export.onnx import content_with
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import Source

MARK = "ding_cls.quantization"
"""The entry of a file's metadata that says how it was made."""

NUM_CALIBRATION = 128
MAX_LOSS = 5.0
"""Percentage points of accuracy from which on a loss is warned of."""

_BATCH_SIZE = 16


@dataclass(frozen=True, slots=True)
class QuantizationReport:
    """What a network in int8 does, beside the same in float32.

    Attributes:
        num_images: images that both were judged on.
        num_calibration: images that ranges of values were taken from; none of them is among the former.
        num_agreeing: images of which both say the same: the first class, of each task, or all labels.
        num_right: of how many images int8 says what they are labelled; None: there are no labels.
        num_right_float: likewise of float32.
        sizes: bytes of the files, int8 and float32.
        rates: images per second of the network alone, int8 and float32, with as many threads.
    """

    num_images: int
    num_calibration: int
    num_agreeing: int
    num_right: int | None
    num_right_float: int | None
    sizes: tuple[int, int]
    rates: tuple[float, float]

    @property
    def loss(self) -> float | None:
        """How much lower accuracy is than in float32, in percentage points; None: it is not known."""
        if self.num_right is None or self.num_right_float is None:
            return None
        return 100 * (self.num_right_float - self.num_right) / self.num_images

    def lines(self) -> list[str]:
        """Return it as text."""
        accuracy = "there are no labels to judge its accuracy by"
        if self.loss is not None and self.num_right is not None and self.num_right_float is not None:
            accuracy = (
                f"accuracy in int8 {_share(self.num_right, self.num_images)}, in float32 "
                f"{_share(self.num_right_float, self.num_images)}: {abs(self.loss):.1f} points "
                + ("gained" if self.loss < 0 else "lost")
            )
        sizes = [size / 1e6 for size in self.sizes]
        lines = [
            f"int8: calibrated on {self.num_calibration:,} images, judged on {self.num_images:,} others",
            accuracy,
            f"the same answer as in float32: {_share(self.num_agreeing, self.num_images)}",
            f"int8 {sizes[0]:.1f} MB, float32 {sizes[1]:.1f} MB; images/s of the network alone: int8 "
            f"{self.rates[0]:.1f}, float32 {self.rates[1]:.1f}",
        ]
        if self.loss is not None and self.loss > MAX_LOSS:
            lines.append(f"warning: int8 costs this network {self.loss:.1f} points; keep float32")
        return lines


def quantize_onnx(
    predictor: Predictor,
    file: str | os.PathLike[str],
    out: str | os.PathLike[str],
    images: Sequence[Source],
    *,
    targets: Sequence[Any] | None = None,
    calibration: Sequence[Source] | None = None,
) -> QuantizationReport:
    """Write an exported network in int8, and return what it does beside the original.

    Weights have 8 bits for each output channel, and values between layers 8 bits by the ranges that
    calibration images show. What the file says of itself stays, and `MARK` is among its metadata.

    Args:
        predictor: what ``file`` was made of.
        file: the ONNX file in float32.
        out: the file to write; it may not be ``file``.
        images: what both are judged on.
        targets: their labels as a dataset has them: class numbers, one of each task, or of several labels a
            row of zeros and ones (negative: not known). None: they have none.
        calibration: other images, best of training: of these at most ``NUM_CALIBRATION`` are taken, spread
            evenly. None: a fifth of ``images``, which are then not judged.

    Raises:
        ConfigError: there is no ONNX Runtime, or ``out`` is ``file``.
        DataError: there are too few images, or the file cannot be written.
        ExportError: ONNX Runtime cannot quantize the network.

    Source: Integer Quantization for Deep Learning Inference, Wu et al. 2020, section 5: weights per channel,
    activations per tensor (arXiv:2004.09602).
    """
    if os.path.realpath(out) == os.path.realpath(file):
        raise ConfigError(f"'{os.fspath(out)}' is the file in float32; name another for int8")
    if targets is not None and len(targets) != len(images):
        raise DataError(f"{len(images)} images have {len(targets)} labels")
    judged = list(range(len(images)))
    if calibration is None:
        calibration = images[2::5]
        judged = [number for number in judged if number % 5 != 2]
    step = max(1.0, len(calibration) / NUM_CALIBRATION)
    chosen = [calibration[int(place)] for place in np.arange(0, len(calibration), step)]
    original = OnnxCandidate(file, predictor)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "int8.onnx"
        num_calibration = _quantize(predictor, file, small, original, chosen)
        report = _judge(
            predictor,
            (OnnxCandidate(small, predictor), original),
            [images[number] for number in judged],
            None if targets is None else [targets[number] for number in judged],
            num_calibration,
            (small.stat().st_size, Path(file).stat().st_size),
        )
        with published(out) as target:
            target.write(small.read_bytes())
    return report


def _quantize(
    predictor: Predictor,
    file: str | os.PathLike[str],
    out: Path,
    candidate: OnnxCandidate,
    images: Sequence[Source],
) -> int:
    """Write the file, and return how many images could be read."""
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    feeds = [candidate.feed(batch) for batch, _ in _batches(predictor, images, _BATCH_SIZE)]
    count = sum(len(each) for feed in feeds for each in feed.values())
    if not count:
        raise DataError("there are no images to calibrate int8 on; name some images")
    prepared, remaining = out.with_name("prepared.onnx"), iter(feeds)
    with quiet():
        try:
            quant_pre_process(os.fspath(file), os.fspath(prepared))
            quantization.quantize_static(
                os.fspath(prepared),
                os.fspath(out),
                SimpleNamespace(get_next=lambda: next(remaining, None)),
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                per_channel=True,
            )
        # Both raise what they come upon.
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ExportError(f"'{os.fspath(file)}' cannot be brought to int8: {reason}") from error
    model, source = onnx.load(out), onnx.load(file, load_external_data=False)
    entries = {each.key: each.value for each in source.metadata_props}
    out.write_bytes(content_with(model, {**entries, MARK: "int8"}))
    return count


def _judge(
    predictor: Predictor,
    candidates: tuple[OnnxCandidate, OnnxCandidate],
    images: Sequence[Source],
    targets: Sequence[Any] | None,
    num_calibration: int,
    sizes: tuple[int, int],
) -> QuantizationReport:
    agreeing = np.zeros(0, bool)
    right: list[list[npt.NDArray[np.bool_]]] = [[], []]
    batch = None
    for pixels, numbers in _batches(predictor, images, predictor.batch_size):
        guesses = [_guesses(predictor, candidate(pixels)) for candidate in candidates]
        agreeing = np.append(agreeing, _all_equal(*guesses))
        if targets is not None:
            wanted = np.stack([np.asarray(targets[number]) for number in numbers])
            for guess, found in zip(guesses, right, strict=True):
                found.append(_is_right(guess, wanted))
        if batch is None or len(pixels) > len(batch):
            batch = pixels
    if batch is None:
        raise DataError("there are no images to judge int8 on; name more images")
    hits = [None if targets is None else int(np.concatenate(each).sum()) for each in right]
    return QuantizationReport(
        len(agreeing),
        num_calibration,
        int(agreeing.sum()),
        hits[0],
        hits[1],
        sizes,
        rates(*candidates, batch),
    )


def _guesses(predictor: Predictor, logits: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Return the class of each image, of each task; of several labels which are named."""
    if not predictor.has_several_labels:
        return np.asarray(logits.argmax(-1))
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))) >= predictor.threshold)


def _all_equal(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return np.asarray((one == other).reshape(len(one), -1).all(1))


def _is_right(guesses: npt.NDArray[Any], targets: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if guesses.dtype == bool:
        return np.asarray(((guesses == (targets == 1)) | (targets < 0)).all(-1))
    if targets.ndim > guesses.ndim:
        # Shares of classes, or one-hot.
        targets = targets.argmax(-1)
    return _all_equal(guesses, targets)


def _batches(
    predictor: Predictor, images: Sequence[Source], batch_size: int
) -> Iterator[tuple[torch.Tensor, list[int]]]:
    """Yield images as the preprocessing leaves them, with their numbers; not those that cannot be read."""
    for groups, _ in predictor.batches(images, batch_size=batch_size, num_workers=0):
        for numbers, pixels in groups:
            yield pixels[0], numbers


def _share(hits: int, count: int) -> str:
    low, high = wilson(hits, count)
    return f"{100 * hits / count:.1f} % ({low:.1f} to {high:.1f})"
