"""What is told of training and evaluation data together: classes and images of one in the other."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ding_cls.common.counting import first_few
from ding_cls.data import innermost
from ding_cls.data.labels import label_view
from ding_cls.data.same_images import SharedImages, shared_images
from ding_cls.errors import DingError
from ding_cls.images.listing import split_folders
from ding_cls.images.split_words import is_plain, line_on_classes, split_of
from ding_cls.pipeline.checks.labels import labels_of
from ding_cls.pipeline.datasets.splits import evaluation_set

_NUM_NAMED = 3
_PATHS = {"train": "learn_data_path", "val": "eval_data_path"}


def remarks_on_sets(
    cfg: Any, train_set: Any, eval_set: Any, *, origins: Mapping[str, str], compares_images: bool = True
) -> list[str]:
    """Return what somebody should know of the data of a run before it trains, a line each.

    Args:
        cfg: the compiled config.
        train_set: the training set.
        eval_set: the evaluation set; the same object where nothing is evaluated.
        origins: what set each key of the config.
        compares_images: look for images of one set in the other.
    """
    remarks = [taken_splits(cfg.policy.collect, origins), only_class(train_set), like_splits(train_set)]
    if eval_set is not train_set and cfg.policy.eval.evaluator.validate:
        remarks.append(other_labels(labels_of(train_set).kind, eval_set))
        remarks += [missing_classes(train_set, eval_set), untrained_classes(train_set, eval_set)]
        if compares_images:
            remarks.append(images_on_both_sides(cfg.policy.collect, train_set, eval_set))
    if has_test_folder(cfg.policy.collect):
        remarks.append(trained_test_images(cfg, train_set))
    return [each for each in remarks if each]


def taken_splits(collect: Any, origins: Mapping[str, str]) -> str:
    """Return the line that says which folders are taken for splits, where their names are not plain."""
    taken = []
    for split, key in _PATHS.items():
        name = os.path.basename(os.path.normpath(collect[key] or "."))
        is_found = origins.get(f"policy.collect.{key}", "").startswith("override ")
        if is_found and split_of(name) and not is_plain(name):
            taken.append(f"{name!r} is taken for {split}")
    return ", ".join(taken)


def other_labels(trained: str, dataset: Any) -> str:
    """Return the line that says that samples to evaluate have labels of another kind than those that were
    trained on; empty where they have not, or nobody knows."""
    kind = labels_of(dataset).kind
    words = {"one": "one label", "several": "several labels", "tasks": "a label for each of several tasks"}
    if kind == trained or trained not in words:
        return ""
    return f"an image has {words[trained]} in training and {words[kind]} here, so results say little"


def only_class(train_set: Any) -> str:
    """Return the line that says that all images are of one class; empty where a label may also be none."""
    labels = label_view(train_set) if len(train_set.classes) == 1 else None
    first = np.asarray([0.5] if labels is None or not len(labels) else labels[0])
    if first.ndim or not np.issubdtype(first.dtype, np.integer):
        return ""
    return f"there is one class alone, {train_set.classes[0]!r}, so there is nothing to tell apart"


def like_splits(train_set: Any) -> str:
    """Return the line about class folders that have names of splits; empty where there are none."""
    lists_folders = any(hasattr(each, "left_out") for each in innermost(train_set))
    return line_on_classes(train_set.classes) if lists_folders else ""


def missing_classes(train_set: Any, eval_set: Any) -> str:
    """Return the line that names the classes that are trained on and not in the evaluation set.

    It is empty where there are none, and where the datasets do not list their labels.
    """
    trained, evaluated = map(_classes_in, (train_set, eval_set))
    if trained is None or evaluated is None or not (missing := sorted(trained - evaluated)):
        return ""
    return f"{_counted(missing, train_set)} have no evaluation image: {_named(missing, train_set)}"


def untrained_classes(train_set: Any, eval_set: Any) -> str:
    """Return the line that names the classes that are evaluated and not trained on; as `missing_classes`."""
    trained, evaluated = map(_classes_in, (train_set, eval_set))
    if trained is None or evaluated is None or not (missing := sorted(evaluated - trained)):
        return ""
    counted = _counted(missing, train_set)
    return f"{counted} are evaluated and have no training image: {_named(missing, train_set)}"


def images_on_both_sides(collect: Any, train_set: Any, eval_set: Any) -> str:
    """Return the line that counts the evaluation images that are trained on too; empty for none."""
    found = shared_images(eval_set, train_set)
    if found is None:
        return ""
    key = "eval_data_path" if collect.val is None else "val"
    return f"policy.collect.{key}: {_trained_on(found, 'evaluation')}"


def has_test_folder(collect: Any) -> bool:
    """Return whether a folder of test images, which no dict describes, lies beside that of validation."""
    folder = collect.eval_data_path
    return bool(collect.test is None and folder and split_folders(Path(folder, os.pardir))["test"])


def trained_test_images(cfg: Any, train_set: Any) -> str:
    """Return the line that counts the images of the test folder that are trained on too; empty for none."""
    try:
        found = shared_images(evaluation_set(cfg, "test", tuple(train_set.classes)), train_set)
    except DingError:
        # It is told where the test images are evaluated.
        return ""
    return "" if found is None else _trained_on(found, "test")


def _trained_on(found: SharedImages, kind: str) -> str:
    other = f" (there {found.other!r})" if found.other else ""
    return (
        f"{found.number:,} of {found.total:,} {kind} images are trained on too, as {found.first!r}{other}; "
        "remove them from one side"
    )


def _classes_in(dataset: Any) -> set[int] | None:
    """Return the numbers of the classes that a dataset has images of; None where it does not list them."""
    labels = label_view(dataset)
    if labels is None or not len(labels):
        return None
    first = np.asarray(labels[0])
    if first.ndim == 0:
        numbers = np.unique(np.asarray(labels))
        return set(numbers[numbers >= 0].tolist()) if np.issubdtype(numbers.dtype, np.integer) else None
    # Of several labels, or shares of the classes; the numbers of tasks may mean other classes in each.
    if first.shape != (len(dataset.classes),) or not np.issubdtype(first.dtype, np.floating):
        return None
    found = np.zeros(len(first), bool)
    for each in labels:
        found |= np.asarray(each) > 0
    return set(np.flatnonzero(found).tolist())


def _counted(numbers: list[int], dataset: Any) -> str:
    return f"{len(numbers)} of {len(dataset.classes)} classes"


def _named(numbers: list[int], dataset: Any) -> str:
    return first_few([repr(dataset.classes[each]) for each in numbers], _NUM_NAMED)
