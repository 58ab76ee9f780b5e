"""``ding-cls predict``: images that words name, their predictions as lines or as a file."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import BinaryIO

from ding_cls.answers.prediction import Prediction
from ding_cls.common.counting import counted
from ding_cls.common.logs.streams import drop
from ding_cls.common.tables import checked_ending
from ding_cls.errors import ConfigError, DiskError
from ding_cls.inference.base import BasePredictor
from ding_cls.inference.outputs.table import Columns, lines, write_predictions
from ding_cls.inference.outputs.writers import Writer, handed_on
from ding_cls.inference.sources import Source, find_images, refuse_overwriting

LISTED = "-"
"""Stands for a list of paths on the standard input."""


@dataclass(slots=True)
class Count:
    """What came of all images.

    Attributes:
        num_images: how many there were.
        failed: of those that could not be read, path and reason.
        seconds: how long it took, loading the network left out.
        num_unknown: how many of the others are so little certain that they are not named.
    """

    num_images: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    num_unknown: int = 0

    def __str__(self) -> str:
        rate = self.num_images / max(self.seconds, 1e-9)
        failed = f"; {len(self.failed):,} could not be read" if self.failed else ""
        unknown = ""
        if self.num_unknown:
            share = 100 * (1 - self.num_unknown / (self.num_images - len(self.failed)))
            unknown = f"; {self.num_unknown:,} unknown, a coverage of {share:.1f} %"
        total = f"{counted(self.num_images, 'image')} in {self.seconds:.1f} s ({rate:.1f} images/s)"
        return f"{total}{failed}{unknown}"


def named_images(words: Iterable[str], listed: BinaryIO | None = None) -> list[str]:
    """Return the image files that the command's words name.

    Args:
        words: paths, patterns, and ``-`` for the list.
        listed: the standard input: one path a line, in the file system's encoding. A path that is not there
            counts as an image that cannot be read.

    Raises:
        DataError: a word leads to nothing.
        ConfigError: there are no images.
    """
    found: list[str] = []
    for word in words:
        if word == LISTED and listed is not None:
            names = [os.fsdecode(line.rstrip(b"\r\n")) for line in listed]
            found += find_images(filter(None, names), must_exist=False)
        else:
            found += find_images([word])
    if not found:
        raise ConfigError("no images are named: ding-cls predict CKPT PATH...; - reads a list of paths")
    return found


def averaged_line(predictor: BasePredictor) -> str:
    """Return of what probabilities are the mean; empty where they are a network's own."""
    count = len(predictor.members)
    parts = [f"{count} networks"] if count > 1 else []
    parts += ["each image and its mirror image"] if predictor.tta else []
    return f"mean probabilities of {' and of '.join(parts)}" if parts else ""


def check_output(out: str | None, *, topk: int, read: Iterable[str] = ()) -> None:
    """Check what can be checked before a network is loaded.

    Args:
        out: the file to write; None: none.
        topk: how many classes of each image are named.
        read: files that must stay.

    Raises:
        ConfigError: an ending that is no format's, or no place for the best class.
        DataError: nothing can be written there, or it is one of the files that are read.
    """
    if out is not None:
        checked_ending(out)
        refuse_overwriting(out, read)
    if topk < 1:
        raise ConfigError(f"--topk {topk} must be at least 1")


def about_calibration(predictor: BasePredictor) -> str:
    """Return in a line which calibration is used, and what is to be expected of the images that are named;
    empty where none is."""
    found = [each.calibration for each in predictor.members if each.calibration is not None]
    if not found:
        return ""
    values = ", ".join(f"{value:.3g}" for each in found for value in each.temperatures)
    if len(found) > 1:
        has_thresholds = any(each.precision for each in found)
        unused = "; their classes' thresholds are not used" if has_thresholds else ""
        return f"calibrated, each network by its own temperature: {values}{unused}"
    images, split = counted(found[0].fitted_on["num_samples"], "image"), found[0].fitted_on["split"]
    line = f"calibrated on {images}{f' of {split}' if split else ''}, temperature {values}"
    without = ", without mirror images" if predictor.tta else ""
    if point := predictor.risk_point:
        low, high = point.risk_interval
        # A threshold of 0.99997 is not 1, below which everything is.
        digits = 4 if point.threshold < 0.9995 else 8
        named = f"unknown below {point.threshold:.{digits}g}" if point.threshold else "all are named"
        return (
            f"{line}; {named}; "
            f"on those images{without} {point.coverage:.1f} % were named, "
            f"and {point.risk:.1f} % ({low:.1f} to {high:.1f}) of them wrong"
        )
    if found[0].precision is not None:
        return f"{line}; classes are named from {found[0].precision.wanted:g} % precision on{without}"
    return line


def predict_files(
    predictor: BasePredictor,
    sources: Sequence[Source],
    *,
    topk: int = 3,
    out: str | None = None,
    with_probabilities: bool = False,
    batch_size: int | None = None,
    num_workers: int | None = None,
    writers: Sequence[Writer] = (),
) -> Count:
    """Predict images; print path and names of each, or write them to a file; return what came of them.

    Args:
        predictor: what predicts.
        sources: image files, or images of a dataset.
        topk: how many classes of each image are named.
        out: a ``.csv``, ``.json`` or ``.parquet`` file, in place of the lines.
        with_probabilities: the file has a column for each class.
        batch_size: images that go through the network together; None: the predictor's.
        num_workers: processes that read ahead; None: the predictor's, where there is more than one batch.
        writers: take each image as it is predicted.

    Raises:
        ConfigError: a number or an ending that cannot be used.
        DataError: the file cannot be written.
        ModelError: the network's output does not fit its classes.
    """
    size = predictor.batch_size if batch_size is None else batch_size
    if num_workers is None:
        num_workers = predictor.num_workers if len(sources) > size else 0
    count = Count()
    stream = predictor.stream(sources, batch_size=size, num_workers=num_workers)
    stream = handed_on(stream, writers) if writers else stream
    is_shown = sys.stderr.isatty() and (out is not None or not sys.stdout.isatty())
    # A slim place, with ONNX Runtime alone, does without a bar.
    is_shown = is_shown and find_spec("rich") is not None
    began = time.perf_counter()
    counted = _counted(stream, count, len(sources), is_shown=is_shown)
    if out is not None:
        columns = Columns(predictor, topk=topk, with_probabilities=with_probabilities)
        write_predictions(out, columns, counted)
    else:
        threshold = predictor.threshold if predictor.has_several_labels else None
        has_own = predictor.thresholds is not None
        is_read = True
        for prediction in counted:
            texts = lines(prediction, topk=topk, threshold=threshold, has_own_thresholds=has_own)
            is_read = is_read and _print(texts)
            if not is_read and not writers:
                break
    count.seconds = time.perf_counter() - began
    return count


def _counted(
    stream: Iterator[Prediction], count: Count, total: int, *, is_shown: bool
) -> Iterator[Prediction]:
    """Yield what comes, counted, and with a progress bar where somebody sees it."""
    began = time.perf_counter()
    with _progress_bar(total) if is_shown else nullcontext() as advance:
        for prediction in stream:
            count.num_images += 1
            if prediction.error:
                count.failed.append((prediction.path or "", prediction.error))
            count.num_unknown += prediction.is_unknown
            if advance is not None:
                advance(count.num_images / max(time.perf_counter() - began, 1e-9))
            yield prediction


@contextmanager
def _progress_bar(total: int) -> Iterator[Callable[[float], None]]:
    """Show a bar on stderr; yield what moves it by one image, at so many images a second."""
    # A tenth of the time that torch takes to import, and most commands show no bar.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("predicting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f} images/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, rate=0.0)
        yield lambda rate: bar.update(task, advance=1, rate=rate)


def _print(texts: Iterable[str]) -> bool:
    """Print lines; return False where their reader, such as ``head``, has had enough.

    Names of files that are no UTF-8 keep their bytes.
    """
    joined = "".join(f"{text}\n" for text in texts)
    binary = getattr(sys.stdout, "buffer", None)
    try:
        if binary is None:
            sys.stdout.write(joined)
            return True
        sys.stdout.flush()
        binary.write(joined.encode("utf-8", "surrogateescape"))
        binary.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            raise DiskError(f"the output could not be written: {error}") from error
        # Python flushes stdout once more at exit, and would complain there.
        drop(sys.stdout.fileno())
        return False
    return True
