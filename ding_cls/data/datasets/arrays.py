"""Datasets whose pixels lie in memory: arrays, and ``.npz`` files.

A pipeline for them has no `LoadImageFromFile`. Their pixels are RGB or grey, and `Normalize` leaves them so
unless it says ``to_rgb=True``, as in mmclassification. They must not know loaders.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.data.datasets.base import Annotation, BaseDataset
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.labels import numbered_array, renumbered
from ding_cls.data.transforms.compose import Described
from ding_cls.errors import ConfigError, DataError

Array = npt.NDArray[Any]

_SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
_IMAGES = ("x", "images", "image", "imgs", "img", "data", "pixels")
_LABELS = ("y", "labels", "label", "targets", "target")
_MAX_LISTED = 8
# Two columns of whole numbers may be two tasks of two classes each.
_FEWEST_COLUMNS = 3


class InMemoryDataset(BaseDataset):
    """Samples out of two arrays, which `load_arrays` returns."""

    is_in_memory = True

    @abstractmethod
    def load_arrays(self) -> tuple[Array, Array]:
        """Return uint8 images ``(N, H, W, 3)`` or ``(N, H, W)``, and labels ``(N,)``, ``(N, K)``, ``(N,
        C)``."""

    def load_annotations(self) -> list[Annotation]:
        """Return the samples in the arrays' order."""
        images, labels = self.load_arrays()
        if images.ndim == 4 and images.shape[-1] == 1:
            images = images[..., 0]
        if images.dtype != np.uint8 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)):
            raise DataError(
                f"{type(self).__name__}: images is an array of {images.dtype} with the shape {images.shape}; "
                "it is uint8 (N, H, W, 3), (N, H, W, 1) or (N, H, W)"
            )
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.ndim not in (1, 2) or len(labels) != len(images):
            raise DataError(
                f"{type(self).__name__}: {len(images)} images, and labels of the shape {labels.shape}; "
                "labels is (N,), (N, tasks), or floats (N, classes)"
            )
        labels = self._numbered(labels)
        return [{"img": img, "gt_label": label} for img, label in zip(images, labels, strict=True)]

    def own_classes(self) -> Sequence[str] | None:
        """Return the names of the classes that the arrays' labels count; None where they have none."""
        return type(self).CLASSES

    def _numbered(self, labels: Array) -> Array:
        """Return labels that count the classes that were asked for, by the names."""
        own, owner = self.own_classes(), type(self).__name__
        if np.issubdtype(labels.dtype, np.integer):
            labels = labels.astype(np.int64)
        is_other = own is not None and self.CLASSES is not None
        return renumbered(labels, own or (), self.CLASSES or (), owner=owner) if is_other else labels


@DATASETS.register_module(name=["ArrayDataset", "NpzDataset"])
class ArrayDataset(InMemoryDataset):
    """Arrays as they are, or those in an ``.npz`` file.

    Args:
        data_prefix: the ``.npz`` file, where no arrays are given.
        pipeline: as in `BaseDataset`, without `LoadImageFromFile`.
        classes: as in `BaseDataset`; the file's array ``classes`` where nobody named any.
        ann_file: not used.
        test_mode: judge, do not train.
        images: uint8 ``(N, H, W, 3)`` RGB, or ``(N, H, W)`` or ``(N, H, W, 1)`` grey; or their name in the
            file. Where the file has no ``images``: those of training or, with ``test_mode``, of validation or
            test under other usual names, see `array_names`.
        labels: class numbers or names ``(N,)`` or ``(N, 1)``, those of several tasks ``(N, K)``, or floats or
            booleans for each class ``(N, C)``, also whole 0 and 1 for each of three named classes and
            more; or their name in the file, as that of ``images``. Numbers
            count the file's own ``classes`` where it has any; those that leave most classes empty are names.

    Raises:
        ConfigError: one array is given, and the name of another.
        DataError: the file is missing or damaged, or lacks an array; or the arrays have other shapes.
    """

    def __init__(
        self,
        data_prefix: str | os.PathLike[str] = "",
        pipeline: Sequence[Described] = (),
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
        test_mode: bool = False,
        images: str | Array = "images",
        labels: str | Array = "labels",
    ) -> None:
        if isinstance(images, str) != isinstance(labels, str):
            raise ConfigError("ArrayDataset: images and labels are both arrays, or both names in a file")
        self._images, self._labels = images, labels
        super().__init__(data_prefix, pipeline, classes, ann_file, test_mode)

    def load_arrays(self) -> tuple[Array, Array]:
        """Return the given arrays, or the file's."""
        self._own: tuple[str, ...] | None = None
        images, labels = self._images, self._labels
        # The samples hold views of them; no second reference is kept, nor sent to workers.
        del self._images, self._labels
        if not isinstance(images, str) and not isinstance(labels, str):
            return np.asarray(images), np.asarray(labels)
        with open_arrays(self.data_prefix) as file:
            if "classes" in file:
                self._own = self.get_classes(file["classes"].tolist())
            if (images, labels) == ("images", "labels") and images not in file:
                images, labels = self._usual_names(_named_splits(list(file)))
            missing = next((name for name in (str(images), str(labels)) if name not in file), None)
            if missing is not None:
                raise DataError(_lacks(self.data_prefix, missing, file))
            return file[images], file[labels]

    def _usual_names(self, found: dict[str, tuple[str, str]]) -> tuple[str, str]:
        """Return the names of the arrays to train on, or to judge by; else those that were asked for."""
        wanted = ("val", "test", "") if self.test_mode else ("train", "")
        return next((found[split] for split in wanted if split in found), ("images", "labels"))

    def own_classes(self) -> tuple[str, ...] | None:
        """Return the names in the file's array ``classes``; None where there is none."""
        return self._own

    def _numbered(self, labels: Array) -> Array:
        place = repr(self.data_prefix) if self.data_prefix else "labels"
        num_named = len(self._own or self.CLASSES or ())
        is_hot = (
            labels.dtype.kind in "iu" and labels.shape[1:] == (num_named,) and num_named >= _FEWEST_COLUMNS
        )
        if is_hot and np.isin(labels, (0, 1)).all():
            labels = labels.astype(np.float32)
        is_text = labels.dtype.kind in "USO"
        named = (self.CLASSES or self._own) if is_text else (self._own or self.CLASSES)
        numbers, names = numbered_array(labels, named, place=place)
        if self.CLASSES is not None and self._own is not None and not is_text:
            return renumbered(numbers, self._own, self.CLASSES, owner=place)
        self.CLASSES = names
        return numbers


def array_names(path: str) -> dict[str, tuple[str, str]]:
    """Return the names of images and labels in an ``.npz`` file, by split; under ``''`` those of no split.

    Known are ``images`` and ``labels``, ``x_train`` and ``y_train`` (Keras), ``train_images`` and
    ``train_labels`` (MedMNIST), in any case. What is called a test set is for validation where nothing else
    is.

    Raises:
        DataError: the file cannot be read, or has no such arrays.
    """
    with open_arrays(path) as file:
        found = _named_splits(list(file))
        if not found:
            raise DataError(_lacks(path, "images", file))
    if "val" not in found and "test" in found:
        found["val"] = found["test"]
    return found


@contextmanager
def open_arrays(path: str) -> Iterator[Any]:
    """Open an ``.npz`` file; no pickled objects are read.

    Raises:
        DataError: it is missing or damaged, also where that shows when an array is read.
    """
    try:
        # np.load would leave a damaged file open.
        with open(path, "rb") as opened:
            loaded = np.load(opened, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise DataError(f"{path!r} holds one array; an .npz file holds images and labels, by name")
            with loaded as file:
                yield file
    except FileNotFoundError as error:
        raise DataError(
            f"{path!r} does not exist (in {os.getcwd()!r}); set data_prefix to an .npz file"
        ) from error
    except (OSError, ValueError, EOFError, TypeError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path!r} cannot be read as .npz: {error}") from error


def _named_splits(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return which of the names are images and labels, by split."""
    found: dict[str, tuple[str, str]] = {}
    for split, words in {**_SPLITS, "": ("",)}.items():
        images = _first_named(names, words, _IMAGES)
        labels = _first_named(names, words, _LABELS)
        if images is not None and labels is not None and images != labels:
            found[split] = images, labels
    return found


def _first_named(names: Sequence[str], words: Sequence[str], kinds: Sequence[str]) -> str | None:
    wanted = [form for kind in kinds for word in words for form in (f"{kind}{word}", f"{word}{kind}")]
    plain = {re.sub(r"[\W_]", "", name.lower()): name for name in reversed(names)}
    return next((plain[each] for each in wanted if each in plain), None)


def _lacks(path: str, name: str, file: Any) -> str:
    shapes = [f"{each} {file[each].shape}" for each in list(file)[:_MAX_LISTED]]
    more = f" and {len(file) - _MAX_LISTED} more" if len(file) > _MAX_LISTED else ""
    return (
        f"{path!r} has no array {name!r}; it has {', '.join(shapes) or 'none'}{more}: name two of them, "
        "images=NAME and labels=NAME"
    )
