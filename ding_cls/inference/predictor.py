"""A trained network with all that it takes to name what is on an image.

It must not know where the network came from, nor the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.common.tables import SEPARATOR
from ding_cls.data import PipelinePreprocessing, readable_names
from ding_cls.errors import ConfigError, ModelError
from ding_cls.inference.averaging import mean_logits, mirrored
from ding_cls.inference.calibration import Calibration
from ding_cls.inference.images import Source, load_batches, name_of_source, pixels_of, sources_of
from ding_cls.metrics.targets import guessed_classes

UNKNOWN = "unknown"
"""The name of an image whose answer is rejected."""

_PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Ranked(NamedTuple):
    """One place in the order of the classes; of several tasks one of each.

    Attributes:
        label: class number.
        name: as the class is shown.
        score: its probability.
    """

    label: int | tuple[int, ...]
    name: str
    score: float | tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a network says of one image.

    Attributes:
        path: the file, or what its dataset calls an image without one; None for one that came as pixels.
        label: class number; of an image with several labels those whose probability reaches the threshold,
            of several tasks one for each, both as a tuple; None where the image could not be read, or is
            unknown.
        name: the class's name; several are joined by ``|``; ``unknown`` where the probability is too low.
        score: the probability of ``label``, or theirs; of an unknown image that of the most likely class.
        probabilities: float32 ``(C,)``, of several tasks ``(K, C)``; empty where the image could not be read.
        error: why the image could not be read; empty where it could.
        names: the names of all classes, by class number.
    """

    path: str | None
    label: int | tuple[int, ...] | None
    name: str
    score: float | tuple[float, ...] | None
    probabilities: npt.NDArray[np.float32] = field(repr=False)
    error: str = ""
    names: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_unknown(self) -> bool:
        """Whether the image was read, and no class is likely enough to be named."""
        return self.label is None and not self.error

    def top(self, k: int = 3) -> list[Ranked]:
        """Return the ``k`` classes of the highest probability, the highest first; of equal ones the lower
        number."""
        if self.error:
            return []
        count = min(k, len(self.names))
        order = np.argsort(-self.probabilities, axis=-1, kind="stable")
        if self.probabilities.ndim == 2:
            return [self._rank_of_tasks(order[:, place]) for place in range(count)]
        if isinstance(self.label, int):
            # float32 may round the two highest to one number; the network's own choice stays the first.
            order = np.concatenate([[self.label], order[order != self.label]])
        return [
            Ranked(int(each), self.names[each], float(self.probabilities[each])) for each in order[:count]
        ]

    def _rank_of_tasks(self, labels: npt.NDArray[np.int64]) -> Ranked:
        scores = self.probabilities[np.arange(len(labels)), labels]
        names = SEPARATOR.join(self.names[each] for each in labels)
        return Ranked(tuple(labels.tolist()), names, tuple(scores.tolist()))


class Predictor:
    """Names what is on images; made by `ding_cls.load`.

    ``predictor(images)`` returns a `Prediction` for each. ``predictor.model`` and ``predictor.preprocess``
    are its two halves, for plain PyTorch.

    Args:
        model: maps normalised images ``(N, 3, H, W)`` to logits ``(N, C)``, of K tasks ``(N, K, C)``.
        preprocessing: what evaluation does to an image.
        classes: the names of the classes, in the order of their numbers.
        has_several_labels: an image may have several labels, each class by itself.
        threshold: the probability from which on a label is named, where there are several.
        device: where to compute; None: CUDA where there is one.
        batch_size: images that go through the network together.
        num_workers: processes that read images for whoever asks for no other number.
        precision: 'fp32', or 'bf16' or 'fp16' as the run was trained.
        channels_last: as in training.
        calibration: makes probabilities of its scores; a label, or a class, that has a threshold in it is
            named from there on.
        max_risk: name so many images that of these at most so many percent are expected to be wrong; it
            takes the place of the classes' thresholds.
        tta: take the mean of the probabilities of each image and of its mirror image: left and right are
            exchanged after the preprocessing.

    Attributes:
        classes: as given.
        names: the same as they are shown: ImageNet's synsets (``n01440764``) have their names.
        device: where the network is.
        batch_size: as given.
        num_workers: as given.
        has_several_labels: as given.
        threshold: as given.
        num_tasks: how many tasks the network has; None: one.
        calibration: as given.
        risk_point: what ``max_risk`` leads to by the calibration: threshold, coverage and risk; else None.
        thresholds: from where on each class is named, float64 ``(C,)``; None: from 0 on, or ``threshold``.
        tta: as given.

    Raises:
        ConfigError: there is no such device, a threshold outside [0, 1], or a risk that is not reached.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        preprocessing: PipelinePreprocessing,
        classes: Sequence[str],
        *,
        has_several_labels: bool = False,
        threshold: float = 0.5,
        device: str | torch.device | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        precision: str = "fp32",
        channels_last: bool = False,
        calibration: Calibration | None = None,
        max_risk: float | None = None,
        tta: bool = False,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ConfigError(f"threshold is {threshold!r}; it must lie in [0, 1]")
        self.device = device_of(device)
        self._model = model.to(self.device).eval()
        self._preprocessing = preprocessing
        self.classes = tuple(classes)
        self.names = readable_names(self.classes)
        self.has_several_labels = has_several_labels
        self.threshold = threshold
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.num_tasks: int | None = getattr(getattr(model, "head", None), "num_tasks", None)
        self.calibration = calibration
        self.risk_point = None if calibration is None or max_risk is None else calibration.at_risk(max_risk)
        self.thresholds = None if calibration is None else calibration.thresholds()
        if self.risk_point is not None:
            self.thresholds = torch.full((len(self.classes),), self.risk_point.threshold, dtype=torch.float64)
        self.tta = tta
        self._precision = precision
        self._channels_last = channels_last

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
        batches = load_batches(sources, self.preprocessings, batch_size=size, num_workers=num_workers)
        for groups, errors in batches:
            found = {number: self._failed(sources[number], error) for number, error in errors}
            for numbers, pixels in groups:
                logits = mean_logits(self.views(pixels), has_several_labels=self.has_several_labels)
                rows = self._records([sources[number] for number in numbers], logits)
                found.update(zip(numbers, rows, strict=True))
            yield from (found[number] for number in sorted(found))

    def preprocess(self, image: Source) -> torch.Tensor:
        """Return an image as the network takes it: normalised float32 ``(3, H, W)``, on the CPU.

        Args:
            image: a path, a Pillow image or an array of uint8.

        Raises:
            DataError: it cannot be read.
        """
        return self.preprocessing.normalize(pixels_of(image, self.preprocessing)[None])[0]

    @property
    def model(self) -> torch.nn.Module:
        """The network, in evaluation mode, on ``device``; plain PyTorch, which sees no mirror images."""
        return self._model

    @property
    def preprocessing(self) -> PipelinePreprocessing:
        """What evaluation does to an image."""
        return self._preprocessing

    @property
    def members(self) -> tuple[Predictor, ...]:
        """The predictors whose mean this is; of one network it is that alone."""
        return (self,)

    @property
    def preprocessings(self) -> Sequence[PipelinePreprocessing]:
        """What each image goes through, each by itself, for `views`."""
        return (self._preprocessing,)

    def views(self, pixels: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return the logits whose probabilities are averaged, on the CPU: of each network, of the images and,
        with ``tta``, of their mirror images; float32, or float64 over the temperature of a calibration.

        Args:
            pixels: a batch as a loader gives it, for each of ``preprocessings``.

        Raises:
            ModelError: the network's output does not fit the classes.
        """
        images = self._preprocessing.normalize(pixels[0].to(self.device, non_blocking=True))
        return [self._logits(each) for each in ((images, mirrored(images)) if self.tta else (images,))]

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), self._autocast():
            if self._channels_last:
                images = images.to(memory_format=torch.channels_last)
            try:
                logits = self._model(images)
            except RuntimeError as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise ModelError(
                    f"{type(self._model).__name__} cannot take images {tuple(images.shape)}: {reason}"
                ) from error
            self._check(logits, len(images))
            plain: torch.Tensor = logits.float().cpu()
        return plain if self.calibration is None else self.calibration.scaled(plain)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=_PRECISIONS[self._precision])

    def _check(self, logits: Any, count: int) -> None:
        tasks = () if self.num_tasks is None else (self.num_tasks,)
        wanted = (count, *tasks, len(self.classes))
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        if shape != wanted:
            raise ModelError(
                f"{type(self._model).__name__} turns {count} images into {shape}; for {len(self.classes)} "
                f"classes it must be {wanted}"
            )

    def _records(self, sources: Sequence[Source], logits: torch.Tensor) -> Iterator[Prediction]:
        # float64: a threshold and a loss shall see what evaluation's metrics see.
        exact = logits.double()
        probabilities = exact.sigmoid() if self.has_several_labels else exact.softmax(-1)
        guesses = guessed_classes(logits)
        are_bad = probabilities.isnan().flatten(1).any(1).tolist()
        for source, row, guess, is_bad in zip(sources, probabilities, guesses, are_bad, strict=True):
            if is_bad:
                path = name_of_source(source)
                image = "this image" if path is None else repr(path)
                yield self._failed(source, f"the network's output for {image} holds NaN")
            else:
                yield self._record(source, row, guess)

    def _record(self, source: Source, row: torch.Tensor, guess: torch.Tensor) -> Prediction:
        label: int | tuple[int, ...] | None
        score: float | tuple[float, ...]
        single = row.float()
        if self.has_several_labels:
            least = self.threshold if self.thresholds is None else self.thresholds
            label = tuple((row >= least).nonzero().flatten().tolist())
            score = tuple(single[list(label)].tolist())
        elif row.dim() == 2:
            label = tuple(guess.tolist())
            score = tuple(single.gather(1, guess[:, None]).flatten().tolist())
        else:
            label = int(guess)
            score = float(single[label])
        if self.thresholds is not None and not self.has_several_labels:
            chosen = row.gather(-1, guess[..., None])[..., 0]
            if bool((chosen < self.thresholds[guess]).any()):
                path = name_of_source(source)
                return Prediction(path, None, UNKNOWN, score, single.numpy(), names=self.names)
        labels = label if isinstance(label, tuple) else (label,)
        name = SEPARATOR.join(self.names[each] for each in labels)
        return Prediction(name_of_source(source), label, name, score, single.numpy(), names=self.names)

    def _failed(self, source: Source, error: str) -> Prediction:
        nothing = np.zeros(0, np.float32)
        return Prediction(name_of_source(source), None, "", None, nothing, error=error, names=self.names)


def device_of(device: str | torch.device | None) -> torch.device:
    """Return a device; for None CUDA where there is one, else the CPU.

    Raises:
        ConfigError: it is none, or there is no CUDA here.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        wanted = torch.device(device)
    except RuntimeError:
        raise ConfigError(f"device={device!r} is none of torch's; it is such as 'cpu' or 'cuda:0'") from None
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device={str(device)!r}: torch finds {torch.cuda.device_count()} CUDA devices here; take 'cpu'"
        )
    return wanted
