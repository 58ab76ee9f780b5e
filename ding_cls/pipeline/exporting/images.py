"""The images that an exported file is compared with its checkpoint on: those of the run's evaluation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from ding_cls.data.labels import label_view
from ding_cls.errors import DataError
from ding_cls.inference.sources import Source
from ding_cls.pipeline.datasets.left_out import warn_left_out
from ding_cls.pipeline.evaluation.inputs import evaluated_set, read_inputs
from ding_cls.pipeline.evaluation.split_images import dataset_sources
from ding_cls.pipeline.image_check import readable_split


class ComparedImages(NamedTuple):
    """What a file and its checkpoint are compared on.

    Attributes:
        sources: the images; None: synthetic ones.
        reason: why there are none; empty where there are some.
        targets: their labels, as their dataset has them; None: they have none.
    """

    sources: list[Source] | None
    reason: str = ""
    targets: Sequence[Any] | None = None


def evaluation_images(
    checkpoint: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    split: str | None = None,
    max_bad: int | None = None,
    allow_code: bool = False,
) -> ComparedImages:
    """Return the images that `evaluate` would take; without them why there are none.

    Args:
        checkpoint: a run's folder or file.
        data: as in `evaluate`, like all that is not named here.

    Raises:
        CheckpointError: the file is missing, damaged, or does not say what it was made for.
        DataError: the data or the split that is asked for is missing.
    """
    inputs = read_inputs(
        checkpoint, config=None, metric=None, overrides=(), has_model=True, allow_code=allow_code
    )
    if data is None and inputs.cfg.policy.collect.synthetic:
        return ComparedImages(None, "the run was trained on synthetic images")
    try:
        dataset, found_split = evaluated_set(inputs, data, split)
        warn_left_out(dataset)
        is_its_own = data is None and max_bad is None
        saved = inputs.bad_images.get(found_split or "") if is_its_own else None
        dataset = _readable(inputs.cfg, dataset, saved, max_bad)
    except (DataError, OSError) as error:
        if data is not None or split is not None:
            raise
        return ComparedImages(None, str(error))
    return ComparedImages(dataset_sources(dataset, inputs.preprocessing), "", label_view(dataset))


def training_images(checkpoint: str | os.PathLike[str], *, allow_code: bool = False) -> list[Source] | None:
    """Return the run's training images, as evaluation prepares them; None: they are not here.

    Raises:
        CheckpointError: as `evaluation_images`.
    """
    try:
        return evaluation_images(checkpoint, split="train", allow_code=allow_code).sources
    except (DataError, OSError):
        return None


def _readable(cfg: Any, dataset: Any, saved: Any, max_bad: int | None) -> Any:
    loading = cfg.policy.learn.learner.dataloader
    allowed = loading.max_bad if max_bad is None else max_bad
    return readable_split(dataset, saved, max_bad=allowed, num_workers=loading.num_workers)
