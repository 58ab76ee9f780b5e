"""Which images are asked for: files, folders, patterns, Pillow images, arrays; and how each becomes RGB.

It must not know networks, classes or preprocessing.
"""

from __future__ import annotations

import glob
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from ding_cls.errors import DataError
from ding_cls.images import EXTENSIONS, as_rgb, load_rgb
from ding_cls.images.left_out import LeftOut, is_system_file, is_system_folder, left_out_line
from ding_cls.images.listing import list_images

_LOGGER = logging.getLogger(__name__)
_ENDINGS = f"{', '.join(EXTENSIONS[:8])} and rarer ones"


class NamedImage(ABC):
    """An image that has a name, and is in no file.

    Attributes:
        name: what it is called where its path is asked for.
    """

    name: str

    @abstractmethod
    def pixels(self) -> npt.NDArray[Any] | None:
        """Return it as `read_rgb` takes an array; None: not known."""


Source: TypeAlias = str | os.PathLike[str] | Image.Image | npt.NDArray[Any] | NamedImage
"""A file, an image of Pillow, uint8 pixels ``(H, W, 3)`` RGB, ``(H, W, 4)`` RGBA, ``(H, W)`` grey, or a named
image."""


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
    if _is_tensor(images) or not isinstance(images, Iterable):
        raise DataError(_strange(images))
    return [source for number, each in enumerate(images) for source in _sources_in(number, each)]


def _sources_in(number: int, image: Any) -> list[Source]:
    if isinstance(image, str | os.PathLike):
        return list(find_images([image]))
    if not isinstance(image, Image.Image | np.ndarray | NamedImage):
        raise DataError(_strange(image))
    if isinstance(image, np.ndarray):
        _check_array(image, f"image {number}")
    return [image]


def _is_tensor(value: Any) -> bool:
    return any(each.__module__ == "torch" and each.__name__ == "Tensor" for each in type(value).__mro__)


def _strange(image: Any) -> str:
    hint = "; a normalised tensor goes to predictor.model" if _is_tensor(image) else ""
    return (
        f"an image is a path, a Pillow image or an array of uint8, not a {type(image).__name__}{hint}; "
        "several are a list, or a folder"
    )


def read_rgb(source: Source, *, number: int = 0) -> Image.Image:
    """Return an image as `load_rgb` reads it from its file.

    Args:
        source: a path, a Pillow image of any mode, an array of uint8, or a named image.
        number: its position, by which an error names an image without a path.

    Raises:
        DataError: it cannot be read, or is no such array.
    """
    if isinstance(source, NamedImage):
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
    if not is_image(array):
        raise DataError(
            f"{label} is an array of {array.dtype} with the shape {array.shape}; it must be uint8, "
            "0 to 255, (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey"
        )


def is_image(array: npt.NDArray[Any]) -> bool:
    """Return whether an array is an image as `Source` says."""
    has_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3, 4))
    return array.dtype == np.uint8 and has_shape and bool(array.size)


def refuse_overwriting(out: str | os.PathLike[str], read: Iterable[str | os.PathLike[str] | None]) -> None:
    """Refuse to write a file in the place of one that is read.

    Args:
        out: where to write.
        read: what is read, whether or not it is there.

    Raises:
        DataError: it is one of these, by whatever name.
    """
    target = os.fspath(out)
    if not os.path.isfile(target):
        return
    for each in read:
        if each is not None and os.path.exists(each) and os.path.samefile(target, each):
            raise DataError(
                f"'{target}' would be written over '{os.fspath(each)}', which is read; name another file"
            )


def name_of_source(source: Source) -> str | None:
    """Return the path of an image, or its name; None of one that came as pixels."""
    if isinstance(source, NamedImage):
        return source.name
    return os.fspath(source) if isinstance(source, str | os.PathLike) else None


def needs_memory(source: Source, image: Image.Image, number: int) -> DataError:
    """Return the error of an image whose steps, such as a border up to a square, lead to too large a one."""
    return DataError(
        f"{label_of(source, number)} is {image.width} x {image.height}, and what its preprocessing makes of "
        "it does not fit into memory; cut it"
    )


def label_of(source: Source, number: int) -> str:
    """Return how an error names an image: by its path, or by its position."""
    name = name_of_source(source)
    return f"image {number}" if name is None else repr(name)
