"""Class folders made ready for training: one folder divided into splits.

It must not know images' content.
"""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ding_cls.data.labels import groups_by_name
from ding_cls.data.sampling.split import Counts, split_indices
from ding_cls.errors import DataError
from ding_cls.images.left_out import LeftOut, left_out_line
from ding_cls.images.listing import list_classes, list_samples
from ding_cls.images.split_words import line_on_classes, split_of

_LOGGER = logging.getLogger(__name__)
NAMES = ("train", "val", "test")


class Part(NamedTuple):
    """What one part got.

    Attributes:
        name: its folder's name.
        num_images: images in it.
        num_classes: classes that have any.
        fewest: images of the smallest of these classes.
        most: images of the largest.
    """

    name: str
    num_images: int
    num_classes: int
    fewest: int
    most: int


def split_folder(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    fractions: Sequence[float] | None = None,
    per_class: Counts | None = None,
    names: Sequence[str] = NAMES,
    seed: int | None = None,
    group_pattern: str | None = None,
    link: bool = False,
) -> list[Part]:
    """Copy a folder of class folders into one with splits: ``target/train/CLASS/image.jpg``.

    ``target`` appears whole or not at all. Files that are not taken are counted in a line of the log.

    Args:
        source: the folder of the class folders; it stays as it is.
        target: the folder to make.
        fractions: as in `split_indices`.
        per_class: as in `split_indices`.
        names: of the parts, in order.
        seed: as in `split_indices`; None: images go by name, the first ones into the first part.
        group_pattern: a regular expression; images in whose name it finds the same text (its first group,
            or all of it) stay together.
        link: make symbolic links instead of copies.

    Raises:
        DataError: ``source`` is no such folder or has an empty class, ``target`` is not empty or lies in it,
            the shares cannot be met, or the disk refuses.
    """
    root = os.path.expanduser(os.fspath(source))
    _check_names(names)
    _check_outside(root, os.path.expanduser(os.fspath(target)))
    left_out = LeftOut()
    classes = list_classes(root, left_out=left_out)
    numbers = {name: number for number, name in enumerate(classes)}
    samples = list_samples(root, classes, numbers, refuse_empty=True, left_out=left_out)
    if left_out:
        _LOGGER.warning(left_out_line(root, left_out))
    if line := line_on_classes(classes):
        _LOGGER.warning(line)
    file_names = [name for name, _ in samples]
    parts = split_indices(
        [classes[number] for _, number in samples],
        fractions=fractions,
        per_class=per_class,
        groups=None if group_pattern is None else groups_by_name(file_names, group_pattern),
        seed=seed,
    )
    if len(parts) > len(names):
        raise DataError(f"{len(parts)} parts need as many different names; given were {', '.join(names)}")
    found = []
    with new_folder(target) as draft:
        for name, indices in zip(names, parts, strict=False):
            for index in indices:
                _place(Path(root, samples[index][0]), draft / name / samples[index][0], link=link)
            counts = Counter(samples[index][1] for index in indices).values()
            fewest, most = min(counts, default=0), max(counts, default=0)
            found.append(Part(name, len(indices), len(counts), fewest, most))
    return found


@contextmanager
def new_folder(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Fill a folder beside ``target`` that becomes ``target`` when the block ends without an error.

    Raises:
        DataError: ``target`` is there and not empty, or the disk refuses.
    """
    wanted = Path(os.path.expanduser(os.fspath(target)))
    if wanted.exists() and not (wanted.is_dir() and not any(wanted.iterdir())):
        raise DataError(f"'{wanted}' is there already; name a folder that is not, or remove it")
    draft = wanted.with_name(f".{wanted.name}.{uuid.uuid4().hex}.tmp")
    try:
        draft.mkdir(parents=True)
        yield draft
        draft.rename(wanted)
    except OSError as error:
        raise DataError(f"'{wanted}' cannot be made: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not name or name.startswith(".") or os.path.basename(name) != name:
            raise DataError(f"{name!r} cannot name a part: it is one folder, not hidden, as 'train' is")
    # Of two names that mean one split a run would refuse both.
    meant = {split_of(name) or name for name in names}
    if len(meant) < len(names):
        raise DataError(f"the parts need different names; given were {', '.join(names)}")


def _check_outside(source: str, target: str) -> None:
    inner, outer = os.path.realpath(target), os.path.realpath(source)
    if inner.startswith(os.path.join(outer, "")):
        raise DataError(f"{target!r} lies in {source!r}, where it would be a class; name a folder beside it")


def _place(source: Path, target: Path, *, link: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        target.symlink_to(source.resolve())
    else:
        shutil.copy2(source, target)
