"""The preprocessing that an exported file states, and whether it gives the pixels of the checkpoint's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ding_cls.errors import DataError, ExportError
from ding_cls.export.checking.synthetic import synthetic_images
from ding_cls.export.lowering import lowered
from ding_cls.inference.images import pixels_of
from ding_cls.inference.onnx.preprocess import normalize
from ding_cls.inference.onnx.steps import NUMBERS, prepared
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import NamedImage, Source, name_of_source, read_rgb

_NUM_TRIED = 8


def stated_preprocessing(
    predictor: Predictor, sources: Sequence[Source] | None
) -> tuple[Mapping[str, Any], str]:
    """Return a predictor's preprocessing as `ModelDescription` states it, and an empty text; or nothing, and
    why it cannot be stated.

    Some images go through both ways; one pixel that differs is a reason.

    Args:
        predictor: it has the preprocessing.
        sources: images to try; None: synthetic ones.
    """
    try:
        stated = lowered(predictor.preprocessing)
    except ExportError as error:
        return {}, str(error)
    tried = synthetic_images(predictor, count=_NUM_TRIED) if sources is None else sources[:_NUM_TRIED]
    for number, source in enumerate(tried):
        if not _gives_the_same(predictor, stated, source, number):
            name = name_of_source(source) or f"image {number}"
            return {}, f"the steps without torch give other pixels of {name!r} than the run's evaluation"
    return stated, ""


def _gives_the_same(predictor: Predictor, stated: Mapping[str, Any], source: Source, number: int) -> bool:
    if isinstance(source, NamedImage) and source.pixels() is None:
        return True
    try:
        wanted = pixels_of(source, predictor.preprocessing, number=number)
        found: Any = prepared(read_rgb(source, number=number), stated["steps"])
    except DataError:
        return True
    if wanted.dtype == torch.uint8:
        return np.array_equal(wanted.numpy(), found)
    numbers = {name: stated[name] for name in NUMBERS if name in stated}
    return np.array_equal(wanted.numpy(), normalize(found[None], **numbers)[0])
