"""Images sorted into a folder for each predicted class: copies or links, the images themselves stay."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from ding_cls.answers.prediction import Prediction
from ding_cls.common.counting import counted, first_few
from ding_cls.common.files import create_unique_dir
from ding_cls.errors import ConfigError, DiskError
from ding_cls.inference.base import BasePredictor
from ding_cls.inference.outputs.new_folder import OutputFolder, portable_name, write_new
from ding_cls.inference.outputs.pictures import picture_of
from ding_cls.inference.sources import Source, name_of_source

_LOGGER = logging.getLogger(__name__)
_UNREADABLE, _UNKNOWN, _NONE = "unreadable", "unknown", "none"


class SortedImages:
    """Puts each image into the folder of its class; an image with several labels into that of each.

    Args:
        folder: where to.
        predictor: whose predictions they are.
        sources: all images.
        is_wrong_only: only images in the folder of another class than the predicted one, into
            ``FOLDER/PREDICTED``.
        is_linked: symbolic links in place of copies.

    Raises:
        ConfigError: there are several tasks and ``is_wrong_only``, or images in no file and ``is_linked``.
    """

    def __init__(
        self,
        folder: OutputFolder,
        predictor: BasePredictor,
        sources: Sequence[Source],
        *,
        is_wrong_only: bool = False,
        is_linked: bool = False,
    ) -> None:
        if is_wrong_only and predictor.num_tasks is not None:
            raise ConfigError("--wrong compares a folder with one class; this network has several tasks")
        if is_linked and not all(isinstance(each, str | os.PathLike) for each in sources):
            raise ConfigError("--link is for files, and some of these images are in none: leave it out")
        self._folder = folder
        self._predictor = predictor
        self._sources = sources
        self._is_wrong_only = is_wrong_only
        self._is_linked = is_linked
        self._names = _unique_names(predictor.classes)
        self._others: dict[str, str] = {}
        self._folders: dict[tuple[str, ...], str] = {}
        self._labels = {name: number for number, name in reversed([*enumerate(predictor.names)])}
        self._labels |= {name: number for number, name in reversed([*enumerate(predictor.classes)])}
        self._root = _common_folder(sources)
        self._num_sorted = self._num_missing = self._num_unlabelled = 0

    def take(self, number: int, prediction: Prediction) -> None:
        """Sort an image, by its position."""
        source = self._sources[number]
        path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        if prediction.error and not self._can_be_put(path):
            self._num_missing += 1
            return
        places = self._places(prediction, path)
        self._num_sorted += bool(places)
        for place in places:
            self._put(place, source, path)

    def finish(self) -> None:
        """Nothing is left to do."""

    def __str__(self) -> str:
        what = f"{counted(self._num_sorted, 'image')} {'linked' if self._is_linked else 'copied'} into "
        parts = [what + self._folder.path]
        if self._is_wrong_only:
            parts.append(f"{self._num_unlabelled:,} in no class's folder" if self._num_unlabelled else "")
        parts.append(f"{self._num_missing:,} could not be" if self._num_missing else "")
        return ", ".join(filter(None, parts))

    def _places(self, prediction: Prediction, path: str | None) -> list[tuple[str, ...]]:
        """Return the folders that an image belongs into, each as its parts."""
        predicted = self._predicted(prediction)
        if not self._is_wrong_only:
            return predicted
        own = self._own_label(path)
        if own is None:
            self._num_unlabelled += 1
            return []
        names = [self._names[own]]
        return [] if tuple(names) in predicted else [(*names, *place) for place in predicted]

    def _predicted(self, prediction: Prediction) -> list[tuple[str, ...]]:
        label = prediction.label
        if prediction.error or label is None:
            return [(self._other(_UNREADABLE if prediction.error else _UNKNOWN),)]
        if not isinstance(label, tuple):
            return [(self._names[label],)]
        if self._predictor.num_tasks is None:
            return [(self._names[each],) for each in label] or [(self._other(_NONE),)]
        return [(f"task_{task}", self._names[each]) for task, each in enumerate(label, start=1)]

    def _other(self, name: str) -> str:
        """Return the folder of images without a class; another than its name where a class is called so."""
        if name not in self._others:
            self._others[name] = next(each for each in _numbered(name) if each not in self._names)
            if self._others[name] != name:
                _LOGGER.warning(
                    f"{name!r} is the folder of a class: images without one are in {self._others[name]!r}"
                )
        return self._others[name]

    def _can_be_put(self, path: str | None) -> bool:
        return path is not None and os.path.isfile(path) and (self._is_linked or os.access(path, os.R_OK))

    def _own_label(self, path: str | None) -> int | None:
        """Return the class of the innermost folder that has a class's name, below what was named."""
        if path is None:
            return None
        folder = os.path.dirname(os.path.abspath(path))
        while len(folder) >= len(self._root):
            if (label := self._labels.get(os.path.basename(folder))) is not None:
                return label
            if folder == os.path.dirname(folder):
                break
            folder = os.path.dirname(folder)
        return None

    def _put(self, place: tuple[str, ...], source: Source, path: str | None) -> None:
        folder = self._made(place)
        if path is None:
            name = f"{portable_name(name_of_source(source) or 'image')}.png"
            image = picture_of(self._predictor, source)
            write: Any = partial(_write_png, image)
        else:
            name = os.path.basename(path)
            write = partial(os.symlink, os.path.abspath(path)) if self._is_linked else partial(_copy, path)
        self._folder.put(folder, name, write)

    def _made(self, place: tuple[str, ...]) -> str:
        """Return a folder below the output, made when it is first needed.

        Names that this file system takes for one, such as ``Cat`` and ``cat`` on some, get folders of their
        own.
        """
        if place not in self._folders:
            parent = self._made(place[:-1]) if len(place) > 1 else ""
            wanted = Path(self._folder.path, parent, place[-1])
            try:
                made = create_unique_dir(wanted)
            except OSError as error:
                raise DiskError(f"'{wanted}' could not be made: {error.strerror or error}") from error
            self._folders[place] = os.path.join(parent, made.name)
        return self._folders[place]


def _unique_names(names: Iterable[str]) -> list[str]:
    """Return a folder's name for each name, no two alike."""
    found: dict[str, str] = {}
    for name in names:
        found[next(each for each in _numbered(portable_name(name)) if each not in found)] = name
    if changed := [f"{name!r} is {own!r}" for own, name in found.items() if own != name]:
        _LOGGER.warning(f"folders that cannot have their classes' names: {first_few(changed, 5)}")
    return list(found)


def _numbered(name: str) -> Iterator[str]:
    return (name if number == 1 else f"{name}_{number}" for number in count(1))


def _common_folder(sources: Sequence[Source]) -> str:
    """Return the folder that holds all images that are files."""
    folders = [
        os.path.dirname(os.path.abspath(each)) for each in sources if isinstance(each, str | os.PathLike)
    ]
    try:
        return os.path.commonpath(folders)
    except ValueError:  # several drives, or no files
        return ""


def _copy(source: str, path: str) -> None:
    with open(source, "rb") as file:
        write_new(path, partial(shutil.copyfileobj, file))
    status = os.stat(source)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _write_png(image: Any, path: str) -> None:
    write_new(path, partial(image.save, format="PNG"))
