"""What a network looked at in some samples of an evaluation, laid over them."""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import torch
from PIL import Image

from ding_cls.data import PipelinePreprocessing
from ding_cls.errors import DingError
from ding_cls.inference import load
from ding_cls.inference.predictor import Predictor
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.reporting.pictures import encoded, seen_pixels

_SIDE_PX = 192
_INSTALL = "pip install 'ding_cls[cam]'"


def heat_maps(
    found: EvaluationReport,
    indices: Sequence[tuple[int, int]],
    preprocessing: PipelinePreprocessing,
    model: torch.nn.Module | None = None,
) -> tuple[dict[int, bytes], str]:
    """Return image files with Grad-CAM's map of the predicted class, by position; or why there are none.

    Args:
        found: the evaluation.
        indices: pairs of a position in the records and in the dataset.
        preprocessing: the checkpoint's.
        model: the network, where it was given.
    """
    if not indices or found.records.kind != "one":
        return {}, ""
    if find_spec("pytorch_grad_cam") is None or find_spec("ding_cls.inference.cam") is None:
        return {}, f"What the network looked at (Grad-CAM) is shown with another package: {_INSTALL}"
    from ding_cls.inference.cam import heat_maps as maps_of
    from ding_cls.report.overlay import overlay

    seen = [seen_pixels(found.dataset, index, preprocessing) for _, index in indices]
    labels = found.records.predicted[[position for position, _ in indices]].tolist()
    try:
        maps = maps_of(_predictor_of_seen(found, preprocessing, model), seen, labels)
    except DingError as error:
        return {}, f"What the network looked at (Grad-CAM) is not shown: {error}"
    return {
        position: encoded(np.asarray(overlay(Image.fromarray(pixels), heat_map)), _SIDE_PX)
        for (position, _), pixels, heat_map in zip(indices, seen, maps, strict=True)
    }, ""


def _predictor_of_seen(
    found: EvaluationReport, preprocessing: PipelinePreprocessing, model: torch.nn.Module | None
) -> Predictor:
    """Return the checkpoint's network for images that its preprocessing has been applied to already."""
    predictor = load(found.checkpoint, model=model, allow_code=True)
    as_it_is = PipelinePreprocessing([])
    as_it_is.normalization = preprocessing.normalization
    predictor.preprocessing = as_it_is
    return predictor
