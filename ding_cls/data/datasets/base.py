"""Datasets described by annotations and a pipeline, in the form of mmclassification 0.x.

A subclass says in `BaseDataset.load_annotations` which samples there are; the pipeline says what becomes of
each. They must not know loaders, models or configs.
"""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from ding_cls.data.datasets.openmmlab import evaluate_scores
from ding_cls.data.datasets.registry import DATASETS
from ding_cls.data.labels import LabelView, as_target
from ding_cls.data.transforms.array_ops import as_pixels, described_sample
from ding_cls.data.transforms.compose import Compose, Described
from ding_cls.data.transforms.default import pipeline_preprocessing
from ding_cls.data.transforms.loading import LoadImageFromFile
from ding_cls.data.transforms.preprocessing import PipelinePreprocessing
from ding_cls.errors import DataError
from ding_cls.images.class_names import listed_names
from ding_cls.images.decoding.formats import EXTENSIONS
from ding_cls.images.label_words import check_positions, number_names, numbered
from ding_cls.images.left_out import LeftOut
from ding_cls.images.listing import check_classes, list_classes, list_images, list_samples
from ding_cls.images.tables.lists import read_class_names, read_lines, read_pairs

Annotation = dict[str, Any]


class BaseDataset(Dataset[dict[str, Any]], ABC):
    """Samples by annotation, each sent through a pipeline.

    ``dataset[i]`` runs the whole pipeline and returns its dict. Our loader takes ``dataset.load(i)``: the
    pixels before a `Normalize` at the end, which then runs on whole batches with the same bits.

    A step finds in ``results`` what `load_annotations` said, and ``sample_idx`` and ``class_name``.

    Args:
        data_prefix: folder of the files; may be empty where the annotations need none.
        pipeline: steps, as `Compose` takes them.
        classes: class names in the order of their numbers, a map between names and numbers, or a file: text
            with one name a line, or ``.json``; the class attribute ``CLASSES`` where None, and what the
            labels say where that is None too.
        ann_file: file that lists the samples; its meaning is the subclass's.
        test_mode: judge, do not train.

    Attributes:
        CLASSES: class names; the position is the class number.
        data_infos: what `load_annotations` returned.
        with_label: the samples have labels; without them they can only be predicted.
        is_in_memory: `load_annotations` gives pixels, so that a pipeline needs no `LoadImageFromFile`.

    Raises:
        ConfigError: a step cannot be built.
        DataError: there are no samples, or a label is no class number.
    """

    CLASSES: Sequence[str] | None = None
    with_label = True
    is_in_memory = False

    def __init__(
        self,
        data_prefix: str | os.PathLike[str],
        pipeline: Sequence[Described],
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
        test_mode: bool = False,
    ) -> None:
        self.data_prefix = os.path.expanduser(os.fspath(data_prefix or ""))
        self.ann_file = None if ann_file is None else os.path.expanduser(os.fspath(ann_file))
        self.test_mode = test_mode
        self.pipeline = Compose(pipeline)
        self.preprocessing = _preprocessing_of(pipeline)
        self.CLASSES = self.get_classes(classes)
        self.data_infos = self.load_annotations()
        self._fix_classes()

    @abstractmethod
    def load_annotations(self) -> list[Annotation]:
        """Return one dict for each sample.

        ``img_prefix`` and ``img_info=dict(filename=)`` name its file, or ``img`` holds its pixels, RGB as
        ``(H, W, 3)`` or grey as ``(H, W)``. ``gt_label`` is its class number, an int or a NumPy integer; or
        an array: whole numbers, one for each of several tasks, or floats, one for each class. ``weight`` and
        ``group`` may say how much it counts in the loss, and with which samples it stays together.
        """

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; the position is the class number."""
        return tuple(self.CLASSES or ())

    @property
    def draws_from_torch_only(self) -> bool:
        """Whether the pipeline takes its random numbers from torch's generator only."""
        return self.pipeline.is_builtin

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Class number by name."""
        return {name: number for number, name in enumerate(self.classes)}

    @property
    def targets(self) -> list[Any]:
        """Class number of each sample; a list of numbers each where a sample has several."""
        labels: list[Any] = self.get_gt_labels().tolist()
        return labels

    def label_view(self) -> Sequence[Any]:
        """Return the label of each sample as `load_annotations` gave it, without a copy."""
        has_own = any(
            getattr(type(self), name) is not getattr(BaseDataset, name)
            for name in ("targets", "get_gt_labels")
        )
        if has_own:
            return self.targets
        return LabelView(lambda index: self.data_infos[index]["gt_label"], len(self.data_infos))

    @property
    def sample_weights(self) -> list[float] | None:
        """How much each sample counts in the loss; None where no annotation says."""
        if not any("weight" in info for info in self.data_infos):
            return None
        return [float(info.get("weight", 1.0)) for info in self.data_infos]

    @property
    def groups(self) -> list[Any] | None:
        """Which samples stay together when data are split; None where an annotation does not say."""
        if not all("group" in info for info in self.data_infos):
            return None
        return [info["group"] for info in self.data_infos]

    def get_gt_labels(self) -> npt.NDArray[Any]:
        """Return the label of each sample as one array.

        Raises:
            DataError: the labels have several lengths.
        """
        try:
            return np.array([info["gt_label"] for info in self.data_infos])
        except ValueError as error:
            raise DataError(f"{type(self).__name__}: the labels of two samples differ in length") from error

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class numbers of a sample: one, or one for each task."""
        numbers: list[int] = np.atleast_1d(np.asarray(self.data_infos[idx]["gt_label"])).astype(int).tolist()
        return numbers

    @classmethod
    def get_classes(
        cls, classes: str | os.PathLike[str] | Sequence[str] | Mapping[Any, Any] | None = None
    ) -> tuple[str, ...] | None:
        """Return the class names that ``classes`` means; None where nobody named any.

        Beside what `BaseDataset` takes it may be a map between names and class numbers, either way round.

        Raises:
            DataError: the file cannot be read, a name is no text or occurs twice, or a map has other numbers.
        """
        if classes is None:
            classes = cls.CLASSES
        if classes is None:
            return None
        given = read_class_names(classes) if isinstance(classes, (str, os.PathLike)) else classes
        names = listed_names(given)
        check_classes((), names, "")
        return names

    def evaluate(
        self,
        results: Sequence[Any],
        metric: str | Sequence[str] = "accuracy",
        metric_options: Mapping[str, Any] | None = None,
        indices: Sequence[int] | None = None,
        logger: Any = None,
    ) -> dict[str, Any]:
        """Return percentages by mmclassification's names; that of a subclass is called in evaluation.

        Args:
            results: float ``(C,)`` probabilities of each sample, in order.
            metric: as in `evaluate_scores`, like ``metric_options``.
            metric_options: ``topk``, ``thrs``, ``average_mode``.
            indices: which samples the results are of; None: all.
            logger: not used; a subclass may.

        Raises:
            ConfigError: another metric or option, or not one result for each sample.
        """
        labels = self.get_gt_labels()
        chosen = labels if indices is None else labels[list(indices)]
        return evaluate_scores(results, chosen, metric, metric_options)

    def prepare_data(self, idx: int) -> dict[str, Any]:
        """Return a sample after the whole pipeline.

        Raises:
            DataError: a step cannot use it.
        """
        return self.pipeline(self._sample(idx))

    def __len__(self) -> int:
        return len(self.data_infos)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Return a sample after the whole pipeline; see `prepare_data`."""
        return self.prepare_data(idx)

    def image_file(self, index: int) -> str | None:
        """Return the path of the image that the pipeline begins with; None where it begins otherwise."""
        info = self.data_infos[index].get("img_info")
        is_read = self.pipeline.steps and isinstance(self.pipeline.steps[0], LoadImageFromFile)
        if not is_read or not isinstance(info, Mapping) or "filename" not in info:
            return None
        return LoadImageFromFile.path_of(self.data_infos[index])

    def image_pixels(self, index: int) -> Any:
        """Return the pixels that the pipeline begins with; None where it begins otherwise."""
        return self._sample(index, shares_pixels=True).get("img")

    def load(self, index: int) -> tuple[torch.Tensor, int | torch.Tensor]:
        """Return (uint8 ``(H, W, 3)`` pixels, target); floats ``(3, H, W)`` if the pipeline makes some.

        The target is a class number, int64 ``(K,)`` for several tasks, or float32 ``(C,)``. Pixels in memory
        that no step has changed are shared with the data set, so copy them before writing into them.

        Raises:
            DataError: a step cannot use the sample, or leaves no image or no label.
        """
        sample = self._sample(index, shares_pixels=self.pipeline.is_builtin)
        label = sample["gt_label"]
        results = self.pipeline.pixels(sample)
        if "img" not in results:
            first = "" if self.is_in_memory else "; begin it with LoadImageFromFile"
            name = described_sample(self._sample(index))
            raise DataError(f"the pipeline leaves no 'img' for {name}{first}")
        return as_pixels(results["img"]), self._target(results.get("gt_label", label))

    def _target(self, label: Any) -> int | torch.Tensor:
        return as_target(label)

    def _sample(self, index: int, *, shares_pixels: bool = False) -> dict[str, Any]:
        # A copy: a step may write into what it is given, and the next epoch needs the same again.
        info = self.data_infos[index]
        sample = copy.deepcopy(
            info, {id(info["img"]): info["img"]} if shares_pixels and "img" in info else None
        )
        sample.setdefault("sample_idx", range(len(self))[index])
        names = [self.classes[number] for number in self.get_cat_ids(index) if number >= 0]
        if names:
            sample.setdefault("class_name", ", ".join(names))
        return sample

    def _fix_classes(self) -> None:
        """Check the samples and their labels; name the classes by number where nobody named them."""
        owner = type(self).__name__
        if not self.data_infos:
            where = self.ann_file or self.data_prefix
            raise DataError(f"{owner}.load_annotations() found no samples in {where!r}")
        for index, info in enumerate(self.data_infos):
            if not isinstance(info, Mapping) or "gt_label" not in info:
                raise DataError(f"{owner}.load_annotations(): entry {index} is {info!r}; it lacks 'gt_label'")
        if self.with_label:
            self._check_labels(self.get_gt_labels())

    def _check_labels(self, labels: npt.NDArray[Any]) -> None:
        owner = type(self).__name__
        if labels.ndim == 2 and (labels.dtype == bool or np.issubdtype(labels.dtype, np.floating)):
            self._check_shares(labels)
            return
        if not np.issubdtype(labels.dtype, np.integer):
            raise DataError(f"{owner}.load_annotations(): gt_label must be whole numbers, not {labels.dtype}")
        if self.CLASSES is None:
            self.CLASSES = number_names(int(labels.max()))
        wrong = np.argwhere((labels < 0) | (labels >= len(self.CLASSES)))
        if len(wrong):
            index = int(wrong[0][0])
            sample = f"{described_sample(self.data_infos[index])} (index {index})"
            raise DataError(
                f"{sample} has the class number {labels[tuple(wrong[0])]}; "
                f"there are {len(self.CLASSES)} classes, numbered from 0"
            )

    def _check_shares(self, labels: npt.NDArray[Any]) -> None:
        """Check labels that have one number for each class."""
        if self.CLASSES is None:
            self.CLASSES = tuple(str(number) for number in range(labels.shape[1]))
        if labels.shape[1] != len(self.CLASSES):
            raise DataError(
                f"{type(self).__name__}.load_annotations(): a gt_label has {labels.shape[1]} numbers for "
                f"{len(self.CLASSES)} classes"
            )


@DATASETS.register_module()
class CustomDataset(BaseDataset):
    """Images in one folder for each class, or as a file lists them.

    Args:
        data_prefix: the folder of the class folders; with ``ann_file`` the folder that its names begin from.
        pipeline: as in `BaseDataset`.
        classes: as in `BaseDataset`; the names of the folders in bytewise order where nobody named any. Give
            the training set's list to every other split.
        ann_file: text with a line ``path label`` for each sample. A label is a class's name, letter for
            letter; where none is one, labels are class numbers.
        extensions: endings of image files, for folders.
        test_mode: judge, do not train: a class folder may be empty.
        with_label: False: images without labels, all below the folder or one a line of the file.

    Attributes:
        left_out: the files of the folders that are none of the samples.

    Raises:
        DataError: a folder or the file is missing or empty, or a class is none of ``classes``.
    """

    def __init__(
        self,
        data_prefix: str | os.PathLike[str],
        pipeline: Sequence[Described],
        classes: str | os.PathLike[str] | Sequence[str] | None = None,
        ann_file: str | os.PathLike[str] | None = None,
        extensions: Sequence[str] = EXTENSIONS,
        test_mode: bool = False,
        with_label: bool = True,
    ) -> None:
        self.extensions = tuple(each.lower() for each in extensions)
        self.with_label = with_label
        self.left_out = LeftOut()
        super().__init__(data_prefix, pipeline, classes, ann_file, test_mode)

    def load_annotations(self) -> list[Annotation]:
        """Return the folders' samples, by class and path in bytewise order, or the file's, in its order."""
        samples = self._listed_in_folders() if self.ann_file is None else self._listed_in_file(self.ann_file)
        return [self._entry(name, np.array(label, np.int64)) for name, label in samples]

    def _entry(self, name: str, label: Any) -> Annotation:
        return {"img_prefix": self.data_prefix, "img_info": {"filename": name}, "gt_label": label}

    def _listed_in_folders(self) -> list[tuple[str, int]]:
        if not self.with_label:
            return [(name, -1) for name in list_images(self.data_prefix, self.extensions, self.left_out)]
        folders = list_classes(self.data_prefix, self.CLASSES or (), self.left_out)
        if self.CLASSES is None:
            self.CLASSES = folders
        check_classes(folders, self.CLASSES, self.data_prefix)
        return list_samples(
            self.data_prefix,
            folders,
            self.class_to_idx,
            extensions=self.extensions,
            refuse_empty=not self.test_mode,
            left_out=self.left_out,
        )

    def _listed_in_file(self, path: str) -> list[tuple[str, int]]:
        if not self.with_label:
            return [(name, -1) for name in read_lines(path, "annotation file") if name]
        names, words, places = read_pairs(path)
        found, self.CLASSES = numbered([[word] for word in words], self.CLASSES, places, counts=True)
        numbers = [number for (number,) in found]
        if self.CLASSES is not None and set(words).isdisjoint(self.CLASSES):
            check_positions(names, numbers, self.CLASSES, places)
        return list(zip(names, numbers, strict=True))


@DATASETS.register_module()
class ImageNet(CustomDataset):
    """ImageNet in class folders, or with a file of ``path number`` lines; all as in `CustomDataset`."""


def _preprocessing_of(pipeline: Sequence[Described]) -> PipelinePreprocessing | None:
    """Return the record of a pipeline made of plain dicts; None where it holds functions or classes."""
    if not all(isinstance(step, Mapping) for step in pipeline):
        return None
    try:
        return pipeline_preprocessing(pipeline)  # type: ignore[arg-type]
    except DataError:
        return None
