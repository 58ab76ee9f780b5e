"""CIFAR and MNIST from the files that they are published as; none of their code is run.

They must not know loaders.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import pickle
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ding_cls.data.datasets.arrays import Array, InMemoryDataset
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.transforms.compose import Described
from ding_cls.errors import DataError


class PublishedDataset(InMemoryDataset):
    """The files that a dataset is published as, in a folder or below it.

    Args:
        data_prefix: the folder of the files, or the one above it.
        pipeline: as in `BaseDataset`, without `LoadImageFromFile`.
        classes: as in `BaseDataset`; the published names by default.
        ann_file: not used.
        test_mode: read the test part.
        download: let torchvision fetch the files into ``data_prefix`` where one is missing.

    Attributes:
        holds_every_split: one folder serves training, validation and test.

    Raises:
        DataError: a file is missing or damaged, or cannot be fetched.
    """

    holds_every_split = True

    _FOLDERS: tuple[str, ...] = ()
    _TRAINING: tuple[str, ...] = ()
    _TEST: tuple[str, ...] = ()
    _MORE: tuple[str, ...] = ()

    def __init__(
        self,
        data_prefix: str | os.PathLike[str],
        pipeline: Sequence[Described],
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
        test_mode: bool = False,
        download: bool = False,
    ) -> None:
        if download:
            self._download(os.path.expanduser(os.fspath(data_prefix)))
        super().__init__(data_prefix, pipeline, classes, ann_file, test_mode)

    @classmethod
    def is_published_in(cls, folder: str | os.PathLike[str]) -> bool:
        """Return whether a folder, or one below it, has a file of the dataset."""
        return any(cls._found(folder, name) for name in (*cls._TRAINING, *cls._TEST))

    @property
    def _files(self) -> tuple[str, ...]:
        """The names of the part's files."""
        return self._TEST if self.test_mode else self._TRAINING

    def _find(self, name: str) -> Path:
        path = self._found(self.data_prefix, name)
        if path is None:
            part = "val" if self.test_mode else "train"
            raise DataError(
                f"{self.data_prefix!r} has no file {name!r} of {type(self).__name__}, which needs "
                f"{', '.join(self._files)}, there or in {' or '.join(self._FOLDERS)}; name that folder "
                f"(--data FOLDER, or policy.collect.{part}.data_prefix=FOLDER), or let torchvision fetch the "
                f"files: policy.collect.{part}.download=True"
            )
        return path

    @classmethod
    def _found(cls, folder: str | os.PathLike[str], name: str) -> Path | None:
        places = (
            Path(folder, below, f"{name}{end}") for below in (".", *cls._FOLDERS) for end in ("", ".gz")
        )
        return next((path for path in places if path.is_file()), None)

    def _download(self, folder: str) -> None:
        """Let torchvision fetch what is missing, in one process while the others wait."""
        from torchvision import datasets

        from ding_cls.distributed.comm import barrier, get_rank

        name = type(self).__name__
        names = (*self._TRAINING, *self._TEST, *self._MORE)
        try:
            if get_rank() == 0 and not all(self._found(folder, each) for each in names):
                getattr(datasets, name)(folder, download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(f"{name} cannot be downloaded into {folder!r}: {error}") from error
        finally:
            # Also after an error: the others must not wait for ever.
            barrier()


@DATASETS.register_module()
class CIFAR10(PublishedDataset):
    """CIFAR-10's Python version, 32 x 32 RGB; the arguments are those of `PublishedDataset`.

    Source: "Learning Multiple Layers of Features from Tiny Images", Krizhevsky 2009.
    """

    CLASSES: Sequence[str] | None = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    _FOLDERS = ("cifar-10-batches-py",)
    _TRAINING = tuple(f"data_batch_{number}" for number in range(1, 6))
    _TEST = ("test_batch",)
    _LABELS = "labels"

    def load_arrays(self) -> tuple[Array, Array]:
        """Return the images and labels of the published batches, in their order."""
        batches = [self._batch(name) for name in self._files]
        pixels = np.concatenate([images for images, _ in batches])
        # Published plane after plane.
        images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        return images, np.concatenate([labels for _, labels in batches])

    def _batch(self, name: str) -> tuple[Array, Array]:
        path = self._find(name)
        content = read_pickled_arrays(path)
        try:
            images = np.asarray(content["data"], np.uint8).reshape(-1, 3 * 32 * 32)
            return images, np.asarray(content[self._LABELS], np.int64)
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"'{path}' is no batch of {type(self).__name__}: {error}") from error


@DATASETS.register_module()
class CIFAR100(CIFAR10):
    """CIFAR-100's Python version with its fine labels; the arguments are those of `PublishedDataset`."""

    CLASSES = None
    _FOLDERS = ("cifar-100-python",)
    _TRAINING = ("train",)
    _TEST = ("test",)
    _MORE = ("meta",)
    _LABELS = "fine_labels"

    def load_arrays(self) -> tuple[Array, Array]:
        """Return the images and fine labels, in the published order."""
        if self.CLASSES is None:
            self.CLASSES = self.get_classes(read_pickled_arrays(self._find("meta")).get("fine_label_names"))
        return super().load_arrays()


@DATASETS.register_module()
class MNIST(PublishedDataset):
    """MNIST's four files, grey 28 x 28, packed by gzip or not; the arguments are those of `PublishedDataset`.

    Source: "Gradient-based learning applied to document recognition", LeCun et al. 1998.
    """

    CLASSES = (
        *("0 - zero", "1 - one", "2 - two", "3 - three", "4 - four"),
        *("5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine"),
    )
    _FOLDERS = ("raw", "MNIST/raw")
    _TRAINING = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    _TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

    def load_arrays(self) -> tuple[Array, Array]:
        """Return grey images ``(N, 28, 28)`` and their labels."""
        images, labels = (read_idx(self._find(name)) for name in self._files)
        return images, labels


@DATASETS.register_module()
class FashionMNIST(MNIST):
    """Fashion-MNIST's files, which have the form and the names of MNIST's.

    Source: "Fashion-MNIST: a Novel Image Dataset", Xiao et al. 2017 (arXiv:1708.07747).
    """

    CLASSES = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    _FOLDERS = ("raw", "FashionMNIST/raw")


class _ArraysOnlyUnpickler(pickle.Unpickler):
    """Reads NumPy arrays and plain values; whatever else a pickle names is refused, never called."""

    _ALLOWED = {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")
        # numpy.core is the name of old files; it warns, and will go.
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_pickled_arrays(path: Path) -> dict[str, Any]:
    """Return the dict in a pickle of arrays and plain values; none of its code is run.

    Raises:
        DataError: the file is missing or damaged, or holds something else.
    """
    try:
        content = _ArraysOnlyUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}") from error
    # A damaged pickle can raise nearly anything.
    except Exception as error:
        raise DataError(f"'{path}' is no pickle of arrays: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"'{path}' holds a {type(content).__name__}, not a dict of arrays")
    return content


def read_idx(path: Path) -> Array:
    """Return the array in an IDX file of bytes, also one packed by gzip.

    Raises:
        DataError: the file is missing or damaged, or holds something else.

    Source: "The IDX file format", Y. LeCun, C. Cortes, C. Burges, yann.lecun.com/exdb/mnist.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' cannot be read: {getattr(error, 'strerror', None) or error}") from error
    num_axes = content[3] if len(content) > 3 else 0
    start = 4 + 4 * num_axes
    shape = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(num_axes)]
    if content[:3] != b"\x00\x00\x08" or len(content) != start + math.prod(shape):
        raise DataError(f"'{path}' is no whole IDX file of bytes ({len(content)} bytes)")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
