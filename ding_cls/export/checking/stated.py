"""What an exported file says of itself, and whether it is so: its preprocessing gives the pixels of the
checkpoint's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch

from ding_cls.errors import CheckpointError, DataError, ExportError
from ding_cls.export.checking.session import OnnxCandidate
from ding_cls.export.checking.synthetic import synthetic_images
from ding_cls.export.description import described
from ding_cls.export.lowering import lowered
from ding_cls.inference.images import pixels_of
from ding_cls.inference.onnx.description import ModelDescription
from ding_cls.inference.onnx.preprocess import normalize
from ding_cls.inference.onnx.steps import NUMBERS, check_steps, prepared
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.sources import NamedImage, Source, name_of_source, read_rgb, sources_of

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
    name = _first_other(predictor, stated, sources)
    if name is not None:
        return {}, f"the steps without torch give other pixels of {name!r} than the run's evaluation"
    return stated, ""


def misstated(
    predictor: Predictor, file: OnnxCandidate, images: Any, description: ModelDescription | None
) -> str:
    """Return what a file says of itself that is not so of a predictor; empty where all is.

    Args:
        predictor: what the file was made of.
        file: with an entry.
        images: as in `ding_cls.export.checking.equality.check_equality`.
        description: what it shall say; None: what the checkpoint does.
    """
    if not file.is_whole:
        return "it is damaged: its bytes have not the SHA-256 that it says of them"
    try:
        found = ModelDescription.from_json(file.entry or "", "the file")
    except CheckpointError as error:
        return str(error)
    height, width = file.size or (found.height, found.width)
    example = torch.empty((height, width, 3), dtype=torch.uint8)
    true = description or described(predictor, example, file.layout, {})
    wanted = ModelDescription.from_json(true.to_json(), "the checkpoint")
    for each in fields(ModelDescription):
        values = [getattr(one, each.name) for one in (found, wanted)]
        is_told = description is not None or each.name not in ("preprocessing", "run")
        if is_told and values[0] != values[1]:
            said, meant = _shortened(*map(repr, values))
            return (
                f"its {each.name}, as it says in its metadata, is {said}, and that of the checkpoint {meant}"
            )
    if not found.preprocessing:
        return ""
    try:
        check_steps(found, "the file")
    except CheckpointError as error:
        return str(error)
    name = _first_other(predictor, found.preprocessing, None if images is None else sources_of(images))
    if name is None:
        return ""
    return f"the preprocessing that it states gives other pixels of {name!r} than the checkpoint's"


def _shortened(*texts: str) -> list[str]:
    """Return the parts of texts around the first place where they differ, if they are long."""
    first = next((place for place, each in enumerate(zip(*texts, strict=False)) if len({*each}) > 1), 0)
    begin = max(0, first - 20) if max(map(len, texts)) > 80 else 0
    return [
        f"{'...' if begin else ''}{text[begin : begin + 80]}{'...' if len(text) > begin + 80 else ''}"
        for text in texts
    ]


def spread(sources: Sequence[Source], count: int | None) -> Sequence[Source]:
    """Return so many images, spread evenly: of each class its share where they are sorted by class; all where
    there are fewer, or for None."""
    if count is None or count >= len(sources):
        return sources
    return [sources[number * len(sources) // count] for number in range(count)]


def _first_other(
    predictor: Predictor, stated: Mapping[str, Any], sources: Sequence[Source] | None
) -> str | None:
    """Return what the first of some images is called that two ways of preparing it turn into other pixels."""
    # Where the images are of one size, as in many sets, others are told by those that are made up.
    real = spread(sources or (), _NUM_TRIED)
    for number, source in enumerate([*real, *synthetic_images(predictor, count=_NUM_TRIED)]):
        if not _gives_the_same(predictor, stated, source, number):
            is_real = number < len(real)
            return name_of_source(source) or (f"image {number}" if is_real else "a synthetic image")
    return None


def _gives_the_same(predictor: Predictor, stated: Mapping[str, Any], source: Source, number: int) -> bool:
    if isinstance(source, NamedImage) and source.pixels() is None:
        return True
    try:
        wanted = pixels_of(source, predictor.preprocessing, number=number)
        found: Any = prepared(read_rgb(source, number=number), stated["steps"])
    except DataError:
        return True
    numbers = {name: stated[name] for name in NUMBERS if name in stated}
    if wanted.dtype == torch.uint8 and not np.array_equal(wanted.numpy(), found):
        return False
    normalised = predictor.preprocessing.normalize(wanted[None]).numpy()
    return np.array_equal(normalised, normalize(found[None], **numbers))
