"""Which images are asked for, and how each becomes what a network takes.

It knows files and pixels; it must not know networks or classes.
"""

from __future__ import annotations

import glob
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from ding_cls.common.seed import Stream, derive_seed, sample_randomness
from ding_cls.data import EXTENSIONS, PipelinePreprocessing, as_rgb, load_rgb
from ding_cls.data.datasets.left_out import LeftOut, is_system_file, is_system_folder, left_out_line
from ding_cls.data.datasets.listing import list_images
from ding_cls.data.datasets.wrappers import loaded
from ding_cls.data.loader import begin_worker
from ding_cls.data.worker_loss import ReadTrace, watched
from ding_cls.errors import DataError

_LOGGER = logging.getLogger(__name__)
_ENDINGS = f"{', '.join(EXTENSIONS[:8])} and rarer ones"


@dataclass(frozen=True, slots=True, eq=False)
class DatasetImage:
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
        return pixels if isinstance(pixels, np.ndarray) and _is_image(pixels) else None

    def seen_by(self, preprocessing: PipelinePreprocessing) -> torch.Tensor | None:
        """Return what evaluation takes of the dataset; None where that is prepared in another way."""
        return loaded(self.dataset, self.index)[0] if preprocessing == self.preprocessing else None


Source: TypeAlias = str | os.PathLike[str] | Image.Image | npt.NDArray[Any] | DatasetImage
"""A file, an image of Pillow, uint8 pixels ``(H, W, 3)`` RGB, ``(H, W, 4)`` RGBA, ``(H, W)`` grey, or an
image of a dataset."""

Loaded: TypeAlias = tuple[list[tuple[list[int], list[torch.Tensor]]], list[tuple[int, str]]]
"""A batch: (positions, pixels by preprocessing) of the images of each shape; (position, error) of the
unreadable."""


def find_images(words: Iterable[str | os.PathLike[str]], *, must_exist: bool = True) -> list[str]:
    """Return the image files that words name, in the words' order.

    A file stands for itself, whatever its ending. A folder stands for all images in it, at any depth, and a
    pattern (``*``, ``?``, ``[...]``, ``**``) for the images and the folders of images that it fits: each in
    bytewise order, hidden ones left out, by the endings that the library knows. Of a folder a line of the log
    counts the files that are left out.

    Args:
        words: paths and patterns.
        must_exist: False: a path that is not there, or fits nothing as a pattern, is returned like a file.

    Raises:
        DataError: a path does not exist, or a folder or pattern leads to no image.
    """
    return [path for word in words for path in _images_of(os.fspath(word), must_exist)]


def _images_of(word: str, must_exist: bool) -> list[str]:
    if os.path.isdir(word):
        left_out = LeftOut()
        found = _images_below(word, left_out)
        if not found:
            but = f", but {left_out}" if left_out else ""
            raise DataError(f"the folder {word!r} holds no images ({_ENDINGS}), at any depth{but}")
        if left_out:
            _LOGGER.warning(left_out_line(word, left_out))
        return found
    if os.path.lexists(word):
        return [word]
    if glob.has_magic(word) and (must_exist or glob.glob(word, recursive=True)):
        return _images_like(word)
    if must_exist:
        raise DataError(f"{word!r} does not exist (in {os.getcwd()!r}); name image files or folders")
    return [word]


def _images_below(folder: str, left_out: LeftOut | None = None) -> list[str]:
    return [os.path.join(folder, each) for each in list_images(folder, left_out=left_out)]


def _images_like(pattern: str) -> list[str]:
    named = set(pattern.split(os.sep))
    matches = [
        each
        for each in glob.glob(pattern, recursive=True)
        if not any(map(is_system_folder, set(each.split(os.sep)) - named))
    ]
    files, left_out = set[str](), LeftOut()
    for path in filter(os.path.isfile, matches):
        if _has_ending(path):
            files.add(path)
        else:
            left_out.add_file(os.path.basename(path))
    # What ** fits in a folder was counted by itself.
    inside = LeftOut() if "**" in pattern else left_out
    for folder in filter(os.path.isdir, matches):
        files.update(_images_below(folder, inside))
    if not files:
        others = f" ({left_out})" if left_out else ""
        raise DataError(
            f"{pattern!r} leads to no image ({_ENDINGS}) in {os.getcwd()!r}: it fits "
            f"{len(matches)} other files and folders{others}; a pattern is written in quotes: 'images/*.jpg'"
        )
    if left_out:
        _LOGGER.warning(left_out_line(pattern, left_out))
    return sorted(files, key=os.fsencode)


def _has_ending(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in EXTENSIONS and not is_system_file(os.path.basename(path))


def sources_of(images: Any) -> list[Source]:
    """Return a list of images, whatever of images was given: one, several, or a folder.

    Raises:
        DataError: it is something else, an array of other numbers, or a path that does not exist.
    """
    if isinstance(images, str | os.PathLike):
        return list(find_images([images]))
    if isinstance(images, Image.Image):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim == 4:
        return sources_of(list(images))
    if isinstance(images, np.ndarray):
        return _sources_in(0, images)
    if isinstance(images, torch.Tensor) or not isinstance(images, Iterable):
        raise DataError(_strange(images))
    return [source for number, each in enumerate(images) for source in _sources_in(number, each)]


def _sources_in(number: int, image: Any) -> list[Source]:
    if isinstance(image, str | os.PathLike):
        return list(find_images([image]))
    if not isinstance(image, Image.Image | np.ndarray):
        raise DataError(_strange(image))
    if isinstance(image, np.ndarray):
        _check_array(image, f"image {number}")
    return [image]


def _strange(image: Any) -> str:
    hint = "; a normalised tensor goes to predictor.model" if isinstance(image, torch.Tensor) else ""
    return (
        f"an image is a path, a Pillow image or an array of uint8, not a {type(image).__name__}{hint}; "
        "several are a list, or a folder"
    )


def read_rgb(source: Source, *, number: int = 0) -> Image.Image:
    """Return an image as `load_rgb` reads it from its file.

    Args:
        source: a path, a Pillow image of any mode, an array of uint8, or an image of a dataset.
        number: its position, by which an error names an image without a path.

    Raises:
        DataError: it cannot be read, or is no such array.
    """
    if isinstance(source, DatasetImage):
        pixels = source.pixels()
        if pixels is None:
            raise DataError(f"sample {source.name!r} of the dataset comes prepared; what it was is not known")
        source = pixels
    if isinstance(source, Image.Image):
        return as_rgb(source, label=f"image {number}")
    if not isinstance(source, np.ndarray):
        return load_rgb(source)
    _check_array(source, f"image {number}")
    pixels = source[..., 0] if source.ndim == 3 and source.shape[-1] == 1 else source
    return as_rgb(Image.fromarray(np.ascontiguousarray(pixels)), label=f"image {number}")


def _check_array(array: npt.NDArray[Any], label: str) -> None:
    if not _is_image(array):
        raise DataError(
            f"{label} is an array of {array.dtype} with the shape {array.shape}; it must be uint8, "
            "0 to 255, (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey"
        )


def _is_image(array: npt.NDArray[Any]) -> bool:
    has_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3, 4))
    return array.dtype == np.uint8 and has_shape and bool(array.size)


def pixels_of(source: Source, preprocessing: PipelinePreprocessing, *, number: int = 0) -> torch.Tensor:
    """Return what evaluation makes of an image: uint8 ``(H, W, 3)``, or float ``(3, H, W)``, normalised.

    Args:
        source: as in `read_rgb`.
        preprocessing: the model's.
        number: its position among the images; it decides what a random step draws, as in evaluation.

    Raises:
        DataError: as `read_rgb`.
    """
    return _views(source, [preprocessing], number)[0]


def _views(
    source: Source, preprocessings: Sequence[PipelinePreprocessing], number: int
) -> list[torch.Tensor]:
    """Return an image as each preprocessing makes it, decoded once."""
    image: Image.Image | None = None
    views = []
    for preprocessing in preprocessings:
        with sample_randomness(derive_seed(Stream.AUGMENT, 0, 0, number)):
            view = source.seen_by(preprocessing) if isinstance(source, DatasetImage) else None
            if view is None:
                image = read_rgb(source, number=number) if image is None else image
                # A step of the user's own may write into what it is given.
                own = image if len(preprocessings) == 1 else image.copy()
                view = preprocessing.to_tensor(preprocessing(own))
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
            return number, _views(self._sources[number], self._preprocessings, number)
        except DataError as error:
            return number, str(error)


def load_batches(
    sources: Sequence[Source],
    preprocessings: Sequence[PipelinePreprocessing],
    *,
    batch_size: int,
    num_workers: int,
) -> Iterator[Loaded]:
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


def name_of_source(source: Source) -> str | None:
    """Return the path of an image, or what its dataset calls it; None of one that came as pixels."""
    if isinstance(source, DatasetImage):
        return source.name
    return os.fspath(source) if isinstance(source, str | os.PathLike) else None


def _by_shape(samples: Sequence[tuple[int, list[torch.Tensor] | str]]) -> Loaded:
    groups: dict[tuple[Any, ...], list[tuple[int, list[torch.Tensor]]]] = {}
    errors = []
    for number, views in samples:
        if isinstance(views, str):
            errors.append((number, views))
        else:
            groups.setdefault(tuple((each.dtype, each.shape) for each in views), []).append((number, views))
    stacked = [
        (
            [number for number, _ in group],
            list(map(torch.stack, zip(*(views for _, views in group), strict=True))),
        )
        for group in groups.values()
    ]
    return stacked, errors
