"""How each image becomes what a network of torch takes.

It knows files and pixels; it must not know networks or classes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from ding_cls.common.seed import Stream, derive_seed, sample_randomness
from ding_cls.data import PipelinePreprocessing
from ding_cls.data.datasets.wrappers import loaded
from ding_cls.data.loader import begin_worker
from ding_cls.data.worker_loss import ReadTrace, watched
from ding_cls.errors import DataError
from ding_cls.inference.base import Groups, by_shape
from ding_cls.inference.sources import NamedImage, Source, is_image, name_of_source, needs_memory, read_rgb


@dataclass(frozen=True, eq=False)
class DatasetImage(NamedImage):
    """An image of a dataset that keeps it in no file.

    Attributes:
        name: what the dataset calls it.
        dataset: it has the image as its sample ``index``.
        index: likewise.
        preprocessing: what the dataset does to the image.
    """

    name: str
    dataset: Any
    index: int
    preprocessing: PipelinePreprocessing

    def pixels(self) -> npt.NDArray[Any] | None:
        """Return what the dataset has before its preprocessing, as `read_rgb` takes it; None: not known."""
        own = getattr(self.dataset, "image_pixels", None)
        pixels = None if own is None else own(self.index)
        return pixels if isinstance(pixels, np.ndarray) and is_image(pixels) else None

    def seen_by(self, preprocessing: PipelinePreprocessing) -> torch.Tensor | None:
        """Return what evaluation takes of the dataset; None where that is prepared in another way."""
        return loaded(self.dataset, self.index)[0] if preprocessing == self.preprocessing else None


def pixels_of(source: Source, preprocessing: PipelinePreprocessing, *, number: int = 0) -> torch.Tensor:
    """Return what evaluation makes of an image: uint8 ``(H, W, 3)``, or float ``(3, H, W)``, normalised.

    Args:
        source: as in `read_rgb`.
        preprocessing: the model's.
        number: its position among the images; it decides what a random step draws, as in evaluation.

    Raises:
        DataError: as `read_rgb`, or what its steps make of it does not fit into memory.
    """
    return views_of(source, [preprocessing], number=number)[0]


def views_of(
    source: Source, preprocessings: Sequence[PipelinePreprocessing], *, number: int = 0
) -> list[torch.Tensor]:
    """Return an image as each preprocessing makes it, decoded once; the rest is as in `pixels_of`."""
    image: Image.Image | None = None
    views = []
    for preprocessing in preprocessings:
        with sample_randomness(derive_seed(Stream.AUGMENT, 0, 0, number)):
            view = source.seen_by(preprocessing) if isinstance(source, DatasetImage) else None
            if view is None:
                image = read_rgb(source, number=number) if image is None else image
                # A step of the user's own may write into what it is given.
                own = image if len(preprocessings) == 1 else image.copy()
                try:
                    view = preprocessing.to_tensor(preprocessing(own))
                except MemoryError:
                    raise needs_memory(source, image, number) from None
        views.append(view)
    return views


class _Images(Dataset[tuple[int, list[torch.Tensor] | str]]):
    """Position of each image and its pixels by preprocessing, or what is wrong with it."""

    def __init__(
        self, sources: Sequence[Source], preprocessings: Sequence[PipelinePreprocessing], trace: ReadTrace
    ) -> None:
        self.trace = trace
        self._sources = sources
        self._preprocessings = preprocessings

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, number: int) -> tuple[int, list[torch.Tensor] | str]:
        self.trace.note(number)
        try:
            return number, views_of(self._sources[number], self._preprocessings, number=number)
        except DataError as error:
            return number, str(error)


def load_batches(
    sources: Sequence[Source],
    preprocessings: Sequence[PipelinePreprocessing],
    *,
    batch_size: int,
    num_workers: int,
) -> Iterator[Groups]:
    """Yield the images in batches, in their order; an unreadable one does not stop the others.

    Args:
        sources: the images.
        preprocessings: what each image goes through, each by itself.
        batch_size: images per batch.
        num_workers: processes that read ahead; 0 reads in this one.

    Raises:
        WorkerError: one of them was killed.
    """
    has_workers = num_workers > 0
    trace = ReadTrace(num_workers)
    loader: DataLoader[Any] = DataLoader(
        _Images(sources, preprocessings, trace),
        # torch counts a batch's samples with a machine integer.
        batch_size=min(batch_size, max(len(sources), 1)),
        num_workers=num_workers,
        collate_fn=_by_shape,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=begin_worker if has_workers else None,
        # As in training: forkserver takes seven seconds to start where fork takes under one.
        multiprocessing_context="fork" if has_workers and sys.platform == "linux" else None,
        # torch would draw a seed from its default generator, which is the caller's.
        generator=torch.Generator(),
    )

    def name_of(number: int) -> str:
        return name_of_source(sources[number]) or f"image {number}"

    yield from watched(loader, trace, name_of, setting="--workers or num_workers")


def _by_shape(samples: Sequence[tuple[int, list[torch.Tensor] | str]]) -> Groups:
    errors = [(number, views) for number, views in samples if isinstance(views, str)]
    good = [(number, views) for number, views in samples if not isinstance(views, str)]
    return by_shape(good, torch.stack), errors
