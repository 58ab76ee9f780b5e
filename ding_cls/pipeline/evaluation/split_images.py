"""The images of a run's own split, for prediction: files, or what a dataset has in none.

It must not know networks.
"""

import os
from collections.abc import Sequence
from typing import Any

from ding_cls.data import ConcatDataset, PipelinePreprocessing
from ding_cls.data.datasets.wrappers import IndexedDataset
from ding_cls.errors import ConfigError
from ding_cls.inference.images import DatasetImage
from ding_cls.inference.sources import Source, refuse_overwriting
from ding_cls.pipeline.datasets.left_out import warn_left_out
from ding_cls.pipeline.evaluation.inputs import evaluated_set, read_inputs
from ding_cls.pipeline.evaluation.sample_records import files_of, sample_paths


def split_images(
    checkpoints: Sequence[str | os.PathLike[str]],
    split: str,
    *,
    preprocessings: Sequence[PipelinePreprocessing],
    allow_code: bool = False,
    out: str | None = None,
) -> list[Source]:
    """Return the images of a split, in the order of the data, as evaluation finds them.

    Args:
        checkpoints: files that runs wrote, or runs' folders; they have the split in common.
        split: 'train', 'val' or 'test'.
        preprocessings: what the images will go through.
        allow_code: import the modules that the runs' ``custom_imports`` name.
        out: the file that will be written; never one that they are read from.

    Raises:
        CheckpointError: a file does not say what it was made for.
        ConfigError: the runs have different images there; or a dataset prepares images itself, and in another
            way than ``preprocessings``.
        DataError: there is no such split, or its folder is missing.
    """
    sources = _images_of(checkpoints[0], split, allow_code=allow_code, out=out)
    names = _names(sources)
    for other in checkpoints[1:]:
        if _names(_images_of(other, split, allow_code=allow_code, out=out)) != names:
            raise ConfigError(
                f"--split {split} of '{checkpoints[0]}' and of '{other}' are not the same images, so that "
                "one may have been trained on the other's; name the images"
            )
    _check_prepared(sources, split, preprocessings)
    return sources


def _images_of(
    checkpoint: str | os.PathLike[str], split: str, *, allow_code: bool, out: str | None
) -> list[Source]:
    inputs = read_inputs(
        checkpoint, config=None, metric=None, overrides=(), has_model=False, allow_code=allow_code
    )
    dataset, _ = evaluated_set(inputs, None, split)
    if out is not None:
        refuse_overwriting(out, files_of(dataset))
    warn_left_out(dataset)
    return dataset_sources(dataset, inputs.preprocessing)


def dataset_sources(dataset: Any, preprocessing: PipelinePreprocessing) -> list[Source]:
    """Return the images of a dataset, in its order.

    Args:
        dataset: as `evaluated_set` returns it.
        preprocessing: what it does to an image.
    """
    return [
        _source(*_place(dataset, index), name, preprocessing)
        for index, name in enumerate(sample_paths(dataset))
    ]


def _place(dataset: Any, index: int) -> tuple[Any, int]:
    """Return the dataset inside wrappers that has a sample, and its number there."""
    if isinstance(dataset, ConcatDataset):
        number, inner = dataset.place(index)
        return _place(dataset.datasets[number], inner)
    if isinstance(dataset, IndexedDataset):
        return _place(dataset.dataset, dataset.indices[index])
    return dataset, index


def _source(dataset: Any, index: int, name: str, preprocessing: PipelinePreprocessing) -> Source:
    file = dataset.image_file(index) if hasattr(dataset, "image_file") else None
    return DatasetImage(name, dataset, index, preprocessing) if file is None else str(file)


def _names(sources: Sequence[Source]) -> list[str]:
    return [each.name if isinstance(each, DatasetImage) else str(each) for each in sources]


def _check_prepared(
    sources: Sequence[Source], split: str, preprocessings: Sequence[PipelinePreprocessing]
) -> None:
    """Refuse images that come prepared in another way than a network's; one of each dataset is looked at."""
    of_each = {id(each.dataset): each for each in sources if isinstance(each, DatasetImage)}
    for image in of_each.values():
        is_fit = all(each == image.preprocessing for each in preprocessings)
        if not is_fit and image.pixels() is None:
            raise ConfigError(
                f"--split {split}: {type(image.dataset).__name__} gives images as it prepares them, which "
                "differs from what one of the networks takes; predict with each by itself"
            )
