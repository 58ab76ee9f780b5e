"""What an exported file makes of images whose labels are known: the numbers that its checkpoint has there.

It must not know torch, nor how the file was made.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.answers.averaging import Logits, mean_logits
from ding_cls.answers.calibration import FITTED_ON_THESE
from ding_cls.answers.evaluation.measures import build_measure
from ding_cls.answers.evaluation.records import SampleAnswers
from ding_cls.answers.evaluation.report import Evaluation
from ding_cls.common.counting import first_few
from ding_cls.common.process import launched_world_size
from ding_cls.errors import ConfigError, DataError
from ding_cls.images.labelled import LabelledImages, labelled_images
from ding_cls.images.tables.files import missing_files
from ding_cls.inference.base import BasePredictor
from ding_cls.inference.sources import refuse_overwriting

_LOGGER = logging.getLogger(__name__)
_MAX_LISTED = 1000
_MAX_NAMED = 5
_KINDS = {"one": "one label", "several": "several labels", "tasks": "a label for each of several tasks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEvaluation(Evaluation):
    """What an exported file makes of labelled images.

    Attributes:
        images: what was read.
    """

    images: LabelledImages

    @property
    def folder(self) -> str:
        """The folder that was read."""
        return self.images.folder

    @property
    def source(self) -> str:
        """The folder, or else the table."""
        return self.images.source

    @property
    def paths(self) -> Sequence[str]:
        """The path of each image."""
        return self.images.paths

    @property
    def note(self) -> str:
        """How a table was read."""
        return self.images.note


def evaluate_onnx(
    file: str | os.PathLike[str],
    *,
    config: Any = None,
    metric: Any = None,
    overrides: Sequence[str] = (),
    allow_code: bool = False,
    calibrated: bool = False,
    tta: bool = False,
    **how: Any,
) -> FileEvaluation:
    """Return what an ONNX file makes of labelled images.

    Args:
        file: that ``ding-cls export`` wrote.
        config: none can be followed, nor ``metric``, ``overrides`` and ``allow_code``: these are a
            checkpoint's.
        metric: likewise.
        overrides: likewise.
        allow_code: likewise.
        calibrated: divide the logits by the temperature of the file's calibration.
        tta: take the mean over each image and its mirror image.
        how: the other arguments of `evaluate_file`.

    Raises:
        CheckpointError: the file is missing, damaged, or has no calibration.
        ConfigError: what only a checkpoint can follow, or several processes.
        DingError: as `evaluate_file`.
    """
    metrics = [metric] if isinstance(metric, str) else metric or []
    code = ["--allow-code"] if allow_code else []
    if given := [*([config] if config else []), *overrides, *metrics, *code]:
        raise ConfigError(
            f"'{given[0]}' is for a checkpoint; an ONNX file is evaluated as it is, by the usual numbers: "
            "evaluate the checkpoint that it was made of"
        )
    if launched_world_size() > 1:
        raise ConfigError(
            f"an ONNX file is evaluated in one process, and {launched_world_size()} were started; start one"
        )
    from ding_cls.inference.onnx.predictor import load_onnx

    predictor = load_onnx(file, calibrated=calibrated, tta=tta)
    updates, topk = predictor.description.run.get("train_iter"), predictor.description.topk
    updates = updates if isinstance(updates, int) else 0
    return evaluate_file(predictor, file, topk=topk, train_iter=updates, **how)


def evaluate_file(
    predictor: BasePredictor,
    file: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None,
    split: str | None = None,
    batch_size: int | None = None,
    max_bad: int | None = None,
    keep_predictions: bool = False,
    intervals: bool = True,
    topk: int | None = None,
    train_iter: int = 0,
    out: str | os.PathLike[str] | None = None,
) -> FileEvaluation:
    """Return what a predictor makes of labelled images, as the evaluation of a checkpoint finds it.

    Args:
        predictor: of the file.
        file: how results name it.
        data: folder of the split's folder, or of class folders; or a table.
        split: 'train', 'val' or 'test'; None: 'val', or the whole of a folder of classes.
        batch_size: images that go through the network together; None: the predictor's.
        max_bad: so many images that cannot be read are left out, and counted in ``n_bad``; None: 0.
        keep_predictions: keep the logits of every image too; ``intervals``: find out those of 95 %.
        topk: of several labels the k likeliest are guessed; None: those from the predictor's threshold on.
        train_iter: updates that the weights have seen; ``out``: a file to write, never one that is read.

    Raises:
        ConfigError: no data are named, or their labels are not what the network answers.
        DataError: the folder is missing, empty, or has other classes; or more images cannot be read.
        ModelError: the network's output does not fit its classes.
    """
    images = _read(predictor, file, data, split, allows_bad=bool(max_bad), out=out)
    began = time.perf_counter()
    measure = build_measure(images.kind, threshold=predictor.threshold, topk=topk)
    records, bad = [], dict[int, str]()
    for numbers, logits, errors in _batches(predictor, images, batch_size):
        bad |= errors
        if bad and not max_bad:
            raise DataError(min(bad.items())[1])
        measure.add(logits, targets := images.targets[numbers])
        answers = SampleAnswers.of(images.kind, numbers, targets, logits, threshold=predictor.threshold)
        records.append(answers if keep_predictions else answers.without_logits())
    _check_bad(bad, len(images.names), max_bad or 0)
    kept = [number for number in range(len(images.names)) if number not in bad]
    return FileEvaluation(
        result={**measure.measured(), **({"n_bad": len(bad)} if bad else {})},
        num_samples=len(kept),
        # Numbered without those left out, as a dataset is.
        records=replace(SampleAnswers.joined(records), sample_ids=np.arange(len(kept))),
        images=replace(images, names=tuple(images.names[each] for each in kept)),
        split=images.split,
        classes=predictor.classes,
        checkpoint=Path(file),
        train_iter=train_iter,
        seconds=time.perf_counter() - began,
        calibration=predictor.calibration,
        intervals=measure.intervals() if intervals else {},
        tta=predictor.tta,
    )


def _read(
    predictor: BasePredictor,
    file: str | os.PathLike[str],
    data: str | os.PathLike[str] | None,
    split: str | None,
    *,
    allows_bad: bool,
    out: str | os.PathLike[str] | None,
) -> LabelledImages:
    """Return the images, and tell what is to be told of them; the arguments are those of `evaluate_file`."""
    if data is None:
        raise ConfigError(
            f"'{os.fspath(file)}' knows no data; name images in class folders: "
            f"ding-cls eval {Path(file).name} --data DIR"
        )
    trained = "several" if predictor.has_several_labels else "tasks" if predictor.num_tasks else "one"
    images = labelled_images(data, split, predictor.classes, trained=trained, num_tasks=predictor.num_tasks)
    if out is not None:
        refuse_overwriting(out, [images.file])
    if images.warning:
        _LOGGER.warning(images.warning)
    _check_kind(predictor, images, trained)
    if predictor.calibration and predictor.calibration.fitted_on.get("digest") == images.digest:
        _LOGGER.warning(FITTED_ON_THESE)
    if not allows_bad:
        _check_files(images)
    return images


def _batches(
    predictor: BasePredictor, images: LabelledImages, batch_size: int | None
) -> Iterator[tuple[npt.NDArray[np.int64], Logits, dict[int, str]]]:
    """Yield positions and logits of the images, batch by batch in their order, and what cannot be read."""
    size = predictor.batch_size if batch_size is None else batch_size
    if size < 1:
        raise ConfigError(f"batch_size={size} must be at least 1")
    paths = images.paths
    workers = predictor.num_workers if len(paths) > size else 0
    tasks = () if predictor.num_tasks is None else (predictor.num_tasks,)
    has_several = images.kind == "several"
    for groups, errors in predictor.batches(paths, batch_size=size, num_workers=workers):
        # One batch may hold images of several shapes, or none.
        found = [mean_logits(predictor.views(pixels), has_several_labels=has_several) for _, pixels in groups]
        numbers = np.array([number for own, _ in groups for number in own], np.int64)
        order = np.argsort(numbers)
        none = np.zeros((0, *tasks, len(predictor.classes)), np.float32)
        yield numbers[order], (np.concatenate(found)[order] if found else none), dict(errors)


def _check_kind(predictor: BasePredictor, images: LabelledImages, trained: str) -> None:
    """Check that a network has an answer for each label; warn where labels are of another kind.

    Raises:
        ConfigError: it has more or fewer tasks.
    """
    num_tasks = images.targets.shape[1] if images.kind == "tasks" else None
    if num_tasks != predictor.num_tasks:
        counts = [f"{each} tasks" if each else "one task" for each in (num_tasks, predictor.num_tasks)]
        raise ConfigError(
            f"'{images.source}' has labels for {counts[0]}, and the network answers {counts[1]}; "
            "name other data"
        )
    if trained != images.kind:
        _LOGGER.warning(
            "an image has %s in training and %s here, so results say little",
            *(_KINDS[trained], _KINDS[images.kind]),
        )


def _check_files(images: LabelledImages) -> None:
    """Check that the images that a table names are there; what a folder holds was listed.

    Raises:
        DataError: some are not; it counts them and names the first.
    """
    if images.file and (gone := missing_files(images.paths)):
        raise DataError(
            f"{len(gone):,} of {len(images.names):,} images named by {images.file!r} do not exist: "
            f"{first_few([*map(repr, gone)], _MAX_NAMED)}; put them there, or leave them out: "
            f"--max-bad {len(gone)}"
        )


def _check_bad(bad: dict[int, str], num_images: int, max_bad: int) -> None:
    """Tell of the images that are left out.

    Raises:
        DataError: there are more than may be, or no other.
    """
    reasons = [bad[number] for number in sorted(bad)]
    if len(bad) == num_images:
        raise DataError(f"none of {num_images:,} images can be read, the first being: {reasons[0]}")
    if len(bad) > max_bad:
        more = len(bad) - _MAX_LISTED
        lines = [*reasons[:_MAX_LISTED], *([f"and {more:,} more"] if more > 0 else [])]
        listed = "".join(f"  {line}\n" for line in lines)
        raise DataError(
            f"{len(bad):,} of {num_images:,} images cannot be read, and --max-bad is {max_bad}:\n{listed}"
            f"mend or delete them, or leave them out: --max-bad {len(bad)}"
        )
    for reason in reasons:
        _LOGGER.warning("left out: %s", reason)
