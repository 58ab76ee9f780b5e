"""Which samples show the same image: by their file under any spelling of its path, or by their bytes.

It reads bytes, within bounds; it must not decode images.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ding_cls.data.labels import file_of

Source: TypeAlias = str | npt.NDArray[Any] | None
"""What a sample's image comes from: a file, pixels in memory, or something of the dataset's own."""

_MOST_FILES = 100_000
_MOST_BYTES = 256 << 20
_MOST_SECONDS = 10.0
# A file up to here is read whole; of a larger one this much from its middle tells most apart.
_PIECE = 1 << 14


class SharedImages(NamedTuple):
    """Images of one dataset that another has too.

    Attributes:
        number: how many.
        total: how many there are to compare.
        first: one of them.
        other: the same in the other dataset, where it has another name; else empty.
    """

    number: int
    total: int
    first: str
    other: str = ""


def sources_of(dataset: Any) -> Iterator[Source]:
    """Yield what each sample's image comes from, in order, also through wrappers."""
    source = _source_reader(dataset)
    return (source(index) for index in range(len(dataset)))


def image_numbers(dataset: Any) -> list[int]:
    """Return a number for each sample; those of one file, under any spelling of its path, have the same."""
    known: dict[Hashable, int] = {}
    places = FilePlaces()
    is_small = len(dataset) <= _MOST_FILES

    def key(index: int, source: Source) -> Hashable:
        if not isinstance(source, str):
            return index
        # Among many a link to a file counts as another one: each would have to be asked for.
        return (is_small and _identity(source)) or places.of(source)

    return [known.setdefault(key(index, each), len(known)) for index, each in enumerate(sources_of(dataset))]


def shared_images(evaluated: Any, trained: Any) -> SharedImages | None:
    """Return which images of one dataset the other has too; None where none is found.

    Files are the same by their path, or by their bytes where these are soon compared: of at most 100,000
    files those of one size are read, 256 MB in all, for ten seconds at most. So are pixels in memory.

    Args:
        evaluated: the dataset whose images are counted, each once.
        trained: the other.
    """
    files = dict.fromkeys(each for each in sources_of(evaluated) if isinstance(each, str))
    if files:
        others = dict.fromkeys(each for each in sources_of(trained) if isinstance(each, str))
        pairs = _same_files(files, others)
        if not pairs:
            return None
        name, other = next(iter(pairs.items()))
        return SharedImages(len(pairs), len(files), name, "" if name == other else other)
    return _same_arrays(evaluated, trained)


def _same_files(files: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Return which of the files are among the others, and under which name there."""
    names, other_names = list(files), list(others)
    places = FilePlaces()
    there = {places.of(name): name for name in reversed(other_names)}
    # What a dataset of the user's calls a file may be the name of something else.
    named = ((name, there.get(places.of(name))) for name in names)
    found = {name: other for name, other in named if other is not None and os.path.isfile(name)}
    if len(names) + len(other_names) > _MOST_FILES:
        return found
    clock = _Clock()
    status = {name: clock.identity(name) for name in (*names, *other_names)}
    files_there = {each[:2]: name for name in reversed(other_names) if (each := status[name])}
    for name in names:
        if name not in found and (each := status[name]) and each[:2] in files_there:
            found[name] = files_there[each[:2]]
    sizes = {name: each[2] for name, each in status.items() if each}
    found |= _copies([name for name in names if name not in found], other_names, sizes, clock)
    return {name: found[name] for name in names if name in found}


def _copies(
    names: Iterable[str], others: Iterable[str], sizes: Mapping[str, int], clock: _Clock
) -> dict[str, str]:
    """Return which files have the bytes of which others, as far as the bounds go."""
    by_size: dict[int, tuple[list[str], list[str]]] = {}
    for side, listed in enumerate((names, others)):
        for name in listed:
            by_size.setdefault(sizes.get(name, 0), ([], []))[side].append(name)
    found: dict[str, str] = {}
    for size, (left, right) in by_size.items():
        # An empty file is no image.
        pairs = [(left, right)] if size and left and right else []
        for is_whole in (False, True) if size > _PIECE else (True,):
            pairs = [halves for each in pairs for halves in _alike(*each, clock, size, is_whole=is_whole)]
        found |= {name: right[0] for left, right in pairs for name in left}
    return found


def _alike(
    left: list[str], right: list[str], clock: _Clock, size: int, *, is_whole: bool
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the files of both sides that have the same digest, by digest."""
    digests: dict[bytes, tuple[list[str], list[str]]] = {}
    for side, names in enumerate((left, right)):
        for name in names:
            if digest := clock.digest(name, size, is_whole=is_whole):
                digests.setdefault(digest, ([], []))[side].append(name)
    return (each for each in digests.values() if all(each))


class _Clock:
    """The file system asked until the bounds are reached."""

    def __init__(self) -> None:
        self._bytes_left = _MOST_BYTES
        self._end = time.monotonic() + _MOST_SECONDS

    def identity(self, path: str) -> tuple[int, int, int] | None:
        """Return `_identity` of a file; None where it cannot be asked for any more."""
        return None if time.monotonic() > self._end else _identity(path)

    def digest(self, path: str, size: int, *, is_whole: bool) -> bytes:
        """Return the digest of a file, or of the middle of it; empty where it cannot be read any more."""
        wanted = size if is_whole else _PIECE
        if wanted > self._bytes_left or time.monotonic() > self._end:
            return b""
        self._bytes_left -= wanted
        try:
            with open(path, "rb", buffering=0) as file:
                if not is_whole:
                    file.seek((size - _PIECE) // 2)
                return hashlib.blake2b(file.read(wanted)).digest()
        except OSError:
            return b""


def _identity(path: str) -> tuple[int, int, int] | None:
    """Return device, number and size of a file; None where it is not there, or the system does not say."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_size) if found.st_ino else None


class FilePlaces:
    """Paths in one spelling: the folder without links, and the file's name in it."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> tuple[str, str]:
        """Return folder and name of a file."""
        above, mark, name = path.rpartition(os.sep)
        folder = above + mark
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder or ".")
        return self._folders[folder], name


def _same_arrays(evaluated: Any, trained: Any) -> SharedImages | None:
    """Return which pixels in memory another dataset has too; None where there are none, or too many."""
    sets = [
        [each for each in sources_of(dataset) if isinstance(each, np.ndarray)]
        for dataset in (evaluated, trained)
    ]
    if not all(sets) or sum(each.nbytes for arrays in sets for each in arrays) > _MOST_BYTES:
        return None
    others: dict[bytes, int] = {}
    for index, each in enumerate(sets[1]):
        others.setdefault(_array_digest(each), index)
    found = [
        (index, others[digest])
        for index, each in enumerate(sets[0])
        if (digest := _array_digest(each)) in others
    ]
    if not found:
        return None
    first, other = found[0]
    return SharedImages(len(found), len(sets[0]), f"image {first}", f"image {other}")


def _array_digest(array: npt.NDArray[Any]) -> bytes:
    digest = hashlib.blake2b(f"{array.shape}{array.dtype}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _source_reader(dataset: Any) -> Callable[[int], Source]:
    """Return what gives the source of a sample's image by its index."""
    if hasattr(dataset, "datasets") and hasattr(dataset, "place"):
        parts = [_source_reader(each) for each in dataset.datasets]

        def of_parts(index: int) -> Source:
            number, inner = dataset.place(index)
            source: Source = parts[number](inner)
            return source

        return of_parts
    if hasattr(dataset, "dataset") and hasattr(dataset, "indices"):
        inside, indices = _source_reader(dataset.dataset), dataset.indices
        return lambda index: inside(indices[index])
    own = getattr(dataset, "image_file", lambda index: None)
    described = getattr(dataset, "data_infos", getattr(dataset, "samples", ()))
    has_all = hasattr(described, "__len__") and len(described) == len(dataset)

    def of_dataset(index: int) -> Source:
        file: str | None = own(index)
        return file or (_described_source(described[index]) if has_all else None)

    return of_dataset


def _described_source(described: Any) -> Source:
    """Return what an annotation, or a pair of file and target, says of an image."""
    if not isinstance(described, Mapping):
        return file_of(described) or None
    pixels = described.get("img")
    if isinstance(pixels, np.ndarray):
        return pixels
    name = file_of(described)
    return os.path.join(str(described.get("img_prefix") or ""), name) if name else None
