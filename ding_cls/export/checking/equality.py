"""Does an exported network say the same as the predictor it was made of?

It must not know how the network was exported.
"""

from __future__ import annotations

import copy
import math
import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.errors import DataError
from ding_cls.export.checking.first_difference import first_difference
from ding_cls.export.checking.rates import rates
from ding_cls.export.checking.session import OnnxCandidate
from ding_cls.export.checking.stated import misstated, spread
from ding_cls.export.checking.synthetic import NUM_IMAGES, synthetic_images
from ding_cls.export.checking.tally import MAX_DIFFERENCE, Candidate, Tally, rounding_of
from ding_cls.inference.onnx.description import ModelDescription
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import name_of_source, sources_of


@dataclass(frozen=True, slots=True)
class EqualityReport:
    """What came of a comparison.

    Attributes:
        num_images: how many images both have seen.
        is_synthetic: they were made up.
        num_different: images of which another class is the first, of a task, or of which a label has another
            sign, though no tie explains it; and those of which no probabilities can be made.
        max_difference: as in `Tally`, like ``max_logit`` and ``worst``.
        torch_rate: images per second of the network in torch, without preprocessing.
        rate: images per second of the other, with as many threads.
        num_unreadable: images that could not be read; neither has seen them.
        problem: why they cannot be equal, or the comparison ended before its end; empty where nothing is
            wrong.
        differing_node: where in the file the first difference is; empty where none was looked for.
    """

    num_images: int
    is_synthetic: bool
    num_different: int
    max_difference: float
    max_logit: float = 0.0
    torch_rate: float = math.nan
    rate: float = math.nan
    worst: str = ""
    num_unreadable: int = 0
    problem: str = ""
    differing_node: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether they say the same of all images."""
        is_near = self.max_difference <= MAX_DIFFERENCE
        return not self.problem and self.num_images > 0 and self.num_different == 0 and is_near

    def lines(self) -> list[str]:
        """Return it as text: the answer, then the figures."""
        kind = "synthetic images, for want of real ones" if self.is_synthetic else "images"
        unreadable = f" ({self.num_unreadable:,} more cannot be read)" if self.num_unreadable else ""
        figures = (
            f"{self.num_images:,} {kind}{unreadable}: {self.num_different:,} answered otherwise, logits "
            f"differ by up to {self.max_difference:.2g} (allowed: {MAX_DIFFERENCE:g})"
        )
        if self.worst and not self.is_equal:
            figures += f", most of all of {self.worst!r}"
        lines = [f"Are the results equal? {'Yes' if self.is_equal else 'No'}", figures]
        lines += [each for each in (self.problem, self._rounding(), self.differing_node) if each]
        if not math.isnan(self.rate):
            lines.append(
                f"images/s of the network alone: torch {self.torch_rate:.1f}, the file {self.rate:.1f} "
                f"({self.rate / self.torch_rate:.2f} x)"
            )
        return lines

    def _rounding(self) -> str:
        """Return what float32 has to do with a difference; empty where it has nothing."""
        spacing = float(np.spacing(np.float32(self.max_logit)))
        is_other = self.problem or self.num_different or self.max_difference > rounding_of(self.max_logit)
        if self.is_equal or is_other:
            return ""
        return (
            f"logits are as large as {self.max_logit:.3g}, where float32 has a number every {spacing:.2g}: "
            "so near to each other rounding alone may differ; the bound stays"
        )


def compare_logits(
    predictor: Predictor, candidate: Candidate, images: Any = None, *, samples: int | None = None
) -> EqualityReport:
    """Return whether a candidate says the same as a predictor's network, in float32 and on the CPU.

    Each image goes through the predictor's preprocessing once, then through both. The first batches have
    sizes of their own, so that a graph which takes only one size fails.

    Args:
        predictor: with one network; a calibration and mirror images come after the logits, and are left out.
        candidate: the other.
        images: as ``predictor(images)`` takes them, or a list of sources; None: synthetic ones.
        samples: so many of them, spread evenly; None: all.

    Raises:
        DataError: no image can be read, or something else than images was given.
        ConfigError: there is more than one network.
    """
    report, _ = _compare(predictor, candidate, images, samples)
    return report


def check_equality(
    predictor: Predictor,
    file: str | os.PathLike[str],
    images: Any = None,
    *,
    samples: int | None = None,
) -> EqualityReport:
    """Return whether an ONNX file says the same as the predictor it was made of; see `compare_logits`.

    Where it does not, the first node of the file is named whose values differ. What the file says of itself,
    where it does, must be so as well: classes, tasks, thresholds, calibration, preprocessing.

    Args:
        predictor: likewise.
        file: what ONNX Runtime shall run.
        images: likewise.
        samples: likewise.

    Raises:
        ConfigError: there is no ONNX Runtime, or more than one network.
        DataError: as `compare_logits`.
        ExportError: the file cannot be run.
    """
    return check_described(predictor, file, images, samples=samples, description=None)


def check_described(
    predictor: Predictor,
    file: str | os.PathLike[str],
    images: Any,
    *,
    samples: int | None,
    description: ModelDescription | None,
) -> EqualityReport:
    """Return what `check_equality` does, of a file that shall say ``description`` of itself: what the
    predictor's checkpoint said, which may be another one by now.

    Raises:
        DingError: as there.
    """
    candidate = OnnxCandidate(file, predictor)
    report, worst = _compare(predictor, candidate, images, samples, size=candidate.size)
    if report.is_equal and candidate.entry is not None:
        return replace(report, problem=misstated(predictor, candidate, images, description))
    if report.is_equal or report.problem or worst is None:
        return report
    return replace(report, differing_node=str(first_difference(predictor, file, worst)))


def _compare(
    predictor: Predictor,
    candidate: Candidate,
    images: Any,
    samples: int | None,
    *,
    size: tuple[int, int] | None = None,
) -> tuple[EqualityReport, torch.Tensor | None]:
    """Return what came of it, and the image of the largest difference, as a batch.

    Args:
        size: of the images that the candidate takes, in pixels; for synthetic ones.
    """
    if samples is not None and samples < 1:
        raise DataError(f"samples={samples}: at least one image must be compared")
    if images is None:
        sources = synthetic_images(predictor, size=size, count=samples or NUM_IMAGES)
    else:
        sources = spread(sources_of(images), samples)
    reference = _reference(predictor)
    tally = Tally(predictor.has_several_labels)
    unreadable: list[str] = []
    batch = None
    num_workers = predictor.num_workers if len(sources) > 500 else 0
    for groups, errors in predictor.batches(
        sources, batch_size=predictor.batch_size, num_workers=num_workers
    ):
        unreadable += [error for _, error in errors]
        for numbers, pixels in groups:
            names = [name_of_source(sources[number]) or f"image {number}" for number in numbers]
            tally.add(reference, candidate, pixels[0], names)
            if batch is None or len(pixels[0]) > len(batch):
                batch = pixels[0]
        if tally.problem:
            break
    if batch is None:
        reason = unreadable[0] if unreadable else "none were given"
        raise DataError(f"there is no image to compare the results on: {reason}")
    torch_rate, rate = (math.nan,) * 2 if tally.problem else rates(reference, candidate, batch)
    report = EqualityReport(
        tally.num_images,
        images is None,
        tally.num_different,
        tally.max_difference,
        max_logit=tally.max_logit,
        torch_rate=torch_rate,
        rate=rate,
        worst=tally.worst,
        num_unreadable=len(unreadable),
        problem=tally.problem or tally.fault(reference),
    )
    return report, tally.worst_pixels


def _reference(predictor: Predictor) -> Candidate:
    """Return the predictor's network as a candidate, in float32 and on the CPU, as files compute."""
    network = predictor.model
    if predictor.device.type != "cpu":
        network = copy.deepcopy(network).cpu()

    def logits(pixels: torch.Tensor) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            found: npt.NDArray[np.float32] = (
                network(predictor.preprocessing.normalize(pixels)).float().numpy()
            )
        return found

    return logits
