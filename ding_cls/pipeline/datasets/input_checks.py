"""What the datasets of a run make of an image: one normalisation for all, and the size that comes out.

It must not know how they were described, networks or loaders.
"""

import logging
from collections.abc import Mapping
from typing import Any

import torch

from ding_cls.common.seed import sample_randomness
from ding_cls.data import Compose, Normalization, PipelinePreprocessing, innermost
from ding_cls.data.image_check import fault_of
from ding_cls.data.transforms.formatting import FROM_0_TO_255
from ding_cls.errors import DataError
from ding_cls.pipeline.datasets.dataset_cfg import arguments_of, inner_of

_LOGGER = logging.getLogger(__name__)

# No normalised image reaches it, and hardly one from 0 to 255 stays below.
_LARGE = 32


def check_normalization(cfg: Any, train_set: Any, eval_set: Any) -> None:
    """Check that both sets of a run are normalised by the same numbers, as far as they state any; warn where
    nothing seems to normalise them.

    Raises:
        DataError: they are not, or a first sample cannot be loaded.
    """
    collect = cfg.policy.collect
    if collect.train is None and collect.val is None:
        return
    skips_bad = cfg.policy.learn.learner.dataloader.max_bad > 0
    for each in (*innermost(train_set), *innermost(eval_set)):
        if _reads_nothing(each):
            # A step that finds no image says so, which the order of the channels would not.
            first_image(each, skips_bad=skips_bad)
    default = Normalization(tuple(collect.mean), tuple(collect.std))
    trained, used = (
        [
            _normalization(each)
            or (None if first_image(each, skips_bad=skips_bad).is_floating_point() else default)
            for each in innermost(dataset)
        ]
        for dataset in (train_set, eval_set)
    )
    for number, each in enumerate([*used, *trained]):
        if each is not None and used[0] is not None and each != used[0]:
            who = "one data set of evaluation" if number < len(used) else "training"
            raise DataError(_two_normalizations(who, each, used[0]))
    if trained[0] in (None, FROM_0_TO_255):
        _warn_of_large_floats(first_image(innermost(train_set)[0], skips_bad=skips_bad))


def check_eval_normalization(dataset: Any, preprocessing: PipelinePreprocessing, split: str) -> None:
    """Check that a dataset is normalised as the model is used: by the batch, or by steps of its own.

    Raises:
        DataError: it is not.
    """
    pipelines = [getattr(each, "pipeline", None) for each in innermost(dataset)]
    for pipeline in (each for each in pipelines if isinstance(each, Compose)):
        for theirs, ours in (
            (pipeline.deferred, preprocessing.normalization),
            (pipeline.normalization, preprocessing.stated),
        ):
            if theirs is not None and ours is not None and theirs != ours:
                who = f"policy.collect.{split}" if split else "the data"
                raise DataError(_two_normalizations(who, theirs, ours))


def note_image_size(cfg: Any, eval_set: Any) -> None:
    """Write into ``policy.collect.image_size`` how large the images are that two described sets give.

    ``resize_size`` follows in the ratio that it had. Where a folder's images or a pipeline of ours are made
    from those values, they stay; and where the images are no squares.

    Raises:
        DataError: the first sample cannot be loaded.
    """
    collect = cfg.policy.collect
    if not all(_makes_images_alone(collect[split]) for split in ("train", "val")):
        return
    image = first_image(eval_set)
    height, width = image.shape[1:] if image.is_floating_point() else image.shape[:2]
    if height == width:
        collect.resize_size = round(int(height) * collect.resize_size / collect.image_size)
        collect.image_size = int(height)


def _makes_images_alone(section: Mapping[str, Any] | None) -> bool:
    """Return whether a description says all about its images, so that nothing of ours is filled in."""
    if section is None:
        return False
    inner = inner_of(section)
    return not (arguments_of(inner) - inner.keys()) & {"pipeline", "transform"}


def _reads_nothing(dataset: Any) -> bool:
    """Return whether a dataset of files has a pipeline without `LoadImageFromFile`."""
    pipeline = getattr(dataset, "pipeline", None)
    is_without = isinstance(pipeline, Compose) and bool(pipeline.steps) and not pipeline.is_from_file
    return is_without and not getattr(dataset, "is_in_memory", False)


def _normalization(dataset: Any) -> Normalization | None:
    """Return the numbers that a dataset's images are normalised by, where it states any."""
    pipeline, geometry = getattr(dataset, "pipeline", None), getattr(dataset, "geometry", None)
    if isinstance(pipeline, Compose):
        return pipeline.normalization
    return geometry.normalization if geometry is not None else None


def _warn_of_large_floats(image: torch.Tensor) -> None:
    largest = float(image.max())
    if largest > _LARGE:
        _LOGGER.warning(
            "the training pictures hold floats up to %g: nothing seems to normalise them; end both pipelines "
            "with Normalize, unless the network does it",
            largest,
        )


def _two_normalizations(who: str, theirs: Normalization, used: Normalization) -> str:
    return (
        f"{who} normalises by {theirs}, evaluation by {used}; give both the same numbers, in Normalize or in "
        "policy.collect.mean and policy.collect.std"
    )


def first_image(dataset: Any, *, skips_bad: bool = False) -> torch.Tensor:
    """Return the first image of a dataset: uint8 ``(H, W, 3)``, or float ``(C, H, W)``.

    Args:
        dataset: it is left as it is.
        skips_bad: take the first that can be read.

    Raises:
        DataError: it cannot be loaded, or is no image.
    """
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
