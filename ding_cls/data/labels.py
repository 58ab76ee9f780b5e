"""Labels and names without images: what a loader makes of them, what wrappers ask of a dataset.

It knows numbers and names; it must not know files or pixels.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch

from ding_cls.errors import DataError
from ding_cls.images.class_names import renumbering
from ding_cls.images.label_words import MOST_CLASSES, class_numbers, names_of_numbers, numbered


def as_target(label: Any) -> int | torch.Tensor:
    """Return a label as a loader takes it.

    Args:
        label: one class number; whole numbers ``(K,)``, one for each of K tasks; or floats or booleans
            ``(C,)``, one for each class.

    Returns:
        A number, int64 ``(K,)`` or float32 ``(C,)``.

    Raises:
        DataError: it is something else.
    """
    array = np.asarray(label)
    is_whole = np.issubdtype(array.dtype, np.integer)
    if array.ndim == 0 or (is_whole and array.size == 1):
        return int(array.item())
    if array.ndim != 1 or not (is_whole or array.dtype == bool or np.issubdtype(array.dtype, np.floating)):
        raise DataError(
            f"gt_label is an array of {array.dtype} with the shape {array.shape}; it is a class number, "
            "whole numbers (tasks,), or floats (classes,)"
        )
    return torch.from_numpy(array.astype(np.int64 if is_whole else np.float32))


def numbered_array(
    labels: npt.NDArray[Any], classes: Sequence[str] | None, *, place: str
) -> tuple[npt.NDArray[Any], tuple[str, ...] | None]:
    """Return the class numbers that an array of words or of whole numbers means, and the class names.

    Args:
        labels: of any shape; another type of array is returned as it is.
        classes: as in ``numbered``.
        place: how a message names the array.

    Raises:
        DataError: as ``numbered``.
    """
    names = None if classes is None else tuple(classes)
    if _is_text(labels):
        flat = [each.decode() if isinstance(each, bytes) else str(each) for each in labels.ravel()]
        words = [[each.strip()] for each in flat]
        if [""] in words:
            raise DataError(
                f"{place}, label {words.index([''])} is empty; leave its image out, or name its class"
            )
        found, names = numbered(words, names, [f"{place}, label {index}" for index in range(len(words))])
        return np.array(found, np.int64).reshape(labels.shape), names
    if not np.issubdtype(labels.dtype, np.integer):
        return labels, names
    values = {int(each): place for each in np.unique(labels)}
    if min(values, default=0) >= 0 and max(values, default=0) < MOST_CLASSES:
        named = names_of_numbers(values, counts=True) if names is None else names
        if named is not None:
            # The array's own type may be too small for the numbers.
            table = class_numbers(values, named)
            numbers = np.array([table[each] for each in sorted(values)], np.int64)
            return numbers[np.searchsorted(sorted(values), labels)], named
    return labels.astype(np.int64), names


def _is_text(labels: npt.NDArray[Any]) -> bool:
    are_words = labels.dtype == object and all(isinstance(each, str | bytes) for each in labels.flat)
    return labels.dtype.kind in "US" or bool(are_words and labels.size)


def renumbered(
    labels: npt.NDArray[Any], own: Sequence[str], classes: Sequence[str], *, owner: str
) -> npt.NDArray[Any]:
    """Return labels that count the classes of one list as the numbers of another, by the names.

    Args:
        labels: class numbers of any shape, or floats or booleans ``(N, C)``, one for each class.
        own: the names that the labels count.
        classes: the names of the result.
        owner: how a message names the dataset.

    Raises:
        DataError: as ``renumbering``.
    """
    numbers = renumbering(own, classes, owner)
    is_whole = np.issubdtype(labels.dtype, np.integer)
    if numbers is None or not labels.size:
        return labels
    table = np.array(numbers, np.int64)
    if is_whole:
        # What is no class of its own is the dataset's to name.
        is_own = (labels >= 0) & (labels < len(own))
        return np.where(is_own, table[np.clip(labels, 0, len(own) - 1)], labels)
    if labels.ndim != 2 or labels.shape[1] != len(own):
        return labels
    spread = np.zeros((len(labels), len(classes)), labels.dtype)
    spread[:, table] = labels
    return spread


class LabelView(Sequence[Any]):
    """The labels of a dataset, each looked up when it is asked for: nothing is copied.

    Args:
        label_of: returns the label of a sample by its number.
        length: number of samples.
    """

    def __init__(self, label_of: Callable[[int], Any], length: int) -> None:
        self._label_of, self._length = label_of, length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return the label of one sample, or those of several."""
        places = range(self._length)[index]
        return list(map(self._label_of, places)) if isinstance(places, range) else self._label_of(places)


def label_view(dataset: Any) -> Sequence[Any] | None:
    """Return the label of each sample, without a copy where the dataset can; None where it says none.

    Args:
        dataset: one of ours, a wrapper, or one with ``targets``.
    """
    own = getattr(dataset, "label_view", None)
    found: Sequence[Any] | None = getattr(dataset, "targets", None) if own is None else own()
    return found


def categories(dataset: Any) -> list[list[int]]:
    """Return the class numbers of each sample: of its ``get_cat_ids``, or else its ``targets``.

    Raises:
        DataError: the dataset has neither.
    """
    if hasattr(dataset, "get_cat_ids"):
        return [[int(each) for each in dataset.get_cat_ids(index)] for index in range(len(dataset))]
    if hasattr(dataset, "targets"):
        return [np.atleast_1d(np.asarray(each)).tolist() for each in dataset.targets]
    raise DataError(
        f"{type(dataset).__name__} does not say its classes without loading: give it get_cat_ids(index) or "
        "targets"
    )


def repeat_factors(classes: Sequence[Sequence[int]], threshold: float) -> list[float]:
    """Return the factor of each sample, 1 for one without a class.

    Args:
        classes: the class numbers of each sample.
        threshold: t of `ClassBalancedDataset`.
    """
    counts = Counter(number for each in classes for number in set(each))
    factors = {
        number: max(1.0, math.sqrt(threshold / (count / len(classes)))) for number, count in counts.items()
    }
    return [max((factors[number] for number in each), default=1.0) for each in classes]


def strata(dataset: Any) -> list[int]:
    """Return a number for each sample; samples of the same classes have the same."""
    known: dict[tuple[int, ...], int] = {}
    return [known.setdefault(tuple(each), len(known)) for each in categories(dataset)]


def sample_names(dataset: Any) -> list[str]:
    """Return the name of each sample: its file as the dataset has it, or else its number in the dataset.

    Args:
        dataset: one with ``sample_names``, or with ``samples`` or ``data_infos`` as ours have them; of any
            other the numbers are the names.
    """
    given = getattr(dataset, "sample_names", None)
    if given is not None:
        return [str(each) for each in given]
    described = getattr(dataset, "samples", getattr(dataset, "data_infos", None))
    if described is None or len(described) != len(dataset):
        described = [None] * len(dataset)
    return [file_of(each) or str(number) for number, each in enumerate(described)]


def file_of(described: Any) -> str:
    """Return the file in an annotation or in a pair of file and target; empty where there is none."""
    if isinstance(described, (tuple, list)) and described:
        return os.fspath(described[0]) if isinstance(described[0], (str, os.PathLike)) else ""
    file = described.get("img_info") if isinstance(described, Mapping) else None
    return str(file.get("filename") or "") if isinstance(file, Mapping) else ""


def groups_by_name(names: Sequence[str], pattern: str) -> list[str]:
    """Return what a pattern finds in the last part of each name: its first group, or all of it.

    Args:
        names: of the samples, with ``/`` or the system's own mark between folders.
        pattern: a regular expression.

    Raises:
        DataError: it is none, or finds nothing in a name.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"{pattern!r} is no regular expression: {error}") from error
    groups = []
    for name in names:
        found = compiled.search(os.path.basename(name))
        if found is None:
            raise DataError(f"{pattern!r} finds nothing in {name!r}; it must tell each picture's group")
        groups.append(found.group(1 if compiled.groups else 0) or "")
    return groups


def class_counts(dataset: Any, num_classes: int) -> torch.Tensor:
    """Return how many samples of a dataset have each class, int64 ``(num_classes,)``.

    Raises:
        DataError: as ``categories``.
    """
    numbers = [number for each in categories(dataset) for number in each if number >= 0]
    return torch.bincount(torch.tensor(numbers, dtype=torch.int64), minlength=num_classes)


def weights_of(dataset: Any) -> torch.Tensor | None:
    """Return the ``sample_weights`` of a dataset as float32; None where it has none, or all are equal.

    Raises:
        DataError: they are not one positive number for each sample.
    """
    given = getattr(dataset, "sample_weights", None)
    if given is None:
        return None
    weights = torch.as_tensor(given, dtype=torch.float32)
    if weights.shape != (len(dataset),):
        raise DataError(f"sample_weights has the shape {tuple(weights.shape)} for {len(dataset)} samples")
    wrong = torch.nonzero(~(weights.isfinite() & (weights > 0))).flatten()
    if len(wrong):
        index = int(wrong[0])
        raise DataError(
            f"sample {index} has the weight {weights[index].item():g}; weights are above 0: leave out a "
            "sample that shall not count"
        )
    return None if bool((weights == weights[0]).all()) else weights
