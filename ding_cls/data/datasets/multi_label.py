"""Datasets with several labels for each image, as multi-hot floats: lists, VOC.

They must not know losses: what -1 means is the head's business.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.data.datasets.base import Annotation, CustomDataset
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.labels import LabelView, numbered_array, renumbered
from ding_cls.data.transforms.compose import Described
from ding_cls.errors import DataError
from ding_cls.images.decoding.formats import EXTENSIONS
from ding_cls.images.label_words import MOST_CLASSES, multi_hot, number_names, numbered
from ding_cls.images.tables.lists import read_lines, read_pairs

DIFFICULT = -1
"""What stands in a label where an annotator was not sure, as in mmclassification."""


@DATASETS.register_module()
class MultiLabelDataset(CustomDataset):
    """Images with any number of labels each; a target is float32 ``(C,)``: 1, 0, or -1 for difficult.

    A subclass may give such labels from `load_annotations` itself, of any type of number.

    Args:
        data_prefix: the folder that the file's names begin from.
        pipeline: as in `BaseDataset`.
        classes: as in `CustomDataset`.
        ann_file: text with a line ``path label,label`` for each sample (``path ,`` has none); or JSON as
            mmpretrain's: ``{"metainfo": {"classes": [...]}, "data_list": [{"img_path": ..., "gt_label": [0,
            2]}]}``. A label is a class's name, letter for letter; where none is one, labels are class
            numbers. JSON's numbers are class numbers, of ``metainfo``'s classes where there are some.
        extensions: as in `CustomDataset`.
        test_mode: judge, do not train.

    Raises:
        DataError: the file is missing or has another form, or a label is none of the classes.
    """

    is_multi_label = True

    def __init__(
        self,
        data_prefix: str | os.PathLike[str],
        pipeline: Sequence[Described],
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
        extensions: Sequence[str] = EXTENSIONS,
        test_mode: bool = False,
    ) -> None:
        super().__init__(data_prefix, pipeline, classes, ann_file, extensions, test_mode)

    def load_annotations(self) -> list[Annotation]:
        """Return the file's samples in its order."""
        if self.ann_file is None:
            raise DataError(f"{type(self).__name__} needs an ann_file: class folders say one label alone")
        is_json = self.ann_file.endswith(".json")
        names, numbers, places = self._of_json(self.ann_file) if is_json else self._of_text(self.ann_file)
        if self.CLASSES is None:
            highest = max((each for labels in numbers for each in labels), default=0)
            self.CLASSES = number_names(highest)
        for place, labels in zip(places, numbers, strict=True):
            for label in labels:
                if label >= len(self.CLASSES):
                    raise DataError(
                        f"{place}: there is no class number {label} among {len(self.CLASSES)} classes"
                    )
        hot = (multi_hot(labels, len(self.CLASSES)) for labels in numbers)
        return [self._entry(name, label) for name, label in zip(names, hot, strict=True)]

    def label_view(self) -> Sequence[Any]:
        """Return the label of each sample as floats, not copied: whole numbers would be tasks elsewhere."""
        given = super().label_view()
        return LabelView(lambda index: np.asarray(given[index], np.float32), len(given))

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class numbers of a sample; those marked as difficult are not among them."""
        label = np.asarray(self.data_infos[idx]["gt_label"])
        numbers: list[int] = np.flatnonzero(label == 1).tolist()
        return numbers

    def _target(self, label: Any) -> torch.Tensor:
        return torch.as_tensor(np.asarray(label), dtype=torch.float32)

    def _check_labels(self, labels: npt.NDArray[Any]) -> None:
        if labels.ndim != 2:
            raise DataError(f"{type(self).__name__}: a gt_label is one number for each class, 1, 0 or -1")
        self._check_shares(labels)

    def _of_json(self, path: str) -> tuple[list[str], list[list[int]], list[str]]:
        try:
            content = json.loads("\n".join(read_lines(path, "annotation file")))
            listed = [(str(each["img_path"]), list(each["gt_label"])) for each in content["data_list"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f'{path!r} is not of the form {{"metainfo": {{"classes": [...]}}, "data_list": '
                f'[{{"img_path": ..., "gt_label": [...]}}]}}: {type(error).__name__} {error}'
            ) from error
        meta = content.get("metainfo")
        own = self.get_classes(meta["classes"]) if isinstance(meta, Mapping) and "classes" in meta else None
        labels, places = [each for _, each in listed], [f"{path!r}, entry {n}" for n in range(len(listed))]
        if all(type(each) is int and 0 <= each < MOST_CLASSES for sample in labels for each in sample):
            numbers = self._of_numbers(labels, own, repr(path))
        else:
            words = [[str(each) for each in sample] for sample in labels]
            numbers, self.CLASSES = numbered(words, self.CLASSES or own, places, counts=True)
        return [name for name, _ in listed], numbers, places

    def _of_numbers(
        self, labels: list[list[int]], own: tuple[str, ...] | None, place: str
    ) -> list[list[int]]:
        """Return JSON's numbers, which count the file's own classes where it names any."""
        flat = np.array([each for sample in labels for each in sample], np.int64)
        flat, names = numbered_array(flat, own or self.CLASSES, place=place)
        if own is not None and self.CLASSES is not None:
            flat, names = renumbered(flat, own, self.CLASSES, owner=place), tuple(self.CLASSES)
        self.CLASSES = names
        ends = list(accumulate(map(len, labels), initial=0))
        return [flat[start:end].tolist() for start, end in pairwise(ends)]

    def _of_text(self, path: str) -> tuple[list[str], list[list[int]], list[str]]:
        names, words, places = read_pairs(path)
        labels = [[label for label in word.split(",") if label] for word in words]
        numbers, self.CLASSES = numbered(labels, self.CLASSES, places, counts=True)
        return names, numbers, places


@DATASETS.register_module()
class VOC(MultiLabelDataset):
    """Pascal VOC's images with the classes of the objects in them; its twenty classes by default.

    An object marked as difficult, where no other of its class is there, gives -1.

    Args:
        data_prefix: the folder of one year, with ``JPEGImages`` and ``Annotations`` in it.
        pipeline: as in `BaseDataset`.
        classes: as in `BaseDataset`.
        ann_file: a list of image names such as ``ImageSets/Main/train.txt``; ``trainval.txt`` where None,
            ``test.txt`` with ``test_mode``.
        test_mode: judge, do not train.
        difficult_as_postive: what an object that is marked as difficult makes of its class, where no other
            of that class is there: True 1, False 0, None -1. The name is spelt as mmclassification spells it.

    Raises:
        DataError: the list or an annotation is missing or damaged.
    """

    CLASSES = (
        *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
        *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train"),
        "tvmonitor",
    )

    def __init__(
        self,
        data_prefix: str | os.PathLike[str],
        pipeline: Sequence[Described],
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
        test_mode: bool = False,
        difficult_as_postive: bool | None = None,
    ) -> None:
        self.difficult_label = DIFFICULT if difficult_as_postive is None else int(difficult_as_postive)
        listing = Path(data_prefix, "ImageSets", "Main", "test.txt" if test_mode else "trainval.txt")
        super().__init__(data_prefix, pipeline, classes, ann_file or listing, test_mode=test_mode)

    def load_annotations(self) -> list[Annotation]:
        """Return the listed images in the list's order."""
        lines = read_lines(self.ann_file or "", "list of pictures")
        names = [line.split()[0] for line in lines if line]
        return [self._entry(f"JPEGImages/{name}.jpg", self._label(name)) for name in names]

    def _label(self, name: str) -> npt.NDArray[np.float32]:
        path = os.path.join(self.data_prefix, "Annotations", f"{name}.xml")
        try:
            objects = ElementTree.parse(path).getroot().findall("object")
        except (OSError, ElementTree.ParseError) as error:
            raise DataError(f"the annotation {path!r} cannot be read: {error}") from error
        numbers, label = self.class_to_idx, np.zeros(len(self.classes), np.float32)
        for each in objects:
            number = numbers.get((each.findtext("name") or "").strip())
            is_difficult = (each.findtext("difficult") or "0").strip() == "1"
            if number is not None and (not is_difficult or label[number] == 0):
                label[number] = self.difficult_label if is_difficult else 1
        return label
