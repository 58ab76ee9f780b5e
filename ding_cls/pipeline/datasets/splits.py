"""One split of the data from a compiled config: a folder of images, or the dataset that a dict describes.
It must not know networks or loaders."""

import inspect
import logging
import os
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch

from ding_cls.common.seed import sample_randomness
from ding_cls.config.merge import plain_copy
from ding_cls.data import (
    Compose,
    ImageNetDataset,
    Normalization,
    PipelinePreprocessing,
    Preprocessing,
    SubsetDataset,
    TrainAugmentation,
    build_dataset,
    find_split,
    innermost,
    pipeline_preprocessing,
)
from ding_cls.data.image_check import fault_of
from ding_cls.data.transforms.formatting import FROM_0_TO_255
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.datasets.dataset_cfg import (
    FOLDERS,
    arguments_of,
    changed,
    filled,
    holds_every_split,
    inner_of,
    part_of,
    tells_its_folder,
    with_pipeline,
    without_loading,
)

_LOGGER = logging.getLogger(__name__)

# No normalised picture reaches it, and hardly one from 0 to 255 stays below.
_LARGE = 32
_PATHS = {"train": "learn_data_path", "val": "eval_data_path"}


def preprocessing_of(cfg: Any) -> PipelinePreprocessing:
    """Return what a run's evaluation, and whoever uses its checkpoint later, does to a picture.

    Raises:
        ConfigError: the validation set's pipeline cannot be built.
    """
    collect = cfg.policy.collect
    section = _section(collect, "val")
    if section is None or "pipeline" not in arguments_of(inner_of(section)):
        return Preprocessing(
            image_size=collect.image_size,
            resize_size=collect.resize_size,
            mean=tuple(collect.mean),
            std=tuple(collect.std),
            interpolation=collect.interpolation,
        )
    return pipeline_preprocessing(evaluation_pipeline(collect), mean=collect.mean, std=collect.std)


def training_set(cfg: Any) -> Any:
    """Return the training set: ``policy.collect.train``, or the folder ``learn_data_path``; of it
    ``try_to_train_items`` samples.

    Raises:
        ConfigError: the data set or its pipeline cannot be built.
        DataError: its folder is missing or empty.
    """
    collect = cfg.policy.collect
    augmentation = TrainAugmentation(
        image_size=collect.image_size,
        crop_scale=tuple(collect.crop_scale),
        crop_ratio=tuple(collect.crop_ratio),
        hflip=collect.hflip,
        mean=tuple(collect.mean),
        std=tuple(collect.std),
        interpolation=collect.interpolation,
    )
    section = _section(collect, "train")
    if section is None and not collect.learn_data_path:
        raise DataError(
            "no training data are named: set policy.collect.learn_data_path (data.train.data_prefix), "
            "or --data DIR"
        )
    if section is None:
        dataset: Any = ImageNetDataset(collect.learn_data_path, True, augmentation)
    else:
        dataset = _built(
            _with_folder(section, "train", collect.learn_data_path),
            "train",
            {"transform": augmentation, "pipeline": _training_pipeline(collect), "is_training": True},
        )
    num_samples = collect.try_to_train_items
    return SubsetDataset(dataset, num_samples, seed=cfg.seed) if num_samples else dataset


def evaluation_set(
    cfg: Any,
    split: str,
    classes: Sequence[str],
    *,
    preprocessing: PipelinePreprocessing | None = None,
    data: str | os.PathLike[str] | None = None,
) -> Any:
    """Return a split as evaluation sees it: without augmentation, its classes numbered by a given list.

    ``policy.collect.train``, ``val`` or ``test`` describes it; else it is a folder of pictures. A test set
    that nothing describes is read as ``val`` is, from the folder beside it.

    Args:
        cfg: a compiled config.
        split: 'train', 'val' or 'test'.
        classes: class names of the training set, in the order of their numbers.
        preprocessing: what a checkpoint says of its pictures; the config's own where None.
        data: folder with the split's folder in it, instead of what the config says.

    Raises:
        ConfigError: the data set or its pipeline cannot be built.
        DataError: its folder is missing or empty, it has a class that training lacks, or its pipeline
            normalises by other numbers.
    """
    collect = cfg.policy.collect
    preprocessing = preprocessing_of(cfg) if preprocessing is None else preprocessing
    own = _section(collect, split)
    section = _section(collect, "val") if own is None and split == "test" else own
    if section is None:
        folder = _folder(collect, split) if data is None else find_split(data, split)
        if not folder:
            raise DataError(f"no {split} data are named: set policy.collect.{_PATHS[split]} or --data DIR")
        return ImageNetDataset(folder, False, preprocessing, classes=classes)
    if data is not None and holds_every_split(section):
        section = changed(section, lambda inner: {**inner, "data_prefix": os.fspath(data)})
    elif data is not None or own is None:
        section = _moved(section, find_split(data, split) if data is not None else _folder(collect, split))
    else:
        section = _with_folder(section, split, _own_folder(collect, split, section))
    if own is None:
        _drop_list(section, split)
    pipeline = evaluation_pipeline(collect)
    if split == "train":
        section = changed(section, lambda inner: with_pipeline(inner, pipeline))
    offered = {
        "transform": preprocessing,
        "pipeline": pipeline,
        "classes": list(classes),
        # Of many data sets it chooses the part, and this is to be the one that was trained on.
        "test_mode": split != "train",
        "is_training": False,
    }
    dataset = _built(section, split, offered)
    _check_classes(dataset, classes, split)
    _check_deferred(dataset, preprocessing, split)
    return dataset


def _drop_list(section: dict[str, Any], split: str) -> None:
    """Take out the file that lists the samples of another split: without it our data sets read the folder."""
    if "ann_file" not in section:
        return
    if not _is_ours(section):
        raise DataError(
            "the run describes no test set, and val's ann_file lists other pictures; "
            f"set policy.collect.{split}"
        )
    del section["ann_file"]


def check_normalization(cfg: Any, train_set: Any, eval_set: Any) -> None:
    """Check that both sets of a run are normalised by the same numbers, as far as they state any; tell where
    nothing seems to normalise them.

    Raises:
        DataError: they are not, or a first sample cannot be loaded.
    """
    collect = cfg.policy.collect
    if _section(collect, "train") is None and _section(collect, "val") is None:
        return
    skips_bad = cfg.policy.learn.learner.dataloader.max_bad > 0
    default = Normalization(tuple(collect.mean), tuple(collect.std))
    trained, used = (
        [
            _normalization(each)
            or (None if _first_picture(each, skips_bad=skips_bad).is_floating_point() else default)
            for each in innermost(dataset)
        ]
        for dataset in (train_set, eval_set)
    )
    for number, each in enumerate([*used, *trained]):
        if each is not None and used[0] is not None and each != used[0]:
            who = "one data set of evaluation" if number < len(used) else "training"
            raise DataError(_two_normalizations(who, each, used[0]))
    if trained[0] in (None, FROM_0_TO_255):
        _tell_large_floats(_first_picture(innermost(train_set)[0], skips_bad=skips_bad))


def note_image_size(cfg: Any, eval_set: Any) -> None:
    """Write into ``policy.collect.image_size`` how large the pictures are that two described sets give.

    ``resize_size`` follows in the ratio that it had. Where a folder's pictures or a pipeline of ours are made
    from those values, they stay; and where the pictures are no squares.

    Raises:
        DataError: the first sample cannot be loaded.
    """
    collect = cfg.policy.collect
    if not all(_describes_pictures(_section(collect, split)) for split in ("train", "val")):
        return
    picture = _first_picture(eval_set)
    height, width = picture.shape[1:] if picture.is_floating_point() else picture.shape[:2]
    if height == width:
        collect.resize_size = round(int(height) * collect.resize_size / collect.image_size)
        collect.image_size = int(height)


def _section(collect: Any, split: str) -> dict[str, Any] | None:
    section = None if collect.synthetic else collect.get(split)
    return None if section is None else plain_copy(section)


def _folder(collect: Any, split: str) -> str | os.PathLike[str]:
    """Return the folder of a split that no dict describes."""
    if split in _PATHS:
        return str(collect[_PATHS[split]])
    section = _section(collect, "val") or {}
    beside = next((section[name] for name in FOLDERS if section.get(name)), collect.eval_data_path)
    return find_split(Path(beside).parent, split)


def _own_folder(collect: Any, split: str, section: Mapping[str, Any]) -> str:
    """Return the folder that the config names beside a split's dict; empty where it names none."""
    if split in _PATHS:
        return str(collect[_PATHS[split]])
    if holds_every_split(section):
        return "" if any(inner_of(section).get(name) for name in FOLDERS) else str(collect.eval_data_path)
    takes_none = not arguments_of(section) & set(FOLDERS) or tells_its_folder(section)
    return "" if takes_none or any(section.get(name) for name in FOLDERS) else str(_folder(collect, split))


def _with_folder(section: dict[str, Any], split: str, path: str) -> dict[str, Any]:
    """Return the description with the folder of ``learn_data_path`` or ``eval_data_path`` in it."""
    return changed(section, lambda inner: _with_own_folder(inner, split, path))


def _with_own_folder(section: dict[str, Any], split: str, path: str) -> dict[str, Any]:
    name = next((each for each in FOLDERS if each in arguments_of(section)), None)
    if name is None:
        return section
    if not path:
        # A data set of the user's that reads no folder may still want the argument.
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


def _moved(section: dict[str, Any], folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a description says, without its wrappers, of another folder: all of that is wanted."""
    section = dict(inner_of(section))
    name = next((each for each in FOLDERS if each in arguments_of(section)), None)
    if name is None:
        raise DataError(
            f"the data set {section.get('type')!r} takes no folder (data_prefix), so it cannot read "
            f"{str(folder)!r}; describe the split in policy.collect"
        )
    return {**section, name: str(folder)}


def _built(section: dict[str, Any], split: str, offered: Mapping[str, Any]) -> Any:
    """Return the data set of a description; of what is offered it gets the arguments that it takes."""
    dataset = build_dataset(filled(section, offered))
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


def _training_pipeline(collect: Any) -> list[dict[str, Any]]:
    crop = {
        "type": "RandomResizedCrop",
        "size": collect.image_size,
        "scale": list(collect.crop_scale),
        "ratio": list(collect.crop_ratio),
        "interpolation": collect.interpolation,
    }
    return [{"type": "LoadImageFromFile"}, crop, *([{"type": "RandomFlip"}] if collect.hflip else [])]


def evaluation_pipeline(collect: Any) -> list[dict[str, Any]]:
    """Return the validation set's own pipeline, or the usual one."""
    section = inner_of(_section(collect, "val") or {})
    if section.get("pipeline") is not None:
        return list(section["pipeline"])
    usual = [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "size": [collect.resize_size, -1], "interpolation": collect.interpolation},
        {"type": "CenterCrop", "crop_size": collect.image_size},
    ]
    return without_loading(usual, section)


def _describes_pictures(section: Mapping[str, Any] | None) -> bool:
    """Return whether a description says all about its pictures, so that nothing of ours is filled in."""
    if section is None:
        return False
    inner = inner_of(section)
    return not (arguments_of(inner) - inner.keys()) & {"pipeline", "transform"}


def _normalization(dataset: Any) -> Normalization | None:
    """Return the numbers that a data set's pictures are normalised by, where it states any."""
    pipeline, geometry = getattr(dataset, "pipeline", None), getattr(dataset, "geometry", None)
    if isinstance(pipeline, Compose):
        return pipeline.normalization
    if isinstance(geometry, (Preprocessing, TrainAugmentation)):
        return Normalization(geometry.mean, geometry.std)
    return geometry.normalization if geometry is not None else None


def _tell_large_floats(picture: torch.Tensor) -> None:
    largest = float(picture.max())
    if largest > _LARGE:
        _LOGGER.warning(
            "the training pictures hold floats up to %g: nothing seems to normalise them; end both pipelines "
            "with Normalize, unless the network does it",
            largest,
        )


def _check_deferred(dataset: Any, preprocessing: PipelinePreprocessing, split: str) -> None:
    """Check that a data set is normalised as the model is used: by the batch, or by steps of its own."""
    stated: Normalization | None
    if isinstance(preprocessing, Preprocessing):
        stated = used = Normalization(preprocessing.mean, preprocessing.std)
    else:
        used, compose = preprocessing.normalization, Compose(preprocessing.pipeline)
        stated = compose.normalization or (used if compose.is_known else None)
    pipelines = [getattr(each, "pipeline", None) for each in innermost(dataset)]
    for pipeline in (each for each in pipelines if isinstance(each, Compose)):
        for theirs, ours in ((pipeline.deferred, used), (pipeline.normalization, stated)):
            if theirs is not None and ours is not None and theirs != ours:
                raise DataError(_two_normalizations(f"policy.collect.{split}", theirs, ours))


def _two_normalizations(who: str, theirs: Normalization, used: Normalization) -> str:
    return (
        f"{who} normalises by {theirs}, evaluation by {used}; give both the same numbers, in Normalize or in "
        "policy.collect.mean and policy.collect.std"
    )


def _first_picture(dataset: Any, *, skips_bad: bool = False) -> torch.Tensor:
    load = getattr(dataset, "load", dataset.__getitem__)
    index = next((each for each in range(len(dataset)) if not fault_of(dataset, each)), 0) if skips_bad else 0
    with sample_randomness(0):
        sample = load(index)
    is_pair = isinstance(sample, (tuple, list)) and len(sample) == 2
    if not is_pair or not isinstance(sample[0], torch.Tensor) or sample[0].ndim != 3:
        raise DataError(
            f"the first sample of {type(dataset).__name__} is no pair of a picture and a class number; a "
            "picture is a tensor: uint8 (H, W, 3), or float (3, H, W)"
        )
    return sample[0]


def _check_classes(dataset: Any, classes: Sequence[str], split: str) -> None:
    pairs = enumerate(zip_longest(dataset.classes, classes))
    for number, (given, trained) in pairs:
        if given != trained:
            raise DataError(
                f"class {number} of policy.collect.{split} is {given!r}, and {trained!r} in training; "
                "give it the training set's list, or leave 'classes' out"
            )
