"""Datasets made of others: repeated, joined, balanced, a fold, a share, a number of samples.

Each is a list of indices into one dataset, or several in a row. They must not know files or pixels.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch

from ding_cls.data.datasets.registry import DATASETS, build_dataset
from ding_cls.data.labels import (
    LabelView,
    categories,
    groups_by_name,
    label_view,
    repeat_factors,
    sample_names,
    strata,
)
from ding_cls.data.same_images import image_numbers
from ding_cls.data.sampling.split import Counts, image_folds, split_indices, subset_indices
from ding_cls.errors import DataError

Inner = Mapping[str, Any] | Any


class IndexedDataset(torch.utils.data.Dataset[Any]):
    """A dataset seen through a list of indices; what is known of its samples goes through it too.

    Args:
        dataset: the dataset, or the dict that describes it.
        indices: of the samples, in order; one may come several times, each time with its own augmentation.
    """

    def __init__(self, dataset: Inner, indices: Sequence[int]) -> None:
        self.dataset = built(dataset)
        self.indices = list(indices)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; the position is the class number."""
        return tuple(self.dataset.classes)

    CLASSES = classes

    @property
    def targets(self) -> list[Any]:
        """The target of each sample."""
        # Looked up once: some datasets make the list anew each time.
        targets = self.dataset.targets
        return [targets[index] for index in self.indices]

    def label_view(self) -> Sequence[Any] | None:
        """Return the label of each sample, without a copy where the dataset can."""
        inner = label_view(self.dataset)
        return None if inner is None else LabelView(lambda place: inner[self.indices[place]], len(self))

    @property
    def sample_weights(self) -> list[float] | None:
        """How much each sample counts in the loss; None where the dataset does not say."""
        return self._chosen("sample_weights")

    @property
    def groups(self) -> list[Any] | None:
        """Which samples stay together; None where the dataset does not say."""
        return self._chosen("groups")

    @property
    def sample_names(self) -> list[str]:
        """What each sample is called: its file, or its number in the dataset inside."""
        names = sample_names(self.dataset)
        return [names[index] for index in self.indices]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class numbers of a sample."""
        index = self.indices[idx]
        if hasattr(self.dataset, "get_cat_ids"):
            return list(self.dataset.get_cat_ids(index))
        return [int(self.dataset.targets[index])]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        """Return the dataset's own item."""
        return self.dataset[self.indices[index]]

    def load(self, index: int) -> tuple[torch.Tensor, Any]:
        """Return (image, target) as the dataset gives it to a loader."""
        sample: tuple[torch.Tensor, Any] = loaded(self.dataset, self.indices[index])
        return sample

    def _chosen(self, name: str) -> list[Any] | None:
        values = getattr(self.dataset, name, None)
        return None if values is None else [values[index] for index in self.indices]


@DATASETS.register_module()
class RepeatDataset(IndexedDataset):
    """A dataset several times over, so that an epoch is as much longer.

    Args:
        dataset: the dataset, or the dict that describes it.
        times: how often each sample comes; each time it is augmented anew.

    Raises:
        DataError: ``times`` is below 1.
    """

    def __init__(self, dataset: Inner, times: int) -> None:
        if times < 1:
            raise DataError(f"RepeatDataset: times={times} must be at least 1")
        inner = built(dataset)
        self.times = times
        super().__init__(inner, list(range(len(inner))) * times)


@DATASETS.register_module()
class ClassBalancedDataset(IndexedDataset):
    """A dataset in which samples of rare classes come several times.

    A class that a share f of the samples has gets the factor max(1, sqrt(t / f)); a sample comes as often as
    the largest factor among its classes says, rounded up.

    Args:
        dataset: the dataset, or the dict that describes it.
        oversample_thr: t: classes rarer than this come more often.

    Raises:
        DataError: ``oversample_thr`` is not above 0, or the dataset does not say its classes.

    Source: "LVIS: A Dataset for Large Vocabulary Instance Segmentation", Gupta et al. 2019, appendix B.2
        (arXiv:1908.03195), with the rounding up of mmclassification.
    """

    def __init__(self, dataset: Inner, oversample_thr: float) -> None:
        if not oversample_thr > 0:
            raise DataError(f"ClassBalancedDataset: oversample_thr={oversample_thr} must be above 0")
        inner = built(dataset)
        self.oversample_thr = oversample_thr
        self.repeat_factors = repeat_factors(categories(inner), oversample_thr)
        repeats = (math.ceil(factor) for factor in self.repeat_factors)
        super().__init__(inner, [index for index, count in enumerate(repeats) for _ in range(count)])


@DATASETS.register_module()
class KFoldDataset(IndexedDataset):
    """The training or the test part of one fold of a dataset; all samples of one image are in one fold.

    Args:
        dataset: the dataset, or the dict that describes it.
        fold: number of the fold, from 0.
        num_splits: number of folds.
        test_mode: the fold itself; False: all others.
        seed: of which samples go into which fold; None: in the dataset's order.
        stratified: each class alike in all folds.
        grouped: samples of one group stay in one fold, by the dataset's ``groups``.
        group_pattern: a regular expression: samples in whose file names it finds the same text (its first
            group, or all of it) stay in one fold.

    Raises:
        DataError: there is no such fold, more folds than samples, or no groups.
    """

    def __init__(
        self,
        dataset: Inner,
        fold: int = 0,
        num_splits: int = 5,
        test_mode: bool = False,
        seed: int | None = None,
        stratified: bool = True,
        grouped: bool = False,
        group_pattern: str | None = None,
    ) -> None:
        if not 0 <= fold < num_splits:
            raise DataError(f"KFoldDataset: fold={fold} must be at least 0 and below num_splits={num_splits}")
        inner = built(dataset)
        self.fold, self.num_splits, self.test_mode = fold, num_splits, test_mode
        if group_pattern is None:
            groups = _groups(inner, grouped)
        else:
            groups = groups_by_name(sample_names(inner), group_pattern)
        folds = image_folds(
            strata(inner), num_splits, image_numbers(inner), groups=groups, stratified=stratified, seed=seed
        )
        others = [index for number, each in enumerate(folds) if number != fold for index in each]
        super().__init__(inner, folds[fold] if test_mode else sorted(others))


@DATASETS.register_module()
class SplitDataset(IndexedDataset):
    """One part of a dataset divided by shares or counts, each class alike; nothing is copied.

    Args:
        dataset: the dataset, or the dict that describes it.
        part: number of the part, from 0.
        fractions: as in `split_indices`.
        per_class: as in `split_indices`.
        seed: as in `split_indices`; the same for all parts.
        grouped: samples of one group stay in one part, by the dataset's ``groups``.

    Raises:
        DataError: there is no such part, it is empty, or the shares cannot be met.
    """

    def __init__(
        self,
        dataset: Inner,
        part: int,
        fractions: Sequence[float] | None = None,
        per_class: Counts | None = None,
        seed: int | None = 0,
        grouped: bool = False,
    ) -> None:
        inner = built(dataset)
        parts = split_indices(
            strata(inner),
            fractions=fractions,
            per_class=per_class,
            groups=_groups(inner, grouped),
            seed=seed,
        )
        if not 0 <= part < len(parts) or not parts[part]:
            raise DataError(
                f"SplitDataset: part={part} of {len(parts)} parts of {[len(each) for each in parts]} samples "
                "is empty or not there"
            )
        super().__init__(inner, parts[part])


@DATASETS.register_module()
class SubsetDataset(IndexedDataset):
    """Some samples of a dataset, each class alike.

    Args:
        dataset: the dataset, or the dict that describes it.
        num_samples: how many; all where 0 or more than there are.
        seed: of which; None: the first of each class.

    Raises:
        DataError: ``num_samples`` is negative.
    """

    def __init__(self, dataset: Inner, num_samples: int, seed: int | None = 0) -> None:
        if num_samples < 0:
            raise DataError(f"SubsetDataset: num_samples={num_samples} must be at least 0")
        inner = built(dataset)
        is_whole = not 0 < num_samples < len(inner)
        super().__init__(
            inner, range(len(inner)) if is_whole else subset_indices(strata(inner), num_samples, seed=seed)
        )


@DATASETS.register_module()
class ConcatDataset(torch.utils.data.Dataset[Any]):
    """Several datasets in a row.

    Args:
        datasets: the datasets, or the dicts that describe them.
        separate_eval: evaluation also gives each dataset's own results.

    Raises:
        DataError: there are none, or they number their classes in different ways.
    """

    def __init__(self, datasets: Sequence[Inner], separate_eval: bool = True) -> None:
        if isinstance(datasets, Mapping):
            raise DataError("ConcatDataset: datasets is one dict(type=...); put it in a list")
        self.datasets = [built(each) for each in datasets]
        self.separate_eval = separate_eval
        if not self.datasets:
            raise DataError("ConcatDataset: datasets is empty; name one at least")
        self.classes = tuple(self.datasets[0].classes)
        for number, each in enumerate(self.datasets):
            if tuple(each.classes) != self.classes:
                raise DataError(
                    f"ConcatDataset: the classes of data sets 0 and {number} differ; give both the same list "
                    "in 'classes'"
                )
        self.cumulative_sizes = list(accumulate(len(each) for each in self.datasets))

    @property
    def CLASSES(self) -> tuple[str, ...]:  # noqa: N802
        """The same as ``classes``."""
        return self.classes

    @property
    def targets(self) -> list[Any]:
        """The target of each sample."""
        return [target for each in self.datasets for target in each.targets]

    def label_view(self) -> Sequence[Any] | None:
        """Return the label of each sample, without a copy where the datasets can."""
        views: list[Any] = [label_view(each) for each in self.datasets]
        if any(each is None for each in views):
            return None
        return LabelView(lambda index: views[(at := self.place(index))[0]][at[1]], len(self))

    @property
    def sample_weights(self) -> list[float] | None:
        """How much each sample counts in the loss; 1 where a dataset does not say, None where none does."""
        columns = [getattr(each, "sample_weights", None) for each in self.datasets]
        if all(column is None for column in columns):
            return None
        sizes = map(len, self.datasets)
        filled = [[1.0] * size if each is None else each for each, size in zip(columns, sizes, strict=True)]
        return [weight for column in filled for weight in column]

    @property
    def groups(self) -> list[Any] | None:
        """Which samples stay together; None where a dataset does not say."""
        columns = [getattr(each, "groups", None) for each in self.datasets]
        return None if None in columns else [group for column in columns for group in column or ()]

    @property
    def sample_names(self) -> list[str]:
        """What each sample is called in the dataset that it lies in."""
        return [name for each in self.datasets for name in sample_names(each)]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class numbers of a sample."""
        number, index = self.place(idx)
        inner = self.datasets[number]
        return list(inner.get_cat_ids(index)) if hasattr(inner, "get_cat_ids") else [inner.targets[index]]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        """Return the item of the dataset that it lies in."""
        number, inner = self.place(index)
        return self.datasets[number][inner]

    def load(self, index: int) -> tuple[torch.Tensor, Any]:
        """Return (image, target) as the dataset gives it to a loader."""
        number, inner = self.place(index)
        return loaded(self.datasets[number], inner)

    def place(self, index: int) -> tuple[int, int]:
        """Return in which dataset a sample lies, and where there."""
        index = range(len(self))[index]
        number = bisect_right(self.cumulative_sizes, index)
        return number, index - (self.cumulative_sizes[number - 1] if number else 0)


def built(dataset: Inner) -> Any:
    """Return a dataset, built where it is described by a dict."""
    return build_dataset(dataset) if isinstance(dataset, Mapping) else dataset


def innermost(dataset: Any) -> list[Any]:
    """Return the datasets inside wrappers; a dataset that is none by itself."""
    if isinstance(dataset, ConcatDataset):
        return [each for one in dataset.datasets for each in innermost(one)]
    return innermost(dataset.dataset) if isinstance(dataset, IndexedDataset) else [dataset]


def image_file(dataset: Any, index: int) -> str | None:
    """Return the path of a sample's image; None where the dataset reads it in a way of its own."""
    if isinstance(dataset, ConcatDataset):
        number, inner = dataset.place(index)
        return image_file(dataset.datasets[number], inner)
    if isinstance(dataset, IndexedDataset):
        return image_file(dataset.dataset, dataset.indices[index])
    path = getattr(dataset, "image_file", None)
    file: str | None = None if path is None else path(index)
    return file


def draws_from_torch_only(dataset: Any) -> bool:
    """Return whether reading a sample draws from no generator but torch's; False where that is unknown."""
    if not type(dataset).__module__.startswith("ding_cls."):
        return False
    if isinstance(dataset, ConcatDataset):
        return all(map(draws_from_torch_only, dataset.datasets))
    if isinstance(dataset, IndexedDataset):
        return draws_from_torch_only(dataset.dataset)
    return bool(getattr(dataset, "draws_from_torch_only", False))


def loaded(dataset: Any, index: int) -> tuple[torch.Tensor, Any]:
    """Return what a loader takes of a dataset, its own or torch's form."""
    sample: tuple[torch.Tensor, Any] = getattr(dataset, "load", dataset.__getitem__)(index)
    return sample


def _groups(dataset: Any, grouped: bool) -> list[Any] | None:
    if not grouped:
        return None
    groups = getattr(dataset, "groups", None)
    if groups is None:
        raise DataError(f"grouped=True, but {type(dataset).__name__} has no groups; CSVDataset reads them")
    return list(groups)
