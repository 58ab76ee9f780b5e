"""Datasets whose pixels lie in memory: arrays, and ``.npz`` files.

A pipeline for them has no `LoadImageFromFile`. Their pixels are RGB or grey: `Normalize` with
``to_rgb=False`` leaves them so, as in mmclassification. They must not know loaders.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ding_cls.data.datasets.base import Annotation, BaseDataset
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.labels import numbered_array, renumbered
from ding_cls.data.transforms.compose import Described
from ding_cls.errors import ConfigError, DataError

Array = npt.NDArray[Any]


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
            file.
        labels: class numbers or names ``(N,)``, those of several tasks ``(N, K)``, or floats or booleans for
            each class ``(N, C)``; or their name in the file. Numbers count the file's own ``classes`` where
            it has any; those that leave most classes empty are names.

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
        try:
            # np.load would leave a damaged file open.
            with open(self.data_prefix, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                if "classes" in file:
                    self._own = self.get_classes(file["classes"].tolist())
                return file[str(images)], file[str(labels)]
        except FileNotFoundError as error:
            raise DataError(
                f"{self.data_prefix!r} does not exist (in {os.getcwd()!r}); set data_prefix to an .npz file"
            ) from error
        except KeyError as error:
            raise DataError(f"{self.data_prefix!r} has no array {error}") from error
        except (OSError, ValueError, EOFError, TypeError, zlib.error, zipfile.BadZipFile) as error:
            raise DataError(f"{self.data_prefix!r} cannot be read as .npz: {error}") from error

    def own_classes(self) -> tuple[str, ...] | None:
        """Return the names in the file's array ``classes``; None where there is none."""
        return self._own

    def _numbered(self, labels: Array) -> Array:
        place = repr(self.data_prefix) if self.data_prefix else "labels"
        is_text = labels.dtype.kind in "USO"
        named = (self.CLASSES or self._own) if is_text else (self._own or self.CLASSES)
        numbers, names = numbered_array(labels, named, place=place)
        if self.CLASSES is not None and self._own is not None and not is_text:
            return renumbered(numbers, self._own, self.CLASSES, owner=place)
        self.CLASSES = names
        return numbers
