"""torchvision's datasets by their names, through one adapter.

It must not know what is in any of them.
"""

from __future__ import annotations

import inspect
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ding_cls.data.datasets.base import Annotation, BaseDataset
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.transforms.array_ops import as_array
from ding_cls.data.transforms.compose import Described
from ding_cls.errors import ConfigError, DataError, DingError
from ding_cls.images.class_names import renumbering

# Where torchvision's classes keep the labels, so that no image is read to learn them.
_LABELS = ("targets", "labels", "_labels", "y", "_targets")
_PAIRS = ("samples", "_samples", "imgs")
_NAMES = ("classes", "categories", "_classes")
# Those that list files in the order of the disk, which differs from machine to machine.
_UNSORTED = {"SUN397": "_image_files", "INaturalist": "index"}


@DATASETS.register_module()
class TorchvisionDataset(BaseDataset):
    """One of torchvision's datasets for classification, such as ``name='Flowers102'``.

    Its images come as RGB pixels: a pipeline has no `LoadImageFromFile`, and no ``to_rgb=True``.

    Args:
        name: the class in ``torchvision.datasets``.
        data_prefix: its folder, torchvision's ``root``.
        pipeline: as in `BaseDataset`.
        classes: class names in the order of their numbers; torchvision's where None.
        ann_file: not used.
        test_mode: judge, do not train; chooses ``train=False`` where torchvision's class has such an argument
            and ``arguments`` lack it.
        download: fetch the files where they are missing.
        arguments: further arguments of torchvision's class: ``split='train'``.

    Raises:
        ConfigError: there is no such dataset, or it does not take the arguments.
        DataError: its files are missing, or it has no class numbers.
    """

    is_in_memory = True

    def __init__(
        self,
        name: str,
        data_prefix: str | os.PathLike[str],
        pipeline: Sequence[Described],
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
        test_mode: bool = False,
        download: bool = False,
        **arguments: Any,
    ) -> None:
        folder = os.path.expanduser(os.fspath(data_prefix))
        self._inner = _opened(name, folder, test_mode=test_mode, download=download, arguments=arguments)
        super().__init__(data_prefix, pipeline, classes, ann_file, test_mode)

    @property
    def draws_from_torch_only(self) -> bool:
        """False: ``arguments`` may hold a user's own transform."""
        return False

    def load_annotations(self) -> list[Annotation]:
        """Return the labels in torchvision's order; images are read when they are asked for."""
        labels, names = self._labels(), self._first(_NAMES)
        if names is not None:
            labels = self._renumbered(labels, _names(names))
        return [{"gt_label": labels[place], "place": place} for place in self._order()]

    def _renumbered(self, labels: list[Any], names: tuple[str, ...]) -> list[Any]:
        """Return the labels as numbers of the given classes: some sets number those of a split alone."""
        if self.CLASSES is None:
            self.CLASSES = self.get_classes(names)
        given = tuple(self.CLASSES or ())
        if names == given:
            return labels
        if len(names) == len(given) and not set(names) & set(given):
            renumbering(names, given, f"torchvision's {type(self._inner).__name__}")
            return labels
        numbers = {name: number for number, name in enumerate(given)}
        missing = [name for name in names if name not in numbers]
        if missing or labels[0].ndim:
            raise DataError(
                f"torchvision's {type(self._inner).__name__} has {len(names)} classes, {missing[:1]} among "
                f"them, and 'classes' names {len(given)} others"
            )
        table = np.array([numbers[name] for name in names], np.int64)
        return list(table[np.array(labels)])

    def _order(self) -> list[int]:
        places = list(range(len(self._inner)))
        attribute = _UNSORTED.get(type(self._inner).__name__)
        if attribute is None:
            return places
        files = self._attribute(attribute)
        return sorted(places, key=lambda place: os.fsencode(str(files[place])))

    def _first(self, names: Sequence[str]) -> Any:
        return next((each for each in map(self._attribute, names) if each is not None), None)

    def _labels(self) -> list[Any]:
        labels, pairs = self._first(_LABELS), self._first(_PAIRS)
        if labels is None and pairs is not None:
            labels = [pair[1] for pair in pairs]
        if labels is None or len(labels) != len(self._inner):
            labels = [self._inner[index][1] for index in range(len(self._inner))]
        array = np.asarray(labels)
        if array.ndim not in (1, 2) or not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
            raise DataError(f"torchvision's {type(self._inner).__name__} has no class numbers as targets")
        return list(array.astype(np.int64) if np.issubdtype(array.dtype, np.integer) else array)

    def _attribute(self, name: str) -> Any:
        return getattr(self._inner, name, None)

    def _sample(self, index: int, *, shares_pixels: bool = False) -> dict[str, Any]:
        sample = super()._sample(index, shares_pixels=shares_pixels)
        try:
            image = self._inner[sample.pop("place")][0]
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(
                f"sample {index} of torchvision's {type(self._inner).__name__} cannot be read: {error}"
            ) from error
        if not isinstance(image, Image.Image):
            raise DataError(
                f"torchvision's {type(self._inner).__name__} gives a {type(image).__name__}, not a picture"
            )
        sample["img"] = as_array(image)
        return sample


def _opened(name: str, folder: str, *, test_mode: bool, download: bool, arguments: dict[str, Any]) -> Any:
    from torchvision import datasets

    kind = getattr(datasets, name, None) if name in datasets.__all__ else None
    if not inspect.isclass(kind):
        raise ConfigError(f"torchvision has no data set named {name!r}; it has {', '.join(datasets.__all__)}")
    takes = inspect.signature(kind).parameters
    given = dict(arguments)
    if "root" in takes:
        given.setdefault("root", folder)
    if "train" in takes:
        given.setdefault("train", not test_mode)
    elif test_mode and "split" in takes and "split" not in given:
        raise ConfigError(
            f"torchvision's {name} does not tell which split to judge on; add split= to the data set"
        )
    if download and "download" not in takes:
        raise ConfigError(f"torchvision cannot download {name}; leave download out")
    if download:
        _download(kind, {**given, "download": True})
    try:
        return kind(**given)
    except TypeError as error:
        raise ConfigError(f"torchvision's {name}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"torchvision's {name} refuses {arguments}: {error}") from error
    except ImportError as error:
        raise ConfigError(f"torchvision's {name} needs another library: {error}") from error
    except (OSError, RuntimeError) as error:
        if isinstance(error, DingError):
            raise
        raise DataError(f"torchvision's {name} in {folder!r}: {' '.join(str(error).split())}") from error


def _download(kind: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Let torchvision fetch the files, in one process while the others wait."""
    from ding_cls.distributed.comm import barrier, get_rank

    try:
        if get_rank() == 0:
            kind(**arguments)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"torchvision cannot download {kind.__name__}: {error}") from error
    finally:
        # Also after an error: the others must not wait for ever.
        barrier()


def _names(classes: Sequence[Any]) -> tuple[str, ...]:
    """Return the classes' names; torchvision's ImageNet has several for each, and "crane" twice."""
    names = [each if isinstance(each, str) else ", ".join(map(str, each)) for each in classes]
    counts = Counter(names)
    return tuple(name if counts[name] == 1 else f"{name} ({number})" for number, name in enumerate(names))
