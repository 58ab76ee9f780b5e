"""Which samples a dataset holds: their names and labels, a digest of these, and what two of them differ in.

No image is read. A name counts below the folder that all lie in, so that data may move to another disk.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ding_cls.common.files import atomic_write
from ding_cls.data.labels import label_view, sample_names
from ding_cls.images.sample_text import below_their_folder, label_texts, listed

# More than the list of any dataset; a damaged file shall not fill the memory.
_MOST_BYTES = 1 << 32


class SampleList:
    """The names and labels of a dataset, in its order.

    Args:
        content: ``name\\0label\\n`` for each sample.
        num_samples: how many these are.
    """

    def __init__(self, content: bytes, num_samples: int) -> None:
        self.content = content
        self.num_samples = num_samples

    @classmethod
    def of(cls, dataset: Any, *, without: Collection[str] = ()) -> SampleList:
        """Return the list of a dataset.

        Args:
            dataset: any; without names its samples are numbered, and labels that it does not say without
                loading an image are left out.
            without: names of samples that are left out.
        """
        given = sample_names(dataset)
        names, labels = below_their_folder(given), _label_texts(dataset)
        if without:
            left_out = set(without)
            kept = [place for place, name in enumerate(given) if name not in left_out]
            names, labels = [names[place] for place in kept], [labels[place] for place in kept]
        return cls(listed(names, labels), len(names))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the list, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint says of the dataset."""
        return {"digest": self.digest, "num_samples": self.num_samples}

    def write(self, folder: Path, split: str) -> None:
        """Write the list into a folder, compressed, unless it is there.

        Raises:
            OSError: it cannot be written.
        """
        path = _file_of(folder, split, self.digest)
        if not path.exists():
            with atomic_write(path) as file:
                file.write(gzip.compress(self.content, 1, mtime=0))

    @classmethod
    def read(cls, folder: Path, split: str, digest: str) -> SampleList | None:
        """Return the list that ``write`` left in a folder; None where it is not there, or damaged."""
        try:
            with gzip.open(_file_of(folder, split, digest)) as file:
                content = file.read(_MOST_BYTES)
        except (OSError, EOFError, zlib.error):
            return None
        found = cls(content, content.count(b"\0"))
        return found if found.digest == digest else None

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Yield (name, label) of each sample, in order."""
        name, *pieces = self.content.decode(errors="surrogateescape").split("\0")
        for piece in pieces:
            label, _, following = piece.partition("\n")
            yield name, label
            name = following


class Changes(NamedTuple):
    """What became of the samples of one list in another.

    Attributes:
        added: samples that only the later list has.
        removed: samples that only the earlier list has.
        moved: samples with another class, or another label, under the same name.
        first: the name of the first of these.
    """

    added: int
    removed: int
    moved: int
    first: str = ""

    def __str__(self) -> str:
        if not any(self[:3]):
            return "the same samples in another order"
        counts = f"{self.added:,} added, {self.removed:,} removed, {self.moved:,} moved to another label"
        return f"{counts} (first {self.first!r})"


def changes(before: SampleList, after: SampleList, classes: Sequence[str] = ()) -> Changes:
    """Return what differs between two lists; a sample that comes several times counts as often.

    Args:
        before: the earlier list.
        after: the later one.
        classes: their class names; a file of the same name in the folder of another class has moved.
    """
    then, now = Counter(before.pairs()), Counter(after.pairs())
    gone, new = then - now, now - then
    first = next(iter(new or gone), ("", ""))[0]
    former, latter = _names(gone), _names(new)
    relabelled = former & latter
    # The rest: a file of the same name in another folder.
    former, latter = (
        _without_class(pairs, names - relabelled, classes) for pairs, names in ((gone, former), (new, latter))
    )
    moved = relabelled.total() + (former & latter).total()
    return Changes(new.total() - moved, gone.total() - moved, moved, first)


def _file_of(folder: Path, split: str, digest: str) -> Path:
    # Its own name for each list: none is ever out of date, and a run that changes back finds the former.
    return folder / f"{split}-{os.path.basename(digest)[:16]}.gz"


def _names(pairs: Counter[tuple[str, str]]) -> Counter[str]:
    """Count samples by name alone."""
    found: Counter[str] = Counter()
    for (name, _), count in pairs.items():
        found[name] += count
    return found


def _without_class(
    pairs: Counter[tuple[str, str]], wanted: Counter[str], classes: Sequence[str]
) -> Counter[str]:
    """Count samples of the wanted names by name, less the folder of their class."""
    found: Counter[str] = Counter()
    for name, label in pairs:
        own = classes[int(label)] if label.isdecimal() and int(label) < len(classes) else None
        found["/".join(part for part in name.split("/") if part != own)] += wanted.pop(name, 0)
    return found


def _label_texts(dataset: Any) -> list[str]:
    """Return the label of each sample as text, empty where the dataset does not say it."""
    try:
        targets = _targets_of(dataset)
    except AttributeError:
        # A wrapper of a dataset that has no labels at hand.
        targets = None
    if targets is None or len(targets) != len(dataset):
        return [""] * len(dataset)
    return label_texts(targets)


def _targets_of(dataset: Any) -> Any:
    targets: Any = label_view(dataset)
    if hasattr(targets, "__len__") and len(targets) and np.ndim(targets[0]) == 0:
        # Numbers are looked up faster all at once.
        targets = getattr(dataset, "targets", targets)
    if hasattr(targets, "__len__"):
        return targets
    if hasattr(dataset, "get_cat_ids"):
        return [",".join(map(str, dataset.get_cat_ids(index))) for index in range(len(dataset))]
    return None
