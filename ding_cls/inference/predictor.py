"""A trained network of torch with all that it takes to name what is on an image.

It must not know where the network came from, nor the command line.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, cast

import torch

from ding_cls.answers.averaging import Logits
from ding_cls.answers.calibration import Calibration
from ding_cls.data import PipelinePreprocessing
from ding_cls.errors import ConfigError, ModelError
from ding_cls.inference.base import BasePredictor, Groups
from ding_cls.inference.images import load_batches, pixels_of, views_of
from ding_cls.inference.sources import Source

_PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Predictor(BasePredictor):
    """Names what is on images by a network of torch.

    ``predictor.model`` and ``predictor.preprocess`` are its two halves, for plain PyTorch.

    Args:
        model: maps normalised images ``(N, 3, H, W)`` to logits ``(N, C)``, of K tasks ``(N, K, C)``.
        preprocessing: what evaluation does to an image.
        classes: as in `BasePredictor`, like all that is not named here.
        device: where to compute; None: CUDA where there is one.
        precision: 'fp32', or 'bf16' or 'fp16' as the run was trained.
        channels_last: as in training.
        checkpoint: the file of a run that the network is from; None: it is from no run.

    Attributes:
        device: where the network is.
        precision: as given.
        checkpoint: as given.

    Raises:
        ConfigError: there is no such device, a threshold outside [0, 1], or a risk that is not reached.
    """

    has_gradients = True

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
        checkpoint: Path | None = None,
    ) -> None:
        super().__init__(
            classes,
            num_tasks=getattr(getattr(model, "head", None), "num_tasks", None),
            has_several_labels=has_several_labels,
            threshold=threshold,
            batch_size=batch_size,
            num_workers=num_workers,
            calibration=calibration,
            max_risk=max_risk,
            tta=tta,
        )
        self.device = device_of(device)
        self.checkpoint = checkpoint
        self._model = model.to(self.device).eval()
        self._preprocessing = preprocessing
        self.precision = precision
        self._channels_last = channels_last

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

    def prepare(self, source: Source) -> list[torch.Tensor]:
        """Return an image as each of ``preprocessings`` makes it; see `BasePredictor.prepare`."""
        return views_of(source, self.preprocessings)

    def stacked(self, pixels: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return pixels of one shape as a batch."""
        return torch.stack(list(pixels))

    def batches(self, sources: Sequence[Source], *, batch_size: int, num_workers: int) -> Iterator[Groups]:
        """Yield the images in batches; see `BasePredictor.batches`."""
        return load_batches(sources, self.preprocessings, batch_size=batch_size, num_workers=num_workers)

    def views(self, pixels: Sequence[torch.Tensor]) -> list[Logits]:
        """Return the logits whose probabilities are averaged; see `BasePredictor.views`."""
        images = self._preprocessing.normalize(pixels[0].to(self.device, non_blocking=True))
        return [self._logits(each) for each in ((images, mirrored(images)) if self.tta else (images,))]

    def _logits(self, images: torch.Tensor) -> Logits:
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
            shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
            self.check_shape(type(self._model).__name__, shape, len(images))
            plain: Logits = logits.float().cpu().numpy()
        return plain if self.calibration is None else self.calibration.scaled(plain)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=_PRECISIONS[self.precision])


def network_digest(predictor: Predictor) -> str:
    """Return eight digits that tell what predicts from others: by its weights, its classes and ``tta``."""
    file = _Checksum(ascii((predictor.classes, predictor.tta)).encode())
    for member in predictor.members:
        torch.save(member.model.state_dict(), cast("IO[bytes]", file))
    return f"{file.value:08x}"


class _Checksum(io.RawIOBase):
    """A file that keeps the checksum of its bytes, and nothing else."""

    def __init__(self, begin: bytes) -> None:
        self.value = zlib.crc32(begin)

    def write(self, part: Any) -> int:
        self.value = zlib.crc32(part, self.value)
        return memoryview(part).nbytes


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


def mirrored(images: torch.Tensor) -> torch.Tensor:
    """Return images with left and right exchanged: uint8 ``(N, H, W, 3)``, or floats ``(N, 3, H, W)``."""
    return images.flip(-1 if images.is_floating_point() else -2)
