"""What every predictor has in common: images in, predictions out, whatever computes the logits.

It must not know networks, files of them, or the command line.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ding_cls.answers.averaging import Logits, mean_logits
from ding_cls.answers.calibration import Calibration
from ding_cls.answers.prediction import AnswerRule, Prediction
from ding_cls.common.counting import counted, first_few
from ding_cls.errors import ConfigError, ModelError
from ding_cls.images import readable_names
from ding_cls.inference.sources import Source, name_of_source, sources_of

_MAX_NAMED = 5

Groups = tuple[list[tuple[list[int], list[Any]]], list[tuple[int, str]]]
"""A batch: (positions, pixels by preprocessing) of the images of each shape; (position, error) of the
unreadable."""


class BasePredictor(ABC):
    """Names what is on images; made by `ding_cls.load`.

    ``predictor(images)`` returns a `Prediction` for each.

    Args:
        classes: the names of the classes, in the order of their numbers.
        num_tasks: how many tasks the network has; None: one.
        has_several_labels: an image may have several labels, each class by itself.
        threshold: the probability from which on a label is named, where there are several.
        batch_size: images that go through the network together.
        num_workers: processes that read images for whoever asks for no other number.
        calibration: makes probabilities of its scores; a label, or a class, that has a threshold in it is
            named from there on.
        max_risk: name so many images that of these at most so many percent are expected to be wrong; it
            takes the place of the classes' thresholds.
        tta: take the mean of the probabilities of each image and of its mirror image: left and right are
            exchanged after the preprocessing.

    Attributes: the arguments as given, less ``max_risk``, and
        names: the classes as they are shown: ImageNet's synsets (``n01440764``) have their names.
        risk_point: what ``max_risk`` leads to by the calibration: threshold, coverage and risk; else None.
        thresholds: from where on each class is named, float64 ``(C,)``; None: from 0 on, or ``threshold``.
        has_gradients: whether a heat map can be made of the network.

    Raises:
        ConfigError: a threshold outside [0, 1], or a risk that is not reached.
    """

    has_gradients = False

    def __init__(
        self,
        classes: Sequence[str],
        *,
        num_tasks: int | None,
        has_several_labels: bool,
        threshold: float,
        batch_size: int,
        num_workers: int,
        calibration: Calibration | None,
        max_risk: float | None,
        tta: bool,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ConfigError(f"threshold is {threshold!r}; it must lie in [0, 1]")
        self.classes = tuple(classes)
        self.names = readable_names(self.classes)
        self.num_tasks = num_tasks
        self.has_several_labels = has_several_labels
        self.threshold = threshold
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.calibration = calibration
        self.risk_point = None if calibration is None or max_risk is None else calibration.at_risk(max_risk)
        self.thresholds = None if calibration is None else calibration.thresholds()
        if self.risk_point is not None:
            self.thresholds = np.full(len(self.classes), self.risk_point.threshold)
        self.tta = tta
        self._rule = AnswerRule(self.names, has_several_labels, threshold, self.thresholds)

    def __call__(
        self, images: Any, *, batch_size: int | None = None, num_workers: int = 0
    ) -> list[Prediction]:
        """Return what the network says of each image, in their order.

        Args:
            images: a path, a folder (all images in it, at any depth), a pattern, a Pillow image, an array of
                uint8 (``(H, W, 3)`` RGB, ``(H, W)`` grey, ``(N, H, W, 3)``); or a list of these.
            batch_size: images that go through the network together; None: ``self.batch_size``.
            num_workers: processes that read ahead; worth their start from some hundred files on.

        Raises:
            DataError: a path does not exist, a folder holds no images, or something else was given. An image
                that cannot be read is no error: its record says so.
            ModelError: the network's output does not fit the classes.
        """
        return list(self.stream(sources_of(images), batch_size=batch_size, num_workers=num_workers))

    def stream(
        self, sources: Sequence[Source], *, batch_size: int | None = None, num_workers: int = 0
    ) -> Iterator[Prediction]:
        """Yield what the network says of each image, batch by batch: for more images than memory holds.

        Args:
            sources: files, Pillow images or arrays, one image each.
            batch_size: as above.
            num_workers: as above.

        Raises:
            ConfigError: a number outside its range.
            ModelError: as above.
        """
        size = self.batch_size if batch_size is None else batch_size
        if size < 1 or num_workers < 0:
            raise ConfigError(
                f"batch_size={size} must be at least 1 and num_workers={num_workers} at least 0"
            )
        for groups, errors in self.batches(sources, batch_size=size, num_workers=num_workers):
            names = {number: name_of_source(sources[number]) for number, _ in errors}
            found = {number: self._rule.failed(names[number], error) for number, error in errors}
            for numbers, pixels in groups:
                paths = [name_of_source(sources[number]) for number in numbers]
                found.update(zip(numbers, self._answers(pixels, paths), strict=True))
            yield from (found[number] for number in sorted(found))

    def answer(self, prepared: Sequence[Sequence[Any]], paths: Sequence[str | None]) -> list[Prediction]:
        """Return what the network says of images that `prepare` has made, together.

        Args:
            prepared: what it returned of each image.
            paths: what each image is called; None: nothing.

        Raises:
            ModelError: as above.
        """
        found: dict[int, Prediction] = {}
        for numbers, pixels in by_shape(enumerate(prepared), self.stacked):
            answers = self._answers(pixels, [paths[number] for number in numbers])
            found.update(zip(numbers, answers, strict=True))
        return [found[number] for number in range(len(prepared))]

    def _answers(self, pixels: Sequence[Any], paths: Sequence[str | None]) -> list[Prediction]:
        logits = mean_logits(self.views(pixels), has_several_labels=self.has_several_labels)
        return self._rule.predictions(paths, logits)

    def check_shape(self, network: str, shape: Any, count: int) -> None:
        """Check what a network made of so many images.

        Args:
            network: what an error calls it.
            shape: of its logits; of no tensor its type.
            count: how many images it was shown.

        Raises:
            ModelError: it does not fit the classes.
        """
        tasks = () if self.num_tasks is None else (self.num_tasks,)
        wanted = (count, *tasks, len(self.classes))
        if shape != wanted:
            raise ModelError(
                f"{network} turns {count} images into {shape}; for {len(self.classes)} classes it must be "
                f"{wanted}"
            )

    def __repr__(self) -> str:
        count = len(self.members)
        parts = [counted(count, "network")] if count > 1 else []
        parts += [counted(self.num_tasks, "task")] if self.num_tasks else []
        parts.append(counted(len(self.names), "class", "classes"))
        parts += ["several labels"] if self.has_several_labels else []
        names = first_few([*map(repr, self.names)], _MAX_NAMED)
        return f"<{type(self).__name__} of {', '.join(parts)}: {names}>"

    @property
    def members(self) -> tuple[BasePredictor, ...]:
        """The predictors whose mean this is; of one network it is that alone."""
        return (self,)

    @abstractmethod
    def prepare(self, source: Source) -> list[Any]:
        """Return an image as `views` takes it, less the first dimension.

        Raises:
            DataError: it cannot be read.
        """

    @abstractmethod
    def stacked(self, pixels: Sequence[Any]) -> Any:
        """Return pixels of one shape as a batch."""

    @abstractmethod
    def batches(self, sources: Sequence[Source], *, batch_size: int, num_workers: int) -> Iterator[Groups]:
        """Yield the images in batches, in their order; an unreadable one does not stop the others.

        Raises:
            WorkerError: a process that reads was killed.
        """

    @abstractmethod
    def views(self, pixels: Sequence[Any]) -> list[Logits]:
        """Return the logits whose probabilities are averaged: of each network, of the images and, with
        ``tta``, of their mirror images; float32, or float64 over the temperature of a calibration.

        Args:
            pixels: a batch of each preprocessing that the networks have.

        Raises:
            ModelError: the network's output does not fit the classes.
        """


def by_shape(
    prepared: Iterable[tuple[int, Sequence[Any]]], stack: Callable[[tuple[Any, ...]], Any]
) -> list[tuple[list[int], list[Any]]]:
    """Return positions and pixels by preprocessing of the images of each shape.

    Args:
        prepared: position of each image, and its pixels by preprocessing.
        stack: what makes a batch of pixels of one shape.
    """
    groups: dict[tuple[Any, ...], list[tuple[int, Sequence[Any]]]] = {}
    for number, views in prepared:
        groups.setdefault(tuple((each.dtype, each.shape) for each in views), []).append((number, views))
    return [
        ([number for number, _ in group], list(map(stack, zip(*(views for _, views in group), strict=True))))
        for group in groups.values()
    ]
