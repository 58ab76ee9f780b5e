"""The embedded dataset: 1,797 handwritten digits, so that a first run needs no download.

The images are the test part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak
(UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49, licence CC BY 4.0), 8 x 8 pixels of
17 grey levels, in the selection and order in which scikit-learn carries them. It must not know who trains on
them.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from ding_cls.errors import DataError

# Raise the number when an image, a name or the split changes: folders written before stay as they are.
_FOLDER_NAME = "digits-v1"
_SPLITS = ("train", "val", "test")
_MAX_LEVEL = 16


class Digits(NamedTuple):
    """The embedded images.

    Attributes:
        images: uint8 ``(1797, 8, 8)``, 0 (paper) to 16 (ink).
        targets: uint8 ``(1797,)``, the digit.
        splits: uint8 ``(1797,)``: 0 train (1437), 1 val (180), 2 test (180); stratified.
    """

    images: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.uint8]
    splits: npt.NDArray[np.uint8]


def load_digits() -> Digits:
    """Return the embedded images as arrays."""
    asset = resources.files("ding_cls.data") / "assets" / "digits.npz"
    with asset.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Digits(arrays["images"], arrays["targets"], arrays["splits"])


def write_digits(folder: str | os.PathLike[str] | None = None) -> Path:
    """Write the digits as PNG class folders ``train``, ``val`` and ``test``, unless they are there already.

    The folder appears whole or not at all, also when two processes write it at once.

    Args:
        folder: where to; where None, ``digits-v1`` in ``$DING_CLS_CACHE``, ``$XDG_CACHE_HOME/ding_cls`` or
            ``~/.cache/ding_cls``.

    Returns:
        The folder that holds the three splits.

    Raises:
        DataError: the folder holds something else, or cannot be written.
    """
    target = _cache_folder() / _FOLDER_NAME if folder is None else Path(folder)
    try:
        if not _is_empty(target) or not _publish(target):
            _check_complete(target)
    except OSError as error:
        raise DataError(
            f"the digits cannot be written to {str(target)!r}: {error.strerror}; "
            f"set DING_CLS_CACHE to another folder"
        ) from error
    return target


def _publish(target: Path) -> bool:
    """Write beside ``target`` and rename; return False where another process was first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        for relative, pixels in _images():
            (draft / relative).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(draft / relative)
        try:
            draft.rename(target)
        except OSError:
            if _is_empty(target):
                raise
            return False
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


def _images() -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Yield (relative path, 8-bit grey pixels) of every image."""
    digits = load_digits()
    pixels = np.rint(digits.images * (255 / _MAX_LEVEL)).astype(np.uint8)
    for number, (target, split) in enumerate(zip(digits.targets, digits.splits, strict=True)):
        yield f"{_SPLITS[split]}/{target}/{number:04d}.png", pixels[number]


def _check_complete(target: Path) -> None:
    missing = 0
    for relative, _ in _images():
        path = target / relative
        missing += not (path.is_file() and path.stat().st_size)
    if missing:
        raise DataError(
            f"{str(target)!r} lacks {missing} of the 1797 digits; "
            f"remove the folder to have it written again, or name another one"
        )


def _is_empty(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _cache_folder() -> Path:
    if own := os.environ.get("DING_CLS_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG rule: a relative path there is to be ignored.
    return (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "ding_cls"
