"""An exported ONNX file that names what is on images, without torch.

It must not know how the file was made.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ding_cls.answers.averaging import Logits
from ding_cls.answers.calibration import Calibration
from ding_cls.errors import CheckpointError, ConfigError, DataError, ModelError
from ding_cls.inference.base import BasePredictor, Groups
from ding_cls.inference.onnx.description import ModelDescription
from ding_cls.inference.onnx.session import open_session, reason_of, usable_cores
from ding_cls.inference.onnx.steps import batch_of, check_steps, prepared
from ding_cls.inference.sources import Source, label_of, needs_memory, read_rgb

Pixels = npt.NDArray[np.uint8]
Result = TypeVar("Result")

_MAX_READERS = 4


class OnnxPredictor(BasePredictor):
    """Names what is on images by an exported network; made by `load_onnx`.

    Args:
        session: of ONNX Runtime, of a graph with the input ``images`` and the output ``logits``.
        description: what the file says of itself.
        source: how errors name the file.
        threshold: as in `BasePredictor`, like all that follows; None: the file's.

    Attributes:
        session: as given.
        description: as given.
        source: as given.

    Raises:
        CheckpointError: its preprocessing is not stated.
        ConfigError: a threshold outside [0, 1], or a risk that is not reached.
    """

    def __init__(
        self,
        session: Any,
        description: ModelDescription,
        source: str,
        *,
        threshold: float | None = None,
        calibration: Calibration | None = None,
        max_risk: float | None = None,
        tta: bool = False,
        batch_size: int = 32,
    ) -> None:
        super().__init__(
            description.classes,
            num_tasks=description.num_tasks,
            has_several_labels=description.has_several_labels,
            threshold=description.threshold if threshold is None else threshold,
            batch_size=batch_size,
            num_workers=min(usable_cores(), _MAX_READERS),
            calibration=calibration,
            max_risk=max_risk,
            tta=tta,
        )
        check_steps(description, source)
        self.session = session
        self.description = description
        self.source = source

    def prepare(self, source: Source) -> list[Pixels]:
        """Return an image after its steps; see `BasePredictor.prepare`."""
        return [self._pixels(source, 0)]

    def stacked(self, pixels: Sequence[Pixels]) -> Pixels:
        """Return pixels of one shape as a batch."""
        return np.stack(pixels)

    def batches(self, sources: Sequence[Source], *, batch_size: int, num_workers: int) -> Iterator[Groups]:
        """Yield the images in batches, which threads read ahead; see `BasePredictor.batches`."""

        def read(number: int) -> Pixels | str:
            try:
                return self._pixels(sources[number], number)
            except DataError as error:
                return str(error)

        each = _ahead(read, len(sources), num_threads=num_workers, window=2 * batch_size)
        for begin in range(0, len(sources), batch_size):
            found = list(zip(range(begin, min(begin + batch_size, len(sources))), each, strict=False))
            errors = [(number, error) for number, error in found if isinstance(error, str)]
            good = {number: pixels for number, pixels in found if not isinstance(pixels, str)}
            yield ([(list(good), [self.stacked(list(good.values()))])] if good else []), errors

    def views(self, pixels: Sequence[Pixels]) -> list[Logits]:
        """Return the logits whose probabilities are averaged; see `BasePredictor.views`."""
        images = pixels[0]
        return [self._logits(each) for each in ((images, images[:, :, ::-1]) if self.tta else (images,))]

    def _pixels(self, source: Source, number: int) -> Pixels:
        image = read_rgb(source, number=number)
        try:
            pixels = prepared(image, self.description.preprocessing["steps"])
        except MemoryError:
            raise needs_memory(source, image, number) from None
        size = self.description.height, self.description.width
        if pixels.shape[:2] != size:
            raise DataError(
                f"{label_of(source, number)} is {image.width} x {image.height}, and prepared "
                f"{pixels.shape[1]} x {pixels.shape[0]}; {self.source!r} takes {size[1]} x {size[0]} pixels "
                "only"
            )
        return pixels

    def _logits(self, images: Pixels) -> Logits:
        try:
            found = self.session.run(["logits"], {"images": batch_of(images, self.description)})[0]
        # ONNX Runtime's errors have no class of their own but Exception.
        except Exception as error:
            reason = reason_of(error)
            raise ModelError(f"{self.source!r} cannot take {len(images)} images: {reason}") from error
        logits = np.asarray(found)
        self.check_shape(repr(self.source), logits.shape, len(images))
        plain: Logits = logits.astype(np.float32, copy=False)
        return plain if self.calibration is None else self.calibration.scaled(plain)


def load_onnx(
    path: str | os.PathLike[str],
    *,
    threshold: float | None = None,
    calibrated: bool = False,
    max_risk: float | None = None,
    tta: bool = False,
) -> OnnxPredictor:
    """Return a predictor of an ONNX file that ``ding-cls export`` has written.

    Args:
        path: the file.
        threshold: as in `ding_cls.load`, like all that follows.

    Raises:
        CheckpointError: the file is missing, damaged, of another program, or has no calibration.
        ConfigError: ONNX Runtime is missing, or arguments that do not go together.
    """
    source = os.fspath(path)
    session, description = open_session(source)
    if threshold is not None and not description.has_several_labels:
        raise ConfigError(
            f"threshold={threshold:g} is for images with several labels; those of '{source}' have one: "
            "leave it out"
        )
    calibration = _calibration(description, source) if calibrated or max_risk is not None else None
    if calibration is not None and threshold is not None:
        calibration = replace(calibration, precision=None)
    return OnnxPredictor(
        session,
        description,
        source,
        threshold=threshold,
        calibration=calibration,
        max_risk=max_risk,
        tta=tta,
    )


def _calibration(description: ModelDescription, source: str) -> Calibration:
    if not description.calibration:
        raise CheckpointError(
            f"'{source}' has no calibration; make one in the checkpoint and export that again: "
            "ding-cls calibrate CKPT"
        )
    state = {"calibration": description.calibration}
    num_classes, num_tasks = len(description.classes), description.num_tasks
    try:
        found = Calibration.of(state, source, num_classes=num_classes, num_tasks=num_tasks)
        reason = found.problem()
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
    if reason:
        raise CheckpointError(f"the calibration in '{source}' cannot be used ({reason})")
    return found


def _ahead(
    function: Callable[[int], Result], count: int, *, num_threads: int, window: int
) -> Iterator[Result]:
    """Yield what a function makes of 0, 1, 2 ... in this order.

    Args:
        function: called in threads.
        count: how many numbers.
        num_threads: 0: it is called in this one, when its turn has come.
        window: how many results there are ahead at most.
    """
    if num_threads == 0:
        yield from map(function, range(count))
        return
    with ThreadPoolExecutor(num_threads) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for number in range(count):
                pending.append(pool.submit(function, number))
                if len(pending) > window:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
