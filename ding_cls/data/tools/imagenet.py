"""ImageNet's published archives made into ``train`` and ``val`` class folders.

It must not know who trains on them.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ding_cls.data.datasets.fine_grained import read_mat
from ding_cls.data.tools.split_folder import new_folder
from ding_cls.errors import DataError
from ding_cls.images.tables.lists import read_lines

TRAINING = "ILSVRC2012_img_train.tar"
VALIDATION = "ILSVRC2012_img_val.tar"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
_SYNSET = re.compile(r"n\d{8}")
_VALIDATION_IMAGE = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")
_IMAGE = re.compile(r"\w[\w.-]*\.JPEG")


def prepare_imagenet(
    archives: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    val_labels: str | os.PathLike[str] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, int]:
    """Unpack what is there of ImageNet's archives; return how many images each split has.

    A class folder appears whole or not at all; those that are there already are not unpacked again, so that
    the command may be repeated after an interruption. Names inside the archives choose no path.

    Args:
        archives: folder with ``ILSVRC2012_img_train.tar``, ``ILSVRC2012_img_val.tar`` and, for the latter,
            ``ILSVRC2012_devkit_t12.tar.gz``; either of the first two may be missing.
        target: the folder for ``train`` and ``val``.
        val_labels: text with the synset (``n01440764``) of each validation image, a line each, instead of
            the devkit, which SciPy reads.
        report: told a line now and then.

    Raises:
        ConfigError: SciPy is needed, and not installed.
        DataError: an archive is missing or damaged, or labels and images differ in number.
    """
    folder, out = Path(archives).expanduser(), Path(target).expanduser()
    found = [name for name in (TRAINING, VALIDATION) if (folder / name).is_file()]
    if not found:
        raise DataError(f"'{folder}' has neither {TRAINING!r} nor {VALIDATION!r}")
    counts = {}
    if TRAINING in found:
        counts["train"] = _unpack_training(folder / TRAINING, out / "train", report)
    if VALIDATION in found:
        synsets = _synsets_of_devkit(folder / DEVKIT) if val_labels is None else _synsets_of_text(val_labels)
        counts["val"] = _unpack_validation(folder / VALIDATION, out / "val", synsets, report)
    return counts


def _unpack_training(archive: Path, target: Path, report: Callable[[str], None]) -> int:
    total = 0
    with _opened(archive) as classes:
        for number, member in enumerate(classes, 1):
            synset = PurePosixPath(member.name).stem
            if not member.isfile() or not _SYNSET.fullmatch(synset):
                continue
            if not _is_filled(target / synset):
                with (
                    new_folder(target / synset) as draft,
                    _opened(archive, classes.extractfile(member)) as images,
                ):
                    for image in images:
                        name = PurePosixPath(image.name).name
                        if image.isfile() and _IMAGE.fullmatch(name):
                            _write(images, image, draft / name)
            total += sum(1 for _ in (target / synset).iterdir())
            if number % 50 == 0:
                report(f"{number} classes, {total} pictures")
    return total


def _unpack_validation(archive: Path, target: Path, synsets: list[str], report: Callable[[str], None]) -> int:
    if _is_filled(target):
        return sum(1 for _ in target.glob("*/*"))
    total = 0
    with new_folder(target) as draft, _opened(archive) as images:
        for image in images:
            found = _VALIDATION_IMAGE.fullmatch(PurePosixPath(image.name).name)
            if not image.isfile() or found is None:
                continue
            number = int(found.group(1))
            if not 1 <= number <= len(synsets):
                raise DataError(f"'{archive}' holds {found.group()}, and there are {len(synsets)} labels")
            _write(images, image, draft / synsets[number - 1] / found.group())
            total += 1
            if total % 5000 == 0:
                report(f"{total} validation pictures")
        if total != len(synsets):
            raise DataError(f"'{archive}' holds {total} pictures, and there are {len(synsets)} labels")
    return total


def _is_filled(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    source = archive.extractfile(member)
    if source is None:
        raise DataError(f"'{archive.name!s}' holds {member.name!r}, which is no file")
    with open(path, "wb") as file:
        shutil.copyfileobj(source, file)
    if path.stat().st_size != member.size:
        raise DataError(f"'{archive.name!s}' ends within {member.name!r}; fetch it again")


@contextmanager
def _opened(path: Path, file: IO[bytes] | None = None) -> Iterator[tarfile.TarFile]:
    """Open an archive, or one inside it."""
    try:
        with tarfile.open(None if file else path, fileobj=file) as archive:
            yield archive
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' is damaged or cut short: {error}; fetch it again") from error


def _synsets_of_text(path: str | os.PathLike[str]) -> list[str]:
    synsets = [line.split()[-1] for line in read_lines(path, "list of validation labels") if line]
    wrong = next((each for each in synsets if not _SYNSET.fullmatch(each)), None)
    if wrong is not None:
        raise DataError(f"'{os.fspath(path)}' holds {wrong!r}; a label is a synset such as n01440764")
    return synsets


def _synsets_of_devkit(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(
            f"'{path}' is not there, which says what the validation pictures show; or --val-labels"
        )
    contents: dict[str, bytes] = {}
    with _opened(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            file = archive.extractfile(member) if name in (_TRUTH, "meta.mat") else None
            if file is not None:
                contents[name] = file.read()
    try:
        rows: Any = read_mat(io.BytesIO(contents["meta.mat"]))["synsets"]
        by_number = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in rows}
        return [by_number[int(line)] for line in contents[_TRUTH].decode().split()]
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise DataError(f"'{path}' is not ImageNet's devkit: {error}") from error
