"""Files that a list leaves out of datasets, as if they were not there.

It knows paths and datasets; it must not decode images, nor know why a file is listed.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ding_cls.common.counting import counted
from ding_cls.common.tables import write_table
from ding_cls.data.datasets.wrappers import IndexedDataset, image_file
from ding_cls.data.labels import label_view
from ding_cls.data.same_images import FilePlaces
from ding_cls.errors import DataError

COLUMNS = ("path", "reason")
_MARK = "\ufeff"


class Quarantined(NamedTuple):
    """A file that no dataset takes.

    Attributes:
        path: as it can be opened.
        reason: for people.
    """

    path: str
    reason: str = ""


def read_quarantine(file: str | os.PathLike[str]) -> list[Quarantined]:
    """Return the files of a list: CSV whose first line names the columns ``path`` and ``reason``.

    A path begins from the list's own folder. A name keeps its bytes, white space and line breaks.

    Raises:
        DataError: the list is missing, or is no such list.
    """
    name = os.fspath(file)
    try:
        text = Path(name).expanduser().read_bytes().decode("utf-8", "surrogateescape")
        lines = list(csv.reader(io.StringIO(text.removeprefix(_MARK), newline=""), strict=True))
    except OSError as error:
        raise DataError(
            f"the quarantine list {name!r} cannot be read: {error.strerror}; set policy.collect.quarantine"
        ) from error
    except csv.Error as error:
        raise DataError(f"the quarantine list {name!r} is no CSV file: {error}") from error
    rows = [row for row in lines if row]
    if not rows or rows[0][0].strip() != COLUMNS[0]:
        raise DataError(
            f"the quarantine list {name!r} must begin with the line {','.join(COLUMNS)}; "
            "ding-cls doctor DATA --quarantine FILE writes one"
        )
    above = os.path.dirname(os.path.expanduser(name))
    return [Quarantined(os.path.join(above, row[0]), ",".join(row[1:])) for row in rows[1:] if row[0]]


def write_quarantine(file: str | os.PathLike[str], entries: Iterable[Quarantined]) -> None:
    """Write a list that `read_quarantine` reads; what lies below its folder is named from there.

    Raises:
        DataError: it is there already, for it may have been edited; or it cannot be written.
        DiskError: the disk is full or fails.
    """
    if os.path.lexists(file):
        raise DataError(f"'{os.fspath(file)}' is there, and may have been edited; name another file")
    above = os.path.realpath(os.path.dirname(os.fspath(file)) or ".")
    write_table(file, COLUMNS, [(_path_from(above, each.path), each.reason) for each in entries])


def _path_from(above: str, path: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    place = os.path.join(os.path.realpath(folder), name)
    return os.path.relpath(place, above) if place.startswith(os.path.join(above, "")) else place


class QuarantinedDataset(IndexedDataset):
    """A dataset without the files of a list; samples that are in no file stay.

    Args:
        dataset: the dataset, or the dict that describes it.
        file: the list.
        is_training: a class that loses all its images is an error, as a class folder without any is.

    Attributes:
        file: as given.
        left_out: the paths of the list that samples are in.
        stale: the paths of the list where there is no file and no sample.

    Raises:
        DataError: the list cannot be read, or no sample, or none of a class, is left.
    """

    def __init__(self, dataset: Any, file: str, *, is_training: bool = False) -> None:
        super().__init__(dataset, ())
        self.file = file
        inner, places = self.dataset, FilePlaces()
        entries = {places.of(os.path.normpath(each.path)): each.path for each in read_quarantine(file)}
        names = {name for _, name in entries}
        found: dict[str, None] = {}
        gone: list[int] = []
        for index in range(len(inner)):
            path = image_file(inner, index)
            # Of a million samples few have a name in the list, and the place of a file takes longer.
            is_named = path is not None and os.path.basename(path) in names
            entry = entries.get(places.of(os.path.normpath(path))) if path is not None and is_named else None
            if entry is None:
                self.indices.append(index)
            else:
                gone.append(index)
                found[entry] = None
        self.left_out = frozenset(found)
        self.stale = tuple(
            path for path in entries.values() if path not in found and not os.path.lexists(path)
        )
        self._check(gone, is_training)

    def _check(self, gone: Sequence[int], is_training: bool) -> None:
        if gone and not self.indices:
            raise DataError(f"the quarantine list {self.file!r} leaves none of {len(gone):,} images")
        labels = label_view(self.dataset) if is_training and gone else None
        if labels is None or any(np.ndim(labels[index]) for index in gone):
            return
        lost = {int(labels[index]) for index in gone}
        for index in self.indices:
            if not lost:
                return
            lost.discard(int(labels[index]))
        if lost:
            raise DataError(
                f"the quarantine list {self.file!r} leaves no training image of {self.classes[min(lost)]!r}; "
                "take some out of the list, or the class out of the data"
            )


def quarantines_in(dataset: Any) -> list[QuarantinedDataset]:
    """Return the datasets inside wrappers that a list takes files from."""
    own = [dataset] if isinstance(dataset, QuarantinedDataset) else []
    inner = [getattr(dataset, "dataset", None), *getattr(dataset, "datasets", ())]
    return [*own, *(found for each in inner if each is not None for found in quarantines_in(each))]


def quarantine_line(datasets: Iterable[Any]) -> str:
    """Return the line that counts what a list leaves out of some datasets, and names what is not there.

    It is empty where no list is used.
    """
    used = list({id(found): found for each in datasets for found in quarantines_in(each)}.values())
    if not used:
        return ""
    taken = frozenset[str]().union(*(each.left_out for each in used))
    stale = [path for path in used[0].stale if path not in taken]
    line = f"left out by {used[0].file!r}: {counted(len(taken), 'file')}"
    more = f" and {len(stale) - 1:,} more" if len(stale) > 1 else ""
    return f"{line}; {stale[0]!r}{more} of the list not there" if stale else line
