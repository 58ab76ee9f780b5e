"""One split of the data from a compiled config: a folder of images, or the dataset that a dict describes.

It must not know networks or loaders.
"""

import inspect
import logging
import os
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ding_cls.config.merge import plain_copy
from ding_cls.config.preprocessing import TRAIN_KEYS, eval_pipeline
from ding_cls.data import (
    PipelinePreprocessing,
    SubsetDataset,
    TrainAugmentation,
    build_dataset,
    find_split,
    innermost,
    pipeline_preprocessing,
)
from ding_cls.data.tools.quarantine import QuarantinedDataset
from ding_cls.errors import ConfigError, DataError
from ding_cls.images.class_names import words_in_two_forms
from ding_cls.images.listing import split_folders
from ding_cls.pipeline.datasets.data_folder import DataFolder
from ding_cls.pipeline.datasets.dataset_cfg import (
    FOLDERS,
    arguments_of,
    changed,
    filled,
    holds_every_split,
    inner_of,
    needs_no_folder,
    part_of,
    pipeline_for,
    with_pipeline,
    with_prefix,
    without_loading,
)
from ding_cls.pipeline.datasets.input_checks import check_eval_normalization

_LOGGER = logging.getLogger(__name__)
_PATHS = {"train": "learn_data_path", "val": "eval_data_path"}
# What no dict describes is a folder of images.
_FOLDER = {"type": "ImageNetDataset"}
# Datasets that read one file, so that there is no folder beside it for another split.
_OF_A_FILE = ("CSVDataset", "ArrayDataset", "NpzDataset")


def preprocessing_of(cfg: Any) -> PipelinePreprocessing:
    """Return what a run's evaluation, and whatever uses its checkpoint later, does to an image.

    Raises:
        ConfigError: the validation set's pipeline cannot be built.
    """
    collect = cfg.policy.collect
    return pipeline_preprocessing(evaluation_pipeline(collect), mean=collect.mean, std=collect.std)


def evaluation_pipeline(collect: Any) -> list[dict[str, Any]]:
    """Return the validation set's own pipeline, or that of the short keys."""
    section = inner_of(described(collect, "val") or {})
    if section.get("pipeline") is not None:
        return list(section["pipeline"])
    return without_loading(eval_pipeline(collect), section)


def training_set(cfg: Any) -> Any:
    """Return the training set: ``policy.collect.train``, or the folder ``learn_data_path``; of it
    ``try_to_train_items`` samples.

    Raises:
        ConfigError: the dataset or its pipeline cannot be built.
        DataError: its folder is missing or empty.
    """
    collect = cfg.policy.collect
    section = described(collect, "train")
    if section is None and not collect.learn_data_path:
        raise DataError("no training data are named: set policy.collect.learn_data_path, or --data DIR")
    augmentation = TrainAugmentation(**{name: collect[name] for name in TRAIN_KEYS})
    dataset = _built(
        _with_folder(_FOLDER if section is None else section, "train", collect.learn_data_path),
        "train",
        {"transform": augmentation, "pipeline": augmentation.pipeline, "is_training": True},
        quarantine_of(collect),
    )
    if found := words_in_two_forms(dataset.classes):
        _LOGGER.warning(found)
    num_samples = collect.try_to_train_items
    return SubsetDataset(dataset, num_samples, seed=cfg.seed) if num_samples else dataset


def evaluation_set(
    cfg: Any,
    split: str,
    classes: Sequence[str],
    *,
    preprocessing: PipelinePreprocessing | None = None,
    data: str | os.PathLike[str] | None = None,
    section: dict[str, Any] | None = None,
) -> Any:
    """Return a split as evaluation sees it: without augmentation, its classes numbered by a given list.

    ``policy.collect.train``, ``val`` or ``test`` describes it; else it is a folder of images. A test set that
    nothing describes is read as ``val`` is, from the folder beside it.

    Args:
        cfg: a compiled config.
        split: 'train', 'val' or 'test'; with ``section`` it may be empty: one that has no name.
        classes: class names of the training set, in the order of their numbers.
        preprocessing: what a checkpoint says of its images; the config's own where None.
        data: folder with the split's folder in it, instead of what the config says.
        section: a description instead of it; what it is silent about is filled in.

    Raises:
        ConfigError: the dataset or its pipeline cannot be built.
        DataError: its folder is missing or empty, it has a class that training lacks, or its pipeline
            normalises by other numbers.
    """
    collect = cfg.policy.collect
    preprocessing = preprocessing_of(cfg) if preprocessing is None else preprocessing
    pipeline = evaluation_pipeline(collect)
    quarantine = quarantine_of(collect, is_own=data is None and section is None)
    if section is None:
        section = _section_to_evaluate(collect, split, data)
    else:
        pipeline = pipeline_for(pipeline, section)
    if split == "train":
        section = changed(section, lambda inner: with_pipeline(inner, pipeline))
    offered = {
        "transform": preprocessing,
        "pipeline": pipeline,
        "classes": list(classes),
        # Of many datasets it chooses the part, and this is to be the one that was trained on.
        "test_mode": split != "train",
        "is_training": False,
    }
    dataset = _built(section, split, offered, quarantine)
    _check_classes(dataset, classes, split)
    check_eval_normalization(dataset, preprocessing, split)
    return dataset


def classes_in(cfg: Any, split: str, data: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the class names of a folder of data: of its training set where that is there, else of a split.

    Raises:
        DataError: the folder holds no such split.
    """
    collect = cfg.policy.collect
    is_there = holds_every_split(described(collect, "train")) or bool(split_folders(data)["train"])
    name = "train" if is_there else split
    offered = {"transform": None, "pipeline": evaluation_pipeline(collect), "is_training": False}
    dataset = _built(_section_to_evaluate(collect, name, data), name, {**offered, "test_mode": True})
    return tuple(dataset.classes)


def described(collect: Any, split: str) -> dict[str, Any] | None:
    """Return the dict that describes a split, copied; None where it is a folder of images, or generated."""
    section = None if collect.synthetic else collect.get(split)
    return None if section is None else plain_copy(section)


def names_folder(collect: Any, split: str) -> bool:
    """Return whether a config names where the images of a split lie: a folder, or a list of files."""
    section = described(collect, split)
    folder = collect[_PATHS[split]]
    if section is None or folder:
        return bool(folder)
    inner = inner_of(section)
    return needs_no_folder(inner) or any(inner.get(name) for name in (*FOLDERS, "ann_file"))


def _section_to_evaluate(collect: Any, split: str, data: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Return the description of a split with its folder in it."""
    own = described(collect, split)
    if own is not None and data is None:
        return _with_folder(own, split, _own_folder(collect, split, own))
    borrowed = described(collect, "val") if split == "test" else None
    if own is None and data is None and (inner := inner_of(borrowed or {})).get("type") in _OF_A_FILE:
        file = inner.get("ann_file") or inner.get("data_prefix")
        raise DataError(f"{file!r} has nothing for the test; evaluate another file: --data FILE")
    section = next(each for each in (own, borrowed, _FOLDER) if each is not None)
    section = section if own is not None else _without_list(section, split)
    return _moved(section, _folder(collect, split)) if data is None else _moved_to(section, split, data)


def _moved_to(section: dict[str, Any], split: str, data: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a description says, of the split in a folder of data."""
    folder = DataFolder(Path(data))
    is_of_all = holds_every_split(section)
    moved, path = folder.described(
        section if is_of_all or "datasets" in section else inner_of(section), split
    )
    if folder.replaced and split != "train":
        _LOGGER.warning("--data %s takes the place of %s", data, ", ".join(folder.replaced))
    if is_of_all and holds_every_split(moved):
        return with_prefix(moved, path)
    return _moved(moved, path) if path else moved


def _without_list(section: dict[str, Any], split: str) -> dict[str, Any]:
    """Leave out the file that lists the samples of another split: our datasets then read the folder."""
    if "ann_file" in section and not _is_ours(section):
        raise DataError(
            "the run describes no test set, and val's ann_file lists other pictures; "
            f"set policy.collect.{split}"
        )
    return {name: value for name, value in section.items() if name != "ann_file"}


def _folder(collect: Any, split: str) -> str | os.PathLike[str]:
    """Return the folder of a split that no dict describes.

    Raises:
        DataError: the config names none.
    """
    if split not in _PATHS:
        section = described(collect, "val") or {}
        beside = next((section[name] for name in FOLDERS if section.get(name)), collect.eval_data_path)
        return find_split(Path(beside).parent, split)
    folder = str(collect[_PATHS[split]])
    if not folder:
        raise DataError(f"no {split} data are named: set policy.collect.{_PATHS[split]} or --data DIR")
    return folder


def _own_folder(collect: Any, split: str, section: Mapping[str, Any]) -> str:
    """Return the folder that the config names beside a split's dict; empty where it names none."""
    if split in _PATHS:
        return str(collect[_PATHS[split]])
    if holds_every_split(section):
        return "" if any(inner_of(section).get(name) for name in FOLDERS) else str(collect.eval_data_path)
    takes_none = not arguments_of(section) & set(FOLDERS) or needs_no_folder(section)
    return "" if takes_none or any(section.get(name) for name in FOLDERS) else str(_folder(collect, split))


def _with_folder(section: dict[str, Any], split: str, path: str) -> dict[str, Any]:
    """Return the description with the folder of ``learn_data_path`` or ``eval_data_path`` in it."""
    return changed(section, lambda inner: _with_own_folder(inner, split, path))


def _with_own_folder(section: dict[str, Any], split: str, path: str) -> dict[str, Any]:
    name = next((each for each in FOLDERS if each in arguments_of(section)), None)
    if name is None:
        return section
    if not path:
        # A dataset of the user's that reads no folder may still want the argument.
        parameter = inspect.signature(part_of(section)).parameters.get(name)
        is_required = parameter is not None and parameter.default is parameter.empty
        return {name: "", **section} if is_required and not _is_ours(section) else section
    given = section.get(name)
    if given and Path(given) != Path(path):
        raise ConfigError(
            f"policy.collect.{split}.{name} is {given!r}, and policy.collect.{_PATHS[split]} is {path!r}; "
            "they mean the same folder: give one of them"
        )
    return {**section, name: path}


def _moved(section: Mapping[str, Any], folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a description says, without its wrappers, of another folder: all of that is wanted."""
    section = dict(inner_of(section))
    name = next((each for each in FOLDERS if each in arguments_of(section)), None)
    if name is None:
        raise DataError(
            f"the data set {section.get('type')!r} takes no folder (data_prefix), so it cannot read "
            f"{str(folder)!r}; describe the split in policy.collect"
        )
    return {**section, name: str(folder)}


def quarantine_of(collect: Any, *, is_own: bool = True) -> str:
    """Return the list of files that no dataset takes; empty without one.

    Args:
        collect: that section of a config.
        is_own: the data are the config's own. Those that are named instead of them may be on another machine:
            a list that is not there is a line then, not an error.
    """
    file = str(collect.get("quarantine") or "")
    if file and not is_own and not os.path.exists(os.path.expanduser(file)):
        _LOGGER.warning("policy.collect.quarantine %r is not there: nothing is left out by it", file)
        return ""
    return file


def without_quarantined(dataset: Any, collect: Any) -> Any:
    """Return a dataset of data that are named instead of the config's own without what the list names."""
    file = quarantine_of(collect, is_own=False)
    return QuarantinedDataset(dataset, file) if file else dataset


def _built(section: dict[str, Any], split: str, offered: Mapping[str, Any], quarantine: str = "") -> Any:
    """Return the dataset of a description; of what is offered it gets the arguments that it takes.

    What a quarantine list names is taken out inside all wrappers: shares, folds and repeats are those of the
    data without it.
    """
    section = filled(section, offered)
    if quarantine:
        kept = {"type": QuarantinedDataset, "file": quarantine, "is_training": offered["is_training"]}
        section = changed(section, lambda inner: {**kept, "dataset": inner})
    dataset = build_dataset(section)
    if not hasattr(dataset, "classes") or not hasattr(dataset, "__len__"):
        raise DataError(
            f"policy.collect.{split}: a {type(dataset).__name__} has no 'classes' (names in the order of "
            "their numbers) or no length; derive it from ding_cls.data.BaseDataset, or give it both"
        )
    for inner in innermost(dataset):
        if getattr(inner, "with_label", True) is False:
            raise DataError(
                f"policy.collect.{split}: with_label=False leaves nothing to learn or to judge by"
            )
    return dataset


def _is_ours(section: Mapping[str, Any]) -> bool:
    return str(part_of(section).__module__).startswith("ding_cls.")


def _check_classes(dataset: Any, classes: Sequence[str], split: str) -> None:
    pairs = enumerate(zip_longest(dataset.classes, classes))
    for number, (given, trained) in pairs:
        if given != trained:
            raise DataError(
                f"class {number} of policy.collect.{split} is {given!r}, and {trained!r} in training; "
                "give it the training set's list, or leave 'classes' out"
            )
