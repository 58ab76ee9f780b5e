"""Published datasets of images with lists beside them: CUB, Stanford Cars, ImageNet-21k.

They must not know loaders.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ding_cls.data.datasets.base import Annotation, CustomDataset
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.labels import renumbered
from ding_cls.data.transforms.compose import Described
from ding_cls.errors import ConfigError, DataError
from ding_cls.images.tables.lists import read_lines


class _WithOwnClasses(CustomDataset):
    """A dataset whose labels count classes that it names itself."""

    def _of_own(self, labels: Sequence[int], own: Sequence[str] | None) -> npt.NDArray[np.int64]:
        """Return labels as numbers of the classes that were asked for; its own ones where none were."""
        numbers = np.array(labels, np.int64)
        if self.CLASSES is None:
            self.CLASSES = own
        if own is None or self.CLASSES is None:
            return numbers
        return renumbered(numbers, own, self.CLASSES, owner=type(self).__name__)


@DATASETS.register_module()
class CUB(_WithOwnClasses):
    """Caltech-UCSD Birds-200-2011.

    Args:
        data_prefix: the folder of the images, ``images``.
        pipeline: as in `BaseDataset`.
        classes: as in `BaseDataset`; those of ``classes.txt`` beside ``ann_file`` by default.
        ann_file: ``images.txt``; above ``data_prefix`` where None, like the other two.
        image_class_labels_file: ``image_class_labels.txt``.
        train_test_split_file: ``train_test_split.txt``.
        test_mode: the test part.

    Raises:
        DataError: a file is missing, or the three do not list the same images.
    """

    def __init__(
        self,
        data_prefix: str | os.PathLike[str],
        pipeline: Sequence[Described],
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
        image_class_labels_file: str | os.PathLike[str] | None = None,
        train_test_split_file: str | os.PathLike[str] | None = None,
        test_mode: bool = False,
    ) -> None:
        above = Path(data_prefix).parent
        self._labels = image_class_labels_file or above / "image_class_labels.txt"
        self._splits = train_test_split_file or above / "train_test_split.txt"
        super().__init__(
            data_prefix, pipeline, classes, ann_file or above / "images.txt", test_mode=test_mode
        )

    def load_annotations(self) -> list[Annotation]:
        """Return the part's images in the published order."""
        names, labels, splits = (
            _numbered_lines(path) for path in (str(self.ann_file), self._labels, self._splits)
        )
        if not names.keys() == labels.keys() == splits.keys():
            raise DataError(f"{self.ann_file!r}, '{self._labels}' and '{self._splits}' list other pictures")
        listing = Path(str(self.ann_file)).with_name("classes.txt")
        own = None
        if self.CLASSES is None or listing.is_file():
            own = self.get_classes(list(_numbered_lines(listing).values()))
        wanted = "0" if self.test_mode else "1"
        chosen = [number for number in names if splits[number] == wanted]
        targets = self._of_own([int(labels[number]) - 1 for number in chosen], own)
        return [self._entry(names[number], label) for number, label in zip(chosen, targets, strict=True)]


# The lists of the training and the test part.
_CARS_LISTS = ("cars_train_annos.mat", "cars_test_annos_withlabels.mat")


@DATASETS.register_module()
class StanfordCars(_WithOwnClasses):
    """Stanford Cars, from ``cars_annos.mat`` or from its ``devkit``; SciPy reads them.

    Args:
        data_prefix: the folder that the names in the file begin from.
        pipeline: as in `BaseDataset`.
        classes: as in `BaseDataset`; the file's own by default.
        ann_file: the file; where None ``cars_annos.mat`` in ``data_prefix``, or else the part's list in
            ``devkit`` there, with the images in ``cars_train`` and ``cars_test``.
        test_mode: the test part.

    Raises:
        ConfigError: SciPy is not installed.
        DataError: the file is missing or has another form.
    """

    def __init__(
        self,
        data_prefix: str | os.PathLike[str],
        pipeline: Sequence[Described],
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
        test_mode: bool = False,
    ) -> None:
        listing = ann_file or Path(data_prefix, "cars_annos.mat")
        if ann_file is None and not Path(listing).is_file() and Path(data_prefix, "devkit").is_dir():
            listing = Path(data_prefix, "devkit", _CARS_LISTS[test_mode])
        super().__init__(data_prefix, pipeline, classes, listing, test_mode=test_mode)

    def load_annotations(self) -> list[Annotation]:
        """Return the part's images in the published order."""
        content = read_mat(str(self.ann_file))
        try:
            if "fname" in (content["annotations"].dtype.names or ()):
                return self._of_devkit(content["annotations"])
            own = self.get_classes([str(each) for each in content["class_names"]])
            samples = [
                (str(each["relative_im_path"]), int(each["class"]) - 1)
                for each in content["annotations"]
                if bool(each["test"]) == self.test_mode
            ]
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise DataError(f"{self.ann_file!r} is not the list of Stanford Cars: {error}") from error
        targets = self._of_own([label for _, label in samples], own)
        return [self._entry(name, label) for (name, _), label in zip(samples, targets, strict=True)]

    def _of_devkit(self, listed: Any) -> list[Annotation]:
        """Return the samples of one part's own list, whose names begin from the part's folder."""
        names, rows = Path(str(self.ann_file)).with_name("cars_meta.mat"), np.atleast_1d(listed)
        own = None
        if names.is_file():
            own = self.get_classes([str(each) for each in read_mat(names)["class_names"]])
        folder = "cars_test" if self.test_mode else "cars_train"
        below = f"{folder}/" if Path(self.data_prefix, folder).is_dir() else ""
        targets = self._of_own([int(each["class"]) - 1 for each in rows], own)
        return [
            self._entry(f"{below}{each['fname']}", label) for each, label in zip(rows, targets, strict=True)
        ]


@DATASETS.register_module()
class ImageNet21k(CustomDataset):
    """ImageNet-21k in class folders, or with a file of ``path number`` lines; all as in `CustomDataset`."""


def read_mat(path: str | os.PathLike[str] | BinaryIO) -> Any:
    """Return the variables of a MATLAB file, or of one that is open, without its empty dimensions.

    Raises:
        ConfigError: SciPy is not installed.
        DataError: the file is missing or damaged.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ConfigError(f"'{path}' is a MATLAB file, which SciPy reads: pip install scipy") from error
    try:
        return loadmat(path, squeeze_me=True)
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise DataError(f"'{path}' cannot be read as a MATLAB file: {error}") from error


def _numbered_lines(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the rest of each line by its first word."""
    pairs = {}
    for number, line in enumerate(read_lines(path, "list"), 1):
        words = line.split(maxsplit=1)
        if len(words) == 1:
            raise DataError(f"'{os.fspath(path)}', line {number}: {line!r} is not of the form 'number value'")
        if words:
            pairs[words[0]] = words[1]
    return pairs
