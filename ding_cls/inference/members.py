"""Which networks words name: runs, checkpoints, and the runs of a cross-validation.

It knows files and folders; it must not know what is in a checkpoint.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from shlex import quote

from ding_cls.checkpoint.places import CHECKPOINT_ENDINGS, best_file, checkpoint_file
from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.images import EXTENSIONS
from ding_cls.images.listing import list_images

PathLike = str | os.PathLike[str]


def members_and_images(words: Sequence[str], *, has_images: bool = True) -> tuple[list[str], list[str]]:
    """Return which of a command's words name networks, and which images.

    The first word names a network, whatever it is. So does each that follows and is a checkpoint's file, a
    run's folder, or that of a cross-validation; but the last word names images. A folder that has images and
    beside them a checkpoint, in no ``ckpt/``, is one of images.

    Args:
        words: paths, patterns and ``-``.
        has_images: False: no word names images.

    Raises:
        ConfigError: a network is named behind the images, or no images are named.
    """
    end = len(words) - 1 if has_images else len(words)
    count = 1
    while count < end and is_network(words[count]):
        count += 1
    members, images = list(words[:count]), list(words[count:])
    if has_images and (not images or (len(images) == 1 and _is_other_network(images[0], members))):
        named = " ".join(map(quote, words))
        raise ConfigError(
            f"say which images: ding-cls predict {named} PATH..., files, folders or patterns in quotes; - "
            "reads their names from the standard input"
        )
    for word in images:
        if _is_other_network(word, members):
            is_run = os.path.isdir(word)
            pattern = quote(os.path.join(word, "**"))
            raise ConfigError(
                f"'{word}' is a {'run' if is_run else 'checkpoint'}, and it is named behind images; name all "
                f"networks first{f'; where its images are meant, a pattern: {pattern}' if is_run else ''}"
            )
    return members, images


def is_network(word: str) -> bool:
    """Return whether a word names a checkpoint, an ONNX file, a run's folder, or a cross-validation's."""
    if os.path.isfile(word):
        name = os.path.basename(word).lower()
        is_image = os.path.splitext(name)[1] in EXTENSIONS
        return not is_image and (name.endswith((*CHECKPOINT_ENDINGS, ".onnx")) or _is_saved_by_torch(word))
    if not os.path.isdir(word):
        return False
    best = best_file(word)
    if not best.is_file():
        return bool(_folds(word))
    return best.parent.name == "ckpt" or not list_images(word)


def is_onnx(source: PathLike) -> bool:
    """Return whether an ONNX file is named, whether or not it is there."""
    return os.fspath(source).lower().endswith(".onnx") and not os.path.isdir(source)


def with_folds(sources: Iterable[PathLike]) -> list[PathLike]:
    """Return what names a network each: the folder of a cross-validation stands for the run of each fold."""
    named: list[PathLike] = []
    for source in sources:
        named += _folds(source) or [source]
    return named


def refuse_repeated(sources: Iterable[PathLike]) -> None:
    """Refuse a network that is named twice.

    Raises:
        CheckpointError: there is no such file.
        ConfigError: it is.
    """
    found: dict[tuple[int, int], PathLike] = {}
    for source in sources:
        first = found.setdefault(_identity(source), source)
        if first is not source:
            raise ConfigError(
                f"'{os.fspath(first)}' and '{os.fspath(source)}' are the same file, and a mean would count "
                "it twice; name it once"
            )


def refuse_image(source: str | os.PathLike[str]) -> None:
    """Refuse an image in the place of the run.

    Raises:
        CheckpointError: it is one, by its name.
    """
    if Path(source).suffix.lower() in EXTENSIONS and os.path.isfile(source):
        raise CheckpointError(
            f"'{source}' is an image; the run or checkpoint is named first, then the images"
        )


def _is_other_network(word: str, members: Sequence[PathLike]) -> bool:
    if not is_network(word):
        return False
    known = {_identity(each) for each in with_folds(members) if os.path.exists(each)}
    return not {_identity(each) for each in with_folds([word])} <= known


def _identity(source: PathLike) -> tuple[int, int]:
    status = checkpoint_file(source).stat()
    return status.st_dev, status.st_ino


def _folds(source: PathLike) -> list[Path]:
    """Return the runs of a cross-validation's folds; none where the folder is something else."""
    folder = Path(source)
    if not folder.is_dir() or best_file(folder).is_file():
        return []
    folds = [each for each in folder.glob("fold_*") if each.is_dir()]
    is_one = any(best_file(each).is_file() for each in folds)
    return sorted(folds, key=lambda each: (len(each.name), each.name)) if is_one else []


def _is_saved_by_torch(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as file:
            return any(each.endswith("/data.pkl") for each in file.namelist())
    except (OSError, zipfile.BadZipFile):
        return False
